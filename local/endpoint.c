/* endpoint - see endpoint.h. */
#include "local/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>

/* Whether c is a letter, a digit or one of others. */
static bool is_word_or(const char *others, char c)
{
    return isascii(c) && c != '\0' && (isalnum((unsigned char)c) || strchr(others, c));
}

static bool host_ok(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (!is_word_or("-._", host.ptr[i]))
            return false;
    }
    return host.len > 0 && host.len <= ENDPOINT_MAX_HOST;
}

/* Whether target has only what RFC 3986 s. 3.3 and 3.4 allow in a path and a query. */
static bool target_ok(struct span target)
{
    for (size_t i = 0; i < target.len; i++) {
        char c = target.ptr[i];
        if (c == '%') {
            struct span hex = span_slice(target, i + 1, 2);
            if (hex.len < 2 || !isxdigit((unsigned char)hex.ptr[0]) ||
                !isxdigit((unsigned char)hex.ptr[1]))
                return false;
        } else if (!is_word_or("-._~!$&'()*+,;=:@/?", c)) {
            return false;
        }
    }
    return true;
}

/* Reads "HOST[:PORT]". */
static bool read_authority(struct span authority, struct endpoint *out)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool bracket = span_starts(authority, "[");
    size_t end = bracket ? span_find(authority, ']') : span_find(authority, ':');
    struct span host = span_slice(authority, bracket, end - bracket);
    struct span port = span_slice(authority, end + bracket, authority.len);
    if (host.len > ENDPOINT_MAX_HOST || (bracket && end == authority.len))
        return false;
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    if (bracket ? inet_pton(AF_INET6, out->host, address) != 1 : !host_ok(host))
        return false;
    out->by_name = !bracket && inet_pton(AF_INET, out->host, address) != 1;
    uint64_t number = out->tls ? 443 : 80;
    if (port.len > 0 &&
        (port.ptr[0] != ':' || !span_to_u64(span_slice(port, 1, port.len), UINT16_MAX, &number) ||
         number == 0))
        return false;
    out->port = (uint16_t)number;
    memcpy(out->authority, authority.ptr, authority.len);
    out->authority[authority.len] = '\0';
    return true;
}

bool endpoint_parse(struct span url, struct endpoint *out, struct err *err)
{
    out->tls = span_starts(url, "https://");
    size_t scheme = strlen(out->tls ? "https://" : "http://");
    if (!out->tls && !span_starts(url, "http://"))
        return err_set(err, "the url must begin with http:// or https://");
    if (url.len > CMQ_MAX_ENDPOINT_BYTES)
        return err_set(err, "the url has more than %d characters", CMQ_MAX_ENDPOINT_BYTES);
    struct span rest = span_slice(url, scheme, url.len);
    size_t slash = span_find(rest, '/'), mark = span_find(rest, '?');
    struct span authority = span_slice(rest, 0, slash < mark ? slash : mark);
    struct span target = span_slice(rest, authority.len, rest.len);
    if (!read_authority(authority, out)) {
        return err_set(err, "the url names no host and port: \"%.*s\"",
                       SPAN_ARG(span_slice(authority, 0, 100)));
    }
    if (!target_ok(target)) {
        return err_set(err, "the url has a path or query of wrong form: \"%.*s\"",
                       SPAN_ARG(span_slice(target, 0, 100)));
    }
    size_t at = 0;
    if (!span_starts(target, "/"))
        out->target[at++] = '/';
    if (target.len)
        memcpy(out->target + at, target.ptr, target.len);
    out->target[at + target.len] = '\0';
    return true;
}
