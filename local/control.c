/* control - see control.h. */
#include "local/control.h"

#include "base/clock.h"
#include "base/json.h"

static int fail(struct buf *out, int status, const char *text)
{
    buf_add_str(out, "{\"error\":");
    json_string(out, span_of(text));
    buf_add_char(out, '}');
    return status;
}

static void add_queue(struct buf *out, const struct queue *queue)
{
    const struct queue_attributes *a = &queue->attributes;
    json_string(out, span_of(queue->name));
    buf_printf(out,
               ":{\"active\":%llu,\"inactive\":%llu,\"delayed\":%llu,\"kept\":%zu,"
               "\"waiting\":%llu,"
               "\"visibilityTimeout\":%lld,\"pollingWaitSeconds\":%lld,"
               "\"msgRetentionSeconds\":%lld,\"maxMsgSize\":%lld,\"rewindSeconds\":%lld",
               (unsigned long long)queue->active_count, (unsigned long long)queue->inflight_count,
               (unsigned long long)queue->delayed_count, queue->kept.count,
               (unsigned long long)queue->waiter_count, (long long)a->visibility_s,
               (long long)a->polling_wait_s, (long long)a->retention_s,
               (long long)a->max_size_bytes, (long long)a->rewind_s);
    if (queue->dead_letter) {
        buf_printf(out, ",\"deadLetter\":{\"queue\":\"%s\",\"policy\":%d,\"%s\":%lld}",
                   queue->dead_letter->name, (int)a->policy,
                   a->policy == QUEUE_BY_AGE ? "maxTimeToLive" : "maxReceiveCount",
                   (long long)(a->policy == QUEUE_BY_AGE ? a->max_age_s : a->max_receive));
    }
    buf_add_char(out, '}');
}

static void add_pushes(struct buf *out, const struct push_line *line)
{
    const struct heap_node *rest = heap_first(&line->resting);
    buf_printf(out,
               ",\"pending\":%llu,\"inFlight\":%zu,\"delivered\":%llu,\"failedTries\":%llu,"
               "\"dropped\":%llu,\"nextTry\":",
               (unsigned long long)line->pending, line->trying_count,
               (unsigned long long)line->delivered, (unsigned long long)line->failed_tries,
               (unsigned long long)line->dropped);
    if (!rest) {
        buf_add_str(out, "null");
        return;
    }
    char at[CLOCK_ISO_SIZE];
    clock_iso(rest->due_ms, at);
    buf_printf(out, "\"%s\"", at);
}

static void add_subscription(struct buf *out, const struct topic *topic,
                             const struct subscription *s)
{
    json_string(out, span_of(s->name));
    buf_printf(out, ":{\"protocol\":\"%s\",\"endpoint\":", s->queue ? "queue" : "http");
    json_string(out, span_of(s->queue ? s->queue->name : s->url));
    buf_printf(out, ",\"notifyStrategy\":\"%s\",\"notifyContentFormat\":\"%s\",\"%s\":[",
               s->exponential ? "EXPONENTIAL_DECAY_RETRY" : "BACKOFF_RETRY",
               s->simplified ? "SIMPLIFIED" : "JSON", topic->by_route ? "bindingKey" : "filterTag");
    for (size_t i = 0; i < s->filter_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        json_string(out, s->filters[i]);
    }
    buf_add_char(out, ']');
    if (s->pushes) {
        add_pushes(out, s->pushes);
    } else {
        buf_printf(out, ",\"delivered\":%llu,\"dropped\":%llu", (unsigned long long)s->delivered,
                   (unsigned long long)s->dropped);
    }
    buf_add_str(out, s->endpoint.tls ? ",\"unsupported\":\"https\"}" : "}");
}

static void add_topic(struct buf *out, const struct topic *topic)
{
    json_string(out, span_of(topic->name));
    buf_printf(
        out,
        ":{\"filter\":\"%s\",\"maxMsgSize\":%lld,\"msgRetentionSeconds\":%lld,\"subscriptions\":{",
        topic->by_route ? "route" : "tag", (long long)topic->max_size_bytes,
        (long long)topic->retention_s);
    for (const struct subscription *s = topic->subscriptions; s; s = s->next) {
        add_subscription(out, topic, s);
        if (s->next)
            buf_add_char(out, ',');
    }
    buf_add_str(out, "}}");
}

static int show_state(const struct control *control, int64_t now_ms, struct buf *out)
{
    char at[CLOCK_ISO_SIZE];
    clock_iso(now_ms, at);
    store_advance(control->store, now_ms);
    buf_printf(out, "{\"at\":\"%s\",\"messageBytes\":%llu,\"queues\":{", at,
               (unsigned long long)store_bytes(control->store));
    const struct queue *queue = store_next_queue(control->store, NULL);
    while (queue) {
        add_queue(out, queue);
        queue = store_next_queue(control->store, queue);
        if (queue)
            buf_add_char(out, ',');
    }
    buf_add_str(out, "},\"topics\":{");
    const struct topic *topic = store_next_topic(control->store, NULL);
    while (topic) {
        add_topic(out, topic);
        topic = store_next_topic(control->store, topic);
        if (topic)
            buf_add_char(out, ',');
    }
    buf_add_str(out, "}}");
    return 200;
}

static int show_log(const struct control *control, struct span query, struct buf *out)
{
    uint64_t after = 0;
    if (query.len > 0) {
        struct span number = span_slice(query, strlen("after="), query.len);
        if (!span_starts(query, "after=") || !span_to_u64(number, INT64_MAX, &after))
            return fail(out, 400, "the query must be after=N, N a whole number");
    }
    journal_print(control->journal, after, out);
    return 200;
}

static int set_faults(const struct control *control, struct span body, struct buf *out)
{
    struct err err;
    if (!sabotage_set(control->sabotage, body, &err))
        return fail(out, 400, err.text);
    sabotage_print(control->sabotage, out);
    return 200;
}

static int reset(const struct control *control, struct buf *out)
{
    store_reset(control->store);
    sabotage_clear(control->sabotage);
    journal_reset(control->journal);
    buf_add_str(out, "{}");
    return 200;
}

int control_serve(const struct control *control, const struct control_request *request,
                  int64_t now_ms, struct buf *out)
{
    bool get = span_eq_str(request->method, "GET"), post = span_eq_str(request->method, "POST");
    if (span_eq_str(request->path, "/local/state")) {
        return get ? show_state(control, now_ms, out) : fail(out, 405, "only GET");
    }
    if (span_eq_str(request->path, "/local/log"))
        return get ? show_log(control, request->query, out) : fail(out, 405, "only GET");
    if (span_eq_str(request->path, "/local/reset"))
        return post ? reset(control, out) : fail(out, 405, "only POST");
    if (span_eq_str(request->path, "/local/faults")) {
        if (post)
            return set_faults(control, request->body, out);
        if (!get)
            return fail(out, 405, "only GET or POST");
        sabotage_print(control->sabotage, out);
        return 200;
    }
    return fail(out, 404, "there are /local/state, /local/log, /local/faults and /local/reset");
}
