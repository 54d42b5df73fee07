/*
 * push - serves CMQ's http subscriptions (RULES 4, CMQ.md 6)
 *
 * CMQ posts a message to a reverse rule's push path and takes any 2xx for "done", anything else for
 * "again later". The answer waits for the broker:
 *
 *   200  the broker has acknowledged it, or it was parked, or published before
 *   400  it is no push, or not one that can be passed on exactly
 *   404  every other path and method: nobody learns from it what path there is
 *   413  larger than any message can be
 *   500  it failed and should be pushed again
 *   503  MQTT is down, too many are under way, or the gateway stops
 *
 * Pushes carry no signature: to know the path is all the proof there is. So a path is compared in
 * the same time wherever it differs, and is never logged.
 *
 * Threads: the listener's (admin/http.h), and whichever the downlink calls back on. One thread
 * makes, stops and frees it.
 */
#ifndef GATEWAY_PUSH_H
#define GATEWAY_PUSH_H

#include "base/err.h"

#include <stdint.h>

struct config;
struct downlink;
struct push;

struct push_options {
    const struct config *config; /* its push.listen and reverse rules; held */
    struct downlink *downlink;   /* must take calls from now until push_stop has returned */
};

/* Listens, and passes on what is pushed from then on. NULL and err when it cannot listen. */
struct push *push_new(const struct push_options *options, struct err *err);

/* Goes on with the push paths of this configuration; its push.listen does not matter. */
void push_reload(struct push *push, const struct config *config);

uint16_t push_port(const struct push *push);

/*
 * Takes no more; what is not answered yet gets 503, so that CMQ pushes it again, and is recognised
 * then if it came through in the end.
 */
void push_stop(struct push *push);

/*
 * Stops it if need be. What the downlink still has of it stays until it has called back for
 * everything. NULL is fine.
 */
void push_free(struct push *push);

#endif
