/* topic - see topic.h. */
#include "local/topic.h"

#include "base/check.h"
#include "cmq/key.h"

#include <strings.h>
#include <utlist.h>

enum { MAX_JOINED_TAGS = CMQ_MAX_TAGS * (CMQ_MAX_TAG_CHARS * 4 + 2) };

void topic_set_filters(struct subscription *subscription, const struct span *filters,
                       size_t filter_count)
{
    size_t bytes = filter_count * sizeof *filters;
    for (size_t i = 0; i < filter_count; i++)
        bytes += filters[i].len;
    struct span *made = check_alloc(malloc(bytes ? bytes : 1));
    char *at = (char *)(made + filter_count);
    for (size_t i = 0; i < filter_count; i++) {
        memcpy(at, filters[i].ptr, filters[i].len);
        made[i] = span_make(at, filters[i].len);
        at += filters[i].len;
    }
    free(subscription->filters);
    subscription->filters = made;
    subscription->filter_count = filter_count;
}

struct subscription *topic_subscribe(struct topic *topic, struct span name,
                                     const struct span *filters, size_t filter_count)
{
    CHECK(name.len <= CMQ_MAX_NAME_BYTES);
    struct subscription *made = check_alloc(calloc(1, sizeof *made));
    made->number = topic->depot->next_number++;
    made->topic = topic;
    memcpy(made->name, name.ptr, name.len);
    topic_set_filters(made, filters, filter_count);
    LL_APPEND(topic->subscriptions, made);
    return made;
}

struct subscription *topic_find(const struct topic *topic, struct span name)
{
    struct subscription *s;
    LL_FOREACH(topic->subscriptions, s)
    {
        if (strlen(s->name) == name.len && strncasecmp(s->name, name.ptr, name.len) == 0)
            return s;
    }
    return NULL;
}

static bool takes(const struct topic *topic, const struct subscription *s,
                  const struct topic_label *label)
{
    if (!topic->by_route)
        return cmq_tags_match(s->filters, s->filter_count, label->tags, label->tag_count);
    for (size_t i = 0; i < s->filter_count; i++) {
        if (cmq_key_match(s->filters[i], label->route))
            return true;
    }
    return false;
}

/* The value of a push's tag header: "a, b" (CMQ.md 6). */
static struct span join_tags(const struct topic_label *label, char out[MAX_JOINED_TAGS])
{
    size_t len = 0;
    for (size_t i = 0; i < label->tag_count; i++) {
        struct span tag = label->tags[i];
        CHECK(len + 2 + tag.len <= MAX_JOINED_TAGS);
        if (i > 0) {
            out[len++] = ',';
            out[len++] = ' ';
        }
        memcpy(out + len, tag.ptr, tag.len);
        len += tag.len;
    }
    return span_make(out, len);
}

/* Passes all bodies on to one subscription that takes them. */
static void pass_on(struct subscription *s, const struct span *bodies, size_t count,
                    struct span tags, const uint64_t *ids, int64_t now_ms)
{
    bool lost = !s->queue && !s->pushes;
    if (s->queue)
        lost = queue_send(s->queue, bodies, count, 0, now_ms, NULL) != QUEUE_OK;
    for (size_t i = 0; s->pushes && i < count; i++)
        push_add(s->pushes, ids[i], tags, bodies[i], now_ms);
    *(lost ? &s->dropped : &s->delivered) += count;
}

enum topic_result topic_publish(struct topic *topic, const struct span *bodies, size_t count,
                                const struct topic_label *label, int64_t now_ms, uint64_t *ids)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (bodies[i].len > (uint64_t)topic->max_size_bytes)
            return TOPIC_TOO_LARGE;
        bytes += bodies[i].len;
    }
    if (!topic->subscriptions)
        return TOPIC_NO_SUBSCRIPTION;
    char joined[MAX_JOINED_TAGS];
    struct span tags = join_tags(label, joined);
    size_t receivers = 0, queues = 0, lines = 0;
    struct subscription *s;
    LL_FOREACH(topic->subscriptions, s)
    {
        s->matches = takes(topic, s, label);
        receivers += s->matches;
        queues += s->matches && s->queue;
        lines += s->matches && s->pushes;
    }
    if (receivers == 0)
        return TOPIC_NONE_MATCHES;
    uint64_t need = queues * bytes + lines * (count * push_bytes(tags.len, 0) + bytes);
    if (!depot_has_room(topic->depot, queues * count, need))
        return TOPIC_FULL;
    for (size_t i = 0; i < count; i++)
        ids[i] = topic->depot->next_id++;
    LL_FOREACH(topic->subscriptions, s)
    {
        if (s->matches)
            pass_on(s, bodies, count, tags, ids, now_ms);
    }
    return TOPIC_OK;
}

static void free_subscription(struct subscription *s)
{
    push_line_free(s->pushes);
    free(s->filters);
    free(s->url);
    free(s);
}

void topic_unsubscribe(struct topic *topic, struct subscription *subscription)
{
    LL_DELETE(topic->subscriptions, subscription);
    free_subscription(subscription);
}

void topic_fini(struct topic *topic)
{
    struct subscription *s, *next;
    LL_FOREACH_SAFE(topic->subscriptions, s, next)
    {
        free_subscription(s);
    }
    topic->subscriptions = NULL;
    free(topic->tags);
}
