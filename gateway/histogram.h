/*
 * histogram - how values are spread, in fixed buckets
 *
 * Values are whole numbers of a small unit (microseconds, messages). Adding one is two relaxed
 * atomic additions and a short search; any thread.
 */
#ifndef GATEWAY_HISTOGRAM_H
#define GATEWAY_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_MAX_BOUNDS = 20 };

/* The buckets' upper bounds, growing; each includes itself. */
struct histogram_scale {
    uint64_t bounds[HISTOGRAM_MAX_BOUNDS];
    size_t count;
};

struct histogram { /* zero is empty, but for its scale */
    const struct histogram_scale *scale;
    _Atomic uint64_t buckets[HISTOGRAM_MAX_BOUNDS + 1]; /* the last: above all bounds */
    _Atomic uint64_t sum;
};

struct histogram_shot { /* as of a moment, not all at once */
    const struct histogram_scale *scale;
    uint64_t buckets[HISTOGRAM_MAX_BOUNDS + 1];
    uint64_t sum, count;
};

void histogram_add(struct histogram *histogram, uint64_t value);

void histogram_read(const struct histogram *histogram, struct histogram_shot *shot);

/*
 * About which value the part q (0 to 1) of all is not above, as if a bucket's were spread evenly;
 * of those above all bounds, the highest bound. NaN when there are none.
 */
double histogram_quantile(const struct histogram_shot *shot, double q);

/* NaN when there are none. */
double histogram_mean(const struct histogram_shot *shot);

#endif
