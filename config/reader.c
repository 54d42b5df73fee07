/* reader - see reader.h. */
#include "config/reader.h"

#include "base/json.h"
#include "base/quantity.h"
#include "config/list.h"
#include "config/origins.h"
#include "config/scan.h"
#include "config/secret.h"

static void *at(void *object, size_t offset)
{
    return (char *)object + offset;
}

static void store(void *object, const struct option *option, int64_t number)
{
    void *to = at(object, option->offset);
    switch (option->size) {
    case sizeof(bool):
        *(bool *)to = number != 0;
        break;
    case sizeof(int32_t):
        *(int32_t *)to = (int32_t)number;
        break;
    default:
        CHECK(option->size == sizeof(int64_t));
        *(int64_t *)to = number;
        break;
    }
}

int reader_word(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
    }
    return -1;
}

/* The number that a text stands for, as it is stored; false when it is out of bounds. */
static bool number_of_text(const struct option *option, const char *text, int64_t *number)
{
    uint64_t bytes;
    int index;
    switch (option->kind) {
    case OPTION_DURATION:
        if (!duration_parse(span_of(text), number) || *number < option->min ||
            *number > option->max)
            return false;
        if (option->unit == 1000 && *number % 1000 != 0)
            return false;
        *number /= option->unit == 1000 ? 1000 : 1;
        return true;
    case OPTION_SIZE:
        if (!size_parse(span_of(text), &bytes))
            return false;
        *number = (int64_t)bytes;
        return *number >= option->min && *number <= option->max;
    case OPTION_WORD:
        index = reader_word(text, option->words);
        *number = index;
        return index >= 0;
    default:
        return false;
    }
}

char *reader_string(struct reader *reader, const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        reader_mismatch(reader, setting);
        return NULL;
    }
    struct span written = span_of(config_setting_get_string(setting));
    struct buf value = BUF_INIT(written.len > SECRET_MAX_BYTES ? written.len : SECRET_MAX_BYTES);
    struct err err;
    if (!secret_resolve(written, &value, &err)) {
        reader_unresolved(reader, setting, &err);
    } else if (scan_flags(setting) & SCAN_NUL || span_find(buf_span(&value), '\0') < value.len) {
        reader_fault(reader, setting, "cannot contain a NUL byte");
    } else if (!reader->option->bytes && !utf8_valid(buf_span(&value))) {
        reader_fault(reader, setting, "is not valid UTF-8");
    } else {
        return buf_take(&value);
    }
    buf_fini(&value);
    return NULL;
}

const struct jq_program *reader_program(struct reader *reader, const config_setting_t *setting,
                                        struct span text)
{
    struct err err;
    const struct jq_program *program = ruleset_program(reader->config->rules, text, &err);
    if (!program)
        reader_refuse(reader, setting, err.text);
    return program;
}

/* Whether a string may stand as it is; notes why not. */
static bool string_ok(struct reader *reader, const config_setting_t *setting, const char *value)
{
    const struct option *option = reader->option;
    struct span text = span_of(value);
    const char *why;
    if (text.len == 0 && option->preset && *option->preset == '\0')
        return true;
    if (option->check && !option->check(text, &why)) {
        reader_refuse(reader, setting, why);
        return false;
    }
    bool too_short = text.len == 0 && (option->required || option->min > 0);
    bool too_long = option->max > 0 && text.len > (uint64_t)option->max;
    if (option->kind == OPTION_STRING && (too_short || too_long)) {
        reader_mismatch(reader, setting);
        return false;
    }
    return true;
}

/* Takes value, in place of what is there. */
static void put_string(const struct option *option, char *value, void *object)
{
    char **to = at(object, option->offset);
    free(*to);
    *to = value;
}

/* Resolves a secret once, to know that it can be; it is resolved again when it is used. */
static void read_secret(struct reader *reader, const config_setting_t *setting, void *object)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || scan_flags(setting) & SCAN_NUL) {
        reader_mismatch(reader, setting);
        return;
    }
    struct span written = span_of(config_setting_get_string(setting));
    struct buf value = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    if (!secret_resolve(written, &value, &err)) {
        reader_unresolved(reader, setting, &err);
    } else if (written.len > 0 && !secret_is_reference(written)) {
        reader_warn_at(reader, reader_line(setting),
                       "%s.%s is written in the file; @env:NAME or @file:PATH keeps it out",
                       reader->group->path, reader->option->name);
    } else if (secret_is_exposed(written)) {
        reader_warn_at(reader, reader_line(setting),
                       "%s.%s: everyone can read the file that %s names", reader->group->path,
                       reader->option->name, config_setting_get_string(setting));
    }
    if (value.len > 0)
        explicit_bzero(value.ptr, value.len);
    buf_fini(&value);
    put_string(reader->option, span_dup(written), object);
}

static void read_text(struct reader *reader, const config_setting_t *setting, void *object)
{
    char *value = reader_string(reader, setting);
    if (!value)
        return;
    if (reader->option->kind == OPTION_STRING) {
        if (string_ok(reader, setting, value)) {
            put_string(reader->option, value, object);
            return;
        }
    } else {
        int64_t number;
        if (number_of_text(reader->option, value, &number)) {
            store(object, reader->option, number);
        } else {
            reader_mismatch(reader, setting);
        }
    }
    free(value);
}

static void read_number(struct reader *reader, const config_setting_t *setting, void *object)
{
    const struct option *option = reader->option;
    int type = config_setting_type(setting);
    if (option->kind == OPTION_BOOL && type == CONFIG_TYPE_BOOL) {
        store(object, option, config_setting_get_bool(setting));
        return;
    }
    if (option->kind == OPTION_INT && (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) &&
        !(scan_flags(setting) & SCAN_TOO_BIG)) {
        int64_t number = config_setting_get_int64(setting);
        if (number >= option->min && number <= option->max) {
            store(object, option, number);
            return;
        }
    }
    reader_mismatch(reader, setting);
}

static void take_string(struct reader *reader, const config_setting_t *setting, char *value,
                        void *object)
{
    if (!string_ok(reader, setting, value)) {
        free(value);
        return;
    }
    char ***list = at(object, reader->option->offset);
    size_t *count = at(object, reader->option->count_offset);
    *list = list_grow(*list, *count, sizeof **list);
    (*list)[(*count)++] = value;
}

static bool is_list(const config_setting_t *setting)
{
    return config_setting_is_list(setting) || config_setting_is_array(setting);
}

size_t reader_strings(struct reader *reader, const config_setting_t *setting, size_t max,
                      void (*take)(struct reader *, const config_setting_t *, char *value,
                                   void *ctx),
                      void *ctx)
{
    bool list = is_list(setting);
    size_t count = list ? (size_t)config_setting_length(setting) : 1;
    if (count > max) {
        reader_fault(reader, setting, "has %zu elements; at most %zu are allowed", count, max);
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *one =
            list ? config_setting_get_elem(setting, (unsigned)i) : setting;
        if (list && config_setting_type(one) != CONFIG_TYPE_STRING) {
            reader_expect(reader, one, "have only strings in its list");
            continue;
        }
        char *value = reader_string(reader, one);
        if (value)
            take(reader, one, value, ctx);
    }
    return count;
}

/* Has the option's read take one of its groups, the index-th. */
static void read_element(struct reader *reader, const config_setting_t *setting, size_t index,
                         void *object)
{
    size_t outer = reader_enter(reader);
    if (reader->config->shown)
        buf_printf(&reader->place, "[%zu]", index);
    reader->option->read(reader, setting, object);
    reader_leave(reader, outer);
}

static void read_groups(struct reader *reader, const config_setting_t *setting, void *object)
{
    const struct option *option = reader->option;
    size_t before = reader_count_before(reader, option->group);
    if (config_setting_is_group(setting)) {
        read_element(reader, setting, before, object);
        return;
    }
    if (!is_list(setting)) {
        reader_mismatch(reader, setting);
        return;
    }
    int length = config_setting_length(setting);
    if (length < option->min)
        reader_mismatch(reader, setting);
    if (option->max > 0 && length > option->max) {
        reader_fault(reader, setting, "has %d elements; at most %lld are allowed", length,
                     (long long)option->max);
        return;
    }
    for (int i = 0; i < length; i++) {
        const config_setting_t *one = config_setting_get_elem(setting, (unsigned)i);
        if (config_setting_is_group(one)) {
            read_element(reader, one, before + (size_t)i, object);
            continue;
        }
        reader_expect(reader, one, "have only groups { ... } in its list");
    }
}

static void read_member(struct reader *reader, const config_setting_t *setting, void *object)
{
    const struct option *option = reader->option;
    switch (option->kind) {
    case OPTION_BOOL:
    case OPTION_INT:
        read_number(reader, setting, object);
        break;
    case OPTION_STRING:
    case OPTION_DURATION:
    case OPTION_SIZE:
    case OPTION_WORD:
        if (option->secret) {
            read_secret(reader, setting, object);
        } else {
            read_text(reader, setting, object);
        }
        break;
    case OPTION_STRINGS:
        if (reader_strings(reader, setting, (size_t)option->max, take_string, object) <
            (uint64_t)option->min)
            reader_mismatch(reader, setting);
        break;
    case OPTION_GROUP:
        if (config_setting_is_group(setting)) {
            size_t outer = reader_enter(reader);
            reader_group(reader, option->group, setting, reader_line(setting), object);
            reader_leave(reader, outer);
        } else {
            reader_mismatch(reader, setting);
        }
        if (option->read)
            option->read(reader, setting, object);
        break;
    case OPTION_GROUPS:
        read_groups(reader, setting, object);
        break;
    case OPTION_OTHER:
        option->read(reader, setting, object);
        break;
    }
}

/* Sections of the main file are never without their defaults, even where they are no groups. */
static void store_preset(const struct option *option, void *object)
{
    int64_t number = 0;
    uint64_t whole;
    if (option->kind == OPTION_GROUP && option->group->main) {
        for (size_t i = 0; i < option->group->count; i++)
            store_preset(&option->group->options[i], object);
    }
    if (!option->preset || option->kind >= OPTION_GROUP)
        return;
    switch (option->kind) {
    case OPTION_STRING:
        put_string(option, span_dup(span_of(option->preset)), object);
        return;
    case OPTION_BOOL:
        number = strcmp(option->preset, "true") == 0;
        break;
    case OPTION_INT:
        CHECK(span_to_u64(span_of(option->preset), INT64_MAX, &whole));
        number = (int64_t)whole;
        break;
    default:
        CHECK(number_of_text(option, option->preset, &number));
        break;
    }
    store(object, option, number);
}

static void read_absent(struct reader *reader, int line, void *object)
{
    const struct option *option = reader->option;
    if (option->required && !(reader->bare && reader->group->main)) {
        reader_fault_at(reader, line, "%s.%s is required", reader->group->path, option->name);
    } else if (option->kind == OPTION_GROUP && option->group->main) {
        reader_group(reader, option->group, NULL, line, object);
    }
}

void reader_group(struct reader *reader, const struct option_group *group,
                  const config_setting_t *setting, int line, void *object)
{
    const struct option_group *outer_group = reader->group;
    const struct option *outer_option = reader->option;
    reader->group = group;
    if (setting)
        reader_find_unknown(reader, setting);
    for (size_t i = 0; i < group->count; i++) {
        const struct option *option = &group->options[i];
        const config_setting_t *member =
            setting ? config_setting_get_member(setting, option->name) : NULL;
        reader->option = option;
        store_preset(option, object);
        if (member) {
            read_member(reader, member, object);
        } else {
            read_absent(reader, line, object);
        }
        if (group->main) {
            origins_note(reader->config->origins, group->path, option, member);
        } else if (reader->config->shown) {
            origins_note_at(reader->config->shown, buf_str(&reader->place), reader->file, option,
                            member);
        }
    }
    reader->group = outer_group;
    reader->option = outer_option;
}

void option_free(const struct option_group *group, void *object)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct option *option = &group->options[i];
        if (option->kind == OPTION_STRING) {
            free(*(char **)at(object, option->offset));
        } else if (option->kind == OPTION_STRINGS) {
            char **list = *(char ***)at(object, option->offset);
            size_t count = *(size_t *)at(object, option->count_offset);
            while (count > 0)
                free(list[--count]);
            free(list);
        } else if (option->kind == OPTION_GROUP) {
            option_free(option->group, object);
        }
    }
}
