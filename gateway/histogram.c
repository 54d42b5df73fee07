/* histogram - see histogram.h. */
#include "gateway/histogram.h"

#include <math.h>

void histogram_add(struct histogram *histogram, uint64_t value)
{
    const struct histogram_scale *scale = histogram->scale;
    size_t i = 0;
    while (i < scale->count && value > scale->bounds[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

void histogram_read(const struct histogram *histogram, struct histogram_shot *shot)
{
    *shot = (struct histogram_shot){.scale = histogram->scale};
    for (size_t i = 0; i <= histogram->scale->count; i++) {
        shot->buckets[i] = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        shot->count += shot->buckets[i];
    }
    shot->sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

double histogram_quantile(const struct histogram_shot *shot, double q)
{
    if (shot->count == 0)
        return NAN;
    const struct histogram_scale *scale = shot->scale;
    double wanted = q * (double)shot->count, below = 0;
    for (size_t i = 0; i < scale->count; i++) {
        double here = (double)shot->buckets[i];
        if (here > 0 && below + here >= wanted) {
            double from = i > 0 ? (double)scale->bounds[i - 1] : 0;
            double to = (double)scale->bounds[i];
            return from + (to - from) * (wanted > below ? (wanted - below) / here : 0);
        }
        below += here;
    }
    return (double)scale->bounds[scale->count - 1];
}

double histogram_mean(const struct histogram_shot *shot)
{
    return shot->count ? (double)shot->sum / (double)shot->count : NAN;
}
