/* print - the options as they are in effect; see config.h and origins.h. */
#include "base/json.h"
#include "config/config.h"
#include "config/describe.h"
#include "config/digest.h"
#include "config/list.h"
#include "config/origins.h"

enum { SHOWN_MAX_BYTES = 1 << 20 };

static struct origin *add(struct origins *origins, const char *path, const struct option *option,
                          const config_setting_t *setting)
{
    struct buf shown = BUF_INIT(SHOWN_MAX_BYTES);
    if (setting) {
        describe_value(setting, option->secret || option->hidden, &shown);
    } else {
        describe_preset(option, &shown);
    }
    origins->list = list_grow(origins->list, origins->count, sizeof *origins->list);
    struct origin *origin = &origins->list[origins->count++];
    *origin = (struct origin){.path = path,
                              .name = option->name,
                              .shown = buf_take(&shown),
                              .digest = setting ? digest_setting(HASH_SEED, setting) : 0,
                              .line = setting ? (int)config_setting_source_line(setting) : 0};
    return origin;
}

void origins_note(struct origins *origins, const char *path, const struct option *option,
                  const config_setting_t *setting)
{
    if (option->kind < OPTION_GROUP)
        (void)add(origins, path, option, setting);
}

void origins_note_at(struct origins *origins, const char *place, const char *file,
                     const struct option *option, const config_setting_t *setting)
{
    if (option->kind == OPTION_GROUP || option->kind == OPTION_GROUPS ||
        (!setting && !option->preset))
        return;
    char *kept = span_dup(span_of(place));
    struct origin *origin = add(origins, kept, option, setting);
    origin->place = kept;
    origin->file = file;
}

void origins_free(struct origins *origins)
{
    if (!origins)
        return;
    for (size_t i = 0; i < origins->count; i++) {
        free(origins->list[i].shown);
        free(origins->list[i].place);
    }
    free(origins->list);
    free(origins);
}

static const char *file_of(const struct config *config, const struct origin *origin)
{
    return origin->file ? origin->file : config->path;
}

static void print_json(const struct config *config, const struct origin *origin, struct buf *out)
{
    buf_printf(out, "{\"option\":\"%s.%s\",\"value\":", origin->path, origin->name);
    buf_add_str(out, origin->shown);
    buf_add_str(out, ",\"source\":");
    if (origin->line > 0) {
        struct buf source = BUF_INIT(SHOWN_MAX_BYTES);
        buf_printf(&source, "%s:%d", file_of(config, origin), origin->line);
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
        buf_printf(out, "    # %s:%d\n", file_of(config, origin), origin->line);
    } else {
        buf_add_str(out, "    # default\n");
    }
}

static void print_list(const struct config *config, const struct origins *origins, bool json,
                       bool *first, struct buf *out)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (json) {
            buf_add_str(out, *first ? "\n " : ",\n ");
            print_json(config, &origins->list[i], out);
        } else {
            print_line(config, &origins->list[i], out);
        }
        *first = false;
    }
}

void config_print(const struct config *config, bool json, struct buf *out)
{
    bool first = true;
    if (json)
        buf_add_char(out, '[');
    print_list(config, config->origins, json, &first, out);
    if (config->shown)
        print_list(config, config->shown, json, &first, out);
    if (json)
        buf_add_str(out, "\n]\n");
}
