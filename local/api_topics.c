/* api_topics - the management plane's actions on topics (CMQ.md 8.5). */
#include "local/api_impl.h"

enum { QPS = 5000, DEFAULT_SIZE = 65536, DEFAULT_RETENTION_S = 86400, BY_TAG = 1, BY_ROUTE = 2 };

static const char no_topic[] = "ResourceNotFound.Topic";

/* Puts what the call gives in the place of what attributes hold. */
static void read_attributes(const struct api_args *args, struct topic_attributes *a)
{
    a->max_size_bytes = api_args_number(args, "MaxMsgSize", a->max_size_bytes);
    a->retention_s = api_args_number(args, "MsgRetentionSeconds", a->retention_s);
    a->trace = api_args_bool(args, "Trace", a->trace);
}

bool api_create_topic(struct api_task *task)
{
    const char *name = api_args_text(&task->args, "TopicName");
    struct topic_attributes attributes = {
        .by_route = api_args_number(&task->args, "FilterType", BY_TAG) == BY_ROUTE,
        .retention_s = DEFAULT_RETENTION_S,
        .max_size_bytes = DEFAULT_SIZE,
    };
    read_attributes(&task->args, &attributes);
    if (!api_name_free(task, API_TOPIC, name))
        return false;
    if (store_topic_count(task->store) >= API_MAX_TOPICS)
        return api_refuse(task, "LimitExceeded.Topics", "topics limit");
    struct topic *topic = store_add_topic(task->store, span_of(name), &attributes, &task->why);
    CHECK(topic);
    char *tags = api_read_tags(task);
    store_tag_topic(task->store, topic, tags);
    free(tags);
    api_add_id(task, "TopicId", "cmqt", topic->name, topic->created_ms);
    return true;
}

bool api_modify_topic(struct api_task *task)
{
    struct topic *topic = api_find_topic(task, no_topic);
    if (!topic)
        return false;
    struct topic_attributes attributes = {.by_route = topic->by_route,
                                          .retention_s = topic->retention_s,
                                          .max_size_bytes = topic->max_size_bytes,
                                          .trace = topic->trace};
    read_attributes(&task->args, &attributes);
    store_change_topic(task->store, topic, &attributes);
    return true;
}

bool api_delete_topic(struct api_task *task)
{
    struct topic *topic = api_find_topic(task, no_topic);
    if (!topic)
        return false;
    if (topic->subscriptions) {
        return api_refuse(task, "FailedOperation",
                          "there exists subscriptions under this topic, please unsubscribe all of "
                          "them before DeleteTopic");
    }
    api_name_freed(task, API_TOPIC, topic->name);
    store_remove_topic(task->store, topic);
    return true;
}

/* Writes the members of a CmqTopic, each followed by a comma. */
static void add_topic(struct api_task *task, const struct topic *topic)
{
    struct buf *out = task->out;
    int64_t pending = 0, subscriptions = 0;
    for (const struct subscription *s = topic->subscriptions; s; s = s->next) {
        pending += s->pushes ? (int64_t)s->pushes->pending : 0;
        subscriptions++;
    }
    api_add_id(task, "TopicId", "cmqt", topic->name, topic->created_ms);
    api_add_text(out, "TopicName", span_of(topic->name));
    api_add_number(out, "MsgRetentionSeconds", topic->retention_s);
    api_add_number(out, "MaxMsgSize", topic->max_size_bytes);
    api_add_number(out, "Qps", QPS);
    api_add_number(out, "FilterType", topic->by_route ? BY_ROUTE : BY_TAG);
    api_add_number(out, "CreateTime", topic->created_ms);
    api_add_number(out, "LastModifyTime", topic->modified_ms);
    api_add_number(out, "MsgCount", pending);
    api_add_number(out, "CreateUin", API_OWNER);
    api_add_tags(out, topic->tags);
    buf_printf(out, "\"Trace\":%s,", topic->trace ? "true" : "false");
    api_add_text(out, "TenantId", span_of(API_TENANT));
    api_add_text(out, "NamespaceName", span_of(API_NAMESPACE));
    api_add_number(out, "Status", API_STATUS_NORMAL);
    api_add_number(out, "BrokerType", 0);
    api_add_number(out, "SubscriptionCount", subscriptions);
}

bool api_describe_topic(struct api_task *task)
{
    struct topic *topic = api_find_topic(task, no_topic);
    if (!topic)
        return false;
    buf_add_str(task->out, "\"TopicDescribe\":{");
    add_topic(task, topic);
    api_end(task->out, '}');
    return true;
}

bool api_describe_topics(struct api_task *task)
{
    struct api_page page;
    if (!api_read_page(task, &page))
        return false;
    buf_add_str(task->out, "\"TopicList\":[");
    for (struct topic *t = NULL; (t = store_next_topic(task->store, t));) {
        if (!api_name_holds(task, "TopicName", t->name) ||
            !api_name_listed(task, "TopicNameList", t->name) || !api_tags_fit(task, t->tags) ||
            !api_page_takes(&page))
            continue;
        buf_add_char(task->out, '{');
        add_topic(task, t);
        api_end(task->out, '}');
    }
    api_end(task->out, ']');
    api_add_number(task->out, "TotalCount", page.seen);
    return true;
}
