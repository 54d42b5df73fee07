/* topology - see topology.h. */
#include "local/topology.h"

#include "base/log.h"

#include <strings.h>

static bool blame(const char *file, int line, const struct err *why, struct err *err)
{
    return err_set(err, "%s:%d: error: %s", file ? file : "", line, why->text);
}

/* What an earlier run has saved is changed to what the configuration says now. */
static bool add_queue(struct store *store, const struct resource_queue *q, struct err *err)
{
    const struct queue_attributes attributes = {
        .visibility_s = q->visibility_s,
        .polling_wait_s = q->polling_wait_s,
        .retention_s = q->retention_s,
        .max_size_bytes = q->max_size_bytes,
        .rewind_s = q->rewind_s,
        .policy = q->policy == QUEUE_BY_AGE ? QUEUE_BY_AGE : QUEUE_BY_RECEIVES,
        .max_receive = q->max_receive,
        .max_age_s = q->max_age_s,
    };
    struct queue *queue = store_queue(store, span_of(q->name));
    if (queue && queue->record.saved) {
        store_change_queue(store, queue, &attributes, NULL);
        return true;
    }
    return store_add_queue(store, span_of(q->name), &attributes, err) != NULL;
}

/* Whether the data file's subscription has the receiver that the configuration wants. */
static bool goes_to(const struct subscription *there, const struct resource_subscription *wanted)
{
    if (there->queue)
        return wanted->queue && strcasecmp(there->queue->name, wanted->queue) == 0;
    return wanted->url && strcmp(there->url, wanted->url) == 0;
}

static bool add_subscription(struct store *store, struct topic *topic,
                             const struct resource_subscription *s, struct err *err)
{
    struct span filters[CMQ_MAX_TAGS + CMQ_MAX_BINDING_KEYS];
    size_t count = topic->by_route ? s->key_count : s->tag_count;
    char *const *texts = topic->by_route ? s->keys : s->tags;
    for (size_t i = 0; i < count; i++)
        filters[i] = span_of(texts[i]);
    const struct subscription_spec spec = {
        .name = span_of(s->name),
        .queue = span_of(s->queue),
        .url = span_of(s->url),
        .filters = filters,
        .filter_count = count,
        .exponential = s->exponential,
        .simplified = s->simplified,
    };
    struct subscription *there = topic->record.saved ? topic_find(topic, spec.name) : NULL;
    if (there && goes_to(there, s)) {
        const struct subscription_change change = {filters, count, s->exponential, s->simplified};
        store_change_subscription(store, there, &change);
        return true;
    }
    if (there)
        store_unsubscribe(store, there);
    if (!store_subscribe(store, topic, &spec, err))
        return false;
    if (span_starts(spec.url, "https://")) {
        log_write(LOG_WARN, "local.https",
                  LOG_FIELDS(LOG_STR("topic", topic->name), LOG_STR("subscription", s->name)),
                  "only http:// is pushed to: what is published for this url is dropped");
    }
    return true;
}

static bool add_topic(struct store *store, const struct resource_topic *t, struct err *err)
{
    struct err why;
    const struct topic_attributes attributes = {
        .by_route = t->by_route,
        .retention_s = t->retention_s,
        .max_size_bytes = t->max_size_bytes,
    };
    struct topic *topic = store_topic(store, span_of(t->name));
    bool from_data = topic && topic->record.saved;
    if (from_data && topic->by_route != t->by_route) {
        (void)err_set(&why,
                      "topic \"%s\": the data file has it with the other kind of filter, "
                      "which cannot change",
                      t->name);
        return blame(t->file, t->line, &why, err);
    }
    if (from_data) {
        store_change_topic(store, topic, &attributes);
    } else {
        topic = store_add_topic(store, span_of(t->name), &attributes, &why);
    }
    if (!topic)
        return blame(t->file, t->line, &why, err);
    for (size_t i = 0; i < t->subscription_count; i++) {
        const struct resource_subscription *s = &t->subscriptions[i];
        if (!add_subscription(store, topic, s, &why))
            return blame(s->file, s->line, &why, err);
    }
    return true;
}

bool topology_load(struct store *store, const struct resources *resources, struct err *err)
{
    struct err why;
    for (size_t i = 0; i < resources->queue_count; i++) {
        const struct resource_queue *q = &resources->queues[i];
        if (!add_queue(store, q, &why))
            return blame(q->file, q->line, &why, err);
    }
    for (size_t i = 0; i < resources->queue_count; i++) {
        const struct resource_queue *q = &resources->queues[i];
        struct queue *queue = store_queue(store, span_of(q->name));
        if (q->dead_letter && !store_bind_dead_letter(store, queue, span_of(q->dead_letter), &why))
            return blame(q->file, q->line, &why, err);
    }
    for (size_t i = 0; i < resources->topic_count; i++) {
        if (!add_topic(store, &resources->topics[i], err))
            return false;
    }
    return true;
}
