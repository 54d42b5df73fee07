/*
 * pump - the one thread that owns every HTTP request, every timer and whoever lives on it
 *
 * A curl_multi loop. Work from other threads comes in by pump_post; everything else here is called
 * on the pump's thread only (or before pump_start, or by the thread that runs pump_run). Callbacks
 * run on the pump's thread, one at a time, and must not block. No call here calls back before it
 * returns, but for pump_cancel and pump_stop. The program ignores SIGPIPE. Proxies are taken from
 * the environment, as libcurl does (http_proxy, https_proxy, no_proxy).
 */
#ifndef CMQ_PUMP_H
#define CMQ_PUMP_H

#include "base/buf.h"
#include "base/err.h"

struct pump;

struct pump *pump_new(struct err *err);

/* Starts the thread. */
MUST_CHECK bool pump_start(struct pump *pump, struct err *err);

/*
 * Instead of a thread: runs the loop on this one until *stop is true (set by a callback). For the
 * command line.
 */
void pump_run(struct pump *pump, const bool *stop);

/*
 * Ends the loop and joins the thread, then runs what was posted and ends the transfers under way,
 * each with its callback (status 0), on the calling thread, until there is neither; so a callback
 * must not answer each end with a new start. Timers do not fire any more. Any thread but the
 * pump's; afterwards the pump is the caller's own. Also after pump_run, and more than once.
 */
void pump_stop(struct pump *pump);
/* NULL is fine; not while started. Ends what was begun since pump_stop in the same way. */
void pump_free(struct pump *pump);

/*
 * Runs fn(ctx) on the pump's thread, soon, in order; exactly once, by pump_stop at the latest. Any
 * thread; never waits.
 */
void pump_post(struct pump *pump, void (*fn)(void *ctx), void *ctx);

/*
 * Runs fn(ctx) on the pump's thread and waits for its end. Any thread but the pump's, while it is
 * started and nobody stops it.
 */
void pump_call(struct pump *pump, void (*fn)(void *ctx), void *ctx);

/* A timer: embedded in its owner, zero-initialised. */
struct pump_timer {
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ms; /* clock_mono_ms; the pump's */
    size_t place;   /* in the pump's heap, 1-based; 0: not set */
};

/* Sets or moves the timer to fire once, delay_ms from now (at least 0). */
void pump_timer_set(struct pump *pump, struct pump_timer *timer, int64_t delay_ms);
/* Forgets it; fine when it is not set. Required before its owner goes away. */
void pump_timer_clear(struct pump *pump, struct pump_timer *timer);

struct pump_tls {
    const char *ca; /* PEM file; NULL or "": the system's */
    bool verify;
};

/* One HTTP exchange, described. Strings and bytes are borrowed until pump_transfer returns. */
struct pump_request {
    const char *url;
    struct span body;           /* POSTed */
    const char *const *headers; /* NULL-ended; NULL: only a form's Content-Type */
    int64_t timeout_ms;         /* the whole exchange */
    size_t max_reply_bytes;     /* more than that ends it with status 0 */
    const struct pump_tls *tls; /* NULL: the system's certificates, verified */
};

struct pump_result {
    int http_status;   /* 0: no answer */
    struct span body;  /* valid during the callback */
    int64_t date_s;    /* the Date header as Unix seconds; 0: none */
    const char *error; /* when http_status is 0: one line for people; else NULL */
    bool cancelled;    /* status 0: by pump_cancel or pump_stop */
    bool connected;    /* status 0: whether the request may have reached the server; else true */
};

typedef void (*pump_done_fn)(void *ctx, const struct pump_result *result);

/*
 * Starts an exchange over a kept-alive connection where there is one; always ends with exactly one
 * call of done. Returns a handle for pump_cancel, valid until done is called.
 */
struct pump_transfer;
struct pump_transfer *pump_transfer(struct pump *pump, const struct pump_request *request,
                                    pump_done_fn done, void *ctx);

/* Ends an exchange now; done is called with status 0 before this returns. Not from its own done. */
void pump_cancel(struct pump *pump, struct pump_transfer *transfer);

/* Exchanges under way. */
size_t pump_in_flight(const struct pump *pump);

#endif
