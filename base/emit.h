/*
 * emit - writes a JSON value member by member, so that commas and escapes are nobody's worry
 *
 * Inside an object every call names its member; inside an array, and for the outermost value, key
 * is NULL. What does not fit shows as the buffer's overflow. One thread.
 */
#ifndef BASE_EMIT_H
#define BASE_EMIT_H

#include "base/buf.h"

struct emit {
    struct buf *out; /* borrowed */
    bool follows;    /* a comma is due before the next member */
};

void emit_object(struct emit *emit, const char *key);
void emit_object_end(struct emit *emit);
void emit_array(struct emit *emit, const char *key);
void emit_array_end(struct emit *emit);

/* Text that is no UTF-8 comes out as json_escape shows it. emit_text: NULL is written as null. */
void emit_span(struct emit *emit, const char *key, struct span value);
void emit_text(struct emit *emit, const char *key, const char *value);
void emit_u64(struct emit *emit, const char *key, uint64_t value);
void emit_i64(struct emit *emit, const char *key, int64_t value);
void emit_bool(struct emit *emit, const char *key, bool value);
void emit_null(struct emit *emit, const char *key);

/* With up to six places after the point; a value that is no number is written as null. */
void emit_number(struct emit *emit, const char *key, double value);

/* A Unix time as "2026-11-23T14:45:09.123Z"; 0 is written as null. */
void emit_time(struct emit *emit, const char *key, int64_t unix_ms);

/* A value that is JSON already. */
void emit_raw(struct emit *emit, const char *key, struct span json);

#endif
