/* base64 - see base64.h. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct buf *out, struct span bytes)
{
    char *to = buf_reserve(out, BASE64_LEN(bytes.len));
    if (!to)
        return false;
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        to[0] = alphabet[v >> 18];
        to[1] = alphabet[v >> 12 & 63];
        to[2] = alphabet[v >> 6 & 63];
        to[3] = alphabet[v & 63];
    }
    if (left > 0) {
        uint32_t v = (uint32_t)from[0] << 16 | (left == 2 ? (uint32_t)from[1] << 8 : 0);
        to[0] = alphabet[v >> 18];
        to[1] = alphabet[v >> 12 & 63];
        to[2] = left == 2 ? alphabet[v >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->len += BASE64_LEN(bytes.len);
    return true;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct span text)
{
    if (text.len % 4 != 0)
        return false;
    char *to = buf_reserve(out, text.len / 4 * 3);
    if (!to)
        return false;
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < text.len; i += 4) {
        const char *q = text.ptr + i;
        bool last = i + 4 == text.len;
        size_t pad = last && q[3] == '=' ? (q[2] == '=' ? 2 : 1) : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k >= 4 - pad ? 0 : value_of(q[k]);
            ok = ok && d >= 0;
            v = v << 6 | (uint32_t)(d & 63);
        }
        ok = ok && !(pad == 1 && (v & 0xFF)) && !(pad == 2 && (v & 0xFFFF));
        to[n++] = (char)(v >> 16);
        if (pad < 2)
            to[n++] = (char)(v >> 8 & 0xFF);
        if (pad < 1)
            to[n++] = (char)(v & 0xFF);
    }
    if (ok)
        out->len += n;
    out->ptr[out->len] = '\0';
    return ok;
}
