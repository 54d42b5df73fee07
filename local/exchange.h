/*
 * exchange - a request that is not answered at once
 *
 * A poll that stands in its queue's line, a request that the script delays, or a connection that is
 * to be closed instead of an answer. It ends when its time is up or its client goes away; both are
 * told to the owner of the set. One thread.
 */
#ifndef LOCAL_EXCHANGE_H
#define LOCAL_EXCHANGE_H

#include "local/call.h"
#include "local/queue.h"

struct event;
struct event_base;
struct evhttp_request;

enum exchange_kind { EXCHANGE_POLL, EXCHANGE_DELAY, EXCHANGE_DROP };

struct exchange {
    struct queue_waiter waiter; /* first, so that it leads back here */
    struct exchange *prev;
    struct exchange *next;
    struct exchange_set *set;
    struct evhttp_request *req;
    struct event *event; /* the socket and the time limit */
    enum exchange_kind kind;
    bool late_drop;
    int64_t began_ms; /* monotonic, as all times here */
    int64_t due_ms;
    struct call call;
    char *text; /* EXCHANGE_DELAY: the form as it came */
    size_t len;
};

struct exchange_set {
    struct event_base *base;
    void *ctx;
    void (*due)(struct exchange *exchange);  /* its time is up; must end or drop it */
    void (*gone)(struct exchange *exchange); /* its client left; must drop it */
    struct exchange *first;
};

/* Adds an exchange for req, with a copy of call, whose time is up after wait_ms. Never NULL. */
struct exchange *exchange_new(struct exchange_set *set, struct evhttp_request *req,
                              enum exchange_kind kind, const struct call *call, int64_t began_ms,
                              int64_t wait_ms);

/* Ends an exchange and leaves its line, but neither answers its request nor frees its text. */
void exchange_end(struct exchange *exchange);

/* Ends an exchange, frees its text, and closes its connection, which frees the request. */
void exchange_drop(struct exchange *exchange);

/* Whether the client has closed its side or the connection is broken, asked of the system now. */
bool exchange_is_gone(const struct exchange *exchange);

#endif
