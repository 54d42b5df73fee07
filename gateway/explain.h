/*
 * explain - what would become of a message, and how far it would get (RULES 7)
 *
 * Plans a message with the rules of a configuration, as the gateway would, keeps every result, and
 * follows each delivery through the declared resources. explain_print.h shows it. Any thread, a jq
 * worker each.
 */
#ifndef GATEWAY_EXPLAIN_H
#define GATEWAY_EXPLAIN_H

#include "config/config.h"
#include "mapping/destination.h"
#include "mapping/plan.h"

/* A place that a delivery gets to. Exactly one of queue and url is not empty. */
struct explain_reach {
    struct span subscription; /* empty: the delivery names the queue itself */
    struct span queue;
    struct span url;
};

struct explain_delivery {
    struct delivery *delivery;
    struct destination to; /* points into store */
    struct buf store;
    bool declared;          /* resources name the queue or topic */
    int64_t max_size_bytes; /* when it is declared */
    bool refused;           /* the body is larger than that: CMQ does not take it */
    struct explain_reach *reaches;
    size_t reach_count;
};

struct explain_match {
    const struct forward_rule *rule;
    const struct filter *filter; /* the one that matched */
    struct topic_captures captures;
    struct explain_delivery *deliveries;
    size_t delivery_count;
    char *error; /* why it would be a dead letter, "code: text"; NULL: it would not */
};

struct explain_skip {
    const struct forward_rule *rule;
    char *reason;
};

struct explanation {
    const struct config *config;
    const struct mqtt_message *message;
    struct explain_match *matches; /* in file order, as is skipped */
    size_t match_count;
    struct explain_skip *skipped;
    size_t skipped_count;
    size_t error_count; /* matches with an error */
};

/*
 * Explains message. Both arguments must outlive the explanation, which the caller frees with
 * explanation_free. Deliveries carry the number 0, so the id of a CloudEvent is "GATEWAY-0". jq may
 * be NULL when no rule has a program.
 */
struct explanation *explanation_new(const struct config *config, const struct mqtt_message *message,
                                    struct jq_worker *jq);
void explanation_free(struct explanation *explanation); /* NULL is fine */

/* Whether two names are of one queue or topic: case does not count (CMQ.md 4). */
bool explain_same_name(struct span a, struct span b);

/* Whether a reverse rule takes what arrives there: it polls the queue, or the url is its push. */
bool explain_takes(const struct reverse_rule *rule, const struct explain_reach *reach);

#endif
