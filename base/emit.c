/* emit - see emit.h. */
#include "base/emit.h"

#include "base/clock.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>

static void begin(struct emit *emit, const char *key)
{
    if (emit->follows)
        buf_add_char(emit->out, ',');
    emit->follows = true;
    if (!key)
        return;
    json_string(emit->out, span_of(key));
    buf_add_char(emit->out, ':');
}

static void open(struct emit *emit, const char *key, char bracket)
{
    begin(emit, key);
    buf_add_char(emit->out, bracket);
    emit->follows = false;
}

static void shut(struct emit *emit, char bracket)
{
    buf_add_char(emit->out, bracket);
    emit->follows = true;
}

void emit_object(struct emit *emit, const char *key)
{
    open(emit, key, '{');
}

void emit_object_end(struct emit *emit)
{
    shut(emit, '}');
}

void emit_array(struct emit *emit, const char *key)
{
    open(emit, key, '[');
}

void emit_array_end(struct emit *emit)
{
    shut(emit, ']');
}

void emit_raw(struct emit *emit, const char *key, struct span json)
{
    begin(emit, key);
    buf_add(emit->out, json);
}

void emit_span(struct emit *emit, const char *key, struct span value)
{
    begin(emit, key);
    json_string(emit->out, value);
}

void emit_text(struct emit *emit, const char *key, const char *value)
{
    if (value)
        emit_span(emit, key, span_of(value));
    else
        emit_null(emit, key);
}

void emit_u64(struct emit *emit, const char *key, uint64_t value)
{
    begin(emit, key);
    buf_add_u64(emit->out, value);
}

void emit_i64(struct emit *emit, const char *key, int64_t value)
{
    begin(emit, key);
    buf_printf(emit->out, "%lld", (long long)value);
}

void emit_bool(struct emit *emit, const char *key, bool value)
{
    emit_raw(emit, key, span_of(value ? "true" : "false"));
}

void emit_null(struct emit *emit, const char *key)
{
    emit_raw(emit, key, span_of("null"));
}

void emit_number(struct emit *emit, const char *key, double value)
{
    char text[340]; /* of DBL_MAX */
    if (!isfinite(value)) {
        emit_null(emit, key);
        return;
    }
    int len = snprintf(text, sizeof text, "%.6f", value);
    while (text[len - 1] == '0' && text[len - 2] != '.')
        len--;
    emit_raw(emit, key, span_make(text, (size_t)len));
}

void emit_time(struct emit *emit, const char *key, int64_t unix_ms)
{
    char text[CLOCK_ISO_SIZE];
    if (unix_ms == 0) {
        emit_null(emit, key);
        return;
    }
    clock_iso(unix_ms, text);
    emit_text(emit, key, text);
}
