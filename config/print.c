/* print - the options as they are in effect; see config.h and origins.h. */
#include "base/json.h"
#include "config/config.h"
#include "config/describe.h"
#include "config/digest.h"
#include "config/list.h"
#include "config/origins.h"

enum { SHOWN_MAX_BYTES = 1 << 20 };

void origins_note(struct origins *origins, const char *path, const struct option *option,
                  const config_setting_t *setting)
{
    if (option->kind >= OPTION_GROUP)
        return;
    struct buf shown = BUF_INIT(SHOWN_MAX_BYTES);
    if (setting) {
        describe_value(setting, option->secret, &shown);
    } else {
        describe_preset(option, &shown);
    }
    origins->list = list_grow(origins->list, origins->count, sizeof *origins->list);
    origins->list[origins->count++] =
        (struct origin){.path = path,
                        .name = option->name,
                        .shown = buf_take(&shown),
                        .digest = setting ? digest_setting(HASH_SEED, setting) : 0,
                        .line = setting ? (int)config_setting_source_line(setting) : 0};
}

void origins_free(struct origins *origins)
{
    if (!origins)
        return;
    for (size_t i = 0; i < origins->count; i++)
        free(origins->list[i].shown);
    free(origins->list);
    free(origins);
}

static void print_json(const struct config *config, const struct origin *origin, struct buf *out)
{
    buf_printf(out, "{\"option\":\"%s.%s\",\"value\":", origin->path, origin->name);
    buf_add_str(out, origin->shown);
    buf_add_str(out, ",\"source\":");
    if (origin->line > 0) {
        struct buf source = BUF_INIT(SHOWN_MAX_BYTES);
        buf_printf(&source, "%s:%d", config->path, origin->line);
        json_string(out, buf_span(&source));
        buf_fini(&source);
    } else {
        buf_add_str(out, "\"default\"");
    }
    buf_add_char(out, '}');
}

static void print_line(const struct config *config, const struct origin *origin, struct buf *out)
{
    buf_printf(out, "%s.%s = ", origin->path, origin->name);
    buf_add_str(out, origin->shown);
    if (origin->line > 0) {
        buf_printf(out, "    # %s:%d\n", config->path, origin->line);
    } else {
        buf_add_str(out, "    # default\n");
    }
}

void config_print(const struct config *config, bool json, struct buf *out)
{
    const struct origins *origins = config->origins;
    if (json)
        buf_add_char(out, '[');
    for (size_t i = 0; i < origins->count; i++) {
        if (json) {
            buf_add_str(out, i ? ",\n " : "\n ");
            print_json(config, &origins->list[i], out);
        } else {
            print_line(config, &origins->list[i], out);
        }
    }
    if (json)
        buf_add_str(out, "\n]\n");
}
