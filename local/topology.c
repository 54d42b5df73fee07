/* topology - see topology.h. */
#include "local/topology.h"

#include "base/emit.h"
#include "base/log.h"

#include <strings.h>

enum { MAX_TAGS_BYTES = 1 << 20 };

static bool blame(const char *file, int line, const struct err *why, struct err *err)
{
    return err_set(err, "%s:%d: error: %s", file ? file : "", line, why->text);
}

/* The labels as store_tag_queue wants them, in out. */
static const char *tags_of(char *const *labels, size_t count, struct buf *out)
{
    struct emit emit = {.out = out};
    if (count == 0)
        return NULL;
    emit_array(&emit, NULL);
    for (size_t i = 0; i < count; i++) {
        struct span label = span_of(labels[i]);
        size_t key = span_find(label, '=');
        emit_object(&emit, NULL);
        emit_span(&emit, "TagKey", span_slice(label, 0, key));
        emit_span(&emit, "TagValue", span_slice(label, key + 1, label.len));
        emit_object_end(&emit);
    }
    emit_array_end(&emit);
    CHECK(!out->overflow);
    return buf_str(out);
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
        .max_heap = q->max_messages,
        .policy = q->policy == QUEUE_BY_AGE ? QUEUE_BY_AGE : QUEUE_BY_RECEIVES,
        .max_receive = q->max_receive,
        .max_age_s = q->max_age_s,
        .transaction = q->transaction,
        .first_query_s = q->check_back_after_s,
        .max_queries = q->check_backs,
        .retention_mb = q->rewind_size_bytes >> 20,
        .trace = q->trace,
    };
    struct queue *queue = store_queue(store, span_of(q->name));
    if (queue && queue->record.saved) {
        store_change_queue(store, queue, &attributes, NULL);
    } else {
        queue = store_add_queue(store, span_of(q->name), &attributes, err);
    }
    struct buf tags = BUF_INIT(MAX_TAGS_BYTES);
    if (queue && (q->given & GIVEN_LABELS))
        store_tag_queue(store, queue, tags_of(q->labels, q->label_count, &tags));
    buf_fini(&tags);
    return queue != NULL;
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
        .trace = t->trace,
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
    struct buf tags = BUF_INIT(MAX_TAGS_BYTES);
    if (t->given & GIVEN_LABELS)
        store_tag_topic(store, topic, tags_of(t->labels, t->label_count, &tags));
    buf_fini(&tags);
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
