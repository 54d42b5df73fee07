/* describe - see describe.h. */
#include "config/describe.h"

#include "base/json.h"
#include "base/quantity.h"
#include "config/scan.h"
#include "config/secret.h"

enum { SHOWN_BYTES = 80 }; /* of a string at fault */

static void add_words(const struct option *option, struct buf *out)
{
    for (const char *const *word = option->words; *word; word++) {
        if (word != option->words)
            buf_add_str(out, word[1] ? ", " : " or ");
        json_string(out, span_of(*word));
    }
}

static void add_string(const struct option *option, struct buf *out)
{
    if (option->required || option->min > 0) {
        buf_add_str(out, "a string that is not empty");
    } else {
        buf_add_str(out, "a string");
    }
    if (option->max > 0)
        buf_printf(out, ", at most %lld bytes", (long long)option->max);
}

static void add_range(const struct option *option, struct buf *out,
                      void (*format)(struct buf *, uint64_t))
{
    buf_add_str(out, " from ");
    format(out, (uint64_t)option->min);
    buf_add_str(out, " to ");
    format(out, (uint64_t)option->max);
}

static void format_duration(struct buf *out, uint64_t ms)
{
    duration_format(out, (int64_t)ms);
}

static void format_number(struct buf *out, uint64_t number)
{
    buf_add_u64(out, number);
}

void describe_option(const struct option *option, struct buf *out)
{
    switch (option->kind) {
    case OPTION_STRING:
        add_string(option, out);
        break;
    case OPTION_BOOL:
        buf_add_str(out, "true or false");
        break;
    case OPTION_INT:
        buf_add_str(out, "a whole number");
        add_range(option, out, format_number);
        break;
    case OPTION_DURATION:
        buf_add_str(out, option->unit == 1000 ? "a duration in whole seconds" : "a duration");
        add_range(option, out, format_duration);
        buf_add_str(out, ", a string with a unit (ms, s, m, h or d)");
        break;
    case OPTION_SIZE:
        buf_add_str(out, "a size");
        add_range(option, out, size_format);
        buf_add_str(out, ", a string with a unit (B, KiB, MiB or GiB)");
        break;
    case OPTION_WORD:
        add_words(option, out);
        break;
    case OPTION_STRINGS:
        buf_printf(out, "a string or a list of %s%lld strings",
                   option->min > 0 ? "1 to " : "at most ", (long long)option->max);
        break;
    case OPTION_GROUP:
        buf_add_str(out, "a group { ... }");
        break;
    case OPTION_GROUPS:
        buf_add_str(out, "a list of groups ( { ... }, ... )");
        break;
    case OPTION_OTHER:
        buf_add_str(out, option->takes);
        break;
    }
}

void describe_setting(const config_setting_t *setting, struct buf *out)
{
    struct span text;
    size_t shown;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        text = span_of(config_setting_get_string(setting));
        shown = text.len;
        if (text.len > SHOWN_BYTES) {
            for (shown = SHOWN_BYTES; shown > 0 && (text.ptr[shown] & 0xC0) == 0x80;)
                shown--; /* not inside a character of UTF-8 */
        }
        json_string(out, span_slice(text, 0, shown));
        buf_add_str(out, shown < text.len ? "..." : "");
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        if (scan_flags(setting) & SCAN_TOO_BIG) {
            buf_add_str(out, "a number that is far too large");
        } else {
            buf_printf(out, "the number %lld", config_setting_get_int64(setting));
        }
        break;
    case CONFIG_TYPE_FLOAT:
        buf_add_str(out, "a number with a fraction or exponent");
        break;
    case CONFIG_TYPE_BOOL:
        buf_add_str(out, config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_GROUP:
        buf_add_str(out, "a group");
        break;
    case CONFIG_TYPE_ARRAY:
        buf_add_str(out, config_setting_length(setting) ? "an array" : "an empty array");
        break;
    default:
        buf_add_str(out, config_setting_length(setting) ? "a list" : "an empty list");
        break;
    }
}

static void add_shown(struct span text, bool secret, struct buf *out)
{
    if (secret && text.len > 0 && !secret_is_reference(text)) {
        buf_add_str(out, "\"********\"");
    } else {
        json_string(out, text);
    }
}

void describe_value(const config_setting_t *setting, bool secret, struct buf *out)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        add_shown(span_of(config_setting_get_string(setting)), secret, out);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        buf_printf(out, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_BOOL:
        buf_add_str(out, config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        buf_add_char(out, '[');
        for (int i = 0; i < config_setting_length(setting); i++) {
            buf_add_str(out, i ? ", " : "");
            describe_value(config_setting_get_elem(setting, (unsigned)i), secret, out);
        }
        buf_add_char(out, ']');
        break;
    default: /* not a value that any option takes */
        buf_add_str(out, "\"\"");
        break;
    }
}

void describe_preset(const struct option *option, struct buf *out)
{
    if (option->kind == OPTION_STRINGS) {
        buf_add_str(out, "[]");
    } else if (option->preset && (option->kind == OPTION_BOOL || option->kind == OPTION_INT)) {
        buf_add_str(out, option->preset);
    } else {
        json_string(out, span_of(option->preset ? option->preset : ""));
    }
}
