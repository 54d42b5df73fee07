/*
 * jsonview - reading JSON in place, without losing a byte of it
 *
 * A view is a value inside JSON text that was checked as a whole (RFC 8259) and still lies there
 * as it came: numbers keep their digits, strings their NULs, objects their order and their repeated
 * members, and any value can be handed on byte for byte. Nothing is allocated or copied; a lookup
 * reads the text up to what it looks for. Pure; any thread. Views live as long as the text.
 */
#ifndef MAPPING_JSONVIEW_H
#define MAPPING_JSONVIEW_H

#include "base/buf.h"

/* Arrays and objects inside each other: in a payload, and in what wraps one. */
enum { JSONVIEW_MAX_DEPTH = 256, JSONVIEW_MAX_WRAPPED_DEPTH = 260 };

enum jsonview_kind {
    JSONVIEW_NONE, /* a zeroed view: no value */
    JSONVIEW_NULL,
    JSONVIEW_BOOL,
    JSONVIEW_NUMBER,
    JSONVIEW_STRING,
    JSONVIEW_ARRAY,
    JSONVIEW_OBJECT,
};

struct jsonview {
    enum jsonview_kind kind;
    struct span text; /* the value alone; a string with its quotes */
};

/*
 * Whether text is exactly one JSON value, white space around it allowed: strict, valid UTF-8, with
 * at most max_depth arrays and objects inside each other (at most JSONVIEW_MAX_WRAPPED_DEPTH).
 * *view becomes that value, or none.
 */
bool jsonview_parse(struct span text, int max_depth, struct jsonview *view);

/*
 * A payload that is parsed when somebody first asks, and once: zero it for each new payload. Gives
 * the value, or none when it is not JSON.
 */
struct jsonview_once {
    bool tried;
    struct jsonview view;
};
struct jsonview jsonview_payload(struct jsonview_once *once, struct span payload);

/*
 * Goes through an object's members or an array's elements: *at is 0 at first. False when there is
 * no more, or in is neither. key is a string, or none for arrays.
 */
bool jsonview_next(struct jsonview in, size_t *at, struct jsonview *key, struct jsonview *value);

/* The first member with this name, compared as decoded text. False when there is none. */
bool jsonview_member(struct jsonview object, struct span name, struct jsonview *value);

/* Whether text is a JSON pointer (RFC 6901), and what it points at; false: nothing there. */
bool jsonview_pointer_ok(struct span pointer);
bool jsonview_at(struct jsonview root, struct span pointer, struct jsonview *value);

/* A member's value (of jsonview_member or jsonview_next) with the white space around it. */
struct span jsonview_padded(struct jsonview member);

/*
 * The text of a string. When nothing in it is escaped, *text is the place itself; otherwise it is
 * appended to store. False when it is no string, has no UTF-8 form (half of a surrogate pair), or
 * does not fit.
 */
bool jsonview_text(struct jsonview string, struct buf *store, struct span *text);

#endif
