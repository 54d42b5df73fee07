/*
 * actions - see actions.h.
 *
 * Each handler first checks its parameters in the order of its page, then acts. A failure is
 * answered where it is found; whoever reads a parameter then returns false.
 */
#include "local/actions.h"

#include "base/check.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

/* What a handler gets. */
struct task {
    const struct service *service;
    struct call *call;
    const struct form *form;
    int64_t now_ms;
};

static const struct action_wait answered = {0};

static bool refuse(struct task *task, int code, int module, const char *name)
{
    call_error(task->call, code, module, name);
    return false;
}

/* Finds the queue or topic that the parameter key names. */
static bool read_name(struct task *task, const char *key, int bad_format, struct span *out)
{
    const struct span *value = form_get(task->form, key);
    if (!value)
        return refuse(task, 4000, 10390, key);
    call_set_name(task->call, *value);
    if (!cmq_name_ok(*value, NULL))
        return refuse(task, 4000, bad_format, NULL);
    *out = *value;
    return true;
}

static bool find_queue(struct task *task, struct span name, struct queue **out)
{
    *out = store_queue(task->service->store, name);
    return *out || refuse(task, 4440, 10100, NULL);
}

static bool find_topic(struct task *task, struct span name, struct topic **out)
{
    *out = store_topic(task->service->store, name);
    return *out || refuse(task, 4440, 10600, NULL);
}

/* Counts a call of a kind; false when there were too many in this second. */
static bool in_rate(struct task *task, struct rate *rate)
{
    return rate_take(rate, task->service->rate, task->now_ms) || refuse(task, 4420, 10250, NULL);
}

/* Reads a whole number; the caller's *out stays as it is when the parameter was not sent. */
static bool read_number(struct task *task, const char *key, int64_t *out)
{
    const struct span *value = form_get(task->form, key);
    if (!value)
        return true;
    bool negative = span_starts(*value, "-");
    uint64_t number;
    if (!span_to_u64(span_slice(*value, negative, value->len), INT64_MAX, &number))
        return refuse(task, 4000, 10360, key);
    *out = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* A number that must lie between min and max. */
static bool read_range(struct task *task, const char *key, int64_t min, int64_t max, int64_t *out)
{
    if (!read_number(task, key, out))
        return false;
    return (*out >= min && *out <= max) || refuse(task, 4000, 10350, key);
}

/* The values of NAME.N: at least one. */
static bool read_list(struct task *task, const char *name, struct span *items, size_t *count)
{
    switch (form_list(task->form, name, CMQ_MAX_BATCH, items, count)) {
    case FORM_LIST_BAD_KEY:
        return refuse(task, 4000, 10310, name);
    case FORM_LIST_TOO_MANY:
        return refuse(task, 4000, 10370, name);
    case FORM_LIST_GAP:
        return refuse(task, 4000, 10380, name);
    case FORM_LIST_OK:
        break;
    }
    return *count > 0 || refuse(task, 4000, 10390, name);
}

/* The one value of NAME or the values of NAME.N, as the action is single or batch. */
static bool read_items(struct task *task, const char *name, struct span *items, size_t *count)
{
    if (task->call->batch)
        return read_list(task, name, items, count);
    const struct span *value = form_get(task->form, name);
    if (!value)
        return refuse(task, 4000, 10390, name);
    items[0] = *value;
    *count = 1;
    return true;
}

static bool read_bodies(struct task *task, struct span *bodies, size_t *count)
{
    if (!read_items(task, "msgBody", bodies, count))
        return false;
    size_t bytes = 0;
    for (size_t i = 0; i < *count; i++) {
        if (bodies[i].len == 0)
            return refuse(task, 4000, 10120, NULL);
        if (!utf8_valid(bodies[i])) /* JSON could not carry it back */
            return refuse(task, 4000, 10350, "msgBody");
        bytes += bodies[i].len;
    }
    return bytes <= CMQ_MAX_BODY_BYTES || *count == 1 || refuse(task, 4470, 10300, NULL);
}

/* Answers a send or publish with msgId or msgList. */
static void answer_ids(struct call *call, const uint64_t *ids, size_t count)
{
    call_begin(call);
    struct buf *out = call->out;
    buf_add_str(out, call->batch ? ",\"msgList\":[" : ",");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_str(out, call->batch ? "{\"msgId\":\"" : "\"msgId\":\"");
        buf_add_u64(out, ids[i]);
        buf_add_str(out, call->batch ? "\"}" : "\"");
    }
    buf_add_str(out, call->batch ? "]}" : "}");
}

static struct action_wait send_message(struct task *task)
{
    struct span name, bodies[CMQ_MAX_BATCH];
    struct queue *queue;
    size_t count;
    int64_t delay_s = 0;
    if (!read_name(task, "queueName", 10020, &name) || !read_bodies(task, bodies, &count) ||
        !read_number(task, "delaySeconds", &delay_s) || !find_queue(task, name, &queue) ||
        !in_rate(task, &queue->rates[QUEUE_SENDS]))
        return answered;
    if (delay_s < 0 || delay_s > queue->attributes.retention_s) {
        call_error(task->call, 4000, 10692, NULL);
        return answered;
    }
    uint64_t ids[CMQ_MAX_BATCH];
    switch (queue_send(queue, bodies, count, delay_s * 1000, task->now_ms, ids)) {
    case QUEUE_OK:
        answer_ids(task->call, ids, count);
        break;
    case QUEUE_TOO_LARGE:
        call_error(task->call, 4400, 10230, NULL);
        break;
    case QUEUE_FULL:
        call_error(task->call, 4410, 10240, NULL);
        break;
    case QUEUE_TOO_MANY_OUT:
        call_error(task->call, 6070, 10690, NULL);
        break;
    }
    return answered;
}

static void add_message(struct buf *out, const struct message *message)
{
    char handle[DEPOT_HANDLE_SIZE];
    size_t handle_len = depot_handle(message, handle);
    buf_add_str(out, "\"msgBody\":");
    json_string(out, span_make(message->body, message->len));
    buf_add_str(out, ",\"msgId\":\"");
    buf_add_u64(out, message->id);
    buf_add_str(out, "\",\"receiptHandle\":\"");
    buf_add(out, span_make(handle, handle_len));
    buf_add_str(out, "\",\"enqueueTime\":");
    buf_add_u64(out, (uint64_t)message->enqueued_ms / 1000);
    buf_add_str(out, ",\"firstDequeueTime\":");
    buf_add_u64(out, (uint64_t)message->first_dequeue_ms / 1000);
    buf_add_str(out, ",\"nextVisibleTime\":");
    buf_add_u64(out, (uint64_t)message->timer.due_ms / 1000);
    buf_add_str(out, ",\"dequeueCount\":");
    buf_add_u64(out, message->dequeue_count);
}

/* Answers with messages, if there are any or too many are in flight; else writes nothing. */
static bool receive(struct call *call, struct queue *queue, int64_t now_ms)
{
    struct message *messages[CMQ_MAX_BATCH];
    size_t count;
    if (queue_receive(queue, call->max_messages, now_ms, messages, &count) != QUEUE_OK) {
        call_error(call, 6070, 10690, NULL);
        return true;
    }
    if (count == 0)
        return false;
    call_begin(call);
    struct buf *out = call->out;
    buf_add_str(out, call->batch ? ",\"msgInfoList\":[" : ",");
    for (size_t i = 0; i < count; i++) {
        if (call->batch)
            buf_add_str(out, i > 0 ? ",{" : "{");
        add_message(out, messages[i]);
        if (call->batch)
            buf_add_char(out, '}');
    }
    buf_add_str(out, call->batch ? "]}" : "}");
    return true;
}

static struct action_wait receive_message(struct task *task)
{
    struct span name;
    struct queue *queue;
    int64_t wait_s = -1, max = 1;
    if (!read_name(task, "queueName", 10020, &name))
        return answered;
    if (task->call->batch && !form_get(task->form, "numOfMsg")) {
        call_error(task->call, 4000, 10390, "numOfMsg");
        return answered;
    }
    if ((task->call->batch && !read_range(task, "numOfMsg", 1, CMQ_MAX_BATCH, &max)) ||
        (form_get(task->form, "pollingWaitSeconds") &&
         !read_range(task, "pollingWaitSeconds", 0, CMQ_MAX_POLL_S, &wait_s)) ||
        !find_queue(task, name, &queue) || !in_rate(task, &queue->rates[QUEUE_RECEIVES]))
        return answered;
    if (wait_s < 0)
        wait_s = queue->attributes.polling_wait_s;
    task->call->max_messages = (size_t)max;
    if (receive(task->call, queue, task->now_ms))
        return answered;
    if (wait_s > 0)
        return (struct action_wait){.queue = queue, .wait_ms = wait_s * 1000};
    actions_give_up(task->call);
    return answered;
}

void actions_receive(struct call *call, struct queue *queue, int64_t now_ms)
{
    if (!receive(call, queue, now_ms))
        actions_give_up(call);
}

void actions_give_up(struct call *call)
{
    call_error(call, 7000, 10200, NULL);
}

static struct action_wait delete_message(struct task *task)
{
    struct span name;
    struct queue *queue;
    if (!read_name(task, "queueName", 10020, &name))
        return answered;
    const struct span *handle = form_get(task->form, "receiptHandle");
    if (!handle) {
        call_error(task->call, 4000, 10390, "receiptHandle");
    } else if (handle->len == 0 || handle->len > CMQ_MAX_HANDLE_BYTES) {
        call_error(task->call, 4000, 10470, NULL);
    } else if (!find_queue(task, name, &queue) || !in_rate(task, &queue->rates[QUEUE_DELETES])) {
        return answered;
    } else if (!queue_delete(queue, *handle, task->now_ms)) {
        call_error(task->call, 4430, 10260, NULL);
    } else {
        call_begin(task->call);
        buf_add_char(task->call->out, '}');
    }
    return answered;
}

static struct action_wait batch_delete_message(struct task *task)
{
    struct span name, handles[CMQ_MAX_BATCH], failed[CMQ_MAX_BATCH];
    struct queue *queue;
    size_t count, failures = 0;
    if (!read_name(task, "queueName", 10020, &name) ||
        !read_list(task, "receiptHandle", handles, &count))
        return answered;
    for (size_t i = 0; i < count; i++) {
        if (handles[i].len == 0 || handles[i].len > CMQ_MAX_HANDLE_BYTES) {
            call_error(task->call, 4000, 10470, NULL);
            return answered;
        }
    }
    if (!find_queue(task, name, &queue) || !in_rate(task, &queue->rates[QUEUE_DELETES]))
        return answered;
    for (size_t i = 0; i < count; i++) {
        if (!queue_delete(queue, handles[i], task->now_ms))
            failed[failures++] = handles[i];
    }
    if (failures == 0) {
        call_begin(task->call);
    } else if (failures < count) {
        call_error_begin(task->call, 6010, 10150, NULL);
    } else {
        call_error_begin(task->call, 6020, 10290, NULL);
    }
    struct buf *out = task->call->out;
    for (size_t i = 0; i < failures; i++) {
        buf_add_str(out, i == 0 ? ",\"errorList\":[" : ",");
        buf_add_str(out, "{\"code\":4430,\"message\":\"");
        call_message(out, 4430, 10260, NULL);
        buf_add_str(out, "\",\"receiptHandle\":");
        json_string(out, failed[i]);
        buf_add_char(out, '}');
    }
    buf_add_str(out, failures ? "]}" : "}");
    return answered;
}

static bool read_tags(struct task *task, struct span *tags, size_t *count)
{
    enum form_list found = form_list(task->form, "msgTag", CMQ_MAX_TAGS, tags, count);
    if (found == FORM_LIST_BAD_KEY)
        return refuse(task, 4000, 10310, "msgTag");
    if (found == FORM_LIST_TOO_MANY)
        return refuse(task, 4000, 10720, NULL);
    if (found == FORM_LIST_GAP)
        return refuse(task, 4000, 10380, "msgTag");
    for (size_t i = 0; i < *count; i++) {
        if (!cmq_tag_ok(tags[i], NULL))
            return refuse(task, 4000, 10350, "msgTag");
    }
    return true;
}

static bool read_route(struct task *task, struct span *route)
{
    const struct span *value = form_get(task->form, "routingKey");
    if (!value)
        return true;
    size_t dots = 0;
    for (size_t i = 0; i < value->len; i++)
        dots += value->ptr[i] == '.';
    if (dots > CMQ_MAX_ROUTE_DOTS)
        return refuse(task, 4000, 10691, NULL);
    if (!cmq_route_ok(*value, NULL))
        return refuse(task, 4000, 10350, "routingKey");
    *route = *value;
    return true;
}

static struct action_wait publish_message(struct task *task)
{
    struct span name, bodies[CMQ_MAX_BATCH], tags[CMQ_MAX_TAGS];
    struct topic_label label = {.tags = tags};
    struct topic *topic;
    size_t count;
    if (!read_name(task, "topicName", 10590, &name) || !read_bodies(task, bodies, &count) ||
        !read_tags(task, tags, &label.tag_count) || !read_route(task, &label.route) ||
        !find_topic(task, name, &topic) || !in_rate(task, &topic->rate))
        return answered;
    if (topic->by_route && label.route.len == 0) {
        call_error(task->call, 4000, 10700, NULL);
        return answered;
    }
    uint64_t ids[CMQ_MAX_BATCH];
    switch (topic_publish(topic, bodies, count, &label, task->now_ms, ids)) {
    case TOPIC_OK:
        answer_ids(task->call, ids, count);
        break;
    case TOPIC_TOO_LARGE:
        call_error(task->call, 4400, 10230, NULL);
        break;
    case TOPIC_FULL:
        call_error(task->call, 4410, 10240, NULL);
        break;
    case TOPIC_NO_SUBSCRIPTION:
        call_error(task->call, 6030, 10650, NULL);
        break;
    case TOPIC_NONE_MATCHES:
        call_error(task->call, 6030, 10730, NULL);
        break;
    }
    return answered;
}

static struct action_wait answer_route(struct task *task)
{
    call_begin(task->call);
    buf_add_str(task->call->out, ",\"addr\":[");
    json_string(task->call->out, span_of(task->service->address));
    buf_add_str(task->call->out, "]}");
    return answered;
}

static struct action_wait query_queue_route(struct task *task)
{
    struct span name;
    struct queue *queue;
    if (!read_name(task, "queueName", 10020, &name) || !find_queue(task, name, &queue))
        return answered;
    return answer_route(task);
}

static struct action_wait query_topic_route(struct task *task)
{
    struct span name;
    struct topic *topic;
    if (!read_name(task, "topicName", 10590, &name) || !find_topic(task, name, &topic))
        return answered;
    return answer_route(task);
}

static const struct action {
    const char *name;
    bool batch;
    struct action_wait (*serve)(struct task *task);
} actions[] = {
    {"SendMessage", false, send_message},
    {"BatchSendMessage", true, send_message},
    {"ReceiveMessage", false, receive_message},
    {"BatchReceiveMessage", true, receive_message},
    {"DeleteMessage", false, delete_message},
    {"BatchDeleteMessage", true, batch_delete_message},
    {"PublishMessage", false, publish_message},
    {"BatchPublishMessage", true, publish_message},
    {"QueryQueueRoute", false, query_queue_route},
    {"QueryTopicRoute", false, query_topic_route},
};

static const struct action *find_action(const struct span *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof *actions; i++) {
        if (span_eq_str(*name, actions[i].name))
            return &actions[i];
    }
    return NULL;
}

struct action_wait actions_serve(const struct service *service, struct call *call,
                                 const struct form *form, int64_t now_ms)
{
    struct task task = {.service = service, .call = call, .form = form, .now_ms = now_ms};
    const struct action *action = find_action(form_get(form, "Action"));
    if (!action) {
        call_error(call, 4000, service->no_action == 10280 ? 10280 : 10430, call->action);
        return answered;
    }
    call->batch = action->batch;
    return action->serve(&task);
}

bool actions_is_management(const struct form *form)
{
    const struct span *name = form_get(form, "Action");
    return name && !find_action(name) &&
           (form_get(form, "Version") || memmem(name->ptr, name->len, "Cmq", 3));
}
