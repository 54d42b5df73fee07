/*
 * prom - writes the text format that Prometheus reads, version 0.0.4
 *
 * A family is begun with prom_family, and its samples follow at once, before the next family.
 * Whatever does not fit shows as the buffer's overflow. Pure.
 */
#ifndef ADMIN_PROM_H
#define ADMIN_PROM_H

#include "base/buf.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

struct prom_label {
    const char *name; /* NULL ends a run of labels */
    struct span value;
};

/* The labels of one sample. */
#define PROM_LABELS(...)                                                                           \
    (const struct prom_label[])                                                                    \
    {                                                                                              \
        __VA_ARGS__, (struct prom_label)                                                           \
        {                                                                                          \
            .name = NULL                                                                           \
        }                                                                                          \
    }

void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help);

/* labels may be NULL. A value's bytes that are no UTF-8 come out as U+FFFD. */
void prom_u64(struct buf *out, const char *name, const struct prom_label *labels, uint64_t value);
void prom_double(struct buf *out, const char *name, const struct prom_label *labels, double value);

/* bounds are the buckets' upper ones, growing; counts has one more, for what is above them all. */
void prom_histogram(struct buf *out, const char *name, const double *bounds, const uint64_t *counts,
                    size_t bound_count, double sum);

#endif
