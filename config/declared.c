/* declared - see declared.h. */
#include "config/declared.h"

#include "base/check.h"

#include <strings.h>

static int compare_queues(const void *a, const void *b)
{
    const struct resource_queue *const *x = a, *const *y = b;
    return strcasecmp((*x)->name, (*y)->name);
}

static int compare_topics(const void *a, const void *b)
{
    const struct resource_topic *const *x = a, *const *y = b;
    return strcasecmp((*x)->name, (*y)->name);
}

void declared_init(struct declared *declared, const struct resources *resources)
{
    size_t queues = resources->queue_count, topics = resources->topic_count;
    declared->queues = check_alloc(calloc(queues + 1, sizeof(void *)));
    declared->topics = check_alloc(calloc(topics + 1, sizeof(void *)));
    declared->queue_count = queues;
    declared->topic_count = topics;
    for (size_t i = 0; i < queues; i++)
        declared->queues[i] = &resources->queues[i];
    for (size_t i = 0; i < topics; i++)
        declared->topics[i] = &resources->topics[i];
    qsort(declared->queues, queues, sizeof(void *), compare_queues);
    qsort(declared->topics, topics, sizeof(void *), compare_topics);
}

void declared_fini(struct declared *declared)
{
    free(declared->queues);
    free(declared->topics);
}

const struct resource_queue *declared_queue(const struct declared *declared, const char *name)
{
    struct resource_queue wanted = {.name = (char *)name};
    const struct resource_queue *key = &wanted;
    const struct resource_queue **at =
        bsearch(&key, declared->queues, declared->queue_count, sizeof(void *), compare_queues);
    return at ? *at : NULL;
}

const struct resource_topic *declared_topic(const struct declared *declared, const char *name)
{
    struct resource_topic wanted = {.name = (char *)name};
    const struct resource_topic *key = &wanted;
    const struct resource_topic **at =
        bsearch(&key, declared->topics, declared->topic_count, sizeof(void *), compare_topics);
    return at ? *at : NULL;
}

struct span declared_path(const char *url)
{
    struct span text = span_of(url);
    struct span rest = span_slice(text, span_find(text, ':') + strlen("://"), text.len);
    rest = span_slice(rest, 0, span_find(rest, '?'));
    return span_slice(rest, span_find(rest, '/'), rest.len);
}

static bool has_tag(const struct resource_subscription *s, const struct template *tag)
{
    struct span constant = template_constant(tag);
    if (!constant.ptr)
        return true;
    for (size_t i = 0; i < s->tag_count; i++) {
        if (span_eq_str(constant, s->tags[i]))
            return true;
    }
    return false;
}

bool declared_receives(const struct resource_topic *topic, const struct resource_subscription *s,
                       const struct rule_target *target, const struct shape *route)
{
    if (topic->by_route) {
        struct shape key;
        bool meets = false;
        for (size_t i = 0; route && !meets && i < s->key_count; i++) {
            shape_of_key(&key, span_of(s->keys[i]));
            meets = shapes_meet(route, &key);
        }
        return meets;
    }
    bool some = s->tag_count == 0;
    for (size_t i = 0; !some && i < target->tag_count; i++)
        some = has_tag(s, target->tags[i]);
    return some;
}
