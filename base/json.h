/*
 * json - writing JSON text and judging UTF-8
 *
 * Reading JSON is cJSON's work; this is the part that the hot path writes by hand. All functions
 * are pure and any thread may call them.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/*
 * Whether s is well-formed UTF-8 (RFC 3629: no surrogates, nothing over U+10FFFF, no overlong
 * forms). NUL is well-formed here; who cannot carry it asks for it.
 */
bool utf8_valid(struct span s);

/*
 * Appends s as the inside of a JSON string (RFC 8259 s. 7). Control characters, quotes and
 * backslashes are escaped. A byte that is not part of well-formed UTF-8 is written as \u00XX: such
 * text can be shown but not read back, so whoever must be exact asks utf8_valid first.
 */
bool json_escape(struct buf *out, struct span s);

/* Appends s as a JSON string, quotes included. */
bool json_string(struct buf *out, struct span s);

#endif
