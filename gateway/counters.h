/*
 * counters - what the gateway did, counted
 *
 * Every message that comes in ends in exactly one of: delivered, dead-lettered, dropped with a
 * reason, or refused (left with the broker). Counting is one relaxed atomic addition; any thread.
 * Dead letters are also counted by reason code, the word before ':' in their reason. What each rule
 * did is counted in the book (figures.h).
 */
#ifndef GATEWAY_COUNTERS_H
#define GATEWAY_COUNTERS_H

#include "base/buf.h"
#include "gateway/figures.h"
#include "gateway/histogram.h"

enum counter {
    COUNTER_RECEIVED,          /* messages from MQTT */
    COUNTER_MATCHED,           /* rules that applied to them */
    COUNTER_PLANNED,           /* deliveries handed to the spool */
    COUNTER_PLANNED_BYTES,     /* about what they take of the spool */
    COUNTER_DELIVERED,         /* deliveries that CMQ has */
    COUNTER_UNROUTED_ACCEPTED, /* of those: no subscription wanted them, and the rule accepts that
                                */
    COUNTER_REQUESTS,          /* requests that carried deliveries */
    COUNTER_RETRIED,           /* deliveries whose try failed and that wait for another */
    COUNTER_HELD,              /* deliveries whose try found the configuration or account wrong */
    COUNTER_CUT,               /* rejected batches cut in two */
    COUNTER_DEAD,              /* dead letters made */
    COUNTER_COPIES,            /* further copies of messages, sent for other subscriptions */
    COUNTER_DROPPED_NO_RULE,   /* messages that no rule took */
    COUNTER_DROPPED_RETAINED,  /* retained copies that every matching rule skips */
    COUNTER_DROPPED_LOOP,      /* messages that came through this gateway before */
    COUNTER_DROPPED_QOS0,      /* QoS 0 messages that came while the spool could not take them */
    COUNTER_REFUSED,           /* QoS 1 and 2 messages left with the broker for the same reason */
    COUNTER_POLLS,             /* requests for messages of CMQ queues */
    COUNTER_TAKEN,             /* CMQ messages that they brought, or that were pushed */
    COUNTER_PUBLISHED,         /* of those, acknowledged by the broker */
    COUNTER_PARKED,     /* of those, set aside: in a CMQ queue, or here and counted as dead */
    COUNTER_RECOGNISED, /* came again after they were published: deleted, not published */
    COUNTER_TOO_LATE,   /* left to CMQ: about to become visible again before their turn */
    COUNTER_DELETED,    /* deleted from CMQ */
    COUNTER_COUNT
};

struct counters;

struct counters *counters_new(void);
void counters_free(struct counters *counters); /* NULL is fine */

void counters_add(struct counters *counters, enum counter which, uint64_t n);
uint64_t counters_get(const struct counters *counters, enum counter which);

/* Counts a dead letter of this rule: COUNTER_DEAD, its reason's code, and the same of the rule. */
void counters_dead(struct counters *counters, struct figures *rule, struct span reason);

/* The rows of all rules; as long as the counters. */
struct figures_book *counters_book(const struct counters *counters);

enum spread {
    SPREAD_BATCH,    /* deliveries in a request */
    SPREAD_REQUEST,  /* microseconds from a request to its answer; long polls not counted */
    SPREAD_DELIVERY, /* microseconds from a message's arrival until CMQ has it */
    SPREAD_PUBLISH,  /* microseconds from handing a command to the broker until its answer */
    SPREAD_COUNT
};

struct histogram *counters_spread(struct counters *counters, enum spread which);

/* Calls fn for each reason code of dead letters, in the order they first came. */
void counters_each_reason(struct counters *counters,
                          void (*fn)(void *ctx, const char *code, uint64_t count), void *ctx);

/* "received", "dropped_no_rule", ... */
const char *counter_name(enum counter which);

/* Appends "received 12, delivered 11, dead 1 (raw_not_utf8 1)": those that are not zero. */
void counters_print(struct counters *counters, struct buf *out);

#endif
