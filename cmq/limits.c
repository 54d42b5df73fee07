/* limits - see limits.h. */
#include "cmq/limits.h"

#include "base/json.h"

static bool refuse(const char **why, const char *text)
{
    if (why)
        *why = text;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool ends_in(struct span s, const char *suffix)
{
    size_t len = strlen(suffix);
    return s.len >= len && memcmp(s.ptr + s.len - len, suffix, len) == 0;
}

bool cmq_name_ok(struct span name, const char **why)
{
    if (name.len == 0)
        return refuse(why, "a name must not be empty");
    if (name.len > CMQ_MAX_NAME_BYTES)
        return refuse(why, "a name has at most 64 characters");
    if (!is_letter(name.ptr[0]))
        return refuse(why, "a name begins with a letter");
    for (size_t i = 1; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return refuse(why, "a name has only letters, digits, '-' and '_'");
    }
    if (ends_in(name, "-retry") || ends_in(name, "-dlq"))
        return refuse(why, "a name must not end in \"-retry\" or \"-dlq\"");
    return true;
}

bool cmq_tag_ok(struct span tag, const char **why)
{
    if (tag.len == 0)
        return refuse(why, "a tag must not be empty");
    if (!utf8_valid(tag))
        return refuse(why, "a tag must be valid UTF-8");
    if (span_find(tag, '\0') < tag.len)
        return refuse(why, "a tag must not contain NUL");
    size_t chars = 0;
    for (size_t i = 0; i < tag.len; i++)
        chars += ((unsigned char)tag.ptr[i] & 0xC0) != 0x80; /* not a continuation byte */
    if (chars > CMQ_MAX_TAG_CHARS)
        return refuse(why, "a tag has at most 16 characters");
    return true;
}

bool cmq_route_ok(struct span route, const char **why)
{
    if (route.len > CMQ_MAX_ROUTE_BYTES)
        return refuse(why, "a routing or binding key has at most 64 bytes");
    if (!utf8_valid(route))
        return refuse(why, "a routing or binding key must be valid UTF-8");
    size_t dots = 0;
    for (size_t i = 0; i < route.len; i++) {
        if (route.ptr[i] == '\0')
            return refuse(why, "a routing or binding key must not contain NUL");
        dots += route.ptr[i] == '.';
    }
    if (dots > CMQ_MAX_ROUTE_DOTS)
        return refuse(why, "a routing or binding key has at most 15 dots");
    return true;
}

bool cmq_binding_key_ok(struct span key, const char **why)
{
    if (key.len == 0)
        return refuse(why, "a binding key must not be empty");
    return cmq_route_ok(key, why);
}
