/*
 * jsonview - see jsonview.h
 *
 * One strict pass (jsonview_check.c) accepts the text; everything here trusts that pass and only
 * finds its way along brackets and quotes.
 */
#include "mapping/jsonview_parts.h"

#include "base/json.h"

static enum jsonview_kind kind_of(char first)
{
    switch (first) {
    case '"':
        return JSONVIEW_STRING;
    case '{':
        return JSONVIEW_OBJECT;
    case '[':
        return JSONVIEW_ARRAY;
    case 't':
    case 'f':
        return JSONVIEW_BOOL;
    case 'n':
        return JSONVIEW_NULL;
    default:
        return JSONVIEW_NUMBER;
    }
}

bool jsonview_parse(struct span text, int max_depth, struct jsonview *view)
{
    *view = (struct jsonview){0};
    struct span value;
    if (!jsonview_check(text, max_depth, &value))
        return false;
    *view = (struct jsonview){kind_of(value.ptr[0]), value};
    return true;
}

struct jsonview jsonview_payload(struct jsonview_once *once, struct span payload)
{
    if (!once->tried) {
        once->tried = true;
        jsonview_parse(payload, JSONVIEW_MAX_DEPTH, &once->view);
    }
    return once->view;
}

/* From here on the text was checked. */

/* Behind the closing quote of the string at p. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
    }
    return p < end ? p + 1 : end;
}

static const char *value_end(const char *p, const char *end)
{
    if (*p == '"')
        return string_end(p, end);
    if (*p != '{' && *p != '[') {
        while (p < end && *p != ',' && !jsonview_is_space(*p) && *p != '}' && *p != ']')
            p++;
        return p;
    }
    size_t depth = 0;
    do {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p++;
    } while (depth > 0 && p < end);
    return p;
}

/* Takes the value behind the white space and the one separator that may stand before it. */
static struct jsonview take_view(const char **at, const char *end)
{
    const char *p = *at;
    while (p < end && (jsonview_is_space(*p) || *p == ',' || *p == ':'))
        p++;
    if (p == end)
        return (struct jsonview){0};
    *at = value_end(p, end);
    return (struct jsonview){kind_of(*p), {p, (size_t)(*at - p)}};
}

bool jsonview_next(struct jsonview in, size_t *at, struct jsonview *key, struct jsonview *value)
{
    if (in.kind != JSONVIEW_ARRAY && in.kind != JSONVIEW_OBJECT)
        return false;
    const char *p = in.text.ptr + (*at ? *at : 1), *end = in.text.ptr + in.text.len - 1;
    *key = (struct jsonview){0};
    if (in.kind == JSONVIEW_OBJECT)
        *key = take_view(&p, end);
    *value = take_view(&p, end);
    *at = (size_t)(p - in.text.ptr);
    return value->kind != JSONVIEW_NONE;
}

struct span jsonview_padded(struct jsonview member)
{
    /* A member stands between ':' and ',' or '}', so neither loop leaves the object. */
    const char *from = member.text.ptr, *to = from + member.text.len;
    while (jsonview_is_space(from[-1]))
        from--;
    while (jsonview_is_space(*to))
        to++;
    return (struct span){from, (size_t)(to - from)};
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (unsigned)jsonview_hex(p[i]);
    return v;
}

static size_t put_utf8(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00U >> n & 0xF0) | c);
    return n;
}

/* Decodes the escape whose backslash is at *i; 0 when it is half of a surrogate pair. */
static size_t take_escape(struct span in, size_t *i, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = in.ptr[*i + 1];
    *i += 2;
    if (c != 'u') {
        out[0] = to[strchr(from, c) - from];
        return 1;
    }
    unsigned code = hex4(in.ptr + *i);
    *i += 4;
    if (code < 0xD800 || code > 0xDFFF)
        return put_utf8(code, out);
    if (code > 0xDBFF || in.len - *i < 6 || in.ptr[*i] != '\\' || in.ptr[*i + 1] != 'u')
        return 0;
    unsigned low = hex4(in.ptr + *i + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *i += 6;
    return put_utf8(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), out);
}

bool jsonview_text(struct jsonview string, struct buf *store, struct span *text)
{
    if (string.kind != JSONVIEW_STRING)
        return false;
    struct span in = span_slice(string.text, 1, string.text.len - 2);
    if (span_find(in, '\\') == in.len) {
        *text = in;
        return true;
    }
    size_t start = store->len, i = 0;
    while (i < in.len) {
        size_t plain = span_find(span_slice(in, i, in.len), '\\');
        buf_add(store, span_slice(in, i, plain));
        i += plain;
        if (i == in.len)
            break;
        char bytes[4];
        size_t n = take_escape(in, &i, bytes);
        if (n == 0)
            return false;
        buf_add(store, span_make(bytes, n));
    }
    *text = span_slice(buf_span(store), start, store->len);
    return !store->overflow;
}

/* The character of a pointer's token at *k: "~0" is '~', "~1" is '/'. */
static char token_char(struct span token, size_t *k)
{
    char c = token.ptr[(*k)++];
    if (c == '~')
        c = token.ptr[(*k)++] == '1' ? '/' : '~';
    return c;
}

/* Whether a member's name is the name; of a pointer's token, with its escapes. */
static bool key_is(struct jsonview key, struct span name, bool token)
{
    struct span in = span_slice(key.text, 1, key.text.len - 2);
    if (span_find(in, '\\') == in.len && (!token || span_find(name, '~') == name.len))
        return span_eq(in, name);
    size_t i = 0, k = 0;
    while (i < in.len) {
        char bytes[4] = {in.ptr[i]};
        size_t n = 1;
        if (bytes[0] == '\\') {
            n = take_escape(in, &i, bytes);
        } else {
            i++;
        }
        if (n == 0)
            return false;
        for (size_t b = 0; b < n; b++) {
            if (k == name.len || bytes[b] != (token ? token_char(name, &k) : name.ptr[k++]))
                return false;
        }
    }
    return k == name.len;
}

static bool member(struct jsonview object, struct span name, bool token, struct jsonview *value)
{
    struct jsonview key;
    size_t at = 0;
    while (object.kind == JSONVIEW_OBJECT && jsonview_next(object, &at, &key, value)) {
        if (key_is(key, name, token))
            return true;
    }
    return false;
}

bool jsonview_member(struct jsonview object, struct span name, struct jsonview *value)
{
    return member(object, name, false, value);
}

static bool element(struct jsonview array, struct span token, struct jsonview *value)
{
    uint64_t index;
    if ((token.len > 1 && token.ptr[0] == '0') || !span_to_u64(token, UINT32_MAX, &index))
        return false;
    struct jsonview key;
    size_t at = 0;
    while (jsonview_next(array, &at, &key, value)) {
        if (index-- == 0)
            return true;
    }
    return false;
}

bool jsonview_pointer_ok(struct span pointer)
{
    if (pointer.len > 0 && pointer.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.len; i++) {
        if (pointer.ptr[i] == '~' &&
            (i + 1 == pointer.len || (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1')))
            return false;
    }
    return utf8_valid(pointer);
}

bool jsonview_at(struct jsonview root, struct span pointer, struct jsonview *value)
{
    *value = root;
    while (pointer.len > 0) {
        pointer = span_slice(pointer, 1, pointer.len);
        struct span token = span_slice(pointer, 0, span_find(pointer, '/'));
        pointer = span_slice(pointer, token.len, pointer.len);
        struct jsonview in = *value;
        bool found =
            in.kind == JSONVIEW_ARRAY ? element(in, token, value) : member(in, token, true, value);
        if (!found)
            return false;
    }
    return value->kind != JSONVIEW_NONE;
}
