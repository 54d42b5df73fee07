/* replay - turns a dead letter back into deliveries. One thread. */
#ifndef GATEWAY_REPLAY_H
#define GATEWAY_REPLAY_H

#include "mapping/rule.h"
#include "spool/morgue.h"

/* What replaying needs. */
struct replay {
    struct morgue *morgue;
    const struct ruleset *rules;
    struct jq_worker *jq; /* may be NULL when no rule has a program */
    int64_t timeout_ms;   /* for a running gateway */
};

/*
 * A planned letter goes back as it is. One whose planning failed is planned again by what its rule
 * says now, that rule alone. One that came from CMQ is sent back into its queue, where a reverse
 * rule takes it again; a pushed one has none. Somebody asked for it, so its age (max_age) no longer
 * counts. False and err (why) when it stays: its rule is gone, no longer takes it or fails again,
 * or the spool refuses.
 */
MUST_CHECK bool replay_letter(const struct replay *replay, const struct dead_letter *letter,
                              struct err *err);

#endif
