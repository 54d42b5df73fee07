/* reference - the options as a page for people; see config.h. */
#include "config/config.h"
#include "config/describe.h"

/* A cell of a table: '|' would end it. */
static void add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void add_row(const struct option *option, struct buf *out)
{
    enum { CELL_MAX_BYTES = 4096 };
    struct buf takes = BUF_INIT(CELL_MAX_BYTES);
    struct buf preset = BUF_INIT(CELL_MAX_BYTES);
    describe_option(option, &takes);
    if (option->secret)
        buf_add_str(&takes, ", secret");
    describe_preset(option, &preset);
    buf_printf(out, "| `%s` | ", option->name);
    add_cell(out, buf_str(&takes));
    if (option->required) {
        buf_add_str(out, " | required | ");
    } else if (option->preset) {
        buf_printf(out, " | `%s` | ", buf_str(&preset));
    } else {
        buf_add_str(out, " | | ");
    }
    add_cell(out, option->text);
    buf_add_str(out, " |\n");
    buf_fini(&takes);
    buf_fini(&preset);
}

static void add_group(const struct option_group *group, struct buf *out)
{
    if (*group->path) {
        buf_printf(out, "\n## %s\n\n%s\n\n", group->path, group->text);
        buf_add_str(out, "| setting | value | default | meaning |\n|---|---|---|---|\n");
        for (size_t i = 0; i < group->count; i++)
            add_row(&group->options[i], out);
    }
    for (size_t i = 0; i < group->count; i++) {
        if (group->options[i].group)
            add_group(group->options[i].group, out);
    }
}

void config_reference(struct buf *out)
{
    buf_add_str(out,
                "# Settings\n\n"
                "Made from the table of options that the program itself reads by.\n\n"
                "Durations and sizes are strings with a unit: `\"1500ms\"`, `\"30s\"`, `\"5m\"`, "
                "`\"24h\"`, `\"7d\"`; `\"100B\"`, `\"64KiB\"`, `\"1GiB\"`. Any string may be "
                "`@env:NAME` or `@file:PATH`; a text that begins with `@` itself is written "
                "`@@...`. Lists of strings may stand in `( )` or `[ ]`; a list of one need not be "
                "a list.\n");
    add_group(&option_main_file, out);
}
