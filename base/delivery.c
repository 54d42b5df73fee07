/* delivery - see delivery.h. */
#include "base/delivery.h"

#include "base/check.h"

/* Copies s to *at, moves *at behind it, and returns the copy. */
static struct span put(char **at, struct span s)
{
    struct span copy = {*at, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

struct delivery *delivery_new(struct span rule, struct span destination, struct span body)
{
    struct delivery *d = check_alloc(malloc(sizeof *d + rule.len + destination.len + body.len));
    char *at = (char *)(d + 1);
    *d = (struct delivery){0};
    d->rule = put(&at, rule);
    d->destination = put(&at, destination);
    d->body = put(&at, body);
    return d;
}

size_t delivery_bytes(const struct delivery *delivery)
{
    return sizeof *delivery + delivery->rule.len + delivery->destination.len + delivery->body.len;
}

struct dead_letter *dead_letter_new(struct span rule, struct span reason, struct span destination,
                                    struct span origin, struct span body)
{
    struct dead_letter *d = check_alloc(
        malloc(sizeof *d + rule.len + reason.len + destination.len + origin.len + body.len));
    char *at = (char *)(d + 1);
    *d = (struct dead_letter){0};
    d->rule = put(&at, rule);
    d->reason = put(&at, reason);
    d->destination = put(&at, destination);
    d->origin = put(&at, origin);
    d->body = put(&at, body);
    return d;
}

size_t dead_letter_bytes(const struct dead_letter *letter)
{
    return sizeof *letter + letter->rule.len + letter->reason.len + letter->destination.len +
           letter->origin.len + letter->body.len;
}
