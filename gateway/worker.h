/*
 * worker - a thread that does what may take its time, one thing after the other
 *
 * What waits is bounded. Any thread posts; one thread makes, stops and frees it.
 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

struct worker *worker_new(const char *name, size_t max_waiting);

/*
 * Runs fn(ctx, false) on the thread, later; or, when it is stopped before that, fn(ctx, true) on
 * the thread that stops it: then fn only cleans up. False, and nothing happens, when too much waits
 * or it is stopped.
 */
MUST_CHECK bool worker_post(struct worker *worker, void (*fn)(void *ctx, bool cancelled),
                            void *ctx);

/* Whether a stop is asked for: what takes long ends early. Any thread. */
bool worker_stopping(const struct worker *worker);

/* Waits for what is under way. The second call does nothing. */
void worker_stop(struct worker *worker);

void worker_free(struct worker *worker); /* stops it if need be; NULL is fine */

#endif
