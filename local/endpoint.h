/*
 * endpoint - where an http subscription's messages are posted
 *
 * "http://HOST[:PORT][/PATH][?QUERY]" (RFC 3986; CMQ.md 4, 6), HOST a name, an IPv4 address or an
 * IPv6 address in brackets. No user, no fragment. Pure; any thread.
 */
#ifndef LOCAL_ENDPOINT_H
#define LOCAL_ENDPOINT_H

#include "base/err.h"
#include "base/span.h"
#include "cmq/limits.h"

enum { ENDPOINT_MAX_HOST = 253 };

struct endpoint {
    char host[ENDPOINT_MAX_HOST + 1];           /* without brackets */
    char authority[CMQ_MAX_ENDPOINT_BYTES + 1]; /* HOST[:PORT] as written, for the Host header */
    char target[CMQ_MAX_ENDPOINT_BYTES + 2];    /* at least "/" */
    uint16_t port;
    bool by_name; /* host is not an address */
    bool tls;     /* https:// */
};

/* False and err, and *out undefined, when url has another form. */
MUST_CHECK bool endpoint_parse(struct span url, struct endpoint *out, struct err *err);

#endif
