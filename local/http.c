/* http - see http.h. */
#include "local/http.h"

#include <event2/buffer.h>
#include <event2/http.h>

struct span http_method(struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
        return span_of("GET");
    case EVHTTP_REQ_POST:
        return span_of("POST");
    case EVHTTP_REQ_HEAD:
        return span_of("HEAD");
    case EVHTTP_REQ_PUT:
        return span_of("PUT");
    case EVHTTP_REQ_DELETE:
        return span_of("DELETE");
    case EVHTTP_REQ_OPTIONS:
        return span_of("OPTIONS");
    case EVHTTP_REQ_PATCH:
        return span_of("PATCH");
    default:
        return span_of("method");
    }
}

void http_target(struct evhttp_request *req, struct span *path, struct span *query)
{
    struct span target = span_of(evhttp_request_get_uri(req));
    if (target.len && target.ptr[0] != '/') { /* "http://host/path", as to a proxy */
        const char *host = memmem(target.ptr, target.len, "://", 3);
        struct span rest = host ? span_of(host + 3) : target;
        target = span_slice(rest, span_find(rest, '/'), rest.len);
    }
    size_t mark = span_find(target, '?');
    *path = span_slice(target, 0, mark);
    *query = span_slice(target, mark + 1, target.len);
    if (path->len == 0)
        *path = span_of("/");
}

const char *http_header(struct evhttp_request *req, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(req), name);
}

char *http_body(struct evhttp_request *req, size_t *len)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(req);
    *len = evbuffer_get_length(input);
    return (char *)evbuffer_pullup(input, -1);
}

bool http_is_api3(struct evhttp_request *req)
{
    const char *authorization = http_header(req, "Authorization");
    return http_header(req, "X-TC-Action") ||
           (authorization && span_starts(span_of(authorization), "TC3-"));
}

bool http_is_from_page(struct evhttp_request *req)
{
    const char *site = http_header(req, "Sec-Fetch-Site");
    return http_header(req, "Origin") || (site && strcmp(site, "none") != 0);
}
