/*
 * gateway - all parts of a running gateway, built, started and stopped in the right order
 *
 * Built from a configuration, from the bottom up; stopped so that nothing acknowledged is lost and,
 * where the grace allows, nothing is sent twice: take nothing more from the broker, commit and
 * acknowledge what was taken, leave the broker with its session kept, finish what is on its way to
 * CMQ, commit the settlements.
 *
 * One thread calls these functions.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "config/config.h"

struct gateway;

/* Builds everything and starts it. Holds config. NULL and err when it cannot run. */
struct gateway *gateway_start(const struct config *config, struct err *err);

/* Stops within about grace_ms and frees everything. */
void gateway_stop(struct gateway *gateway, int64_t grace_ms);

/* How long one of the threads that do the work has been silent: see status_silent_ms. */
int64_t gateway_silent_ms(const struct gateway *gateway);

/* Work that nothing waits for: now and then. */
void gateway_tidy(struct gateway *gateway);

/* Logs the figures if any of them changed since the last time. */
void gateway_log_figures(struct gateway *gateway);

#endif
