/*
 * http - a small HTTP/1.1 listener whose answers may come later
 *
 * It reads whole requests and hands each to one handler, which answers at once or has somebody
 * answer later, from any thread. It stands in the open, so everything has a bound: connections,
 * those of one address, headers, a body, all bodies together, and the time that a client may take.
 * What breaks a bound or is no HTTP is answered (413, 431, 503, ...) or cut off without the handler
 * hearing of it.
 *
 * Threads: a listener has one thread of its own, which runs the handler, and which the handler
 * must therefore not block. http_reply may be called by any thread. One thread makes, stops and
 * frees the listener.
 */
#ifndef ADMIN_HTTP_H
#define ADMIN_HTTP_H

#include "base/err.h"
#include "base/span.h"

enum { HTTP_MAX_HEADER_BYTES = 16 << 10, HTTP_MAX_REPLY_HEADERS = 8 };

struct http_listener;

/* One request. Whoever was handed it owes it one http_reply. */
struct http_request;

/* Hands over a request that was read to its end. */
typedef void (*http_handler_fn)(void *ctx, struct http_request *request);

/*
 * Asked when the headers of a request with a body are there: whether the body is worth keeping.
 * If not, it is read and thrown away, whatever its size, and the handler sees an empty one: so only
 * those who may ask for something can have us keep their bytes.
 */
typedef bool (*http_wants_body_fn)(void *ctx, const struct http_request *request);

struct http_options {
    const char *name;                     /* of the thread */
    const char *listen;                   /* "127.0.0.1:9780", "[::1]:0"; 0: any free port */
    size_t max_body_bytes;                /* of one request; above: 413 */
    size_t max_bodies_bytes;              /* of all requests not answered yet; above: 503 */
    unsigned max_connections;             /* more have to wait for one to end */
    unsigned max_connections_per_address; /* above: closed at once; 0: no such bound */
    int64_t timeout_ms;                   /* for each step: see http_listener_new */
    http_wants_body_fn wants_body;        /* NULL: all are */
};

/*
 * Listens and starts the thread; the handler may be called before this returns. options is read
 * only during the call. A connection is closed when the headers of its next request, then the body,
 * then the taking of the answer is not complete within timeout_ms: it helps nobody to send a byte
 * now and then. While an answer is being made there is no limit; that is the handler's business.
 * NULL and err when it cannot listen.
 */
struct http_listener *http_listener_new(const struct http_options *options, http_handler_fn handler,
                                        void *ctx, struct err *err);

uint16_t http_listener_port(const struct http_listener *listener);

/*
 * Stops: no new connections, requests not answered yet get 503, answers on their way have a second
 * to arrive, then all connections are closed and the thread has ended. Afterwards the handler is
 * not called again; whoever still holds a request owes it the http_reply all the same. The second
 * call does nothing.
 */
void http_listener_stop(struct http_listener *listener);

/* Stops if need be, and frees. Every request handed over must have had its http_reply. */
void http_listener_free(struct http_listener *listener); /* NULL is fine */

/*
 * What was asked; only inside the handler or wants_body. The path and the query are decoded but for
 * "%00", which stays as it is. Of a query's argument and of a header, ptr is NULL when there is
 * none with this name; a header's name is compared without regard to case, and its value has no
 * blanks around it.
 */
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);
struct span http_query(const struct http_request *request, const char *name);
struct span http_header(const struct http_request *request, const char *name);

/* The body, empty when there is none; valid until http_reply. */
struct span http_body(const struct http_request *request);

/*
 * Adds a header to the answer to come, at most HTTP_MAX_REPLY_HEADERS of them. Borrows both strings
 * until http_reply; neither may hold a line break.
 */
void http_reply_header(struct http_request *request, const char *name, const char *value);

/*
 * Answers, exactly once, and takes the request: do not touch it any more. Copies body; content_type
 * may be NULL. Never blocks. Where the client has gone, or the listener was stopped, nothing comes
 * of it.
 */
void http_reply(struct http_request *request, unsigned status, const char *content_type,
                struct span body);

#endif
