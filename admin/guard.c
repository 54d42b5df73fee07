/* guard - see guard.h. The mutex guards the token. */
#include "admin/guard.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

struct guard {
    char *host; /* of the listener, without its port */
    bool wants_token;
    pthread_mutex_t mutex;
    char *token;
};

/* ---- hosts ---- */

/* "HOST", "HOST:PORT", "[IPv6]:PORT": the host, without brackets; empty when it is none of these.
 */
static struct span host_of(struct span text)
{
    static const struct span none = {"", 0};
    struct span host, port;
    if (span_starts(text, "[")) {
        size_t end = span_find(text, ']');
        if (end == text.len)
            return none;
        host = span_slice(text, 1, end - 1);
        port = span_slice(text, end + 1, text.len);
    } else {
        host = span_slice(text, 0, span_find(text, ':'));
        port = span_slice(text, host.len, text.len);
    }
    uint64_t number;
    if (port.len > 0 &&
        (port.ptr[0] != ':' || !span_to_u64(span_slice(port, 1, port.len), 65535, &number)))
        return none;
    return host;
}

static bool same_name(struct span a, struct span b)
{
    return a.len == b.len && a.len > 0 && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static bool is_loopback(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (same_name(host, span_of("localhost")))
        return true;
    if (host.len >= sizeof text || span_find(host, '\0') < host.len)
        return false;
    if (host.len > 0)
        memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool host_ok(const struct guard *guard, struct span host)
{
    host = host_of(host);
    return guard->wants_token || is_loopback(host) || same_name(host, span_of(guard->host));
}

/* Of a browser's request: whether it comes from a page of ours. Others send neither header. */
static bool origin_ok(const struct guard_request *request)
{
    struct span origin = request->origin, site = request->fetch_site;
    if (site.ptr && !span_eq_str(site, "same-origin") && !span_eq_str(site, "none"))
        return false;
    if (!origin.ptr)
        return true;
    size_t scheme = span_starts(origin, "http://")    ? strlen("http://")
                    : span_starts(origin, "https://") ? strlen("https://")
                                                      : 0;
    return scheme > 0 && same_name(span_slice(origin, scheme, origin.len), request->host);
}

/* ---- tokens ---- */

static struct span bearer(struct span authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t len = strlen(scheme);
    if (authorization.len < len || strncasecmp(authorization.ptr, scheme, len) != 0)
        return (struct span){"", 0};
    struct span token = span_slice(authorization, len, authorization.len);
    while (span_starts(token, " "))
        token = span_slice(token, 1, token.len);
    return token;
}

/* Takes as long as what was shown is long, whatever the token is. */
static bool same_secret(struct span shown, struct span secret)
{
    volatile unsigned char differ = shown.len != secret.len;
    for (size_t i = 0; i < shown.len; i++)
        differ |= (unsigned char)(shown.ptr[i] ^ secret.ptr[i % secret.len]);
    return differ == 0;
}

bool guard_knows(struct guard *guard, const struct guard_request *request)
{
    if (!guard->wants_token)
        return true;
    pthread_mutex_lock(&guard->mutex);
    struct span token = span_of(guard->token);
    bool same = token.len > 0 && same_secret(bearer(request->authorization), token);
    pthread_mutex_unlock(&guard->mutex);
    return same;
}

enum guard_answer guard_judge(struct guard *guard, const struct guard_request *request, bool open)
{
    if (!host_ok(guard, request->host))
        return GUARD_HOST;
    if (!origin_ok(request))
        return GUARD_ORIGIN;
    return open || guard_knows(guard, request) ? GUARD_PASS : GUARD_TOKEN;
}

/* ---- life ---- */

struct guard *guard_new(const char *listen, struct span token)
{
    struct guard *guard = check_alloc(calloc(1, sizeof *guard));
    guard->host = span_dup(host_of(span_of(listen)));
    guard->wants_token = token.len > 0;
    guard->token = span_dup(token);
    CHECK(pthread_mutex_init(&guard->mutex, NULL) == 0);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_destroy(&guard->mutex);
    free(guard->token);
    free(guard->host);
    free(guard);
}

void guard_change_token(struct guard *guard, struct span token)
{
    char *copy = span_dup(token);
    pthread_mutex_lock(&guard->mutex);
    char *old = guard->token;
    guard->token = copy;
    pthread_mutex_unlock(&guard->mutex);
    free(old);
}
