/*
 * sampler - rates of the last minute, and whether the pump still works
 *
 * Once a second, on the pump's thread, it notes some counters. So it also shows that the thread
 * which does the work with CMQ still takes its turns. Reading: any thread.
 */
#ifndef GATEWAY_SAMPLER_H
#define GATEWAY_SAMPLER_H

#include "cmq/pump.h"
#include "gateway/counters.h"

struct sampler;

/* Before the pump is started; borrows both. */
struct sampler *sampler_new(struct pump *pump, const struct counters *counters);

/* With the pump stopped. NULL is fine. */
void sampler_free(struct sampler *sampler);

/* Milliseconds since the pump last took its turn. */
int64_t sampler_silent_ms(const struct sampler *sampler);

struct sampler_rates {
    double window_s; /* 0: nothing is known yet, and all rates are 0 */
    double per_s[COUNTER_COUNT];
};

void sampler_read(struct sampler *sampler, struct sampler_rates *out);

#endif
