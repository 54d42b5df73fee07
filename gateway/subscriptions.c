/* subscriptions - see subscriptions.h. */
#include "gateway/subscriptions.h"

#include <uthash.h>

enum { SUBSCRIPTION_MAX_FILTER = 2 * TOPIC_MAX_BYTES };

struct known_filter {
    UT_hash_handle hh;    /* by filter */
    UT_hash_handle hh_id; /* by id */
    char *filter;         /* as sent */
    uint32_t id;
    bool current;
};

struct known {
    struct known_filter *by_filter, *by_id;
    const char *prefix; /* "$share/GROUP/" or "" */
};

static struct known_filter *find(struct known *known, const char *filter)
{
    struct known_filter *k;
    HASH_FIND(hh, known->by_filter, filter, strlen(filter), k);
    return k;
}

static void add(struct known *known, const char *filter, uint32_t id)
{
    struct known_filter *k = check_alloc(calloc(1, sizeof *k));
    k->filter = span_dup(span_of(filter));
    k->id = id;
    HASH_ADD_KEYPTR(hh, known->by_filter, k->filter, strlen(k->filter), k);
    HASH_ADD(hh_id, known->by_id, id, sizeof k->id, k);
}

static void remember(void *ctx, const char *filter, uint32_t id)
{
    add(ctx, filter, id);
}

static char *as_sent(const struct known *known, const char *plain)
{
    struct buf text = BUF_INIT(SUBSCRIPTION_MAX_FILTER);
    buf_printf(&text, "%s%s", known->prefix, plain);
    return buf_take(&text);
}

static uint32_t known_id(void *ctx, const char *plain)
{
    struct known *known = ctx;
    char *filter = as_sent(known, plain);
    struct known_filter *k = find(known, filter);
    free(filter);
    return k ? k->id : 0;
}

static bool id_is_used(void *ctx, uint32_t id)
{
    struct known *known = ctx;
    struct known_filter *k;
    HASH_FIND(hh_id, known->by_id, &id, sizeof id, k);
    return k != NULL;
}

static void known_free(struct known *known)
{
    struct known_filter *k = known->by_filter, *next;
    HASH_CLEAR(hh_id, known->by_id);
    HASH_CLEAR(hh, known->by_filter); /* the elements stay, and stay chained */
    for (; k; k = next) {
        next = k->hh.next;
        free(k->filter);
        free(k);
    }
}

/* Fills the list to send, and marks in known what of it is current. */
static void make_list(struct subscriptions *subs, const struct config *config, struct known *known)
{
    const struct ruleset *rules = config->rules;
    subs->list = check_alloc(calloc(rules->subscription_count + 1, sizeof *subs->list));
    for (size_t i = 0; i < rules->subscription_count; i++) {
        const struct rule_subscription *s = &rules->subscriptions[i];
        /* 3.1.1 has no identifiers: a broker may send a copy for each overlapping filter, so ask
         * only for filters that no other one covers. */
        if (!config->mqtt.v5 && s->covered)
            continue;
        char *filter = as_sent(known, s->filter);
        if (!find(known, filter))
            add(known, filter, s->id);
        struct known_filter *k = find(known, filter);
        k->id = s->id; /* it may be a new one; nobody looks for the old one any more */
        k->current = true;
        subs->list[subs->count++] = (struct mqtt_subscription){.filter = filter,
                                                               .qos = s->qos,
                                                               .id = config->mqtt.v5 ? s->id : 0,
                                                               .retained_copies = s->retained};
    }
}

/* Everything known, the stale ones too: they are forgotten only when the spool is. */
static bool save(struct subscriptions *subs, struct known *known, struct spool *spool,
                 struct err *err)
{
    size_t room = HASH_COUNT(known->by_filter) + 1, count = 0;
    const char **filters = check_alloc(calloc(room, sizeof *filters));
    uint32_t *ids = check_alloc(calloc(room, sizeof *ids));
    subs->stale = check_alloc(calloc(room, sizeof *subs->stale));
    for (struct known_filter *k = known->by_filter; k; k = k->hh.next) {
        filters[count] = k->filter;
        ids[count++] = k->id;
        if (!k->current)
            subs->stale[subs->stale_count++] = span_dup(span_of(k->filter));
    }
    bool ok = spool_set_filters(spool, filters, ids, count, err);
    free(filters);
    free(ids);
    return ok;
}

bool subscriptions_init(struct subscriptions *subs, const struct config *config,
                        struct spool *spool, struct err *err)
{
    *subs = (struct subscriptions){0};
    struct buf prefix = BUF_INIT(TOPIC_MAX_BYTES);
    if (config->mqtt.shared_group[0] != '\0')
        buf_printf(&prefix, "$share/%s/", config->mqtt.shared_group);
    struct known known = {.prefix = buf_str(&prefix)};
    bool ok = spool_each_filter(spool, remember, &known, err);
    if (ok) {
        ruleset_number(config->rules, known_id, id_is_used, &known);
        make_list(subs, config, &known);
        ok = save(subs, &known, spool, err);
        if (!ok)
            subscriptions_fini(subs);
    }
    known_free(&known);
    buf_fini(&prefix);
    return ok;
}

void subscriptions_fini(struct subscriptions *subs)
{
    for (size_t i = 0; i < subs->count; i++)
        free((char *)(uintptr_t)subs->list[i].filter);
    for (size_t i = 0; i < subs->stale_count; i++)
        free(subs->stale[i]);
    free(subs->list);
    free(subs->stale);
    *subs = (struct subscriptions){0};
}
