/*
 * status - a running gateway's state as the JSON of docs/admin.md
 *
 * Reads what the parts keep for it and waits for nothing but short locks. Any thread.
 */
#ifndef GATEWAY_STATUS_H
#define GATEWAY_STATUS_H

#include "config/config.h"
#include "gateway/counters.h"
#include "gateway/health.h"
#include "gateway/lanes.h"
#include "gateway/sampler.h"

/* Where the state is read from. Borrowed, all of it. */
struct status_view {
    const struct config *config; /* the one that runs */
    struct counters *counters;
    struct health *health;
    struct sampler *sampler;
    struct spool *spool;
    struct lanes *lanes;
};

/* {"ready", "reasons"}: with_text: what anybody may not know, too. Returns whether it is ready. */
bool status_ready(const struct status_view *view, bool with_text, struct buf *out);

void status_json(const struct status_view *view, struct buf *out);
void status_rules_json(const struct status_view *view, struct buf *out);

/*
 * How long one of the threads that do the work, the pump and the spool's writer, has not taken a
 * turn. At rest both take one a second at least; a longer silence means that one of them hangs.
 */
int64_t status_silent_ms(const struct status_view *view);

#endif
