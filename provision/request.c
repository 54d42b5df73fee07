/* request - see request.h. */
#include "provision/request.h"

#include "provision/attribute.h"

#include <cjson/cJSON.h>

static void add_text(cJSON *object, const char *key, const char *text)
{
    CHECK(cJSON_AddStringToObject(object, key, text));
}

static void add_number(cJSON *object, const char *key, int64_t number)
{
    CHECK(cJSON_AddNumberToObject(object, key, (double)number));
}

static void add_texts(cJSON *object, const char *key, char *const *texts, size_t count)
{
    cJSON *list = check_alloc(cJSON_AddArrayToObject(object, key));
    for (size_t i = 0; i < count; i++)
        CHECK(cJSON_AddItemToArray(list, cJSON_CreateString(texts[i])));
}

static void add_labels(cJSON *object, char *const *labels, size_t count)
{
    cJSON *list = count > 0 ? check_alloc(cJSON_AddArrayToObject(object, "Tags")) : NULL;
    for (size_t i = 0; i < count; i++) {
        cJSON *tag = check_alloc(cJSON_CreateObject());
        size_t key_bytes = span_find(span_of(labels[i]), '=');
        char *key = span_dup(span_make(labels[i], key_bytes));
        add_text(tag, "TagKey", key);
        add_text(tag, "TagValue", labels[i] + key_bytes + 1);
        free(key);
        CHECK(cJSON_AddItemToArray(list, tag));
    }
}

/* The rows with these bits; where `defaults`, also those that have a default without being given.
 */
static void add_attributes(const struct attribute_table *table, const void *resource, unsigned bits,
                           bool defaults, cJSON *request)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct attribute *row = &table->rows[i];
        int64_t value = attribute_get(row, resource);
        if ((bits & row->bit) || (defaults && value > 0))
            attribute_write(row, value, request);
    }
}

static void add_dead_letter(const struct resource_queue *queue, cJSON *request)
{
    if (!queue->dead_letter)
        return;
    add_text(request, "DeadLetterQueueName", queue->dead_letter);
    add_number(request, "Policy", queue->policy);
    if (queue->policy == 0)
        add_number(request, "MaxReceiveCount", queue->max_receive);
    else
        add_number(request, "MaxTimeToLive", queue->max_age_s);
}

/* The names that every action wants. */
static cJSON *named(const struct step *step)
{
    cJSON *request = check_alloc(cJSON_CreateObject());
    switch (step->object) {
    case STEP_QUEUE:
        add_text(request, "QueueName", step->name);
        break;
    case STEP_TOPIC:
        add_text(request, "TopicName", step->name);
        break;
    case STEP_SUBSCRIPTION:
        add_text(request, "TopicName", step->of);
        add_text(request, "SubscriptionName", step->name);
        break;
    }
    return request;
}

static const char *strategy(const struct resource_subscription *s)
{
    return s->exponential ? "EXPONENTIAL_DECAY_RETRY" : "BACKOFF_RETRY";
}

static const char *format(const struct resource_subscription *s)
{
    return s->simplified ? "SIMPLIFIED" : "JSON";
}

static void create_subscription(const struct step *step, cJSON *request)
{
    const struct resource_subscription *s = step->subscription;
    add_text(request, "Protocol", s->queue ? "queue" : "http");
    add_text(request, "Endpoint", s->queue ? s->queue : s->url);
    add_text(request, "NotifyStrategy", strategy(s));
    add_text(request, "NotifyContentFormat", format(s));
    if (step->topic->by_route)
        add_texts(request, "BindingKey", s->keys, s->key_count);
    else if (s->tag_count > 0)
        add_texts(request, "FilterTag", s->tags, s->tag_count);
}

cJSON *request_create(const struct step *step)
{
    enum { BY_TAG = 1, BY_ROUTE = 2 };
    cJSON *request = named(step);
    if (step->object == STEP_QUEUE) {
        const struct resource_queue *queue = step->queue;
        add_attributes(&queue_attributes, queue, queue->given, true, request);
        add_dead_letter(queue, request);
        add_labels(request, queue->labels, queue->label_count);
    } else if (step->object == STEP_TOPIC) {
        const struct resource_topic *topic = step->topic;
        add_number(request, "FilterType", topic->by_route ? BY_ROUTE : BY_TAG);
        add_attributes(&topic_attributes, topic, topic->given, true, request);
        add_labels(request, topic->labels, topic->label_count);
    } else {
        create_subscription(step, request);
    }
    return request;
}

static void change_subscription(const struct step *step, cJSON *request)
{
    const struct resource_subscription *s = step->subscription;
    if (step->changes & GIVEN_RETRY)
        add_text(request, "NotifyStrategy", strategy(s));
    if (step->changes & GIVEN_FORMAT)
        add_text(request, "NotifyContentFormat", format(s));
    if (step->changes & CHANGE_KEYS)
        add_texts(request, "BindingKey", s->keys, s->key_count);
    if ((step->changes & CHANGE_TAGS) && s->tag_count > 0)
        add_texts(request, "FilterTags", s->tags, s->tag_count);
}

cJSON *request_change(const struct step *step)
{
    cJSON *request = named(step);
    int names = cJSON_GetArraySize(request);
    if (step->object == STEP_QUEUE) {
        add_attributes(&queue_attributes, step->queue, step->changes, false, request);
        if (step->changes & GIVEN_DEAD_LETTER)
            add_dead_letter(step->queue, request);
    } else if (step->object == STEP_TOPIC) {
        add_attributes(&topic_attributes, step->topic, step->changes, false, request);
    } else {
        change_subscription(step, request);
    }
    if (cJSON_GetArraySize(request) > names)
        return request;
    cJSON_Delete(request);
    return NULL;
}

cJSON *request_delete(const struct step *step)
{
    return named(step);
}

cJSON *request_unbind(const struct step *step)
{
    cJSON *request = check_alloc(cJSON_CreateObject());
    add_text(request, "SourceQueueName", step->name);
    return request;
}

cJSON *request_clear_tags(const struct step *step)
{
    return named(step);
}
