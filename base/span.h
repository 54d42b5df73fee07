/*
 * span - a run of bytes that somebody else owns
 *
 * Bytes that are not C strings travel as pointer and length. A span owns nothing: it is valid as
 * long as the bytes it points into. All functions are pure and any thread may call them.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;      /* in bytes */
};

/* A span over a string literal, usable in initialisers. */
#define SPAN_LIT(s)                                                                                \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

/* The arguments that "%.*s" wants. Only for bytes known to be short text. */
#define SPAN_ARG(s) (int)(s).len, (s).len ? (s).ptr : ""

static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}

static inline struct span span_make(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/* The bytes [from, from + len), cut to what there is. */
struct span span_slice(struct span s, size_t from, size_t len);

bool span_eq(struct span a, struct span b);
bool span_eq_str(struct span a, const char *text);
bool span_starts(struct span s, const char *prefix);

/* memcmp order; a prefix comes before what it is a prefix of. */
int span_cmp(struct span a, struct span b);

/* Index of the first c in s, or s.len. */
size_t span_find(struct span s, char c);

/*
 * Reads a decimal number without sign, space or leading plus. False when s is anything else or the
 * number is above max; then *out is unchanged.
 */
bool span_to_u64(struct span s, uint64_t max, uint64_t *out);

/* A NUL-terminated copy that the caller frees. Aborts when memory is gone. */
char *span_dup(struct span s);

#endif
