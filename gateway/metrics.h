/* metrics - a running gateway's figures for Prometheus; described in docs/events.md. Any thread. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include "gateway/status.h"

/* Appends all of them in Prometheus' text format. */
void metrics_write(const struct status_view *view, struct buf *out);

#endif
