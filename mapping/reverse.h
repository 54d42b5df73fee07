/*
 * reverse - what a CMQ message becomes in MQTT (RULES 3)
 *
 * A draft is the message to publish, with the memory it needs; it is used again and again by one
 * thread.
 */
#ifndef MAPPING_REVERSE_H
#define MAPPING_REVERSE_H

#include "base/err.h"
#include "mapping/jq.h"
#include "mapping/rule.h"
#include "mapping/unwrap.h"

enum { REVERSE_MAX_PAYLOAD = 4 << 20 };

enum reverse_result {
    REVERSE_PUBLISH,
    REVERSE_PARK,  /* it can never be mapped: err has "code: why" */
    REVERSE_LOOP,  /* it came through this gateway before, and the rule does not allow loops */
    REVERSE_AGAIN, /* a jq worker could not be had: err says why; try again later */
};

struct reverse_draft {
    struct mqtt_message message; /* what to publish; valid until the next call, and as long as the
                                    CMQ body is */
    struct buf topic, payload, via;
    struct unwrapped event;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES + 1];
};

void reverse_draft_init(struct reverse_draft *draft);
void reverse_draft_fini(struct reverse_draft *draft);

/*
 * Maps a body by a rule. Under MQTT 5 the message says by a user property ("cmqgwvia") that it came
 * through this gateway, so that the uplink knows it. jq may be NULL when the rule has no program.
 */
enum reverse_result reverse_plan(const struct reverse_rule *rule, struct span gateway,
                                 struct span body, struct jq_worker *jq,
                                 struct reverse_draft *draft, struct err *err);

#endif
