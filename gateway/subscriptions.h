/*
 * subscriptions - the rule set's filters as the broker is asked for them, with stable numbers
 *
 * Each filter keeps its subscription identifier over reloads and restarts (in the spool), because
 * messages that the broker queued meanwhile carry the old one. Filters that no rule has any more
 * are remembered until the broker's session is known to be rid of them, and no number is used
 * twice.
 *
 * One thread.
 */
#ifndef GATEWAY_SUBSCRIPTIONS_H
#define GATEWAY_SUBSCRIPTIONS_H

#include "config/config.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct subscription_row { /* as the spool has it */
    char *filter;         /* as sent */
    uint32_t id;
    bool current; /* some rule has it */
};

struct subscriptions {
    struct mqtt_subscription
        *list; /* what the broker is asked for; filters are those of the rows */
    size_t count;
    const char **stale; /* what it may still hold: likewise */
    size_t stale_count;
    bool regrouped; /* the broker may hold, or have queued messages for, others than in the list */
    struct subscription_row *rows;
    size_t row_count;
    uint32_t highest; /* number that was ever used */
};

/*
 * Numbers config's rules and writes the numbers to the spool, whose filters are known from reading
 * it (opened, not started) when `before` is NULL; otherwise they are those of `before`, which stays
 * as it is. False and err when the spool cannot be read or written; then nothing is to be freed.
 */
MUST_CHECK bool subscriptions_init(struct subscriptions *subs, const struct config *config,
                                   const struct subscriptions *before, struct spool *spool,
                                   struct err *err);

/*
 * The broker's session is rid of the stale ones: forgets them, in the spool too. False and err when
 * that cannot be written; then it is to be tried again.
 */
MUST_CHECK bool subscriptions_forget_stale(struct subscriptions *subs, struct spool *spool,
                                           struct err *err);

void subscriptions_fini(struct subscriptions *subs);

#endif
