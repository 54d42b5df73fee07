/*
 * reply - see reply.h
 *
 * cJSON's strings end at a NUL, which a body may contain as \u0000. Such an answer is parsed from a
 * copy that has a byte 0xFF instead, which no UTF-8 text has, and the bodies get their NULs back.
 */
#include "cmq/reply.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

enum { NUL_STAND_IN = 0xFF };

static bool is_receive(enum cmq_action action)
{
    return action == CMQ_RECEIVE_MESSAGE || action == CMQ_BATCH_RECEIVE_MESSAGE;
}

static bool is_publish(enum cmq_action action)
{
    return action == CMQ_PUBLISH_MESSAGE || action == CMQ_BATCH_PUBLISH_MESSAGE;
}

/* The answer is of no use, whatever it says. */
__attribute__((format(printf, 2, 3))) static void nonsense(struct cmq_reply *reply,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reply->text, sizeof reply->text, format, args);
    va_end(args);
    reply->verdict = CMQ_RETRY;
    reply->code = -1;
    reply->module = 0;
    reply->msg_id_count = reply->message_count = reply->fault_count = reply->addr_count = 0;
}

static cJSON *parse_exactly(struct span text)
{
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
    while (json && end < text.ptr + text.len) {
        if (!strchr(" \t\r\n", *end)) { /* no NUL: the caller has looked */
            cJSON_Delete(json);
            return NULL;
        }
        end++;
    }
    return json;
}

/* Writes text with its \u0000 replaced to out, which has room for text. */
static struct span without_nuls(struct span text, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\') {
            out[len++] = text.ptr[i];
        } else if (span_starts(span_slice(text, i, text.len), "\\u0000")) {
            out[len++] = (char)NUL_STAND_IN;
            i += 5;
        } else { /* whatever is escaped belongs to its backslash */
            out[len++] = text.ptr[i++];
            if (i < text.len)
                out[len++] = text.ptr[i];
        }
    }
    return span_make(out, len);
}

/* NULL when text is not a JSON text. *nuls tells whether bodies have stand-ins for NUL. */
static cJSON *parse(struct span text, bool *nuls)
{
    *nuls = false;
    if (text.len == 0 || span_find(text, '\0') < text.len)
        return NULL;
    if (!memmem(text.ptr, text.len, "\\u0000", 6))
        return parse_exactly(text);
    if (span_find(text, (char)NUL_STAND_IN) < text.len)
        return NULL; /* not UTF-8, and the stand-in would be ambiguous */
    *nuls = true;
    char *copy = check_alloc(malloc(text.len));
    cJSON *json = parse_exactly(without_nuls(text, copy));
    free(copy);
    return json;
}

static const cJSON *field(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool get_int(const cJSON *item, int *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= INT_MIN && item->valuedouble <= INT_MAX) ||
        item->valuedouble != (double)(int)item->valuedouble)
        return false;
    *out = (int)item->valuedouble;
    return true;
}

/* A time or a count; 0 when there is none. */
static int64_t get_count(const cJSON *object, const char *key)
{
    const cJSON *item = field(object, key);
    const double max = 9007199254740992.0; /* 2^53: exact so far */
    bool usable = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= max;
    return usable ? (int64_t)item->valuedouble : 0;
}

/* A msgId, a receipt handle, an address: something that can be sent back as it came. */
static bool get_id(const cJSON *item, struct span *out)
{
    if (!cJSON_IsString(item))
        return false;
    *out = span_of(item->valuestring);
    return out->len > 0 && out->len <= CMQ_MAX_HANDLE_BYTES && utf8_valid(*out);
}

static void get_text(const cJSON *item, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", cJSON_IsString(item) ? item->valuestring : "");
}

/* The module code of "(10200)no message"; 0 when there is none. */
static int module_of(const cJSON *message)
{
    if (!cJSON_IsString(message) || message->valuestring[0] != '(')
        return 0;
    struct span rest = span_of(message->valuestring + 1);
    size_t digits = span_find(rest, ')');
    uint64_t module = 0;
    bool found = digits < rest.len && span_to_u64(span_slice(rest, 0, digits), INT_MAX, &module);
    return found ? (int)module : 0;
}

static bool read_msg_ids(struct cmq_reply *reply, const cJSON *list, size_t item_count)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (reply->msg_id_count == item_count ||
            !get_id(field(item, "msgId"), &reply->msg_ids[reply->msg_id_count++]))
            return false;
    }
    return cJSON_IsArray(list) && reply->msg_id_count == item_count;
}

static void read_message(struct cmq_reply *reply, const cJSON *from, size_t max, bool nuls)
{
    if (reply->message_count == max) {
        reply->unusable++;
        return;
    }
    struct cmq_message *message = &reply->messages[reply->message_count];
    const cJSON *body = field(from, "msgBody");
    if (!get_id(field(from, "msgId"), &message->msg_id) ||
        !get_id(field(from, "receiptHandle"), &message->handle) || !cJSON_IsString(body)) {
        reply->unusable++;
        return;
    }
    message->body = span_of(body->valuestring);
    for (size_t i = 0; nuls && i < message->body.len; i++) {
        if ((unsigned char)body->valuestring[i] == NUL_STAND_IN)
            body->valuestring[i] = '\0';
    }
    message->enqueue_s = get_count(from, "enqueueTime");
    message->first_dequeue_s = get_count(from, "firstDequeueTime");
    message->next_visible_s = get_count(from, "nextVisibleTime");
    message->dequeue_count = get_count(from, "dequeueCount");
    reply->message_count++;
}

/* False when not one message can be used. */
static bool read_messages(struct cmq_reply *reply, const cJSON *json, enum cmq_action action,
                          size_t max, bool nuls)
{
    const cJSON *list = field(json, "msgInfoList"), *item;
    if (action == CMQ_RECEIVE_MESSAGE) {
        read_message(reply, json, 1, nuls);
    } else if (cJSON_IsArray(list)) {
        cJSON_ArrayForEach(item, list) read_message(reply, item, max, nuls);
    }
    if (reply->unusable > 0)
        (void)snprintf(reply->text, sizeof reply->text,
                       "%zu messages left out: more than asked for, or without a usable msgId, "
                       "receiptHandle or msgBody",
                       reply->unusable);
    return reply->message_count > 0;
}

static bool read_addrs(struct cmq_reply *reply, const cJSON *list)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (reply->addr_count == CMQ_MAX_BATCH || !get_id(item, &reply->addrs[reply->addr_count++]))
            return false;
    }
    return reply->addr_count > 0 && cJSON_IsArray(list);
}

/* False when it does not say which of item_count entries failed; then all are tried again. */
static bool read_faults(struct cmq_reply *reply, const cJSON *list, size_t item_count)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (reply->fault_count == item_count)
            return false;
        struct cmq_fault *fault = &reply->faults[reply->fault_count++];
        if (!get_id(field(item, "receiptHandle"), &fault->handle) ||
            !get_int(field(item, "code"), &fault->code))
            return false;
        fault->module = module_of(field(item, "message"));
        fault->verdict = cmq_verdict_of(fault->code, fault->module);
        if (fault->verdict != CMQ_REJECT && fault->verdict != CMQ_HOLD &&
            fault->verdict != CMQ_THROTTLE)
            fault->verdict = CMQ_RETRY;
    }
    return reply->fault_count > 0 && cJSON_IsArray(list);
}

static void read_fields(struct cmq_reply *reply, const cJSON *json, enum cmq_action action,
                        size_t item_count, bool nuls)
{
    bool ok = true;
    const char *missing = "msgId";
    switch (action) {
    case CMQ_SEND_MESSAGE:
    case CMQ_PUBLISH_MESSAGE:
        reply->msg_id_count = 1;
        ok = get_id(field(json, "msgId"), &reply->msg_ids[0]);
        break;
    case CMQ_BATCH_SEND_MESSAGE:
    case CMQ_BATCH_PUBLISH_MESSAGE:
        ok = read_msg_ids(reply, field(json, "msgList"), item_count);
        missing = "msgList";
        break;
    case CMQ_RECEIVE_MESSAGE:
    case CMQ_BATCH_RECEIVE_MESSAGE:
        ok = read_messages(reply, json, action, item_count, nuls);
        missing = "message";
        break;
    case CMQ_QUERY_QUEUE_ROUTE:
    case CMQ_QUERY_TOPIC_ROUTE:
        ok = read_addrs(reply, field(json, "addr"));
        missing = "addr";
        break;
    case CMQ_DELETE_MESSAGE:
    case CMQ_BATCH_DELETE_MESSAGE:
    case CMQ_ACTION_COUNT:
        break;
    }
    if (!ok)
        nonsense(reply, "the answer to %s has no usable %s", cmq_action_name(action), missing);
}

void cmq_reply_parse(struct cmq_reply *reply, enum cmq_action action, size_t item_count,
                     int http_status, struct span body)
{
    CHECK(item_count <= CMQ_MAX_BATCH);
    memset(reply, 0, sizeof *reply);
    reply->http_status = http_status;
    if (http_status != 200) {
        nonsense(reply, "HTTP status %d", http_status);
        return;
    }
    bool nuls;
    cJSON *json = parse(body, &nuls);
    reply->json = json;
    if (!cJSON_IsObject(json) || !get_int(field(json, "code"), &reply->code)) {
        nonsense(reply, "the answer is not a JSON object with a code");
        return;
    }
    const cJSON *message = field(json, "message");
    get_text(message, reply->text, sizeof reply->text);
    get_text(field(json, "requestId"), reply->request_id, sizeof reply->request_id);
    reply->module = module_of(message);
    reply->verdict = cmq_verdict_of(reply->code, reply->module);

    if (reply->verdict == CMQ_DONE) {
        read_fields(reply, json, action, item_count, nuls);
    } else if (reply->verdict == CMQ_PARTIAL) {
        if (action != CMQ_BATCH_DELETE_MESSAGE ||
            !read_faults(reply, field(json, "errorList"), item_count)) {
            reply->fault_count = 0;
            reply->verdict = CMQ_RETRY;
        }
    } else if ((reply->verdict == CMQ_EMPTY && !is_receive(action)) ||
               (reply->verdict == CMQ_UNROUTED && !is_publish(action))) {
        reply->verdict = CMQ_RETRY; /* the code makes no sense here */
    }
}

void cmq_reply_failed(struct cmq_reply *reply, const char *why)
{
    memset(reply, 0, sizeof *reply);
    nonsense(reply, "%s", why);
}

void cmq_reply_fini(struct cmq_reply *reply)
{
    cJSON_Delete(reply->json);
    reply->json = NULL;
}
