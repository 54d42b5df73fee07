/*
 * plan - what would have to be done so that an account has what is declared
 *
 * A pure comparison of `resources` with an inventory, names being the same in upper and lower case
 * as CMQ takes them. Only what is declared is compared: a setting that is left out is left alone. A
 * subscription's tags and keys, and a topic's filter, are never left out: none means none. Steps
 * stand in the order in which they can be done: queues before the queues whose dead letters they
 * take, queues and topics before their subscriptions, and what goes in the reverse order last. One
 * thread.
 */
#ifndef PROVISION_PLAN_H
#define PROVISION_PLAN_H

#include "mapping/rule.h"
#include "provision/inventory.h"

enum step_kind {
    STEP_SAME,
    STEP_CREATE,
    STEP_CHANGE,
    STEP_CANNOT, /* something declared cannot be had; why says what to do */
    STEP_DELETE,
    STEP_KINDS,
};

enum step_object { STEP_QUEUE, STEP_TOPIC, STEP_SUBSCRIPTION };

/* Bits beside those of enum resource_given. */
enum { CHANGE_TAGS = 1 << 20, CHANGE_KEYS = 1 << 21 };

/* A setting that differs; of what is created, one that is declared. Owned by the step. */
struct difference {
    const char *setting;
    char *from; /* NULL: of what is created */
    char *to;
};

struct step {
    enum step_kind kind;
    enum step_object object;
    const char *name; /* as the account spells it, if it has it */
    const char *of;   /* a subscription's topic, likewise */
    /* What is declared, that of the object alone; for a subscription also its topic. */
    const struct resource_queue *queue;
    const struct resource_topic *topic;
    const struct resource_subscription *subscription;
    unsigned changes; /* STEP_CHANGE: the bits of what differs */
    bool unbinds;     /* STEP_CHANGE: the dead-letter queue is taken away */
    bool arriving;    /* the account has it, but is still creating it */
    int64_t messages; /* STEP_DELETE of a queue: how many are in it; -1: unknown */
    struct difference *differences;
    size_t difference_count;
    char *why; /* STEP_CANNOT: a sentence */
    int rank;  /* of a queue: its place in the order */
};

struct plan {
    struct step *steps;
    size_t count;
    size_t counts[STEP_KINDS];
    size_t undeclared_queues, undeclared_topics, undeclared_subscriptions; /* not to be deleted */
};

/*
 * Compares. With prune, what is not declared is to be deleted, unless something that stays needs
 * it: a declared queue, a declared subscription, or a rule. Borrows all three; the plan must not
 * outlive them. The inventory must have the subscriptions of all declared topics; with prune, of
 * all. Free with plan_fini.
 */
void plan_make(struct plan *plan, const struct resources *resources, const struct ruleset *rules,
               const struct inventory *inventory, bool prune);
void plan_fini(struct plan *plan);

/* How many steps would do something. */
size_t plan_work(const struct plan *plan);

/* "queue", "topic", "subscription". */
const char *step_object_name(enum step_object object);

#endif
