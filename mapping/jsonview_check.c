/* jsonview_check - the strict pass over the text, RFC 8259 to the letter. */
#include "mapping/jsonview_parts.h"

#include "base/json.h"

struct reader {
    const char *at, *end;
    int max_depth;
    bool ascii; /* so far, in strings; there is nothing else outside them */
};

static void skip_space(struct reader *r)
{
    while (r->at < r->end && jsonview_is_space(*r->at))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static bool take_digits(struct reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from;
}

static bool take_number(struct reader *r)
{
    take(r, '-');
    if (!take(r, '0') && !take_digits(r))
        return false;
    if (take(r, '.') && !take_digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        return take_digits(r);
    }
    return true;
}

static bool take_hex4(struct reader *r)
{
    for (int i = 0; i < 4; i++, r->at++) {
        if (r->at == r->end || jsonview_hex(*r->at) < 0)
            return false;
    }
    return true;
}

static bool take_string(struct reader *r)
{
    static const char escapes[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
    if (!take(r, '"'))
        return false;
    while (r->at < r->end) {
        unsigned char c = (unsigned char)*r->at++;
        if (c == '"')
            return true;
        if (c < 0x20)
            return false;
        if (c >= 0x80)
            r->ascii = false;
        if (c != '\\')
            continue;
        if (take(r, 'u')) {
            if (!take_hex4(r))
                return false;
        } else if (r->at == r->end || !memchr(escapes, *r->at++, sizeof escapes)) {
            return false;
        }
    }
    return false;
}

static bool take_value(struct reader *r, int depth);

/* What follows '[' or '{', through its end. */
static bool take_items(struct reader *r, bool object, int depth)
{
    char close = object ? '}' : ']';
    skip_space(r);
    if (take(r, close))
        return true;
    do {
        skip_space(r);
        if (object) {
            if (!take_string(r))
                return false;
            skip_space(r);
            if (!take(r, ':'))
                return false;
            skip_space(r);
        }
        if (!take_value(r, depth))
            return false;
        skip_space(r);
    } while (take(r, ','));
    return take(r, close);
}

static bool take_value(struct reader *r, int depth)
{
    if (r->at == r->end)
        return false;
    switch (*r->at) {
    case '"':
        return take_string(r);
    case '{':
    case '[': {
        bool object = *r->at++ == '{';
        return depth < r->max_depth && take_items(r, object, depth + 1);
    }
    case 't':
        return take_word(r, "true");
    case 'f':
        return take_word(r, "false");
    case 'n':
        return take_word(r, "null");
    default:
        return take_number(r);
    }
}

bool jsonview_check(struct span text, int max_depth, struct span *value)
{
    CHECK(max_depth <= JSONVIEW_MAX_WRAPPED_DEPTH);
    if (text.len == 0)
        return false;
    struct reader r = {text.ptr, text.ptr + text.len, max_depth, true};
    skip_space(&r);
    const char *from = r.at;
    if (!take_value(&r, 0))
        return false;
    *value = span_make(from, (size_t)(r.at - from));
    skip_space(&r);
    return r.at == r.end && (r.ascii || utf8_valid(text));
}
