/* store - see store.h. */
#include "local/store.h"

#include "base/check.h"

#include <stddef.h>
#include <uthash.h>

/* A queue or topic under its name in lower case. */
struct store_queue {
    struct queue queue; /* first, so that it leads back here */
    char key[CMQ_MAX_NAME_BYTES + 1];
    UT_hash_handle hh;
};

struct store_topic {
    struct topic topic; /* first, so that it leads back here */
    char key[CMQ_MAX_NAME_BYTES + 1];
    UT_hash_handle hh;
};

struct store {
    struct depot depot;
    struct push_hub pushes;
    struct store_queue *queues;
    struct store_topic *topics;
    struct bars bars;
    int64_t now_ms;
};

static void touch_queue(struct store *store, struct queue *queue)
{
    changes_touch(store->depot.changes, &queue->record, RECORD_QUEUE);
}

/* For a change of a subscription too. */
static void touch_topic(struct store *store, struct topic *topic)
{
    changes_touch(store->depot.changes, &topic->record, RECORD_TOPIC);
}

struct store *store_new(const struct depot_limits *limits, int64_t now_ms)
{
    struct store *store = check_alloc(calloc(1, sizeof *store));
    store->now_ms = now_ms;
    depot_init(&store->depot, limits, now_ms);
    push_hub_init(&store->pushes, &store->depot);
    store->bars.depot = &store->depot;
    return store;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    struct store_topic *topic = store->topics;
    HASH_CLEAR(hh, store->topics); /* frees the table; the entries still know their next one */
    while (topic) {
        struct store_topic *next = topic->hh.next;
        topic_fini(&topic->topic);
        free(topic);
        topic = next;
    }
    struct store_queue *queue = store->queues;
    HASH_CLEAR(hh, store->queues);
    while (queue) {
        struct store_queue *next = queue->hh.next;
        queue_fini(&queue->queue);
        free(queue);
        queue = next;
    }
    push_hub_fini(&store->pushes);
    bars_fini(&store->bars);
    depot_fini(&store->depot);
    free(store);
}

/* The lower case of name, or false when no queue or topic can have it. */
static bool key_of(struct span name, char key[CMQ_MAX_NAME_BYTES + 1])
{
    if (name.len > CMQ_MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    key[name.len] = '\0';
    return true;
}

static struct store_queue *find_queue(const struct store *store, struct span name)
{
    char key[CMQ_MAX_NAME_BYTES + 1];
    struct store_queue *found = NULL;
    if (key_of(name, key))
        HASH_FIND(hh, store->queues, key, name.len, found);
    return found;
}

static struct store_topic *find_topic(const struct store *store, struct span name)
{
    char key[CMQ_MAX_NAME_BYTES + 1];
    struct store_topic *found = NULL;
    if (key_of(name, key))
        HASH_FIND(hh, store->topics, key, name.len, found);
    return found;
}

struct queue *store_queue(const struct store *store, struct span name)
{
    struct store_queue *found = find_queue(store, name);
    return found ? &found->queue : NULL;
}

struct topic *store_topic(const struct store *store, struct span name)
{
    struct store_topic *found = find_topic(store, name);
    return found ? &found->topic : NULL;
}

static bool name_free(const char *what, struct span name, bool taken, struct err *err)
{
    const char *why;
    if (!cmq_name_ok(name, &why))
        return err_set(err, "%s name \"%.*s\": %s", what, SPAN_ARG(span_slice(name, 0, 100)), why);
    if (taken) {
        return err_set(err, "there is already a %s \"%.*s\" (case does not count)", what,
                       SPAN_ARG(name));
    }
    return true;
}

struct queue *store_add_queue(struct store *store, struct span name,
                              const struct queue_attributes *attributes, struct err *err)
{
    if (!name_free("queue", name, find_queue(store, name) != NULL, err))
        return NULL;
    struct store_queue *made = check_alloc(calloc(1, sizeof *made));
    queue_init(&made->queue, &store->depot, name, attributes);
    made->queue.created_ms = made->queue.modified_ms = store->now_ms;
    (void)key_of(name, made->key);
    HASH_ADD(hh, store->queues, key, (unsigned)name.len, made);
    touch_queue(store, &made->queue);
    return &made->queue;
}

struct topic *store_add_topic(struct store *store, struct span name,
                              const struct topic_attributes *attributes, struct err *err)
{
    if (!name_free("topic", name, find_topic(store, name) != NULL, err))
        return NULL;
    struct store_topic *made = check_alloc(calloc(1, sizeof *made));
    made->topic = (struct topic){.by_route = attributes->by_route,
                                 .retention_s = attributes->retention_s,
                                 .max_size_bytes = attributes->max_size_bytes,
                                 .trace = attributes->trace,
                                 .created_ms = store->now_ms,
                                 .modified_ms = store->now_ms,
                                 .number = store->depot.next_number++,
                                 .depot = &store->depot};
    memcpy(made->topic.name, name.ptr, name.len);
    (void)key_of(name, made->key);
    HASH_ADD(hh, store->topics, key, (unsigned)name.len, made);
    touch_topic(store, &made->topic);
    return &made->topic;
}

bool store_bind_dead_letter(struct store *store, struct queue *queue, struct span target,
                            struct err *err)
{
    struct queue *grave = store_queue(store, target);
    if (!grave) {
        return err_set(err, "queue \"%s\": there is no queue \"%.*s\" for its dead letters",
                       queue->name, SPAN_ARG(span_slice(target, 0, 100)));
    }
    if (grave == queue || grave->dead_letter || store_is_grave(store, queue)) {
        return err_set(err, "queue \"%s\": a dead letter queue (\"%s\") cannot have one of its own",
                       queue->name, grave->name);
    }
    queue->dead_letter = grave;
    touch_queue(store, queue);
    return true;
}

bool store_subscribe(struct store *store, struct topic *topic, const struct subscription_spec *spec,
                     struct err *err)
{
    bool taken = topic_find(topic, spec->name) != NULL;
    if (!name_free("subscription", spec->name, taken, err))
        return false;
    for (size_t i = 0; i < spec->filter_count; i++) {
        const char *why;
        struct span filter = spec->filters[i];
        if (!(topic->by_route ? cmq_binding_key_ok(filter, &why) : cmq_tag_ok(filter, &why))) {
            return err_set(err, "subscription \"%.*s\": \"%.*s\": %s", SPAN_ARG(spec->name),
                           SPAN_ARG(span_slice(filter, 0, 100)), why);
        }
    }
    struct queue *queue = spec->queue.len ? store_queue(store, spec->queue) : NULL;
    if (spec->queue.len && !queue) {
        return err_set(err, "subscription \"%.*s\": there is no queue \"%.*s\"",
                       SPAN_ARG(spec->name), SPAN_ARG(span_slice(spec->queue, 0, 100)));
    }
    struct endpoint endpoint = {0};
    struct err why;
    if (!queue && !endpoint_parse(spec->url, &endpoint, &why))
        return err_set(err, "subscription \"%.*s\": %s", SPAN_ARG(spec->name), why.text);
    struct subscription *made =
        topic_subscribe(topic, spec->name, spec->filters, spec->filter_count);
    made->created_ms = made->modified_ms = store->now_ms;
    made->queue = queue;
    made->exponential = spec->exponential;
    made->simplified = spec->simplified;
    if (!queue) {
        made->url = span_dup(spec->url);
        made->endpoint = endpoint;
    }
    if (!queue && !endpoint.tls) {
        made->pushes =
            push_line_new(&store->pushes, made, spec->exponential, topic->retention_s * 1000);
    }
    touch_topic(store, topic);
    return true;
}

bool store_is_grave(const struct store *store, const struct queue *queue)
{
    for (struct queue *q = NULL; (q = store_next_queue(store, q));) {
        if (q->dead_letter == queue)
            return true;
    }
    return false;
}

void store_change_queue(struct store *store, struct queue *queue,
                        const struct queue_attributes *attributes, struct queue *dead_letter)
{
    queue_set_attributes(queue, attributes, dead_letter, store->now_ms);
    queue->modified_ms = store->now_ms;
    touch_queue(store, queue);
}

void store_change_topic(struct store *store, struct topic *topic,
                        const struct topic_attributes *attributes)
{
    topic->retention_s = attributes->retention_s;
    topic->max_size_bytes = attributes->max_size_bytes;
    topic->trace = attributes->trace;
    topic->modified_ms = store->now_ms;
    touch_topic(store, topic);
    for (struct subscription *s = topic->subscriptions; s; s = s->next) {
        if (s->pushes)
            push_line_change(s->pushes, s->exponential, topic->retention_s * 1000);
    }
}

void store_change_subscription(struct store *store, struct subscription *subscription,
                               const struct subscription_change *change)
{
    if (change->filters)
        topic_set_filters(subscription, change->filters, change->filter_count);
    subscription->exponential = change->exponential;
    subscription->simplified = change->simplified;
    subscription->modified_ms = store->now_ms;
    touch_topic(store, subscription->topic);
    if (subscription->pushes) {
        push_line_change(subscription->pushes, change->exponential,
                         subscription->topic->retention_s * 1000);
    }
}

static void set_tags(char **tags, const char *text)
{
    free(*tags);
    *tags = text ? span_dup(span_of(text)) : NULL;
}

void store_tag_queue(struct store *store, struct queue *queue, const char *tags)
{
    set_tags(&queue->tags, tags);
    touch_queue(store, queue);
}

void store_tag_topic(struct store *store, struct topic *topic, const char *tags)
{
    set_tags(&topic->tags, tags);
    touch_topic(store, topic);
}

void store_remove_queue(struct store *store, struct queue *queue)
{
    CHECK(!store_is_grave(store, queue));
    for (struct topic *topic = NULL; (topic = store_next_topic(store, topic));) {
        struct subscription *next;
        for (struct subscription *s = topic->subscriptions; s; s = next) {
            next = s->next;
            if (s->queue == queue)
                store_unsubscribe(store, s);
        }
    }
    struct store_queue *entry = (struct store_queue *)queue;
    HASH_DEL(store->queues, entry);
    queue_fini(queue);
    changes_gone(store->depot.changes, &queue->record, queue->number);
    free(entry);
}

void store_remove_topic(struct store *store, struct topic *topic)
{
    struct store_topic *entry = (struct store_topic *)topic;
    HASH_DEL(store->topics, entry);
    topic_fini(topic);
    changes_gone(store->depot.changes, &topic->record, topic->number);
    free(entry);
}

void store_unsubscribe(struct store *store, struct subscription *subscription)
{
    touch_topic(store, subscription->topic);
    topic_unsubscribe(subscription->topic, subscription);
}

void store_set_time(struct store *store, int64_t now_ms)
{
    store->now_ms = now_ms;
}

size_t store_queue_count(const struct store *store)
{
    return HASH_COUNT(store->queues);
}

size_t store_topic_count(const struct store *store)
{
    return HASH_COUNT(store->topics);
}

struct queue *store_next_queue(const struct store *store, const struct queue *previous)
{
    const struct store_queue *entry = (const struct store_queue *)previous;
    struct store_queue *next = entry ? entry->hh.next : store->queues;
    return next ? &next->queue : NULL;
}

struct topic *store_next_topic(const struct store *store, const struct topic *previous)
{
    const struct store_topic *entry = (const struct store_topic *)previous;
    struct store_topic *next = entry ? entry->hh.next : store->topics;
    return next ? &next->topic : NULL;
}

void store_advance(struct store *store, int64_t now_ms)
{
    store_set_time(store, now_ms);
    struct heap_node *first;
    while ((first = heap_first(&store->depot.due)) && first->due_ms <= now_ms) {
        _Static_assert(offsetof(struct queue, due) == 0, "the due moment is the queue's head");
        queue_advance((struct queue *)first, now_ms);
    }
    push_advance(&store->pushes, now_ms);
}

int64_t store_next_due(const struct store *store)
{
    const struct heap_node *first = heap_first(&store->depot.due);
    int64_t push_ms = push_next_due(&store->pushes);
    return first && first->due_ms < push_ms ? first->due_ms : push_ms;
}

struct queue *store_ready(const struct store *store)
{
    return queue_ready(&store->depot);
}

struct depot *store_depot(struct store *store)
{
    return &store->depot;
}

struct bars *store_bars(struct store *store)
{
    return &store->bars;
}

struct push_hub *store_pushes(struct store *store)
{
    return &store->pushes;
}

uint64_t store_bytes(const struct store *store)
{
    return store->depot.bytes;
}

void store_reset(struct store *store)
{
    for (struct queue *q = NULL; (q = store_next_queue(store, q));)
        queue_reset(q);
    for (struct topic *t = NULL; (t = store_next_topic(store, t));) {
        for (struct subscription *s = t->subscriptions; s; s = s->next) {
            if (s->pushes)
                push_line_reset(s->pushes);
        }
    }
    bars_fini(&store->bars);
}
