/*
 * backoff - how long to wait before trying again
 *
 * Capped exponential with full jitter: the n-th wait is drawn evenly from [0, min(cap, first *
 * 2^(n-1))], so that many who failed together do not come back together. The caller owns the
 * struct and serialises calls.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t cap_ms;
    unsigned failures; /* in a row; backoff_reset sets it to 0 */
};

/* Counts one more failure and returns the wait in milliseconds, at least 1. */
int64_t backoff_next(struct backoff *backoff);

static inline void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}

#endif
