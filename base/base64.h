/*
 * base64 - RFC 4648 s. 4, with padding
 *
 * Pure; any thread.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* How many characters n bytes become. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Appends the text of bytes; false when out's ceiling is in the way. */
bool base64_encode(struct buf *out, struct span bytes);

/*
 * Appends the bytes of text. Strict: no white space, padding required, unused bits zero. False when
 * text is not base64 or out's ceiling is in the way; then out is as before but for its overflow.
 */
bool base64_decode(struct buf *out, struct span text);

#endif
