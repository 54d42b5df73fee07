/* definition - see definition.h. Tables say which numbers a text has. */
#include "local/definition.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <stddef.h>

struct number {
    const char *key;
    size_t offset; /* of an int64_t */
};

struct flag {
    const char *key;
    size_t offset; /* of a bool */
};

#define ATTRIBUTE(field) offsetof(struct queue_attributes, field)
static const struct number queue_numbers[] = {
    {"visibility_s", ATTRIBUTE(visibility_s)},   {"polling_wait_s", ATTRIBUTE(polling_wait_s)},
    {"retention_s", ATTRIBUTE(retention_s)},     {"max_size_bytes", ATTRIBUTE(max_size_bytes)},
    {"rewind_s", ATTRIBUTE(rewind_s)},           {"max_heap", ATTRIBUTE(max_heap)},
    {"max_receive", ATTRIBUTE(max_receive)},     {"max_age_s", ATTRIBUTE(max_age_s)},
    {"first_query_s", ATTRIBUTE(first_query_s)}, {"max_queries", ATTRIBUTE(max_queries)},
    {"retention_mb", ATTRIBUTE(retention_mb)},   {NULL, 0},
};
static const struct flag queue_flags[] = {
    {"transaction", ATTRIBUTE(transaction)},
    {"trace", ATTRIBUTE(trace)},
    {NULL, 0},
};
static const struct number topic_numbers[] = {
    {"retention_s", offsetof(struct topic_attributes, retention_s)},
    {"max_size_bytes", offsetof(struct topic_attributes, max_size_bytes)},
    {NULL, 0},
};
static const struct flag topic_flags[] = {
    {"by_route", offsetof(struct topic_attributes, by_route)},
    {"trace", offsetof(struct topic_attributes, trace)},
    {NULL, 0},
};

static void add_number(struct buf *out, const char *key, int64_t value)
{
    buf_printf(out, ",\"%s\":%lld", key, (long long)value);
}

static void add_text(struct buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    buf_printf(out, ",\"%s\":", key);
    json_string(out, span_of(text));
}

static void add_fields(struct buf *out, const void *from, const struct number *numbers,
                       const struct flag *flags)
{
    for (; numbers->key; numbers++) {
        int64_t value;
        memcpy(&value, (const char *)from + numbers->offset, sizeof value);
        add_number(out, numbers->key, value);
    }
    for (; flags->key; flags++) {
        bool value;
        memcpy(&value, (const char *)from + flags->offset, sizeof value);
        add_number(out, flags->key, value);
    }
}

static void add_times(struct buf *out, int64_t created_ms, int64_t modified_ms, const char *tags)
{
    add_number(out, "created_ms", created_ms);
    add_number(out, "modified_ms", modified_ms);
    add_text(out, "tags", tags);
}

void definition_of_queue(const struct queue *queue, struct buf *out)
{
    const struct queue_attributes *a = &queue->attributes;
    buf_add_str(out, "{\"name\":");
    json_string(out, span_of(queue->name));
    add_fields(out, a, queue_numbers, queue_flags);
    add_number(out, "policy", a->policy);
    add_text(out, "dead_letter", queue->dead_letter ? queue->dead_letter->name : NULL);
    add_times(out, queue->created_ms, queue->modified_ms, queue->tags);
    buf_add_char(out, '}');
}

static void add_subscription(struct buf *out, const struct subscription *s)
{
    buf_add_str(out, "{\"name\":");
    json_string(out, span_of(s->name));
    add_number(out, "number", (int64_t)s->number);
    add_text(out, "queue", s->queue ? s->queue->name : NULL);
    add_text(out, "url", s->url);
    add_number(out, "exponential", s->exponential);
    add_number(out, "simplified", s->simplified);
    add_times(out, s->created_ms, s->modified_ms, NULL);
    buf_add_str(out, ",\"filters\":[");
    for (size_t i = 0; i < s->filter_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        json_string(out, s->filters[i]);
    }
    buf_add_str(out, "]}");
}

void definition_of_topic(const struct topic *topic, struct buf *out)
{
    const struct topic_attributes a = {.by_route = topic->by_route,
                                       .retention_s = topic->retention_s,
                                       .max_size_bytes = topic->max_size_bytes,
                                       .trace = topic->trace};
    buf_add_str(out, "{\"name\":");
    json_string(out, span_of(topic->name));
    add_fields(out, &a, topic_numbers, topic_flags);
    add_times(out, topic->created_ms, topic->modified_ms, topic->tags);
    buf_add_str(out, ",\"subscriptions\":[");
    for (const struct subscription *s = topic->subscriptions; s; s = s->next) {
        add_subscription(out, s);
        if (s->next)
            buf_add_char(out, ',');
    }
    buf_add_str(out, "]}");
}

/* A number of the object; otherwise when it is not there or none. */
static int64_t number_in(const cJSON *object, const char *key, int64_t otherwise)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, key);
    double value = cJSON_IsNumber(field) ? field->valuedouble : -1;
    return value >= 0 && value <= 9e15 ? (int64_t)value : otherwise;
}

/* A text of the object, or NULL. */
static const char *text_in(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static struct span span_in(const cJSON *object, const char *key)
{
    const char *text = text_in(object, key);
    return span_of(text ? text : "");
}

static void read_fields(const cJSON *object, void *to, const struct number *numbers,
                        const struct flag *flags)
{
    for (; numbers->key; numbers++) {
        int64_t value;
        memcpy(&value, (char *)to + numbers->offset, sizeof value);
        value = number_in(object, numbers->key, value);
        memcpy((char *)to + numbers->offset, &value, sizeof value);
    }
    for (; flags->key; flags++) {
        bool value = number_in(object, flags->key, 0) != 0;
        memcpy((char *)to + flags->offset, &value, sizeof value);
    }
}

static cJSON *parse(struct span text, struct err *err)
{
    cJSON *object =
        utf8_valid(text) ? cJSON_ParseWithLength(text.len ? text.ptr : "", text.len) : NULL;
    if (cJSON_IsObject(object) && text_in(object, "name"))
        return object;
    cJSON_Delete(object);
    (void)err_set(err, "a definition is not one");
    return NULL;
}

static void note_number(struct store *store, uint64_t number)
{
    struct depot *depot = store_depot(store);
    if (number >= depot->next_number)
        depot->next_number = number + 1;
}

bool definition_add_queue(struct store *store, uint64_t number, struct span text, struct err *err)
{
    struct queue_attributes attributes = QUEUE_DEFAULTS;
    cJSON *object = parse(text, err);
    if (!object)
        return false;
    read_fields(object, &attributes, queue_numbers, queue_flags);
    attributes.policy =
        number_in(object, "policy", 0) == QUEUE_BY_AGE ? QUEUE_BY_AGE : QUEUE_BY_RECEIVES;
    struct queue *queue = store_add_queue(store, span_in(object, "name"), &attributes, err);
    if (queue) {
        queue->number = number;
        queue->record = (struct record){.kind = RECORD_QUEUE, .saved = true};
        queue->created_ms = number_in(object, "created_ms", queue->created_ms);
        queue->modified_ms = number_in(object, "modified_ms", queue->modified_ms);
        queue->tags = text_in(object, "tags") ? span_dup(span_in(object, "tags")) : NULL;
        note_number(store, number);
    }
    cJSON_Delete(object);
    return queue != NULL;
}

bool definition_bind(struct store *store, struct span text, struct err *err)
{
    cJSON *object = parse(text, err);
    if (!object)
        return false;
    struct queue *queue = store_queue(store, span_in(object, "name"));
    bool ok = true;
    if (queue && text_in(object, "dead_letter"))
        ok = store_bind_dead_letter(store, queue, span_in(object, "dead_letter"), err);
    cJSON_Delete(object);
    return ok;
}

static bool add_to_topic(struct store *store, struct topic *topic, const cJSON *object,
                         struct err *err)
{
    struct span filters[CMQ_MAX_TAGS + CMQ_MAX_BINDING_KEYS];
    size_t count = 0;
    const cJSON *filter;
    cJSON_ArrayForEach(filter, cJSON_GetObjectItemCaseSensitive(object, "filters"))
    {
        if (count == sizeof filters / sizeof *filters || !cJSON_IsString(filter))
            return err_set(err, "the filters of a subscription are damaged");
        filters[count++] = span_of(filter->valuestring);
    }
    struct subscription_spec spec = {.name = span_in(object, "name"),
                                     .queue = span_in(object, "queue"),
                                     .url = span_in(object, "url"),
                                     .filters = filters,
                                     .filter_count = count,
                                     .exponential = number_in(object, "exponential", 0) != 0,
                                     .simplified = number_in(object, "simplified", 0) != 0};
    if (!store_subscribe(store, topic, &spec, err))
        return false;
    struct subscription *made = topic_find(topic, spec.name);
    made->number = (uint64_t)number_in(object, "number", (int64_t)made->number);
    made->created_ms = number_in(object, "created_ms", made->created_ms);
    made->modified_ms = number_in(object, "modified_ms", made->modified_ms);
    note_number(store, made->number);
    return true;
}

bool definition_add_topic(struct store *store, uint64_t number, struct span text, struct err *err)
{
    struct topic_attributes attributes = {.retention_s = 86400, .max_size_bytes = 65536};
    cJSON *object = parse(text, err);
    if (!object)
        return false;
    read_fields(object, &attributes, topic_numbers, topic_flags);
    struct topic *topic = store_add_topic(store, span_in(object, "name"), &attributes, err);
    bool ok = topic != NULL;
    if (ok) {
        topic->number = number;
        topic->record = (struct record){.kind = RECORD_TOPIC, .saved = true};
        topic->created_ms = number_in(object, "created_ms", topic->created_ms);
        topic->modified_ms = number_in(object, "modified_ms", topic->modified_ms);
        topic->tags = text_in(object, "tags") ? span_dup(span_in(object, "tags")) : NULL;
        note_number(store, number);
    }
    const cJSON *subscription;
    cJSON_ArrayForEach(subscription, cJSON_GetObjectItemCaseSensitive(object, "subscriptions"))
    {
        ok = ok && add_to_topic(store, topic, subscription, err);
    }
    cJSON_Delete(object);
    return ok;
}
