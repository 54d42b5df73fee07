/* template_whole - whether what a template rendered is what its use wants */
#include "mapping/template_parts.h"

#include "cmq/limits.h"

static size_t count_chars(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static bool check_name(struct span s, struct err *err)
{
    const char *why;
    if (cmq_name_ok(s, &why))
        return true;
    if (s.len > CMQ_MAX_NAME_BYTES) {
        return err_set(err, "name_too_long: the queue's or topic's name has %zu bytes, above %d",
                       s.len, (int)CMQ_MAX_NAME_BYTES);
    }
    return err_set(err, "name_invalid: the queue's or topic's name cannot be: %s", why);
}

/* A value that begins with '@' cannot be signed so that all read it alike (CMQ.md 2.2.7). */
static bool check_route(struct span s, struct err *err)
{
    const char *why;
    if (s.len == 0)
        return err_set(err, "route_empty: nothing is left for the route");
    if (s.ptr[0] == '@')
        return err_set(err, "route_invalid: CMQ cannot carry a route that begins with '@'");
    if (cmq_route_ok(s, &why))
        return true;
    if (s.len > CMQ_MAX_ROUTE_BYTES) {
        return err_set(err, "route_too_long: the route has %zu bytes, above %d", s.len,
                       (int)CMQ_MAX_ROUTE_BYTES);
    }
    return err_set(err, "route_invalid: the route cannot be: %s", why);
}

static bool check_tag(struct span s, struct err *err)
{
    const char *why;
    if (s.len == 0)
        return err_set(err, "tag_empty: nothing is left for the tag");
    if (s.ptr[0] == '@')
        return err_set(err, "tag_invalid: CMQ cannot carry a tag that begins with '@'");
    if (cmq_tag_ok(s, &why))
        return true;
    if (count_chars(s) > CMQ_MAX_TAG_CHARS) {
        return err_set(err, "tag_too_long: the tag has %zu characters, above %d", count_chars(s),
                       (int)CMQ_MAX_TAG_CHARS);
    }
    return err_set(err, "tag_invalid: the tag cannot be: %s", why);
}

bool template_whole_ok(enum template_use use, struct span s, struct err *err)
{
    const char *why;
    switch (use) {
    case TEMPLATE_NAME:
        return check_name(s, err);
    case TEMPLATE_ROUTE:
        return check_route(s, err);
    case TEMPLATE_TAG:
        return check_tag(s, err);
    default:
        return topic_name_ok(s, &why) ||
               err_set(err, "topic_invalid: the MQTT topic cannot be: %s", why);
    }
}
