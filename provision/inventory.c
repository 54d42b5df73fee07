/* inventory - see inventory.h. */
#include "provision/inventory.h"

#include "base/json.h"
#include "config/list.h"
#include "provision/attribute.h"

#include <cjson/cJSON.h>
#include <strings.h>

enum { MAX_NAME_BYTES = 200, MAX_TEXT_BYTES = 1024, MAX_LABELS = 200 };

static const cJSON *field(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* A copy of a string that is one line of text; NULL when it is none. */
static char *get_text(const cJSON *item, size_t max_bytes)
{
    const char *text = cJSON_GetStringValue(item);
    struct span span = span_of(text);
    if (!text || span.len > max_bytes || !utf8_valid(span))
        return NULL;
    for (size_t i = 0; i < span.len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return NULL;
    }
    return span_dup(span);
}

/* The name of what is described; NULL and err when it has none. */
static char *get_name(const cJSON *description, const char *key, struct err *err)
{
    char *name = get_text(field(description, key), MAX_NAME_BYTES);
    if (name && *name)
        return name;
    free(name);
    (void)err_set(err, "the account lists something without a usable %s", key);
    return NULL;
}

/* What may be left out or null: 0 or a number. */
static int64_t get_number(const cJSON *description, const char *key, int64_t otherwise)
{
    const cJSON *item = field(description, key);
    bool usable = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 1e15;
    return usable ? (int64_t)item->valuedouble : otherwise;
}

static bool read_attributes(const struct attribute_table *table, const cJSON *description,
                            const char *name, void *resource, unsigned *given, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct attribute *attribute = &table->rows[i];
        int64_t value = 0;
        bool found;
        if (!attribute_read(attribute, description, &value, &found))
            return err_set(err, "the account's description of \"%s\" has no usable %s", name,
                           attribute->field);
        attribute_set(attribute, resource, value);
        *given |= found ? attribute->bit : 0;
    }
    return true;
}

/* Labels that are no KEY=VALUE text are left out: they are compared only when declared. */
static void read_labels(const cJSON *tags, char ***labels, size_t *count)
{
    const cJSON *tag;
    cJSON_ArrayForEach(tag, tags)
    {
        char *key = get_text(field(tag, "TagKey"), MAX_TEXT_BYTES);
        char *value = get_text(field(tag, "TagValue"), MAX_TEXT_BYTES);
        if (key && value && *count < MAX_LABELS) {
            struct buf label = BUF_INIT(2 * MAX_TEXT_BYTES + 1);
            CHECK(buf_printf(&label, "%s=%s", key, value));
            *labels = list_grow(*labels, *count, sizeof **labels);
            (*labels)[(*count)++] = buf_take(&label);
        }
        free(key);
        free(value);
    }
}

static void free_texts(char **texts, size_t count)
{
    while (count > 0)
        free(texts[--count]);
}

static void queue_fini(struct inventory_queue *queue)
{
    free(queue->is.name);
    free(queue->is.dead_letter);
    free_texts(queue->is.labels, queue->is.label_count);
    free(queue->is.labels);
}

static void subscription_fini(struct resource_subscription *s)
{
    free(s->name);
    free(s->queue);
    free(s->url);
    free_texts(s->tags, s->tag_count);
    free_texts(s->keys, s->key_count);
}

static void topic_fini(struct inventory_topic *topic)
{
    for (size_t i = 0; i < topic->is.subscription_count; i++)
        subscription_fini(&topic->is.subscriptions[i]);
    free(topic->is.subscriptions);
    free(topic->is.name);
    free_texts(topic->is.labels, topic->is.label_count);
    free(topic->is.labels);
}

void inventory_fini(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->queue_count; i++)
        queue_fini(&inventory->queues[i]);
    for (size_t i = 0; i < inventory->topic_count; i++)
        topic_fini(&inventory->topics[i]);
    free(inventory->queues);
    free(inventory->topics);
    *inventory = (struct inventory){0};
}

/* No policy is null, or one without a queue. */
static bool read_policy(const cJSON *policy, struct resource_queue *queue, struct err *err)
{
    queue->given |= GIVEN_DEAD_LETTER;
    const cJSON *target = field(policy, "DeadLetterQueue");
    if (!target || cJSON_IsNull(target))
        return true;
    queue->dead_letter = get_text(target, MAX_NAME_BYTES);
    if (!queue->dead_letter)
        return err_set(err, "the account's description of \"%s\" has no usable DeadLetterQueue",
                       queue->name);
    if (!*queue->dead_letter) {
        free(queue->dead_letter);
        queue->dead_letter = NULL;
    }
    queue->policy = get_number(policy, "Policy", 0) != 0;
    queue->max_receive = get_number(policy, "MaxReceiveCount", 0);
    queue->max_age_s = get_number(policy, "MaxTimeToLive", 0);
    return true;
}

bool inventory_take_queue(void *ctx, const cJSON *description, struct err *err)
{
    struct inventory *inventory = ctx;
    struct inventory_queue queue = {.status =
                                        (int)get_number(description, "Status", STATUS_NORMAL)};
    queue.is.name = get_name(description, "QueueName", err);
    bool ok = queue.is.name &&
              read_attributes(&queue_attributes, description, queue.is.name, &queue.is,
                              &queue.is.given, err) &&
              read_policy(field(description, "DeadLetterPolicy"), &queue.is, err);
    if (!ok) {
        queue_fini(&queue);
        return false;
    }
    read_labels(field(description, "Tags"), &queue.is.labels, &queue.is.label_count);
    int64_t active = get_number(description, "ActiveMsgNum", -1);
    queue.messages = active < 0 ? -1
                                : active + get_number(description, "InactiveMsgNum", 0) +
                                      get_number(description, "DelayMsgNum", 0);
    inventory->queues =
        list_grow(inventory->queues, inventory->queue_count, sizeof *inventory->queues);
    inventory->queues[inventory->queue_count++] = queue;
    return true;
}

bool inventory_take_topic(void *ctx, const cJSON *description, struct err *err)
{
    enum { BY_TAG = 1, BY_ROUTE = 2 };
    struct inventory *inventory = ctx;
    struct inventory_topic topic = {.status =
                                        (int)get_number(description, "Status", STATUS_NORMAL)};
    int64_t filter = get_number(description, "FilterType", 0);
    topic.is.name = get_name(description, "TopicName", err);
    bool ok = topic.is.name && read_attributes(&topic_attributes, description, topic.is.name,
                                               &topic.is, &topic.is.given, err);
    if (ok && filter != BY_TAG && filter != BY_ROUTE)
        ok = err_set(err, "the account's description of \"%s\" has no usable FilterType",
                     topic.is.name);
    if (!ok) {
        topic_fini(&topic);
        return false;
    }
    topic.is.by_route = filter == BY_ROUTE;
    read_labels(field(description, "Tags"), &topic.is.labels, &topic.is.label_count);
    inventory->topics =
        list_grow(inventory->topics, inventory->topic_count, sizeof *inventory->topics);
    inventory->topics[inventory->topic_count++] = topic;
    return true;
}

/* A list of texts, null being none. */
static bool read_texts(const cJSON *list, char **texts, size_t *count, size_t max)
{
    const cJSON *item;
    if (list && !cJSON_IsNull(list) && !cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(item, list)
    {
        char *text = *count < max ? get_text(item, MAX_TEXT_BYTES) : NULL;
        if (!text)
            return false;
        texts[(*count)++] = text;
    }
    return true;
}

static bool is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static bool read_subscription(struct resource_subscription *s, const cJSON *description,
                              struct err *err)
{
    s->name = get_name(description, "SubscriptionName", err);
    if (!s->name)
        return false;
    const char *protocol = cJSON_GetStringValue(field(description, "Protocol"));
    const char *strategy = cJSON_GetStringValue(field(description, "NotifyStrategy"));
    const char *format = cJSON_GetStringValue(field(description, "NotifyContentFormat"));
    char *endpoint = get_text(field(description, "Endpoint"), MAX_TEXT_BYTES);
    bool to_queue = is_word(protocol, "queue");
    *(to_queue ? &s->queue : &s->url) = endpoint;
    if (!protocol || !endpoint ||
        !read_texts(field(description, "FilterTags"), s->tags, &s->tag_count, CMQ_MAX_TAGS) ||
        !read_texts(field(description, "BindingKey"), s->keys, &s->key_count, CMQ_MAX_BINDING_KEYS))
        return err_set(err, "the account's description of the subscription \"%s\" has no usable %s",
                       s->name, protocol && endpoint ? "FilterTags or BindingKey" : "Endpoint");
    s->exponential = is_word(strategy, "EXPONENTIAL_DECAY_RETRY");
    s->simplified = is_word(format, "SIMPLIFIED");
    if (s->exponential || is_word(strategy, "BACKOFF_RETRY"))
        s->given |= GIVEN_RETRY;
    if (s->simplified || is_word(format, "JSON"))
        s->given |= GIVEN_FORMAT;
    return true;
}

bool inventory_take_subscription(void *ctx, const cJSON *description, struct err *err)
{
    struct resource_topic *topic = ctx;
    struct resource_subscription s = {0};
    if (!read_subscription(&s, description, err)) {
        subscription_fini(&s);
        return false;
    }
    topic->subscriptions =
        list_grow(topic->subscriptions, topic->subscription_count, sizeof *topic->subscriptions);
    topic->subscriptions[topic->subscription_count++] = s;
    return true;
}

bool inventory_exists(int status)
{
    return status != STATUS_GOING && status != STATUS_GONE;
}

static int compare_queues(const void *a, const void *b)
{
    const struct inventory_queue *x = a, *y = b;
    return strcasecmp(x->is.name, y->is.name);
}

static int compare_topics(const void *a, const void *b)
{
    const struct inventory_topic *x = a, *y = b;
    return strcasecmp(x->is.name, y->is.name);
}

static int compare_subscriptions(const void *a, const void *b)
{
    const struct resource_subscription *x = a, *y = b;
    return strcasecmp(x->name, y->name);
}

static void sort_subscriptions(struct resource_topic *topic)
{
    struct resource_subscription *list = topic->subscriptions;
    size_t count = topic->subscription_count, kept = 0;
    if (count > 1)
        qsort(list, count, sizeof *list, compare_subscriptions);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && compare_subscriptions(&list[kept - 1], &list[i]) == 0)
            subscription_fini(&list[i]);
        else
            list[kept++] = list[i];
    }
    topic->subscription_count = kept;
}

void inventory_sort(struct inventory *inventory)
{
    struct inventory_queue *queues = inventory->queues;
    struct inventory_topic *topics = inventory->topics;
    size_t kept = 0;
    if (inventory->queue_count > 1)
        qsort(queues, inventory->queue_count, sizeof *queues, compare_queues);
    for (size_t i = 0; i < inventory->queue_count; i++) {
        if (kept > 0 && compare_queues(&queues[kept - 1], &queues[i]) == 0)
            queue_fini(&queues[i]);
        else
            queues[kept++] = queues[i];
    }
    inventory->queue_count = kept;
    kept = 0;
    if (inventory->topic_count > 1)
        qsort(topics, inventory->topic_count, sizeof *topics, compare_topics);
    for (size_t i = 0; i < inventory->topic_count; i++) {
        if (kept > 0 && compare_topics(&topics[kept - 1], &topics[i]) == 0)
            topic_fini(&topics[i]);
        else
            topics[kept++] = topics[i];
    }
    inventory->topic_count = kept;
    for (size_t i = 0; i < kept; i++)
        sort_subscriptions(&topics[i].is);
}

const struct inventory_queue *inventory_queue(const struct inventory *inventory, const char *name)
{
    struct inventory_queue key = {.is = {.name = (char *)name}};
    return inventory->queue_count ? bsearch(&key, inventory->queues, inventory->queue_count,
                                            sizeof key, compare_queues)
                                  : NULL;
}

const struct inventory_topic *inventory_topic(const struct inventory *inventory, const char *name)
{
    struct inventory_topic key = {.is = {.name = (char *)name}};
    return inventory->topic_count ? bsearch(&key, inventory->topics, inventory->topic_count,
                                            sizeof key, compare_topics)
                                  : NULL;
}

const struct resource_subscription *inventory_subscription(const struct inventory_topic *topic,
                                                           const char *name)
{
    struct resource_subscription key = {.name = (char *)name};
    return topic->is.subscription_count
               ? bsearch(&key, topic->is.subscriptions, topic->is.subscription_count, sizeof key,
                         compare_subscriptions)
               : NULL;
}
