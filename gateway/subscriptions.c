/* subscriptions - see subscriptions.h. */
#include "gateway/subscriptions.h"

#include <uthash.h>

enum { SUBSCRIPTION_MAX_FILTER = 2 * TOPIC_MAX_BYTES };

struct known_filter {
    UT_hash_handle hh; /* by filter */
    const char *filter;
    uint32_t id;
    size_t row;
};

/* What was known before, while a new set is made of it. In the spool, the highest number that was
 * ever used stands beside an empty filter. */
struct known {
    struct known_filter *by_filter;
    uint32_t highest;
    const char *prefix; /* "$share/GROUP/" or "" */
};

static struct known_filter *find(const struct known *known, const char *filter)
{
    struct known_filter *k;
    HASH_FIND(hh, known->by_filter, filter, strlen(filter), k);
    return k;
}

static void add_known(struct known *known, const struct subscription_row *row, size_t place)
{
    struct known_filter *k = check_alloc(calloc(1, sizeof *k));
    k->filter = row->filter;
    k->id = row->id;
    k->row = place;
    HASH_ADD_KEYPTR(hh, known->by_filter, k->filter, strlen(k->filter), k);
}

static void known_free(struct known *known)
{
    struct known_filter *k = known->by_filter, *next;
    HASH_CLEAR(hh, known->by_filter); /* the elements stay, and stay chained */
    for (; k; k = next) {
        next = k->hh.next;
        free(k);
    }
}

/* Takes filter. */
static void add_row(struct subscriptions *subs, char *filter, uint32_t id, bool current)
{
    if ((subs->row_count & (subs->row_count + 1)) == 0) /* room for a power of two, less one */
        subs->rows = check_alloc(
            reallocarray(subs->rows, 2 * subs->row_count + 1, sizeof(struct subscription_row)));
    subs->rows[subs->row_count++] = (struct subscription_row){filter, id, current};
}

static void remember(void *ctx, const char *filter, uint32_t id)
{
    struct subscriptions *subs = ctx;
    subs->highest = id > subs->highest ? id : subs->highest;
    if (filter[0] != '\0')
        add_row(subs, span_dup(span_of(filter)), id, false);
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
    return id <= ((struct known *)ctx)->highest;
}

/* Marks the row of a filter as current, or makes it; returns the filter. Takes filter. */
static const char *use_row(struct subscriptions *subs, const struct known *known, char *filter,
                           uint32_t id)
{
    const struct known_filter *k = find(known, filter);
    subs->regrouped = subs->regrouped || (known->by_filter && (!k || k->id != id));
    if (!k) {
        add_row(subs, filter, id, true);
        return filter;
    }
    struct subscription_row *row = &subs->rows[k->row];
    row->id = id;
    row->current = true;
    free(filter);
    return row->filter;
}

static void make_list(struct subscriptions *subs, const struct config *config, struct known *known)
{
    const struct ruleset *rules = config->rules;
    subs->list = check_alloc(calloc(rules->subscription_count + 1, sizeof *subs->list));
    for (size_t i = 0; i < rules->subscription_count; i++) {
        const struct rule_subscription *s = &rules->subscriptions[i];
        known->highest = s->id > known->highest ? s->id : known->highest;
        /* 3.1.1 has no identifiers: a broker may send a copy for each overlapping filter, so ask
         * only for filters that no other one covers. */
        if (!config->mqtt.v5 && s->covered)
            continue;
        subs->list[subs->count++] = (struct mqtt_subscription){
            .filter = use_row(subs, known, as_sent(known, s->filter), s->id),
            .qos = s->qos,
            .id = config->mqtt.v5 ? s->id : 0,
            .retained_copies = s->retained};
    }
}

static void make_stale(struct subscriptions *subs)
{
    subs->stale = check_alloc(calloc(subs->row_count + 1, sizeof *subs->stale));
    for (size_t i = 0; i < subs->row_count; i++) {
        if (!subs->rows[i].current)
            subs->stale[subs->stale_count++] = subs->rows[i].filter;
    }
}

static bool save(const struct subscriptions *subs, uint32_t highest, bool stale_too,
                 struct spool *spool, struct err *err)
{
    const char **filters = check_alloc(calloc(subs->row_count + 1, sizeof *filters));
    uint32_t *ids = check_alloc(calloc(subs->row_count + 1, sizeof *ids));
    size_t count = 0;
    if (highest > 0) {
        filters[count] = "";
        ids[count++] = highest;
    }
    for (size_t i = 0; i < subs->row_count; i++) {
        if (!subs->rows[i].current && !stale_too)
            continue;
        filters[count] = subs->rows[i].filter;
        ids[count++] = subs->rows[i].id;
    }
    bool ok = spool_set_filters(spool, filters, ids, count, err);
    free(filters);
    free(ids);
    return ok;
}

/* Whether the same filters with the same numbers are current in both. */
static bool same_rows(const struct subscriptions *a, const struct subscriptions *b)
{
    bool same = a->row_count == b->row_count && a->highest == b->highest;
    for (size_t i = 0; same && i < a->row_count; i++)
        same = a->rows[i].id == b->rows[i].id && strcmp(a->rows[i].filter, b->rows[i].filter) == 0;
    return same;
}

static bool begin(struct subscriptions *subs, const struct subscriptions *before,
                  struct spool *spool, struct err *err)
{
    if (!before)
        return spool_each_filter(spool, remember, subs, err);
    subs->highest = before->highest;
    for (size_t i = 0; i < before->row_count; i++)
        add_row(subs, span_dup(span_of(before->rows[i].filter)), before->rows[i].id, false);
    return true;
}

bool subscriptions_init(struct subscriptions *subs, const struct config *config,
                        const struct subscriptions *before, struct spool *spool, struct err *err)
{
    *subs = (struct subscriptions){0};
    struct buf prefix = BUF_INIT(TOPIC_MAX_BYTES);
    if (config->mqtt.shared_group[0] != '\0')
        buf_printf(&prefix, "$share/%s/", config->mqtt.shared_group);
    struct known known = {.prefix = buf_str(&prefix)};
    bool ok = begin(subs, before, spool, err);
    if (ok) {
        known.highest = subs->highest;
        for (size_t i = 0; i < subs->row_count; i++)
            add_known(&known, &subs->rows[i], i);
        ruleset_number(config->rules, known_id, id_is_used, &known);
        make_list(subs, config, &known);
        make_stale(subs);
        subs->highest = known.highest;
        subs->regrouped = (subs->regrouped || subs->stale_count > 0) && config->mqtt.v5;
        ok = (before && same_rows(subs, before)) || save(subs, subs->highest, true, spool, err);
    }
    if (!ok)
        subscriptions_fini(subs);
    known_free(&known);
    buf_fini(&prefix);
    return ok;
}

bool subscriptions_forget_stale(struct subscriptions *subs, struct spool *spool, struct err *err)
{
    if (!save(subs, subs->highest, false, spool, err))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < subs->row_count; i++) {
        if (subs->rows[i].current)
            subs->rows[kept++] = subs->rows[i];
        else
            free(subs->rows[i].filter);
    }
    subs->row_count = kept;
    subs->stale_count = 0;
    return true;
}

void subscriptions_fini(struct subscriptions *subs)
{
    for (size_t i = 0; i < subs->row_count; i++)
        free(subs->rows[i].filter);
    free(subs->rows);
    free(subs->list);
    free(subs->stale);
    *subs = (struct subscriptions){0};
}
