/* api_queues - the management plane's actions on queues (CMQ.md 8.5). */
#include "local/api_impl.h"

enum {
    DEFAULT_HEAP = 100000000, /* messages (CMQ.md 3.11) */
    QPS = 5000,               /* of a queue (CMQ.md 4); not enforced */
    BPS = 50,
    MIN_RETENTION_MB = 10240,
};

/* Above this StartConsumeTime is in milliseconds (CMQ.md 5). */
#define MAX_SECONDS INT64_C(100000000000)
#define BACKLOG_BYTES (INT64_C(10) << 30)

/* Puts what the call gives in the place of what attributes hold. */
static void read_attributes(const struct api_args *args, struct queue_attributes *a)
{
    a->max_heap = api_args_number(args, "MaxMsgHeapNum", a->max_heap);
    a->polling_wait_s = api_args_number(args, "PollingWaitSeconds", a->polling_wait_s);
    a->visibility_s = api_args_number(args, "VisibilityTimeout", a->visibility_s);
    a->max_size_bytes = api_args_number(args, "MaxMsgSize", a->max_size_bytes);
    a->retention_s = api_args_number(args, "MsgRetentionSeconds", a->retention_s);
    a->rewind_s = api_args_number(args, "RewindSeconds", a->rewind_s);
    a->transaction = api_args_number(args, "Transaction", a->transaction) != 0;
    a->first_query_s = api_args_number(args, "FirstQueryInterval", a->first_query_s);
    a->max_queries = api_args_number(args, "MaxQueryCount", a->max_queries);
    a->policy = (enum queue_policy)api_args_number(args, "Policy", (int64_t)a->policy);
    a->max_receive = api_args_number(args, "MaxReceiveCount", a->max_receive);
    a->max_age_s = api_args_number(args, "MaxTimeToLive", a->max_age_s);
    a->trace = api_args_bool(args, "Trace", a->trace);
    a->retention_mb = api_args_number(args, "RetentionSizeInMB", a->retention_mb);
}

static bool missing(struct api_task *task, const char *name)
{
    return api_refuse(task, "MissingParameter", "The request is missing a required parameter `%s`.",
                      name);
}

/* Whether a policy is complete and goes with the retention. */
static bool policy_ok(struct api_task *task, const struct queue_attributes *a)
{
    if (a->policy == QUEUE_BY_RECEIVES)
        return a->max_receive > 0 || missing(task, "MaxReceiveCount");
    if (a->max_age_s == 0)
        return missing(task, "MaxTimeToLive");
    return a->max_age_s < a->retention_s ||
           api_refuse(task, "InvalidParameterValue",
                      "The value of parameter `MaxTimeToLive` is not valid: it must be below "
                      "MsgRetentionSeconds.");
}

/* Whether grave may take the dead letters of queue, NULL for one that is still to be made. */
static bool grave_ok(struct api_task *task, const struct queue *queue, const struct queue *grave)
{
    size_t sources = 0;
    for (struct queue *q = NULL; (q = store_next_queue(task->store, q));)
        sources += q != queue && q->dead_letter == grave;
    if (grave == queue || grave->dead_letter || (queue && store_is_grave(task->store, queue))) {
        return api_refuse(task, "InvalidParameterValue",
                          "a dead letter queue cannot have a dead letter queue");
    }
    if (grave->attributes.transaction) {
        return api_refuse(task, "InvalidParameterValue",
                          "a transaction queue cannot be a dead letter queue");
    }
    return sources < API_MAX_SOURCES ||
           api_refuse(task, "LimitExceeded", "a dead letter queue has at most %d source queues",
                      API_MAX_SOURCES);
}

/* Reads the dead letter queue, whose present one is in *grave. */
static bool read_grave(struct api_task *task, const struct queue *queue,
                       const struct queue_attributes *a, struct queue **grave)
{
    const char *name = api_args_text(&task->args, "DeadLetterQueueName");
    if (name) {
        struct queue *found = store_queue(task->store, span_of(name));
        if (!found) {
            return api_refuse(task, "ResourceNotFound",
                              "the dead letter queue is not existed, or deleted");
        }
        if (!grave_ok(task, queue, found))
            return false;
        *grave = found;
    }
    return !*grave || policy_ok(task, a);
}

static bool retention_mb_ok(struct api_task *task, int64_t mb)
{
    return mb == 0 || mb >= MIN_RETENTION_MB ||
           api_refuse(task, "InvalidParameterValue",
                      "The value of parameter `RetentionSizeInMB` is not valid: it must be 0 or "
                      "from %d to 512000.",
                      MIN_RETENTION_MB);
}

bool api_create_queue(struct api_task *task)
{
    const char *name = api_args_text(&task->args, "QueueName");
    struct queue_attributes attributes = QUEUE_DEFAULTS;
    struct queue *grave = NULL;
    attributes.max_heap = DEFAULT_HEAP;
    read_attributes(&task->args, &attributes);
    if (!api_name_free(task, API_QUEUE, name) || !retention_mb_ok(task, attributes.retention_mb) ||
        !read_grave(task, NULL, &attributes, &grave))
        return false;
    if (store_queue_count(task->store) >= API_MAX_QUEUES)
        return api_refuse(task, "LimitExceeded", "queues limit");
    struct queue *queue = store_add_queue(task->store, span_of(name), &attributes, &task->why);
    CHECK(queue);
    if (grave)
        store_change_queue(task->store, queue, &attributes, grave);
    char *tags = api_read_tags(task);
    store_tag_queue(task->store, queue, tags);
    free(tags);
    api_add_id(task, "QueueId", "cmqq", queue->name, queue->created_ms);
    return true;
}

bool api_modify_queue(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    if (!queue)
        return false;
    struct queue_attributes attributes = queue->attributes;
    struct queue *grave = queue->dead_letter;
    read_attributes(&task->args, &attributes);
    if (attributes.max_size_bytes != queue->attributes.max_size_bytes) {
        return api_refuse(task, "FailedOperation",
                          "The value of parameter `MaxMsgSize` cannot be changed.");
    }
    if (!retention_mb_ok(task, attributes.retention_mb) ||
        !read_grave(task, queue, &attributes, &grave))
        return false;
    store_change_queue(task->store, queue, &attributes, grave);
    return true;
}

bool api_delete_queue(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    if (!queue)
        return false;
    if (store_is_grave(task->store, queue)) {
        return api_refuse(task, "FailedOperation",
                          "the queue is the dead letter queue of another: unbind it first");
    }
    api_name_freed(task, API_QUEUE, queue->name);
    api_empty_line(task, queue);
    store_remove_queue(task->store, queue);
    return true;
}

bool api_clear_queue(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    if (queue)
        queue_reset(queue);
    return queue != NULL;
}

bool api_rewind_queue(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    int64_t start = api_args_number(&task->args, "StartConsumeTime", 0);
    if (!queue)
        return false;
    switch (queue_rewind(queue, start < MAX_SECONDS ? start * 1000 : start, task->now_ms)) {
    case QUEUE_REWOUND:
        return true;
    case QUEUE_KEEPS_NOTHING:
        return api_refuse(task, "FailedOperation", "your queue cannot be rewinded");
    case QUEUE_REWIND_IMPOSSIBLE:
        return api_refuse(task, "FailedOperation",
                          "invalid rewind time: it must be from now - RewindSeconds to MinMsgTime");
    }
    CHECK(false);
}

bool api_unbind_dead_letter(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "SourceQueueName");
    if (!queue)
        return false;
    if (!queue->dead_letter)
        return api_refuse(task, "FailedOperation", "the queue has no dead letter queue");
    store_change_queue(task->store, queue, &queue->attributes, NULL);
    return true;
}

static void add_dead_letters(struct api_task *task, const struct queue *queue)
{
    struct buf *out = task->out;
    const struct queue_attributes *a = &queue->attributes;
    buf_add_str(out, "\"DeadLetterSource\":[");
    for (struct queue *q = NULL; (q = store_next_queue(task->store, q));) {
        if (q->dead_letter != queue)
            continue;
        buf_add_char(out, '{');
        api_add_id(task, "QueueId", "cmqq", q->name, q->created_ms);
        api_add_text(out, "QueueName", span_of(q->name));
        api_end(out, '}');
    }
    api_end(out, ']');
    if (!queue->dead_letter) {
        buf_add_str(out, "\"DeadLetterPolicy\":null,");
        return;
    }
    buf_add_str(out, "\"DeadLetterPolicy\":{");
    api_add_text(out, "DeadLetterQueue", span_of(queue->dead_letter->name));
    api_add_number(out, "Policy", (int64_t)a->policy);
    api_add_number(out, "MaxTimeToLive", a->max_age_s);
    api_add_number(out, "MaxReceiveCount", a->max_receive);
    api_end(out, '}');
}

/* Writes the members of a CmqQueue, each followed by a comma. */
static void add_queue(struct api_task *task, const struct queue *queue)
{
    struct buf *out = task->out;
    const struct queue_attributes *a = &queue->attributes;
    api_add_id(task, "QueueId", "cmqq", queue->name, queue->created_ms);
    api_add_text(out, "QueueName", span_of(queue->name));
    api_add_number(out, "Qps", QPS);
    api_add_number(out, "Bps", BPS);
    api_add_number(out, "MaxDelaySeconds", a->retention_s);
    api_add_number(out, "MaxMsgHeapNum", a->max_heap ? a->max_heap : DEFAULT_HEAP);
    api_add_number(out, "PollingWaitSeconds", a->polling_wait_s);
    api_add_number(out, "MsgRetentionSeconds", a->retention_s);
    api_add_number(out, "VisibilityTimeout", a->visibility_s);
    api_add_number(out, "MaxMsgSize", a->max_size_bytes);
    api_add_number(out, "RewindSeconds", a->rewind_s);
    api_add_number(out, "CreateTime", queue->created_ms);
    api_add_number(out, "LastModifyTime", queue->modified_ms);
    api_add_number(out, "ActiveMsgNum", (int64_t)queue->active_count);
    api_add_number(out, "InactiveMsgNum", (int64_t)queue->inflight_count);
    api_add_number(out, "DelayMsgNum", (int64_t)queue->delayed_count);
    api_add_number(out, "RewindMsgNum", (int64_t)queue->kept.count);
    api_add_number(out, "MinMsgTime",
                   queue->oldest ? queue_min_time(queue, task->now_ms) / 1000 : 0);
    buf_printf(out, "\"Transaction\":%s,", a->transaction ? "true" : "false");
    add_dead_letters(task, queue);
    if (a->transaction) {
        buf_printf(out,
                   "\"TransactionPolicy\":{\"FirstQueryInterval\":%lld,\"MaxQueryCount\":%lld},",
                   (long long)a->first_query_s, (long long)a->max_queries);
    } else {
        buf_add_str(out, "\"TransactionPolicy\":null,");
    }
    api_add_number(out, "CreateUin", API_OWNER);
    api_add_tags(out, queue->tags);
    buf_printf(out, "\"Trace\":%s,", a->trace ? "true" : "false");
    api_add_text(out, "TenantId", span_of(API_TENANT));
    api_add_text(out, "NamespaceName", span_of(API_NAMESPACE));
    api_add_number(out, "Status", API_STATUS_NORMAL);
    api_add_number(out, "MaxUnackedMsgNum", (int64_t)queue->depot->limits.unacked);
    api_add_number(out, "MaxMsgBacklogSize", BACKLOG_BYTES);
    api_add_number(out, "RetentionSizeInMB", a->retention_mb);
}

bool api_describe_queue(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    if (!queue)
        return false;
    buf_add_str(task->out, "\"QueueDescribe\":{");
    add_queue(task, queue);
    api_end(task->out, '}');
    return true;
}

bool api_describe_queues(struct api_task *task)
{
    struct api_page page;
    if (!api_read_page(task, &page))
        return false;
    buf_add_str(task->out, "\"QueueList\":[");
    for (struct queue *q = NULL; (q = store_next_queue(task->store, q));) {
        if (!api_name_holds(task, "QueueName", q->name) ||
            !api_name_listed(task, "QueueNameList", q->name) || !api_tags_fit(task, q->tags) ||
            !api_page_takes(&page))
            continue;
        buf_add_char(task->out, '{');
        add_queue(task, q);
        api_end(task->out, '}');
    }
    api_end(task->out, ']');
    api_add_number(task->out, "TotalCount", page.seen);
    return true;
}
