/* api_messages - sending and publishing by the management plane (CMQ.md 8.5). */
#include "local/api_impl.h"

#include "local/codes.h"

/* A fault that the data plane has a text for. */
static bool refuse_as(struct api_task *task, const char *code, int data_code, int module)
{
    return api_refuse(task, code, "%s", code_find(data_code, module)->text);
}

static void answer(struct buf *out, uint64_t id)
{
    buf_printf(out, "\"Result\":true,\"MsgId\":\"%llu\",", (unsigned long long)id);
}

bool api_send(struct api_task *task)
{
    struct queue *queue = api_find_queue(task, "QueueName");
    if (!queue)
        return false;
    const struct span body = span_of(api_args_text(&task->args, "MsgContent"));
    int64_t delay_s = api_args_number(&task->args, "DelaySeconds", 0);
    if (delay_s > queue->attributes.retention_s)
        return refuse_as(task, "InvalidParameterValue", 4000, 10692);
    uint64_t id;
    switch (queue_send(queue, &body, 1, delay_s * 1000, task->now_ms, &id)) {
    case QUEUE_OK:
        answer(task->out, id);
        return true;
    case QUEUE_TOO_LARGE:
        return refuse_as(task, "InvalidParameterValue", 4400, 10230);
    case QUEUE_FULL:
        return refuse_as(task, "FailedOperation", 4410, 10240);
    case QUEUE_TOO_MANY_OUT:
        return refuse_as(task, "FailedOperation", 6070, 10690);
    }
    CHECK(false);
}

/* What MsgTag is: tags, or the one routing key of a topic that wants one. */
static bool read_label(struct api_task *task, const struct topic *topic, struct span *texts,
                       struct topic_label *label)
{
    size_t count = api_args_texts(&task->args, "MsgTag", texts, CMQ_MAX_TAGS);
    if (!topic->by_route) {
        *label = (struct topic_label){.tags = texts, .tag_count = count};
        return true;
    }
    if (count != 1)
        return refuse_as(task, "InvalidParameterValue", 4000, 10700);
    const char *why;
    *label = (struct topic_label){.route = texts[0]};
    return cmq_route_ok(texts[0], &why) ||
           api_refuse(task, "InvalidParameterValue",
                      "The value of parameter `MsgTag` is not valid: %s.", why);
}

bool api_publish(struct api_task *task)
{
    struct topic *topic = api_find_topic(task, "ResourceNotFound");
    struct span texts[CMQ_MAX_TAGS];
    struct topic_label label;
    if (!topic || !read_label(task, topic, texts, &label))
        return false;
    const struct span body = span_of(api_args_text(&task->args, "MsgContent"));
    uint64_t id;
    switch (topic_publish(topic, &body, 1, &label, task->now_ms, &id)) {
    case TOPIC_OK:
        answer(task->out, id);
        return true;
    case TOPIC_TOO_LARGE:
        return refuse_as(task, "InvalidParameterValue", 4400, 10230);
    case TOPIC_FULL:
        return refuse_as(task, "FailedOperation", 4410, 10240);
    case TOPIC_NO_SUBSCRIPTION:
        return refuse_as(task, "FailedOperation", 6030, 10650);
    case TOPIC_NONE_MATCHES:
        return refuse_as(task, "FailedOperation", 6030, 10730);
    }
    CHECK(false);
}
