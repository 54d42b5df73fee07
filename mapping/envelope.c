/* envelope - see envelope.h. The JSON is written by hand, in one pass, payload last. */
#include "mapping/envelope.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "cmq/request.h"
#include "mapping/trace.h"

#include <strings.h>

bool envelope_type_is_json(struct span type)
{
    type = span_slice(type, 0, span_find(type, ';'));
    while (type.len > 0 && (type.ptr[type.len - 1] == ' ' || type.ptr[type.len - 1] == '\t'))
        type.len--;
    size_t slash = span_find(type, '/');
    struct span subtype = span_slice(type, slash + 1, type.len);
    if (subtype.len < 4 || strncasecmp(subtype.ptr + subtype.len - 4, "json", 4) != 0)
        return false;
    return subtype.len == 4 || subtype.ptr[subtype.len - 5] == '+';
}

static bool has_nul(struct span s)
{
    return span_find(s, '\0') < s.len;
}

static bool write_raw(struct span payload, struct buf *out, struct err *err)
{
    if (payload.len == 0)
        return err_set(err, "raw_empty: CMQ carries no empty body; use body = \"cloudevents\"");
    if (payload.ptr[0] == '@') {
        return err_set(err, "raw_at: a body that begins with '@' cannot be signed so that CMQ "
                            "takes it; use body = \"base64\" or \"cloudevents\"");
    }
    if (has_nul(payload)) {
        return err_set(err, "raw_nul: the payload contains a NUL, which CMQ cannot carry; use "
                            "body = \"base64\" or \"cloudevents\"");
    }
    if (!utf8_valid(payload)) {
        return err_set(err, "raw_not_utf8: the payload is not valid UTF-8, which CMQ cannot carry; "
                            "use body = \"base64\" or \"cloudevents\"");
    }
    buf_add(out, payload);
    return true;
}

/* ,"name": */
static void add_name(struct buf *out, const char *name)
{
    buf_add_str(out, ",\"");
    buf_add_str(out, name);
    buf_add_str(out, "\":");
}

static bool add_text(struct buf *out, const char *name, struct span text, struct err *err)
{
    if (!utf8_valid(text)) {
        return err_set(err, "property_not_utf8: %s is not valid UTF-8, which JSON cannot carry",
                       name);
    }
    add_name(out, name);
    json_string(out, text);
    return true;
}

static void add_base64(struct buf *out, const char *name, struct span bytes)
{
    add_name(out, name);
    buf_add_char(out, '"');
    base64_encode(out, bytes);
    buf_add_char(out, '"');
}

static bool is_via(const struct mqtt_user_property *p)
{
    return span_eq_str(p->key, ENVELOPE_VIA);
}

static bool add_via(struct buf *out, const struct mqtt_message *message, struct span gateway,
                    struct err *err)
{
    add_name(out, ENVELOPE_VIA);
    buf_add_char(out, '"');
    for (size_t i = 0; i < message->user_count; i++) {
        const struct mqtt_user_property *p = &message->user[i];
        if (!is_via(p) || p->value.len == 0)
            continue;
        if (!utf8_valid(p->value))
            return err_set(err, "property_not_utf8: " ENVELOPE_VIA " is not valid UTF-8");
        json_escape(out, p->value);
        buf_add_char(out, ',');
    }
    json_escape(out, gateway);
    buf_add_char(out, '"');
    return true;
}

/* How many properties from the from-th on have the key of the i-th. */
static size_t count_same(const struct mqtt_message *message, size_t i, size_t from)
{
    size_t n = 0;
    for (size_t k = from; k < message->user_count; k++)
        n += span_eq(message->user[k].key, message->user[i].key);
    return n;
}

/* The object of mqttuser, not yet a string. */
static void write_user(const struct mqtt_message *message, const struct trace *trace,
                       struct buf *object)
{
    for (size_t i = 0; i < message->user_count; i++) {
        const struct mqtt_user_property *p = &message->user[i];
        size_t same = count_same(message, i, 0);
        if (p == trace->parent || p == trace->state)
            continue; /* an attribute of its own */
        if (is_via(p) || count_same(message, i, i) < same)
            continue; /* written with the first of its key */
        buf_add_char(object, object->len ? ',' : '{');
        json_string(object, p->key);
        buf_add_char(object, ':');
        if (same == 1) {
            json_string(object, p->value);
            continue;
        }
        for (size_t k = i; k < message->user_count; k++) {
            if (!span_eq(message->user[k].key, p->key))
                continue;
            buf_add_char(object, k == i ? '[' : ',');
            json_string(object, message->user[k].value);
        }
        buf_add_char(object, ']');
    }
}

static bool add_user(struct buf *out, const struct mqtt_message *message, struct err *err)
{
    for (size_t i = 0; i < message->user_count; i++) {
        const struct mqtt_user_property *p = &message->user[i];
        if (!utf8_valid(p->key) || !utf8_valid(p->value)) {
            return err_set(err, "property_not_utf8: a user property is not valid UTF-8, which "
                                "JSON cannot carry");
        }
    }
    const struct trace trace = trace_of(message);
    if (trace.parent && !add_text(out, TRACE_PARENT, trace.parent->value, err))
        return false;
    if (trace.state && !add_text(out, TRACE_STATE, trace.state->value, err))
        return false;
    struct buf object = BUF_INIT(out->max_len);
    write_user(message, &trace, &object);
    if (object.len > 0) {
        buf_add_char(&object, '}');
        add_name(out, "mqttuser");
        json_string(out, buf_span(&object));
    }
    out->overflow = out->overflow || object.overflow;
    buf_fini(&object);
    return true;
}

/* Everything about the message but its payload. */
static bool add_properties(struct buf *out, const struct mqtt_message *m,
                           const struct envelope_context *context, struct err *err)
{
    add_name(out, "mqttqos");
    buf_add_u64(out, (uint64_t)m->qos);
    add_name(out, "mqttretain");
    buf_add_str(out, m->retain ? "true" : "false");
    if (m->response_topic.ptr && !add_text(out, "mqttresponsetopic", m->response_topic, err))
        return false;
    if (m->correlation.ptr)
        add_base64(out, "mqttcorrelation", m->correlation);
    if (m->has_expiry) {
        /* CloudEvents integers have 32 bits with sign; what is above goes as a string. */
        const char *quote = m->expiry_s > INT32_MAX ? "\"" : "";
        add_name(out, "mqttexpiry");
        buf_add_str(out, quote);
        buf_add_u64(out, m->expiry_s);
        buf_add_str(out, quote);
    }
    return add_via(out, m, context->gateway, err) && (m->user_count == 0 || add_user(out, m, err));
}

static bool add_type(struct buf *out, const struct mqtt_message *m, const char *otherwise,
                     struct err *err)
{
    if (m->content_type.ptr)
        return add_text(out, "datacontenttype", m->content_type, err);
    add_name(out, "datacontenttype");
    json_string(out, span_of(otherwise));
    buf_add_str(out, ",\"mqttuntyped\":true");
    return true;
}

static bool add_payload(struct buf *out, const struct mqtt_message *m, struct jsonview_once *json,
                        struct err *err)
{
    bool typed = m->content_type.ptr != NULL;
    bool says_json = typed && envelope_type_is_json(m->content_type);
    if (m->payload.len == 0)
        return !typed || add_type(out, m, "", err);
    if ((says_json || !typed) && jsonview_payload(json, m->payload).kind != JSONVIEW_NONE) {
        if (!add_type(out, m, "application/json", err))
            return false;
        add_name(out, "data");
        buf_add(out, m->payload);
    } else if (!says_json && !has_nul(m->payload) && utf8_valid(m->payload)) {
        if (!add_type(out, m, "text/plain", err))
            return false;
        add_name(out, "data");
        json_string(out, m->payload);
    } else {
        if (!add_type(out, m, "application/octet-stream", err))
            return false;
        add_base64(out, "data_base64", m->payload);
    }
    return true;
}

static bool write_event(const struct mqtt_message *m, const struct envelope_context *context,
                        struct buf *out, struct err *err)
{
    struct jsonview_once own = {0};
    char time[CLOCK_ISO_SIZE];
    clock_iso(m->received_ms, time);
    buf_add_str(out, "{\"specversion\":\"1.0\",\"id\":\"");
    json_escape(out, context->gateway);
    buf_add_char(out, '-');
    buf_add_u64(out, context->id);
    buf_add_str(out, "\",\"source\":\"/mqtt/");
    json_escape(out, context->gateway);
    buf_add_str(out, "\",\"type\":\"mqtt.message\"");
    if (!add_text(out, "subject", m->topic, err))
        return false;
    add_name(out, "time");
    json_string(out, span_of(time));
    if (!add_properties(out, m, context, err) ||
        !add_payload(out, m, context->json ? context->json : &own, err))
        return false;
    buf_add_char(out, '}');
    return true;
}

bool envelope_fits(const struct buf *out, size_t start, struct err *err)
{
    enum { ROOM = CMQ_MAX_POST_BYTES - CMQ_FORM_OVERHEAD };
    if (out->overflow) {
        return err_set(err, "too_large: the body would be above the %zu bytes of a message",
                       out->max_len);
    }
    struct span body = span_slice(buf_span(out), start, out->len);
    if (body.len < ROOM / 4 || cmq_form_cost(body) <= ROOM) /* a byte becomes at most three */
        return true;
    return err_set(err,
                   "too_large: the body of %zu bytes would be %zu in the form that carries it, "
                   "above the 1 MiB of a POST",
                   body.len, cmq_form_cost(body));
}

bool envelope_write(enum envelope_kind kind, const struct mqtt_message *message,
                    const struct envelope_context *context, struct buf *out, struct err *err)
{
    size_t start = out->len;
    bool ok = true;
    if (kind == ENVELOPE_CLOUDEVENTS) {
        ok = write_event(message, context, out, err);
    } else if (kind == ENVELOPE_RAW) {
        ok = write_raw(message->payload, out, err);
    } else if (message->payload.len == 0) {
        ok = err_set(err, "base64_empty: CMQ carries no empty body; use body = \"cloudevents\"");
    } else {
        base64_encode(out, message->payload);
    }
    return ok && envelope_fits(out, start, err);
}

bool envelope_via_names(struct span via, struct span gateway)
{
    while (via.len > 0) {
        size_t comma = span_find(via, ',');
        if (span_eq(span_slice(via, 0, comma), gateway))
            return true;
        via = span_slice(via, comma + 1, via.len);
    }
    return false;
}

bool envelope_came_through(const struct mqtt_message *message, struct span gateway)
{
    for (size_t i = 0; i < message->user_count; i++) {
        if (span_eq_str(message->user[i].key, ENVELOPE_VIA) &&
            envelope_via_names(message->user[i].value, gateway))
            return true;
    }
    return false;
}
