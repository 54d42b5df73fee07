/* reader_faults - how the reader says what is wrong; see reader.h. */
#include "base/nearest.h"
#include "config/describe.h"
#include "config/reader.h"
#include "config/secret.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX_BYTES = 2048, MAX_RULES = 100000 };

int reader_line(const config_setting_t *setting)
{
    int line = (int)config_setting_source_line(setting);
    return line > 0 ? line : 1; /* the file itself, as libconfig has it, has 0 */
}

int reader_member_line(const config_setting_t *group, const char *name)
{
    const config_setting_t *member = config_setting_get_member(group, name);
    return reader_line(member ? member : group);
}

bool reader_given(const config_setting_t *group, const char *name)
{
    return config_setting_get_member(group, name) != NULL;
}

void reader_fault_at(struct reader *reader, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    faults_vadd(reader->faults, FAULT_ERROR, reader->file, line, format, args);
    va_end(args);
}

void reader_warn_at(struct reader *reader, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    faults_vadd(reader->faults, FAULT_WARNING, reader->file, line, format, args);
    va_end(args);
}

void reader_fault(struct reader *reader, const config_setting_t *setting, const char *format, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *path = reader->group->path;
    reader_fault_at(reader, reader_line(setting), "%s%s%s %s", path, *path ? "." : "",
                    reader->option->name, text);
}

bool reader_room_for_rule(struct reader *reader, const config_setting_t *setting)
{
    const struct ruleset *set = reader->config->rules;
    if (set->forward_count + set->reverse_count < MAX_RULES)
        return true;
    if (!reader->full)
        reader_fault_at(reader, reader_line(setting), "there are more than %d rules", MAX_RULES);
    reader->full = true;
    return false;
}

static bool is_reference(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_STRING &&
           secret_is_reference(span_of(config_setting_get_string(setting)));
}

void reader_expect(struct reader *reader, const config_setting_t *setting, const char *text)
{
    if (reader->option->secret || reader->option->hidden) {
        reader_fault(reader, setting, "must %s", text);
        return;
    }
    struct buf found = BUF_INIT(TEXT_MAX_BYTES);
    if (is_reference(setting))
        buf_add_str(&found, "something else in ");
    describe_setting(setting, &found);
    reader_fault(reader, setting, "must %s, found %s", text, buf_str(&found));
    buf_fini(&found);
}

void reader_mismatch(struct reader *reader, const config_setting_t *setting)
{
    struct buf text = BUF_INIT(TEXT_MAX_BYTES);
    buf_add_str(&text, "be ");
    describe_option(reader->option, &text);
    reader_expect(reader, setting, buf_str(&text));
    buf_fini(&text);
}

void reader_refuse(struct reader *reader, const config_setting_t *setting, const char *why)
{
    if (reader->option->hidden) {
        reader_fault(reader, setting, "is not usable: %s", why);
        return;
    }
    struct buf value = BUF_INIT(TEXT_MAX_BYTES);
    describe_setting(setting, &value);
    if (is_reference(setting)) { /* why may quote what the reference stands for */
        reader_fault(reader, setting, "cannot be what %s stands for", buf_str(&value));
    } else {
        reader_fault(reader, setting, "cannot be %s: %s", buf_str(&value), why);
    }
    buf_fini(&value);
}

void reader_unresolved(struct reader *reader, const config_setting_t *setting,
                       const struct err *why)
{
    const struct option *option = reader->option;
    bool needed = !reader->group->main || (option->required && option->kind != OPTION_STRINGS);
    bool reference = secret_is_reference(span_of(config_setting_get_string(setting)));
    if (reader->offline && reference && !needed) {
        reader_warn_at(reader, reader_line(setting), "%s.%s cannot be resolved here: %s",
                       reader->group->path, option->name, why->text);
    } else {
        reader_fault(reader, setting, "cannot be resolved: %s", why->text);
    }
}

/* Appends "; did you mean X?", or all names when none is near. */
static void add_known(const struct option_group *group, const char *name, struct buf *out)
{
    const char **names = check_alloc(calloc(group->count, sizeof *names));
    for (size_t i = 0; i < group->count; i++)
        names[i] = group->options[i].name;
    const char *nearest = nearest_word(name, names, group->count);
    if (nearest) {
        buf_printf(out, "; did you mean %s?", nearest);
    } else {
        for (size_t i = 0; i < group->count; i++)
            buf_printf(out, "%s%s", i ? ", " : "; known are ", names[i]);
    }
    free(names);
}

static bool knows(const struct option_group *group, const char *name)
{
    for (size_t i = 0; i < group->count; i++) {
        if (strcmp(group->options[i].name, name) == 0)
            return true;
    }
    return false;
}

void reader_find_unknown(struct reader *reader, const config_setting_t *setting)
{
    const struct option_group *group = reader->group;
    int length = config_setting_length(setting);
    for (int i = 0; i < length; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        const char *name = config_setting_name(member);
        if (knows(group, name))
            continue;
        if (group == &option_rule_file && knows(&option_main_file, name)) {
            reader_fault_at(reader, reader_line(member),
                            "%s belongs into the main file; rule files hold forward, reverse, "
                            "resources and tests only",
                            name);
            continue;
        }
        struct buf known = BUF_INIT(TEXT_MAX_BYTES);
        add_known(group, name, &known);
        reader_fault_at(reader, reader_line(member), "unknown setting %s%s%s%s", group->path,
                        *group->path ? "." : "", name, buf_str(&known));
        buf_fini(&known);
    }
}
