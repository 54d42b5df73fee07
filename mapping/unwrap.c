/* unwrap - see unwrap.h. */
#include "mapping/unwrap.h"

#include "base/base64.h"
#include "mapping/envelope.h"
#include "mapping/topic.h"
#include "mapping/trace.h"

enum { MQTT_MAX_STRING_BYTES = 65535 }; /* MQTT 5.0 s. 1.5.4 */

static bool invalid(struct err *err, const char *what, const char *why)
{
    return err_set(err, "event_invalid: %s %s", what, why);
}

/* A member that is there and not null: null means unset (CloudEvents JSON format s. 2.2). */
static bool attribute(const struct unwrapped *u, const char *name, struct jsonview *value)
{
    return jsonview_member(u->event, span_of(name), value) && value->kind != JSONVIEW_NULL;
}

/* A string for MQTT: 65535 bytes at most, no NUL. */
static bool take_string(struct unwrapped *u, const char *name, struct jsonview value,
                        struct span *text, struct err *err)
{
    if (value.kind != JSONVIEW_STRING)
        return invalid(err, name, "is not a string");
    if (!jsonview_text(value, &u->store, text))
        return invalid(err, name, "is not text: it has half of a surrogate pair");
    if (text->len > MQTT_MAX_STRING_BYTES)
        return invalid(err, name, "is longer than 65535 bytes");
    if (span_find(*text, '\0') < text->len)
        return invalid(err, name, "contains NUL");
    return true;
}

/* The same for an attribute that may be missing: then *text stays as it is. */
static bool read_string(struct unwrapped *u, const char *name, struct span *text, struct err *err)
{
    struct jsonview value;
    return !attribute(u, name, &value) || take_string(u, name, value, text, err);
}

/* A whole number, or one in a string; missing: *found is false. */
static bool read_number(struct unwrapped *u, const char *name, uint64_t max, uint64_t *number,
                        bool *found, struct err *err)
{
    struct jsonview value;
    *found = attribute(u, name, &value);
    if (!*found)
        return true;
    struct span digits = value.text;
    if (value.kind == JSONVIEW_STRING && !jsonview_text(value, &u->store, &digits))
        return invalid(err, name, "is not a number");
    if (!span_to_u64(digits, max, number))
        return invalid(err, name, "is not a number that is possible here");
    return true;
}

static bool read_flag(const struct unwrapped *u, const char *name, bool *flag, struct err *err)
{
    struct jsonview value;
    *flag = false;
    if (!attribute(u, name, &value))
        return true;
    if (value.kind != JSONVIEW_BOOL)
        return invalid(err, name, "is neither true nor false");
    *flag = value.text.ptr[0] == 't';
    return true;
}

/* Decodes base64; the store has the room, so earlier spans stay. */
static bool take_base64(struct unwrapped *u, const char *name, struct jsonview value,
                        struct span *bytes, struct err *err)
{
    struct span text;
    if (value.kind != JSONVIEW_STRING || !jsonview_text(value, &u->store, &text))
        return invalid(err, name, "is not a string");
    size_t start = u->store.len;
    if (!base64_decode(&u->store, text))
        return invalid(err, name, "is not base64");
    *bytes = span_slice(buf_span(&u->store), start, u->store.len);
    return true;
}

static bool add_user(struct unwrapped *u, struct span key, struct jsonview value, struct err *err)
{
    if (u->message.user_count == MQTT_MAX_USER_PROPERTIES)
        return invalid(err, "mqttuser", "has more than 64 properties");
    struct mqtt_user_property *p = &u->user[u->message.user_count++];
    p->key = key;
    return take_string(u, "a value of mqttuser", value, &p->value, err);
}

/*
 * An attribute that is a user property to MQTT. It comes from systems that know nothing of us and
 * is for others than the device, so what is not well-formed is left out, and the message is not
 * lost.
 */
static bool read_trace(struct unwrapped *u, const char *name, bool (*ok)(struct span text))
{
    struct jsonview value;
    struct span text;
    if (!attribute(u, name, &value) || !jsonview_text(value, &u->store, &text) || !ok(text))
        return false;
    u->user[u->message.user_count++] = (struct mqtt_user_property){span_of(name), text};
    u->message.user = u->user;
    return true;
}

static bool read_user(struct unwrapped *u, struct err *err)
{
    struct jsonview value, object, key;
    if (!attribute(u, "mqttuser", &value))
        return true;
    struct span text;
    if (!jsonview_text(value, &u->store, &text) ||
        !jsonview_parse(text, JSONVIEW_MAX_DEPTH, &object) || object.kind != JSONVIEW_OBJECT)
        return invalid(err, "mqttuser", "is not a JSON object in a string");
    for (size_t at = 0; jsonview_next(object, &at, &key, &value);) {
        struct span name;
        if (!take_string(u, "a key of mqttuser", key, &name, err))
            return false;
        if (value.kind != JSONVIEW_ARRAY) {
            if (!add_user(u, name, value, err))
                return false;
            continue;
        }
        struct jsonview none, each;
        for (size_t in = 0; jsonview_next(value, &in, &none, &each);) {
            if (!add_user(u, name, each, err))
                return false;
        }
    }
    u->message.user = u->user;
    return true;
}

/* Whether the event is one that envelope_write made: then white space around data is payload. */
static bool is_ours(struct unwrapped *u)
{
    struct jsonview type;
    return attribute(u, "type", &type) && span_eq_str(type.text, "\"mqtt.message\"");
}

static bool read_payload(struct unwrapped *u, struct err *err)
{
    struct mqtt_message *m = &u->message;
    struct jsonview data, encoded;
    bool has_data = jsonview_member(u->event, span_of("data"), &data);
    bool has_encoded = attribute(u, "data_base64", &encoded);
    if (has_data && has_encoded)
        return invalid(err, "the event", "has both data and data_base64");
    if (has_encoded)
        return take_base64(u, "data_base64", encoded, &m->payload, err);
    if (!has_data)
        return true;
    bool json = !m->content_type.ptr || envelope_type_is_json(m->content_type);
    if (json || data.kind != JSONVIEW_STRING) {
        m->payload = is_ours(u) ? jsonview_padded(data) : data.text;
    } else if (!jsonview_text(data, &u->store, &m->payload)) {
        return invalid(err, "data", "is not text: it has half of a surrogate pair");
    }
    return true;
}

static bool read_properties(struct unwrapped *u, struct err *err)
{
    struct mqtt_message *m = &u->message;
    uint64_t number = 0;
    bool found;
    if (!read_string(u, "subject", &m->topic, err) ||
        !read_string(u, "datacontenttype", &m->content_type, err) ||
        !read_string(u, "mqttresponsetopic", &m->response_topic, err) ||
        !read_string(u, ENVELOPE_VIA, &u->via, err) ||
        !read_flag(u, "mqttretain", &m->retain, err) ||
        !read_number(u, "mqttqos", 2, &number, &found, err))
        return false;
    m->qos = (int)number;
    if (m->response_topic.ptr && !topic_name_ok(m->response_topic, NULL))
        return invalid(err, "mqttresponsetopic", "is not an MQTT topic");
    if (!read_number(u, "mqttexpiry", UINT32_MAX, &number, &found, err))
        return false;
    if (found) {
        m->has_expiry = true;
        m->expiry_s = (uint32_t)number;
    }
    struct jsonview value;
    if (!attribute(u, "mqttcorrelation", &value))
        return true;
    if (!take_base64(u, "mqttcorrelation", value, &m->correlation, err))
        return false;
    return m->correlation.len <= MQTT_MAX_STRING_BYTES ||
           invalid(err, "mqttcorrelation", "is longer than 65535 bytes");
}

bool envelope_unwrap(struct span body, struct unwrapped *u, struct err *err)
{
    memset(u, 0, sizeof *u);
    /* Each decoding is no longer than its text, and of a text within a text there are two: with
     * this much room from the start the store never moves. */
    buf_init(&u->store, 2 * body.len + 64);
    CHECK(buf_reserve(&u->store, 2 * body.len + 64));
    struct jsonview version;
    if (!jsonview_parse(body, JSONVIEW_MAX_WRAPPED_DEPTH, &u->event) ||
        u->event.kind != JSONVIEW_OBJECT)
        return invalid(err, "the body", "is not a JSON object");
    if (!attribute(u, "specversion", &version) || !span_eq_str(version.text, "\"1.0\""))
        return invalid(err, "specversion", "is not \"1.0\": this is no CloudEvent");
    bool untyped;
    if (read_trace(u, TRACE_PARENT, trace_parent_ok))
        (void)read_trace(u, TRACE_STATE, trace_state_ok);
    if (!read_properties(u, err) || !read_user(u, err) || !read_payload(u, err) ||
        !read_flag(u, "mqttuntyped", &untyped, err))
        return false;
    if (untyped)
        u->message.content_type = (struct span){NULL, 0};
    return true;
}

void unwrapped_fini(struct unwrapped *u)
{
    buf_fini(&u->store);
}
