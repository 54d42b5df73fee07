/*
 * subscriptions - the rule set's filters as the broker is asked for them, with stable numbers
 *
 * Each filter keeps its subscription identifier over restarts (in the spool), because messages that
 * the broker queued meanwhile carry the old one. Filters of earlier runs that no rule has any more
 * are remembered, so that they can be taken out of the broker's session.
 */
#ifndef GATEWAY_SUBSCRIPTIONS_H
#define GATEWAY_SUBSCRIPTIONS_H

#include "config/config.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct subscriptions {
    struct mqtt_subscription *list; /* filters as sent, "$share/GROUP/" included */
    size_t count;
    char **stale; /* filters as sent */
    size_t stale_count;
};

/*
 * Numbers config's rules and writes the numbers to the spool (opened, not started). False and err
 * when the spool cannot be read or written; then nothing is to be freed.
 */
MUST_CHECK bool subscriptions_init(struct subscriptions *subs, const struct config *config,
                                   struct spool *spool, struct err *err);
void subscriptions_fini(struct subscriptions *subs);

#endif
