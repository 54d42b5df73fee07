/*
 * pusher - makes the tries of pushes: an HTTP client on libevent's evhttp (CMQ.md 6)
 *
 * Each try is one POST over a connection of its own. What counts is the status of the answer: 2xx
 * within the time is success; a redirect, any other status, a broken connection and silence are
 * failures. Nothing blocks, the resolving of names included. One thread.
 */
#ifndef LOCAL_PUSHER_H
#define LOCAL_PUSHER_H

#include "local/push.h"

struct event_base;

struct pusher_options {
    struct event_base *base;
    struct push_hub *hub;
    int64_t timeout_ms; /* of a try, from connecting to the end of the answer */
    void *ctx;
    int64_t (*now)(void *ctx);  /* the time as the hub knows it */
    void (*settled)(void *ctx); /* a try has ended: call pusher_run, and mind push_next_due */
};

struct pusher;

struct pusher *pusher_new(const struct pusher_options *options);

/* Begins all tries that can begin now. How they end is told later, never from within. */
void pusher_run(struct pusher *pusher);

/* Breaks off the tries of what has been forgotten meanwhile. For after a reset. */
void pusher_sweep(struct pusher *pusher);

/* Breaks off all tries; they count as failed. NULL is fine. */
void pusher_free(struct pusher *pusher);

#endif
