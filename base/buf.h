/*
 * buf - growable bytes with a ceiling given at birth
 *
 * A buffer never grows beyond its ceiling: the append that would do so changes nothing and sets
 * `overflow`, which stays set until buf_clear. So a run of appends needs one check at its end. The
 * bytes are always followed by a NUL that is not counted. Not thread-safe; each buffer has one
 * owner.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/check.h"
#include "base/span.h"

struct buf {
    char *ptr;      /* NULL until the first append */
    size_t len;     /* bytes in use */
    size_t room;    /* bytes allocated, the NUL included */
    size_t max_len; /* the ceiling for len */
    bool overflow;  /* an append did not fit */
};

/* An empty buffer that holds at most max_len bytes. Allocates nothing yet. */
#define BUF_INIT(max)                                                                              \
    {                                                                                              \
        .max_len = (max)                                                                           \
    }
void buf_init(struct buf *buf, size_t max_len);

/* Frees the bytes; the buffer is empty and usable again, with the same ceiling. */
void buf_fini(struct buf *buf);

/* Forgets the bytes and the overflow, keeps the memory. */
void buf_clear(struct buf *buf);

/* Appends; false (and overflow) when the ceiling is in the way. */
bool buf_add(struct buf *buf, struct span bytes);
bool buf_add_str(struct buf *buf, const char *text);
bool buf_add_char(struct buf *buf, char c);
bool buf_add_u64(struct buf *buf, uint64_t number); /* decimal */
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Makes room for n more bytes and returns where they go; the caller writes them and then adds to
 * buf->len. NULL (and overflow) when the ceiling is in the way.
 */
char *buf_reserve(struct buf *buf, size_t n);

/* What the buffer holds, valid until the next change. */
static inline struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->ptr, buf->len};
}

/* The bytes as a C string: never NULL. Valid until the next change. */
static inline const char *buf_str(const struct buf *buf)
{
    return buf->ptr ? buf->ptr : "";
}

/* Gives the bytes, NUL-terminated, to the caller, who frees them; the buffer is empty afterwards.
 */
char *buf_take(struct buf *buf);

#endif
