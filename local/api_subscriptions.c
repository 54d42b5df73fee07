/* api_subscriptions - the management plane's actions on subscriptions (CMQ.md 8.5). */
#include "local/api_impl.h"

#include "base/json.h"

#include <stdio.h>

static const char exponential[] = "EXPONENTIAL_DECAY_RETRY";
static const char simplified[] = "SIMPLIFIED";

/* Whether a parameter's text is this word; otherwise when it was not given. */
static bool says(const struct api_task *task, const char *parameter, const char *word,
                 bool otherwise)
{
    const char *text = api_args_text(&task->args, parameter);
    return text ? strcmp(text, word) == 0 : otherwise;
}

/* Filter tags and binding keys: those of the topic's kind count, the others are without effect
 * (CMQ.md 4.2). */
static size_t read_filters(const struct api_task *task, const struct topic *topic, const char *tags,
                           struct span out[CMQ_MAX_TAGS])
{
    _Static_assert(CMQ_MAX_TAGS == CMQ_MAX_BINDING_KEYS, "one list holds either");
    return api_args_texts(&task->args, topic->by_route ? "BindingKey" : tags, out, CMQ_MAX_TAGS);
}

static bool format_ok(struct api_task *task, bool to_queue, bool is_simplified)
{
    return !to_queue || is_simplified ||
           api_refuse(task, "InvalidParameterValue",
                      "notifyContentFormat of protocol queue must be SIMPLIFIED");
}

static bool keys_ok(struct api_task *task, const struct topic *topic, size_t count)
{
    return !topic->by_route || count > 0 ||
           api_refuse(task, "MissingParameter", "parameters lack of bindingKey");
}

static void add_id(struct api_task *task, const struct subscription *s)
{
    char name[2 * (CMQ_MAX_NAME_BYTES + 1)];
    (void)snprintf(name, sizeof name, "%s/%s", s->topic->name, s->name);
    api_add_id(task, "SubscriptionId", "cmqs", name, s->created_ms);
}

bool api_subscribe(struct api_task *task)
{
    struct span filters[CMQ_MAX_TAGS];
    struct span endpoint = span_of(api_args_text(&task->args, "Endpoint"));
    bool to_queue = says(task, "Protocol", "queue", false);
    struct subscription_spec spec = {
        .name = span_of(api_args_text(&task->args, "SubscriptionName")),
        .filters = filters,
        .exponential = says(task, "NotifyStrategy", exponential, true),
        .simplified = says(task, "NotifyContentFormat", simplified, to_queue),
    };
    *(to_queue ? &spec.queue : &spec.url) = endpoint;
    struct topic *topic = api_find_topic(task, "ResourceNotFound.Topic");
    if (!topic)
        return false;
    spec.filter_count = read_filters(task, topic, "FilterTag", filters);
    if (!format_ok(task, to_queue, spec.simplified) || !keys_ok(task, topic, spec.filter_count))
        return false;
    if (topic_find(topic, spec.name))
        return api_refuse(task, "ResourceInUse.Subscription", "subscribtion is already existed");
    if (to_queue && !store_queue(task->store, endpoint)) {
        return api_refuse(task, "ResourceNotFound",
                          "the endpoint: queue is not existed, or deleted");
    }
    size_t count = 0;
    for (const struct subscription *s = topic->subscriptions; s; s = s->next)
        count++;
    if (count >= API_MAX_SUBSCRIPTIONS)
        return api_refuse(task, "LimitExceeded", "subscriptions limit");
    struct err why;
    if (!store_subscribe(task->store, topic, &spec, &why))
        return api_refuse(task, "InvalidParameterValue", "%s", why.text);
    const struct subscription *made = topic_find(topic, spec.name);
    add_id(task, made);
    return true;
}

/* The subscription that a call names, or NULL and a refusal. */
static struct subscription *find(struct api_task *task)
{
    struct topic *topic = api_find_topic(task, "ResourceNotFound.Topic");
    if (!topic)
        return NULL;
    const char *name = api_args_text(&task->args, "SubscriptionName");
    struct subscription *found = topic_find(topic, span_of(name));
    if (!found)
        (void)api_refuse(task, "ResourceNotFound", "subscription is not existed, or deleted");
    return found;
}

bool api_modify_subscription(struct api_task *task)
{
    struct subscription *s = find(task);
    if (!s)
        return false;
    struct span filters[CMQ_MAX_TAGS];
    struct subscription_change change = {
        .exponential = says(task, "NotifyStrategy", exponential, s->exponential),
        .simplified = says(task, "NotifyContentFormat", simplified, s->simplified),
    };
    if (api_args_get(&task->args, s->topic->by_route ? "BindingKey" : "FilterTags")) {
        change.filters = filters;
        change.filter_count = read_filters(task, s->topic, "FilterTags", filters);
        if (!keys_ok(task, s->topic, change.filter_count))
            return false;
    }
    if (!format_ok(task, s->queue != NULL, change.simplified))
        return false;
    store_change_subscription(task->store, s, &change);
    return true;
}

bool api_clear_filter_tags(struct api_task *task)
{
    struct subscription *s = find(task);
    if (!s)
        return false;
    const struct span none = {NULL, 0};
    const struct subscription_change change = {
        .filters = s->topic->by_route ? NULL : &none, /* which has no tags to clear */
        .exponential = s->exponential,
        .simplified = s->simplified,
    };
    store_change_subscription(task->store, s, &change);
    return true;
}

bool api_unsubscribe(struct api_task *task)
{
    struct subscription *s = find(task);
    if (s)
        store_unsubscribe(task->store, s);
    return s != NULL;
}

static void add_texts(struct buf *out, const char *field, const struct span *texts, size_t count)
{
    buf_printf(out, "\"%s\":[", field);
    for (size_t i = 0; i < count; i++) {
        json_string(out, texts[i]);
        buf_add_char(out, ',');
    }
    api_end(out, ']');
}

static void add_subscription(struct api_task *task, const struct subscription *s)
{
    struct buf *out = task->out;
    bool by_route = s->topic->by_route;
    buf_add_char(out, '{');
    api_add_text(out, "SubscriptionName", span_of(s->name));
    add_id(task, s);
    api_add_number(out, "TopicOwner", API_OWNER);
    api_add_number(out, "MsgCount", s->pushes ? (int64_t)s->pushes->pending : 0);
    api_add_number(out, "LastModifyTime", s->modified_ms);
    api_add_number(out, "CreateTime", s->created_ms);
    add_texts(out, "BindingKey", s->filters, by_route ? s->filter_count : 0);
    api_add_text(out, "Endpoint", span_of(s->queue ? s->queue->name : s->url));
    add_texts(out, "FilterTags", s->filters, by_route ? 0 : s->filter_count);
    api_add_text(out, "Protocol", span_of(s->queue ? "queue" : "http"));
    api_add_text(out, "NotifyStrategy", span_of(s->exponential ? exponential : "BACKOFF_RETRY"));
    api_add_text(out, "NotifyContentFormat", span_of(s->simplified ? simplified : "JSON"));
    api_add_text(out, "TopicName", span_of(s->topic->name));
    api_end(out, '}');
}

static void add_matching(struct api_task *task, const struct topic *topic,
                         const struct queue *queue, struct api_page *page)
{
    for (const struct subscription *s = topic->subscriptions; s; s = s->next) {
        if ((!queue || s->queue == queue) && api_name_holds(task, "SubscriptionName", s->name) &&
            api_page_takes(page))
            add_subscription(task, s);
    }
}

static bool missing(struct api_task *task, const char *name)
{
    return api_refuse(task, "MissingParameter",
                      "The request is missing a required parameter `%s`, which QueryType asks for.",
                      name);
}

bool api_describe_subscriptions(struct api_task *task)
{
    struct api_page page;
    struct topic *topic = NULL;
    struct queue *queue = NULL;
    bool by_queue = says(task, "QueryType", "queue", false);
    const char *first = by_queue ? "QueueName" : "TopicName";
    if (!api_args_text(&task->args, first))
        return missing(task, first);
    if (!api_read_page(task, &page))
        return false;
    if (api_args_text(&task->args, "TopicName") &&
        !(topic = api_find_topic(task, "ResourceNotFound.Topic")))
        return false;
    if (api_args_text(&task->args, "QueueName") && !(queue = api_find_queue(task, "QueueName")))
        return false;
    buf_add_str(task->out, "\"SubscriptionSet\":[");
    if (topic) {
        add_matching(task, topic, queue, &page);
    } else {
        for (struct topic *t = NULL; (t = store_next_topic(task->store, t));)
            add_matching(task, t, queue, &page);
    }
    api_end(task->out, ']');
    api_add_number(task->out, "TotalCount", page.seen);
    return true;
}
