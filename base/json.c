/* json - see json.h. */
#include "base/json.h"

/* Length of the well-formed UTF-8 sequence at s.ptr[at], or 0. RFC 3629 s. 4. */
static size_t sequence_len(struct span s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.ptr + at;
    size_t left = s.len - at;
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t n = lead >= 0xC2 && lead <= 0xDF   ? 2
               : (lead & 0xF0) == 0xE0        ? 3
               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                              : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((lead == 0xE0 && p[1] < 0xA0) || (lead == 0xED && p[1] > 0x9F) ||
        (lead == 0xF0 && p[1] < 0x90) || (lead == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

/* How many bytes from at on are ASCII for sure: whole words, since most text is nothing else. */
static size_t ascii_words(struct span s, size_t at)
{
    size_t n = 0;
    uint64_t word;
    while (s.len - at - n >= sizeof word) {
        memcpy(&word, s.ptr + at + n, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
        n += sizeof word;
    }
    return n;
}

bool utf8_valid(struct span s)
{
    size_t at = 0;
    while (at < s.len) {
        at += ascii_words(s, at);
        if (at == s.len)
            break;
        size_t n = sequence_len(s, at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

static bool escape_one(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        return buf_add_str(out, "\\\"");
    case '\\':
        return buf_add_str(out, "\\\\");
    case '\n':
        return buf_add_str(out, "\\n");
    case '\r':
        return buf_add_str(out, "\\r");
    case '\t':
        return buf_add_str(out, "\\t");
    default: {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        return buf_add(out, span_make(text, sizeof text));
    }
    }
}

bool json_escape(struct buf *out, struct span s)
{
    size_t at = 0, plain = 0; /* [plain, at) waits to be copied as it is */
    while (at < s.len) {
        unsigned char c = (unsigned char)s.ptr[at];
        size_t n = c < 0x80 ? 1 : sequence_len(s, at);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            at += n;
            continue;
        }
        buf_add(out, span_slice(s, plain, at - plain));
        escape_one(out, c);
        plain = ++at;
    }
    return buf_add(out, span_slice(s, plain, at - plain));
}

bool json_string(struct buf *out, struct span s)
{
    buf_add_char(out, '"');
    json_escape(out, s);
    return buf_add_char(out, '"');
}
