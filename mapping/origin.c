/* origin - see origin.h. */
#include "mapping/origin.h"

#include "base/base64.h"
#include "base/json.h"
#include "mapping/jsonview.h"

#include <stdio.h>

struct origin {
    struct buf store; /* every text, decoded; allocated whole, so it never moves */
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    uint32_t subscription_ids[MQTT_MAX_SUBSCRIPTION_IDS];
};

/* "name":"text", or "name_base64":"..." when it must be. */
static void write_bytes(struct buf *out, const char *name, struct span bytes, bool text)
{
    buf_add_char(out, '"');
    buf_add_str(out, name);
    if (text && utf8_valid(bytes)) {
        buf_add_str(out, "\":");
        json_string(out, bytes);
        return;
    }
    buf_add_str(out, "_base64\":\"");
    base64_encode(out, bytes);
    buf_add_char(out, '"');
}

static void write_optional(struct buf *out, const char *name, struct span bytes, bool text)
{
    if (!bytes.ptr)
        return;
    buf_add_char(out, ',');
    write_bytes(out, name, bytes, text);
}

bool origin_write(const struct mqtt_message *m, struct buf *out)
{
    CHECK(m->received_ms >= 0 && m->qos >= 0);
    buf_add_char(out, '{');
    write_bytes(out, "topic", m->topic, true);
    buf_printf(out, ",\"qos\":%d,\"retain\":%s,\"received_ms\":%lld", m->qos,
               m->retain ? "true" : "false", (long long)m->received_ms);
    write_optional(out, "content_type", m->content_type, true);
    write_optional(out, "response_topic", m->response_topic, true);
    write_optional(out, "correlation", m->correlation, false);
    if (m->has_expiry)
        buf_printf(out, ",\"expiry_s\":%lu", (unsigned long)m->expiry_s);
    for (size_t i = 0; i < m->user_count; i++) {
        buf_add_str(out, i == 0 ? ",\"user\":[{" : ",{");
        write_bytes(out, "key", m->user[i].key, true);
        buf_add_char(out, ',');
        write_bytes(out, "value", m->user[i].value, true);
        buf_add_str(out, i + 1 == m->user_count ? "}]" : "}");
    }
    for (size_t i = 0; i < m->subscription_id_count; i++) {
        buf_add_str(out, i == 0 ? ",\"subscription_ids\":[" : ",");
        buf_add_u64(out, m->subscription_ids[i]);
    }
    if (m->subscription_id_count > 0)
        buf_add_char(out, ']');
    return buf_add_char(out, '}');
}

/* Copies the bytes of a text into the store. Missing: *bytes stays as it is, and that is fine. */
static bool read_bytes(struct buf *store, struct jsonview in, const char *name, struct span *bytes)
{
    char encoded[32];
    (void)snprintf(encoded, sizeof encoded, "%s_base64", name);
    struct jsonview value;
    size_t start = store->len;
    struct span text;
    if (jsonview_member(in, span_of(name), &value)) {
        if (!jsonview_text(value, store, &text))
            return false;
        if (store->len == start)
            buf_add(store, text);
    } else if (jsonview_member(in, span_of(encoded), &value)) {
        /* Base64 has nothing that is escaped, so the text lies in the JSON itself. */
        if (!jsonview_text(value, store, &text) || store->len > start ||
            !base64_decode(store, text))
            return false;
    } else {
        return true;
    }
    *bytes = span_make(store->ptr + start, store->len - start);
    return true;
}

/* A whole number; missing: *number stays as it is and *found is false. */
static bool read_number(struct jsonview in, const char *name, uint64_t max, uint64_t *number,
                        bool *found)
{
    struct jsonview value;
    *found = jsonview_member(in, span_of(name), &value);
    return !*found || span_to_u64(value.text, max, number);
}

static bool read_user(struct origin *o, struct jsonview in, struct mqtt_message *m)
{
    struct jsonview list, key, each;
    if (!jsonview_member(in, span_of("user"), &list))
        return true;
    for (size_t at = 0; jsonview_next(list, &at, &key, &each); m->user_count++) {
        if (m->user_count == MQTT_MAX_USER_PROPERTIES)
            return false;
        struct mqtt_user_property *p = &o->user[m->user_count];
        if (!read_bytes(&o->store, each, "key", &p->key) ||
            !read_bytes(&o->store, each, "value", &p->value) || !p->key.ptr || !p->value.ptr)
            return false;
    }
    m->user = o->user;
    return list.kind == JSONVIEW_ARRAY;
}

static bool read_ids(struct origin *o, struct jsonview in, struct mqtt_message *m)
{
    struct jsonview list, key, each;
    if (!jsonview_member(in, span_of("subscription_ids"), &list))
        return true;
    for (size_t at = 0; jsonview_next(list, &at, &key, &each);) {
        uint64_t id;
        if (m->subscription_id_count == MQTT_MAX_SUBSCRIPTION_IDS ||
            !span_to_u64(each.text, UINT32_MAX, &id))
            return false;
        o->subscription_ids[m->subscription_id_count++] = (uint32_t)id;
    }
    m->subscription_ids = o->subscription_ids;
    return list.kind == JSONVIEW_ARRAY;
}

static bool read_origin(struct origin *o, struct jsonview in, struct mqtt_message *m)
{
    struct jsonview retain;
    uint64_t qos = 0, received_ms = 0, expiry_s = 0;
    bool has_qos, has_received;
    if (!read_bytes(&o->store, in, "topic", &m->topic) || !m->topic.ptr ||
        !read_number(in, "qos", 2, &qos, &has_qos) || !has_qos ||
        !read_number(in, "received_ms", INT64_MAX, &received_ms, &has_received) || !has_received ||
        !jsonview_member(in, span_of("retain"), &retain) || retain.kind != JSONVIEW_BOOL)
        return false;
    m->qos = (int)qos;
    m->retain = retain.text.ptr[0] == 't';
    m->received_ms = (int64_t)received_ms;
    if (!read_number(in, "expiry_s", UINT32_MAX, &expiry_s, &m->has_expiry))
        return false;
    m->expiry_s = (uint32_t)expiry_s;
    return read_bytes(&o->store, in, "content_type", &m->content_type) &&
           read_bytes(&o->store, in, "response_topic", &m->response_topic) &&
           read_bytes(&o->store, in, "correlation", &m->correlation) && read_user(o, in, m) &&
           read_ids(o, in, m);
}

bool origin_read(struct span json, struct span payload, struct mqtt_message *message,
                 struct origin **keep)
{
    *message = (struct mqtt_message){.payload = payload};
    *keep = NULL;
    struct jsonview in;
    if (!jsonview_parse(json, JSONVIEW_MAX_DEPTH, &in) || in.kind != JSONVIEW_OBJECT)
        return false;
    struct origin *o = check_alloc(calloc(1, sizeof *o));
    buf_init(&o->store, json.len); /* no text decodes to more than it is written with */
    CHECK(buf_reserve(&o->store, json.len));
    if (!read_origin(o, in, message)) {
        origin_free(o);
        return false;
    }
    *keep = o;
    return true;
}

void origin_free(struct origin *origin)
{
    if (!origin)
        return;
    buf_fini(&origin->store);
    free(origin);
}
