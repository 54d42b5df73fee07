/* trace - see trace.h. */
#include "mapping/trace.h"

enum {
    PARENT_BYTES = 55, /* of version 00; later ones are at least as long */
    PARENT_MAX_BYTES = 512,
    STATE_MAX_BYTES = 16384,
    STATE_MAX_MEMBERS = 32,
    STATE_MAX_PART = 256, /* of a key, of a value */
};

/* ---- traceparent ---- */

static bool is_hex(struct span text, size_t from, size_t len)
{
    for (size_t i = from; i < from + len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_zero(struct span text, size_t from, size_t len)
{
    for (size_t i = from; i < from + len; i++) {
        if (text.ptr[i] != '0')
            return false;
    }
    return true;
}

bool trace_parent_ok(struct span text)
{
    if (text.len < PARENT_BYTES || text.len > PARENT_MAX_BYTES || text.ptr[2] != '-' ||
        text.ptr[35] != '-' || text.ptr[52] != '-')
        return false;
    bool first_version = is_zero(text, 0, 2);
    if (text.len > PARENT_BYTES && (first_version || text.ptr[PARENT_BYTES] != '-'))
        return false;
    for (size_t i = PARENT_BYTES; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    return is_hex(text, 0, 2) && !span_eq_str(span_slice(text, 0, 2), "ff") &&
           is_hex(text, 3, 32) && !is_zero(text, 3, 32) && is_hex(text, 36, 16) &&
           !is_zero(text, 36, 16) && is_hex(text, 53, 2);
}

/* ---- tracestate ---- */

static bool key_ok(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || !strchr("_-*/@", c) || c == '\0'))
            return false;
    }
    return key.len > 0 && key.len <= STATE_MAX_PART;
}

static bool value_ok(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~' || value.ptr[i] == '=')
            return false;
    }
    return value.len > 0 && value.len <= STATE_MAX_PART && value.ptr[value.len - 1] != ' ';
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = span_slice(text, 1, text.len);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bool trace_state_ok(struct span text)
{
    size_t members = 0;
    if (text.len > STATE_MAX_BYTES)
        return false;
    for (size_t at = 0; at <= text.len;) {
        struct span rest = span_slice(text, at, text.len);
        size_t comma = span_find(rest, ',');
        struct span member = trimmed(span_slice(rest, 0, comma));
        size_t equals = span_find(member, '=');
        at += comma + 1;
        if (member.len == 0) /* may be left out */
            continue;
        if (!key_ok(span_slice(member, 0, equals)) ||
            !value_ok(span_slice(member, equals + 1, member.len)) || ++members > STATE_MAX_MEMBERS)
            return false;
    }
    return members > 0;
}

/* ---- of a message ---- */

static const struct mqtt_user_property *only(const struct mqtt_message *message, const char *key)
{
    const struct mqtt_user_property *found = NULL;
    for (size_t i = 0; i < message->user_count; i++) {
        if (!span_eq_str(message->user[i].key, key))
            continue;
        if (found)
            return NULL;
        found = &message->user[i];
    }
    return found;
}

struct trace trace_of(const struct mqtt_message *message)
{
    struct trace trace = {.parent = only(message, TRACE_PARENT)};
    if (!trace.parent || !trace_parent_ok(trace.parent->value))
        return (struct trace){NULL, NULL};
    trace.state = only(message, TRACE_STATE);
    if (trace.state && !trace_state_ok(trace.state->value))
        trace.state = NULL;
    return trace;
}
