/* metrics_impl - what metrics.c and metrics_rules.c share; nobody else includes it */
#ifndef GATEWAY_METRICS_IMPL_H
#define GATEWAY_METRICS_IMPL_H

#include "gateway/metrics.h"

void metrics_gauge(struct buf *out, const char *name, const char *help, double value);

/* metrics_rules.c */
void metrics_rules(const struct status_view *view, struct buf *out);

#endif
