/* changes - see changes.h. */
#include "config/changes.h"

#include "config/origins.h"

#include <uthash.h>

struct comparison {
    config_change_fn fn;
    void *ctx;
};

static void tell(const struct comparison *c, enum config_change_kind kind, const char *what,
                 const char *name, const char *before, const char *after)
{
    c->fn(c->ctx, &(struct config_change){kind, what, name, before, after});
}

static const struct origin *find_origin(const struct origins *origins, const struct origin *like)
{
    for (size_t i = 0; i < origins->count; i++) {
        const struct origin *origin = &origins->list[i];
        if (strcmp(origin->path, like->path) == 0 && strcmp(origin->name, like->name) == 0)
            return origin;
    }
    return NULL;
}

/* A default that was written out, or the other way round, is no change. */
static bool same_value(const struct origin *a, const struct origin *b)
{
    return strcmp(a->shown, b->shown) == 0 &&
           (a->digest == b->digest || a->digest == 0 || b->digest == 0);
}

static void compare_settings(const struct comparison *c, const struct origins *from,
                             const struct origins *to)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct origin *after = &to->list[i], *before = find_origin(from, after);
        if (!before || same_value(before, after))
            continue;
        struct buf name = BUF_INIT(256);
        buf_printf(&name, "%s.%s", after->path, after->name);
        tell(c, CONFIG_CHANGED, "setting", buf_str(&name), before->shown, after->shown);
        buf_fini(&name);
    }
}

/* A rule, forward or reverse. */
struct compared {
    const char *name;
    uint64_t digest;
    size_t place; /* among those that both have */
    struct compared *other;
    UT_hash_handle hh;
};

static struct compared *list_rules(const struct ruleset *set, bool forward, size_t *count)
{
    *count = forward ? set->forward_count : set->reverse_count;
    struct compared *list = check_alloc(calloc(*count + 1, sizeof *list));
    for (size_t i = 0; i < *count; i++) {
        list[i].name = forward ? set->forward[i].name : set->reverse[i].name;
        list[i].digest = forward ? set->forward[i].digest : set->reverse[i].digest;
    }
    return list;
}

static void pair_up(struct compared *from, size_t from_count, struct compared *to, size_t to_count)
{
    struct compared *by_name = NULL;
    for (size_t i = 0; i < from_count; i++) {
        struct compared *rule = &from[i];
        HASH_ADD_KEYPTR(hh, by_name, rule->name, strlen(rule->name), rule);
    }
    size_t place = 0;
    for (size_t i = 0; i < to_count; i++) {
        struct compared *other;
        HASH_FIND_STR(by_name, to[i].name, other);
        to[i].other = other;
        if (!other)
            continue;
        other->other = &to[i];
        to[i].place = place++;
    }
    HASH_CLEAR(hh, by_name);
}

static bool same_order(const struct compared *from, size_t from_count)
{
    size_t place = 0;
    for (size_t i = 0; i < from_count; i++) {
        if (from[i].other && from[i].other->place != place++)
            return false;
    }
    return true;
}

static void compare_rules(const struct comparison *c, const char *what, const struct ruleset *from,
                          const struct ruleset *to, bool forward)
{
    size_t from_count, to_count;
    struct compared *old = list_rules(from, forward, &from_count);
    struct compared *new = list_rules(to, forward, &to_count);
    pair_up(old, from_count, new, to_count);
    for (size_t i = 0; i < from_count; i++) {
        if (!old[i].other)
            tell(c, CONFIG_REMOVED, what, old[i].name, NULL, NULL);
    }
    for (size_t i = 0; i < to_count; i++) {
        if (!new[i].other)
            tell(c, CONFIG_ADDED, what, new[i].name, NULL, NULL);
        else if (new[i].other->digest != new[i].digest)
            tell(c, CONFIG_CHANGED, what, new[i].name, NULL, NULL);
    }
    if (!same_order(old, from_count))
        tell(c, CONFIG_CHANGED,
             forward ? "order of the forward rules" : "order of the reverse rules", "", NULL, NULL);
    free(old);
    free(new);
}

void config_changes(const struct config *from, const struct config *to, config_change_fn fn,
                    void *ctx)
{
    const struct comparison c = {fn, ctx};
    compare_settings(&c, from->origins, to->origins);
    compare_rules(&c, "forward rule", from->rules, to->rules, true);
    compare_rules(&c, "reverse rule", from->rules, to->rules, false);
    if (from->resources.digest != to->resources.digest)
        tell(&c, CONFIG_CHANGED, "resources", "", NULL, NULL);
}

/* The line where the setting is given; 1 when it is not. */
static int line_of(const struct config *config, const char *path, const char *name)
{
    for (size_t i = 0; i < config->origins->count; i++) {
        const struct origin *origin = &config->origins->list[i];
        if (strcmp(origin->path, path) == 0 && strcmp(origin->name, name) == 0 && origin->line > 0)
            return origin->line;
    }
    return 1;
}

void config_check_fixed(const struct config *from, const struct config *to, struct faults *faults)
{
    const struct {
        const char *path, *name;
        bool same;
    } rows[] = {
        {"gateway", "id", strcmp(from->gateway.id, to->gateway.id) == 0},
        {"gateway", "state_dir", strcmp(from->gateway.state_dir, to->gateway.state_dir) == 0},
        {"mqtt", "version", from->mqtt.v5 == to->mqtt.v5},
        {"spool", "max_size", from->spool.max_size_bytes == to->spool.max_size_bytes},
        {"spool", "sync", from->spool.sync_power == to->spool.sync_power},
        {"admin", "listen", strcmp(from->admin.listen, to->admin.listen) == 0},
        {"admin", "token", (from->admin.token[0] != '\0') == (to->admin.token[0] != '\0')},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].same)
            faults_add(faults, FAULT_ERROR, to->path, line_of(to, rows[i].path, rows[i].name),
                       "%s.%s cannot change while the gateway runs: restart it", rows[i].path,
                       rows[i].name);
    }
}
