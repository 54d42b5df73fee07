/* ask - see ask.h. */
#include "gateway/ask.h"

#include "base/base64.h"
#include "base/clock.h"
#include "cmq/limits.h"
#include "mapping/jsonview.h"
#include "mapping/topic.h"

enum { MAX_DEPTH = 8, MAX_RULE_BYTES = 512 };

/* ---- members ---- */

static bool open_object(struct span body, struct jsonview *object, struct err *err)
{
    if (jsonview_parse(body, MAX_DEPTH, object) && object->kind == JSONVIEW_OBJECT)
        return true;
    return err_set(err, "the body is not one JSON object");
}

static bool fault(struct err *err, const char *name, const char *wanted)
{
    return err_set(err, "\"%s\" must be %s", name, wanted);
}

static bool is_named(struct jsonview key, const char *name)
{
    /* Our names have nothing to escape; who escapes them all the same is not understood. */
    return key.text.len == strlen(name) + 2 &&
           span_eq_str(span_slice(key.text, 1, key.text.len - 2), name);
}

static bool read_number(struct jsonview value, uint64_t max, uint64_t *out)
{
    return value.kind == JSONVIEW_NUMBER && span_to_u64(value.text, max, out);
}

static bool read_bool(struct jsonview value, bool *out)
{
    *out = span_eq_str(value.text, "true");
    return value.kind == JSONVIEW_BOOL;
}

/* ---- a message to explain ---- */

struct explain_reader {
    struct ask_explain *ask;
    struct err *err;
    bool has_topic, has_payload, has_body, has_mqtt;
};

static bool read_text(struct explain_reader *r, const char *name, struct jsonview value,
                      struct span *out)
{
    return jsonview_text(value, &r->ask->store, out) || fault(r->err, name, "a string");
}

static bool read_base64(struct explain_reader *r, const char *name, struct jsonview value,
                        struct span *out)
{
    struct buf *store = &r->ask->store;
    struct span text;
    if (!jsonview_text(value, store, &text))
        return fault(r->err, name, "a string");
    size_t from = store->len;
    if (!base64_decode(store, text))
        return fault(r->err, name, "base64");
    *out = span_slice(buf_span(store), from, store->len);
    return true;
}

static bool read_property(struct explain_reader *r, struct jsonview object)
{
    struct ask_explain *ask = r->ask;
    struct jsonview key, value;
    if (ask->message.user_count == MQTT_MAX_USER_PROPERTIES)
        return err_set(r->err, "\"user\" may have %d elements at most", MQTT_MAX_USER_PROPERTIES);
    struct mqtt_user_property *property = &ask->user[ask->message.user_count++];
    return (jsonview_member(object, span_of("key"), &key) &&
            jsonview_member(object, span_of("value"), &value) &&
            jsonview_text(key, &ask->store, &property->key) &&
            jsonview_text(value, &ask->store, &property->value)) ||
           fault(r->err, "user", "an array of objects with a key and a value, both strings");
}

static bool read_user(struct explain_reader *r, struct jsonview array)
{
    struct jsonview key, element;
    if (array.kind != JSONVIEW_ARRAY)
        return fault(r->err, "user", "an array");
    for (size_t at = 0; jsonview_next(array, &at, &key, &element);) {
        if (!read_property(r, element))
            return false;
    }
    return true;
}

static bool read_explain_member(struct explain_reader *r, struct jsonview key,
                                struct jsonview value)
{
    struct mqtt_message *message = &r->ask->message;
    uint64_t qos = 0;
    if (is_named(key, "queue"))
        return read_text(r, "queue", value, &r->ask->queue);
    if (is_named(key, "body")) {
        r->has_body = true;
        return read_text(r, "body", value, &message->payload);
    }
    if (is_named(key, "body_base64")) {
        r->has_body = true;
        return read_base64(r, "body_base64", value, &message->payload);
    }
    r->has_mqtt = true;
    if (is_named(key, "topic")) {
        r->has_topic = true;
        return read_text(r, "topic", value, &message->topic);
    }
    if (is_named(key, "payload"))
        return read_text(r, "payload", value, &message->payload);
    if (is_named(key, "payload_base64"))
        return read_base64(r, "payload_base64", value, &message->payload);
    if (is_named(key, "content_type"))
        return read_text(r, "content_type", value, &message->content_type);
    if (is_named(key, "retain"))
        return read_bool(value, &message->retain) || fault(r->err, "retain", "true or false");
    if (is_named(key, "user"))
        return read_user(r, value);
    if (!is_named(key, "qos"))
        return err_set(r->err, "%.*s is not known here", SPAN_ARG(span_slice(key.text, 0, 64)));
    bool ok = read_number(value, 2, &qos);
    message->qos = (int)qos;
    return ok || fault(r->err, "qos", "0, 1 or 2");
}

static bool check_explain(const struct explain_reader *r)
{
    const char *why;
    if (r->ask->queue.ptr) {
        if (r->has_mqtt)
            return err_set(r->err, "with \"queue\", a message has a \"body\" and nothing else");
        if (!cmq_name_ok(r->ask->queue, &why))
            return err_set(r->err, "\"queue\" is not valid: %s", why);
        return true;
    }
    if (!r->has_topic)
        return err_set(r->err, "\"topic\" or \"queue\" must be there");
    if (r->has_body)
        return err_set(r->err, "\"body\" goes with \"queue\"");
    if (!topic_name_ok(r->ask->message.topic, &why))
        return err_set(r->err, "\"topic\" is not valid: %s", why);
    return true;
}

bool ask_explain_read(struct ask_explain *ask, struct span body, struct err *err)
{
    struct explain_reader r = {.ask = ask, .err = err};
    struct jsonview object, key, value;
    memset(ask, 0, sizeof *ask);
    ask->message.qos = 1;
    ask->message.received_ms = clock_unix_ms();
    ask->message.user = ask->user;
    ask->message.payload = span_of("");
    /* What is decoded is never longer than it was, so the store never moves. */
    buf_init(&ask->store, body.len + 1);
    CHECK(buf_reserve(&ask->store, body.len + 1));
    if (!open_object(body, &object, err))
        return false;
    for (size_t at = 0; jsonview_next(object, &at, &key, &value);) {
        if (!read_explain_member(&r, key, value))
            return false;
    }
    return check_explain(&r);
}

void ask_explain_fini(struct ask_explain *ask)
{
    buf_fini(&ask->store);
}

/* ---- dead letters ---- */

static bool read_rule(struct ask_letters *ask, struct jsonview value, struct err *err)
{
    struct buf store = BUF_INIT(MAX_RULE_BYTES);
    struct span text;
    bool ok = jsonview_text(value, &store, &text) && text.len > 0 && text.len < MAX_RULE_BYTES;
    if (ok) {
        free(ask->rule);
        ask->rule = span_dup(text);
    }
    buf_fini(&store);
    return ok || fault(err, "rule", "a rule's name");
}

static bool read_ids(struct ask_letters *ask, struct jsonview array, struct err *err)
{
    struct jsonview key, element;
    for (size_t at = 0; jsonview_next(array, &at, &key, &element);) {
        if (ask->id_count == ASK_MAX_IDS)
            return err_set(err, "\"ids\" may have %d elements at most", ASK_MAX_IDS);
        if (!read_number(element, INT64_MAX, &ask->ids[ask->id_count++]))
            return fault(err, "ids", "an array of numbers");
    }
    return (array.kind == JSONVIEW_ARRAY && ask->id_count > 0) ||
           fault(err, "ids", "an array of one id or more");
}

static bool read_letters_member(struct ask_letters *ask, struct jsonview key, struct jsonview value,
                                bool listing, struct err *err)
{
    if (is_named(key, "rule"))
        return read_rule(ask, value, err);
    if (is_named(key, "after"))
        return read_number(value, INT64_MAX, &ask->after) || fault(err, "after", "an id");
    if (listing && is_named(key, "limit"))
        return (read_number(value, ASK_MAX_LIMIT, &ask->limit) && ask->limit > 0) ||
               err_set(err, "\"limit\" must be 1 to %d", ASK_MAX_LIMIT);
    if (!listing && is_named(key, "ids"))
        return read_ids(ask, value, err);
    if (!listing && is_named(key, "all"))
        return (read_bool(value, &ask->all) && ask->all) || fault(err, "all", "true");
    return err_set(err, "%.*s is not known here", SPAN_ARG(span_slice(key.text, 0, 64)));
}

static bool read_letters(struct ask_letters *ask, struct span body, bool listing, struct err *err)
{
    struct jsonview object, key, value;
    memset(ask, 0, sizeof *ask);
    ask->limit = 100;
    if (!open_object(body, &object, err))
        return false;
    for (size_t at = 0; jsonview_next(object, &at, &key, &value);) {
        if (!read_letters_member(ask, key, value, listing, err))
            return false;
    }
    return true;
}

bool ask_listing_read(struct ask_letters *ask, struct span body, struct err *err)
{
    return read_letters(ask, body, true, err);
}

bool ask_letters_read(struct ask_letters *ask, struct span body, struct err *err)
{
    if (!read_letters(ask, body, false, err))
        return false;
    if ((ask->id_count > 0) + (ask->rule != NULL) + ask->all != 1)
        return err_set(err, "exactly one of \"ids\", \"rule\" and \"all\" must be there");
    return ask->id_count == 0 || ask->after == 0 || err_set(err, "\"after\" goes without \"ids\"");
}

void ask_letters_fini(struct ask_letters *ask)
{
    free(ask->rule);
}
