/* buf - see buf.h. Growth doubles, so appending n bytes one by one costs O(n). */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

enum { BUF_FIRST_ROOM = 64 };

void buf_init(struct buf *buf, size_t max_len)
{
    *buf = (struct buf){.max_len = max_len};
}

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    buf_init(buf, buf->max_len);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t n)
{
    if (buf->overflow || n > buf->max_len - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    size_t need = buf->len + n + 1;
    if (need > buf->room) {
        size_t room = buf->room ? buf->room : BUF_FIRST_ROOM;
        while (room < need)
            room *= 2;
        buf->ptr = check_alloc(realloc(buf->ptr, room));
        buf->room = room;
    }
    buf->ptr[buf->len + n] = '\0';
    return buf->ptr + buf->len;
}

bool buf_add(struct buf *buf, struct span bytes)
{
    char *at = buf_reserve(buf, bytes.len);
    if (!at)
        return false;
    if (bytes.len)
        memcpy(at, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    return true;
}

bool buf_add_str(struct buf *buf, const char *text)
{
    return buf_add(buf, span_of(text));
}

bool buf_add_char(struct buf *buf, char c)
{
    return buf_add(buf, (struct span){&c, 1});
}

bool buf_add_u64(struct buf *buf, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return buf_add(buf, (struct span){digits + at, sizeof digits - at});
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(n >= 0);
    char *at = buf_reserve(buf, (size_t)n);
    if (at) {
        (void)vsnprintf(at, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    return at != NULL;
}

char *buf_take(struct buf *buf)
{
    if (!buf->ptr)
        return span_dup((struct span){NULL, 0});
    char *bytes = buf->ptr;
    buf_init(buf, buf->max_len);
    return bytes;
}
