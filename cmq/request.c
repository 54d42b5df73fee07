/*
 * request - see request.h
 *
 * Parameters are gathered in the order in which they are signed, on the stack; then they are
 * measured, written and signed, each in one pass over the bytes.
 */
#include "cmq/request.h"

#include "base/base64.h"
#include "base/json.h"

#include <stdio.h>

enum item_kind { NO_ITEMS, BODIES, HANDLES };

static const struct action {
    const char *name;
    enum item_kind items;
    bool batch; /* items are numbered */
    bool topic; /* named by topicName instead of queueName */
} actions[CMQ_ACTION_COUNT] = {
    [CMQ_SEND_MESSAGE] = {"SendMessage", BODIES, false, false},
    [CMQ_BATCH_SEND_MESSAGE] = {"BatchSendMessage", BODIES, true, false},
    [CMQ_RECEIVE_MESSAGE] = {"ReceiveMessage", NO_ITEMS, false, false},
    [CMQ_BATCH_RECEIVE_MESSAGE] = {"BatchReceiveMessage", NO_ITEMS, true, false},
    [CMQ_DELETE_MESSAGE] = {"DeleteMessage", HANDLES, false, false},
    [CMQ_BATCH_DELETE_MESSAGE] = {"BatchDeleteMessage", HANDLES, true, false},
    [CMQ_PUBLISH_MESSAGE] = {"PublishMessage", BODIES, false, true},
    [CMQ_BATCH_PUBLISH_MESSAGE] = {"BatchPublishMessage", BODIES, true, true},
    [CMQ_QUERY_QUEUE_ROUTE] = {"QueryQueueRoute", NO_ITEMS, false, false},
    [CMQ_QUERY_TOPIC_ROUTE] = {"QueryTopicRoute", NO_ITEMS, false, true},
};

/* Arrays start at .1, as all of the vendor's older SDKs have it; the signed order is byte-wise. */
#define NUMBERED(key)                                                                              \
    SPAN_LIT(key ".1"), SPAN_LIT(key ".10"), SPAN_LIT(key ".11"), SPAN_LIT(key ".12"),             \
        SPAN_LIT(key ".13"), SPAN_LIT(key ".14"), SPAN_LIT(key ".15"), SPAN_LIT(key ".16"),        \
        SPAN_LIT(key ".2"), SPAN_LIT(key ".3"), SPAN_LIT(key ".4"), SPAN_LIT(key ".5"),            \
        SPAN_LIT(key ".6"), SPAN_LIT(key ".7"), SPAN_LIT(key ".8"), SPAN_LIT(key ".9")
static const unsigned char numbers[CMQ_MAX_BATCH] = {1, 10, 11, 12, 13, 14, 15, 16,
                                                     2, 3,  4,  5,  6,  7,  8,  9};
static const struct span body_keys[CMQ_MAX_BATCH] = {NUMBERED("msgBody")};
static const struct span handle_keys[CMQ_MAX_BATCH] = {NUMBERED("receiptHandle")};
static const struct span tag_keys[CMQ_MAX_BATCH] = {NUMBERED("msgTag")};

enum { MAX_PARAMS = CMQ_MAX_BATCH + CMQ_MAX_TAGS + 16, MAX_DIGITS = 20 };

struct params {
    struct cmq_param at[MAX_PARAMS];
    size_t count;
    char digits[5][MAX_DIGITS + 1]; /* Nonce, Timestamp, delaySeconds, numOfMsg, pollingWait... */
    size_t digits_used;
};

/*
 * How each byte is written: as itself (RFC 3986 s. 2.3), '+' for a space, %XX for the rest. With
 * its length in a fourth byte, so that writing one is a copy of four and no branch.
 */
struct encoding {
    char text[3];
    unsigned char len;
};
#define PLAIN(c)                                                                                   \
    (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= '0' && (c) <= '9') ||     \
     (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' || (c) == ' ')
#define HEX(n) ((n) < 10 ? '0' + (n) : 'A' - 10 + (n))
#define ENC1(c)                                                                                    \
    {                                                                                              \
        {(char)((c) == ' ' ? '+'                                                                   \
                : PLAIN(c) ? (c)                                                                   \
                           : '%'),                                                                 \
         (char)HEX((c) >> 4), (char)HEX((c)&15)},                                                  \
            PLAIN(c) ? 1 : 3                                                                       \
    }
#define ENC4(c) ENC1(c), ENC1((c) + 1), ENC1((c) + 2), ENC1((c) + 3)
#define ENC16(c) ENC4(c), ENC4((c) + 4), ENC4((c) + 8), ENC4((c) + 12)
#define ENC64(c) ENC16(c), ENC16((c) + 16), ENC16((c) + 32), ENC16((c) + 48)
static const struct encoding encodings[256] = {ENC64(0), ENC64(64), ENC64(128), ENC64(192)};

enum { ENCODE_SLACK = 3 }; /* encode writes so many bytes past its end */

static char *encode(char *to, struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        struct encoding encoding = encodings[(unsigned char)value.ptr[i]];
        memcpy(to, &encoding, sizeof encoding);
        to += encoding.len;
    }
    return to;
}

static size_t encoded_len(struct span value)
{
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++)
        len += encodings[(unsigned char)value.ptr[i]].len;
    return len;
}

const char *cmq_action_name(enum cmq_action action)
{
    CHECK(action < CMQ_ACTION_COUNT);
    return actions[action].name;
}

size_t cmq_form_cost(struct span body)
{
    return encoded_len(body) + sizeof "&msgBody.16=" - 1;
}

/* Whether all bytes are ASCII and none is NUL: nearly always so, and quickly seen. */
static bool is_plain_ascii(struct span s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + i, 8);
        if ((word | (word - ones)) & highs) /* a byte above 127, or one that borrowed */
            return false;
    }
    for (; i < s.len; i++) {
        if (s.ptr[i] <= 0 || (unsigned char)s.ptr[i] > 127)
            return false;
    }
    return true;
}

/*
 * What can be carried unchanged: a body that is not UTF-8 has no JSON form, and of a value that
 * begins with '@' the vendor's SDKs disagree whether a POST signs it (CMQ.md 2.2.7).
 */
static bool check_value(const char *what, struct span value, struct err *err)
{
    if (value.len > 0 && value.ptr[0] == '@')
        return err_set(err, "%s begins with '@', which a signed POST cannot carry", what);
    if (is_plain_ascii(value))
        return true;
    if (span_find(value, '\0') < value.len)
        return err_set(err, "%s contains NUL", what);
    if (!utf8_valid(value))
        return err_set(err, "%s is not valid UTF-8", what);
    return true;
}

static bool check_items(const struct action *action, const struct cmq_request *request,
                        struct err *err)
{
    size_t max = action->items == NO_ITEMS ? 0 : action->batch ? CMQ_MAX_BATCH : 1;
    if (request->item_count > max || (max > 0 && request->item_count == 0))
        return err_set(err, "%s with %zu items: %d to %zu are possible", action->name,
                       request->item_count, max > 0, max);
    bool handles = action->items == HANDLES;
    size_t max_bytes = handles ? CMQ_MAX_HANDLE_BYTES : CMQ_MAX_BODY_BYTES;
    for (size_t i = 0; i < request->item_count; i++) {
        struct span item = request->items[i];
        const char *what = handles ? "a receipt handle" : "a message body";
        if (item.len == 0)
            return err_set(err, "%s is empty", what);
        if (item.len > max_bytes)
            return err_set(err, "%s of %zu bytes: at most %zu are possible", what, item.len,
                           max_bytes);
        if (!check_value(what, item, err))
            return false;
    }
    return true;
}

static bool check_filters(const struct cmq_request *request, struct err *err)
{
    const char *why;
    if (request->has_route && !cmq_route_ok(request->route, &why))
        return err_set(err, "the route cannot be sent: %s", why);
    if (request->has_route && !check_value("the route", request->route, err))
        return false;
    if (request->tag_count > CMQ_MAX_TAGS)
        return err_set(err, "%zu tags: at most %d are possible", request->tag_count, CMQ_MAX_TAGS);
    for (size_t i = 0; i < request->tag_count; i++) {
        if (!cmq_tag_ok(request->tags[i], &why))
            return err_set(err, "a tag cannot be sent: %s", why);
        if (!check_value("a tag", request->tags[i], err))
            return false;
    }
    return true;
}

static bool check_request(const struct cmq_request *request, struct err *err)
{
    const struct action *action = &actions[request->action];
    const char *why;
    if (!cmq_name_ok(request->name, &why))
        return err_set(err, "the %s's name cannot be sent: %s", action->topic ? "topic" : "queue",
                       why);
    if (!check_items(action, request, err))
        return false;
    bool publishes = action->topic && action->items == BODIES;
    bool sends = !action->topic && action->items == BODIES;
    if (publishes && !check_filters(request, err))
        return false;
    if (sends && request->delay_s > CMQ_MAX_DELAY_S)
        return err_set(err, "a delay of %u s: at most %d are possible", request->delay_s,
                       CMQ_MAX_DELAY_S);
    if (request->action == CMQ_BATCH_RECEIVE_MESSAGE &&
        (request->max_messages < 1 || request->max_messages > CMQ_MAX_BATCH))
        return err_set(err, "receiving %u messages: 1 to %d are possible", request->max_messages,
                       CMQ_MAX_BATCH);
    bool receives =
        request->action == CMQ_RECEIVE_MESSAGE || request->action == CMQ_BATCH_RECEIVE_MESSAGE;
    if (receives && (request->wait_s < -1 || request->wait_s > CMQ_MAX_POLL_S))
        return err_set(err, "waiting %d s for messages: 0 to %d are possible", request->wait_s,
                       CMQ_MAX_POLL_S);
    return true;
}

static void add(struct params *params, const char *key, struct span value)
{
    CHECK(params->count < MAX_PARAMS);
    params->at[params->count++] = (struct cmq_param){span_of(key), value};
}

static void add_number(struct params *params, const char *key, uint64_t number)
{
    CHECK(params->digits_used < sizeof params->digits / sizeof params->digits[0]);
    char *digits = params->digits[params->digits_used++];
    (void)snprintf(digits, sizeof params->digits[0], "%llu", (unsigned long long)number);
    add(params, key, span_of(digits));
}

static void add_items(struct params *params, const struct span keys[CMQ_MAX_BATCH],
                      const struct span *items, size_t count)
{
    for (size_t i = 0; i < CMQ_MAX_BATCH; i++) {
        if (numbers[i] > count)
            continue;
        CHECK(params->count < MAX_PARAMS);
        params->at[params->count++] = (struct cmq_param){keys[i], items[numbers[i] - 1]};
    }
}

/* In the byte-wise order of the keys (CMQ.md 2.2.4), so that signing need not sort. */
static void gather(struct params *params, const struct cmq_request *request,
                   const struct cmq_identity *identity, int64_t timestamp_s, uint64_t nonce)
{
    const struct action *action = &actions[request->action];
    bool receives =
        request->action == CMQ_RECEIVE_MESSAGE || request->action == CMQ_BATCH_RECEIVE_MESSAGE;
    bool bodies = action->items == BODIES;
    add(params, "Action", span_of(action->name));
    add_number(params, "Nonce", nonce);
    add(params, "RequestClient", (struct span)SPAN_LIT("cmqgw_" CMQGW_VERSION));
    add(params, "SecretId", identity->secret_id);
    add(params, "SignatureMethod",
        span_of(identity->kind == CMQ_HMAC_SHA256 ? "HmacSHA256" : "HmacSHA1"));
    add_number(params, "Timestamp", (uint64_t)timestamp_s);
    if (identity->token.len > 0)
        add(params, "Token", identity->token);
    if (bodies && !action->topic && request->delay_s > 0)
        add_number(params, "delaySeconds", request->delay_s);
    if (bodies && action->batch)
        add_items(params, body_keys, request->items, request->item_count);
    else if (bodies)
        add(params, "msgBody", request->items[0]);
    if (bodies && action->topic)
        add_items(params, tag_keys, request->tags, request->tag_count);
    if (request->action == CMQ_BATCH_RECEIVE_MESSAGE)
        add_number(params, "numOfMsg", request->max_messages);
    if (receives && request->wait_s >= 0)
        add_number(params, "pollingWaitSeconds", (uint64_t)request->wait_s);
    if (!action->topic)
        add(params, "queueName", request->name);
    if (action->items == HANDLES && action->batch)
        add_items(params, handle_keys, request->items, request->item_count);
    else if (action->items == HANDLES)
        add(params, "receiptHandle", request->items[0]);
    if (bodies && action->topic && request->has_route)
        add(params, "routingKey", request->route);
    if (action->topic)
        add(params, "topicName", request->name);
}

/* Writes up to its end, with room for the worst case or, when that is too much, for the case. */
static bool write_form(const struct params *params, struct buf *out)
{
    size_t fixed = ENCODE_SLACK, raw = 0;
    for (size_t i = 0; i < params->count; i++) {
        fixed += params->at[i].key.len + 2;
        raw += params->at[i].value.len;
    }
    size_t encoded = 3 * raw;
    if (fixed + encoded > out->max_len - out->len) {
        encoded = 0;
        for (size_t i = 0; i < params->count; i++)
            encoded += encoded_len(params->at[i].value);
    }
    char *start = buf_reserve(out, fixed + encoded);
    if (!start)
        return false;
    char *to = start;
    for (size_t i = 0; i < params->count; i++) {
        struct span key = params->at[i].key;
        memcpy(to, key.ptr, key.len);
        to += key.len;
        *to++ = '=';
        to = encode(to, params->at[i].value);
        *to++ = '&';
    }
    out->len += (size_t)(to - start);
    return true;
}

static bool add_signature(struct params *params, const struct cmq_identity *identity,
                          struct buf *out)
{
    struct buf signature = BUF_INIT(BASE64_LEN(32));
    bool ok = buf_add_str(out, "Signature=") &&
              cmq_sign_params(identity->signer, (struct span)SPAN_LIT("POST"), identity->host,
                              identity->path, params->at, params->count, &signature);
    char *to = ok ? buf_reserve(out, 3 * signature.len + ENCODE_SLACK) : NULL;
    if (to) {
        char *end = encode(to, buf_span(&signature));
        *end = '\0';
        out->len += (size_t)(end - to);
    }
    buf_fini(&signature);
    return to != NULL;
}

bool cmq_request_form(const struct cmq_request *request, const struct cmq_identity *identity,
                      int64_t timestamp_s, uint64_t nonce, struct buf *out, struct err *err)
{
    CHECK(request->action < CMQ_ACTION_COUNT);
    if (!check_request(request, err))
        return false;
    struct params params;
    params.count = params.digits_used = 0;
    gather(&params, request, identity, timestamp_s, nonce);
    if (!write_form(&params, out) || !add_signature(&params, identity, out))
        return err_set(err, "the request is larger than the %zu bytes that CMQ takes",
                       out->max_len);
    return true;
}
