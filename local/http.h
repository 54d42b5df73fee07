/* http - what an HTTP request says. All spans live as long as the request. One thread. */
#ifndef LOCAL_HTTP_H
#define LOCAL_HTTP_H

#include "base/span.h"

struct evhttp_request;

/* "GET", "POST", ...; "method" for one that HTTP does not know. */
struct span http_method(struct evhttp_request *req);

/* The target's path, at least "/", and its query without the '?'. */
void http_target(struct evhttp_request *req, struct span *path, struct span *query);

/* The value of a header, or NULL. */
const char *http_header(struct evhttp_request *req, const char *name);

/* The body, which the caller may change. */
char *http_body(struct evhttp_request *req, size_t *len);

/* Whether it is a call of cloud API 3.0 by its headers (CMQ.md 8.1). */
bool http_is_api3(struct evhttp_request *req);

/* Whether a web page on another site may have caused the request. */
bool http_is_from_page(struct evhttp_request *req);

#endif
