/*
 * plan - what a received message becomes: deliveries and dead letters (RULES 2)
 *
 * Every rule that matches applies, in file order, until one that is final. A rule's targets are all
 * or none: when one of them, or the body, cannot be made, the rule gives one dead letter with the
 * original message and no delivery. Other rules are not touched by that.
 *
 * The broker may send a copy of a message for each subscription it matches, and say by identifier
 * which it is. Identifiers grow with the age of subscriptions (rule.h), and what one brings, every
 * older one that matches brings too. So a rule with several filters that match plans only the copy
 * of its oldest one (what wildcards stood for is the first filter's), and a final rule that has the
 * message by an older subscription holds the rules below for a copy that is not its own. Where that
 * is not certain, because messages were queued for earlier rules, a message may be planned once too
 * often, and is never lost. A copy that names no subscription, or only unknown ones, is planned for
 * every rule.
 *
 * The reason of a dead letter begins with one of these codes; a sentence follows.
 *
 *     template_missing     a placeholder has no value and no default
 *     template_value       a value cannot be text: an object or array, half a surrogate pair
 *     template_too_large   the text of a template is too long for anything
 *     name_invalid, name_too_long                     of the queue or topic
 *     route_empty, route_invalid, route_too_long
 *     route_unsafe                                    and replace = "reject"
 *     tag_empty, tag_invalid, tag_too_long
 *     topic_invalid, topic_unsafe                     of a reverse rule's MQTT topic
 *     raw_empty, raw_at, raw_nul, raw_not_utf8        body = "raw" cannot carry the payload
 *     base64_empty                                    nor can body = "base64" an empty one
 *     property_not_utf8                               body = "cloudevents" cannot carry it
 *     too_large            the body is above what CMQ takes
 *     event_invalid        what payload = "cloudevents" should unwrap is none
 *     jq_error, jq_limit   of `when` or a jq body: it failed, or took too long or too much memory
 *     jq_no_output, not_json                          of a jq body
 *     jq_broken            no process could be had that runs the program
 *
 * A condition that could not be told has not matched, so that `final` does not hold the rules
 * below; the dead letter keeps the message for its rule.
 *
 * Pure but for the sink, the jq worker and a dead letter's died_ms, the time of day; any thread, a
 * sink and a worker each. Blocks while programs run: see jq.h for how long.
 */
#ifndef MAPPING_PLAN_H
#define MAPPING_PLAN_H

#include "base/delivery.h"
#include "mapping/rule.h"

/* Where the results go. Functions that may be NULL are marked. */
struct plan_sink {
    void *ctx;
    /* A number for the next delivery. */
    uint64_t (*next_id)(void *ctx);
    /* Gives a delivery of this rule's target, complete with id, lane, age and flags. All those of a
     * rule come one after the other, once all could be made. */
    void (*delivery)(void *ctx, const struct forward_rule *rule, size_t target,
                     struct delivery *delivery);
    /* Gives a dead letter without a number: the rule matched and could not be carried out. */
    void (*dead)(void *ctx, const struct forward_rule *rule, struct dead_letter *letter);
    /* The rule matched; before its deliveries. May be NULL. */
    void (*matched)(void *ctx, const struct forward_rule *rule, const struct filter *filter,
                    const struct topic_captures *captures);
    /* The rule did not apply; reason is one line for people. May be NULL; when it is not, every
     * rule of the set is accounted for (for explain; slower). */
    void (*skipped)(void *ctx, const struct forward_rule *rule, const char *reason);
};

struct plan_result {
    size_t matched; /* rules that applied, and those that gave a dead letter */
    size_t deliveries;
    size_t dead;
    size_t retained_skipped; /* rules that would have matched but skip retained copies */
    size_t elsewhere;        /* rules that match the topic, and that another copy is for */
};

/*
 * Plans one message. only NULL: all rules; else this one (to plan a dead letter again). jq may be
 * NULL when the set has no programs.
 */
struct plan_result plan_message(const struct ruleset *set, const struct mqtt_message *message,
                                const struct forward_rule *only, struct jq_worker *jq,
                                const struct plan_sink *sink);

#endif
