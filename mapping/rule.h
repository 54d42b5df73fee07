/*
 * rule - configured mappings, and the immutable set of them that a running gateway uses
 *
 * config/ fills the structs in and seals the set; from then on it is read-only and shared by all
 * threads. Strings are owned by the set and freed with it.
 */
#ifndef MAPPING_RULE_H
#define MAPPING_RULE_H

#include "cmq/limits.h"
#include "mapping/envelope.h"
#include "mapping/filter.h"
#include "mapping/jq.h"
#include "mapping/template.h"

/* One entry of `to`. */
struct rule_target {
    bool is_topic;
    struct template *name;
    struct template *route; /* topics; NULL: none */
    struct template *tags[CMQ_MAX_TAGS];
    size_t tag_count;
    uint32_t delay_s; /* queues */
};

struct rule_from {
    struct filter *filter;
    size_t subscription; /* index into the set's subscriptions; ruleset_seal's */
};

struct forward_rule {
    char *name;
    struct rule_from *from;
    size_t from_count;
    int qos;
    struct rule_target *targets;
    size_t target_count;
    const struct jq_program *when; /* the condition; NULL: none */
    const struct jq_program *jq;   /* makes the body; NULL: the next one says how */
    enum envelope_kind body;
    bool skip_retained;
    bool final;
    bool strict;
    bool accept_unrouted;
    int64_t max_age_ms; /* 0: none */
    char *replace;      /* "_" by default */
    bool replace_reject;
    uint64_t digest;  /* of its settings: differs when they do */
    const char *file; /* where it stands; the set's */
    int line;
};

enum reverse_payload {
    REVERSE_BODY,
    REVERSE_BASE64,
    REVERSE_CLOUDEVENTS,
    REVERSE_JQ,
};

struct reverse_rule {
    char *name;
    char *queue;     /* or */
    char *push_path; /* exactly one of them is set */
    int pollers;
    int batch;
    int wait_s;
    struct template *to;
    enum reverse_payload payload;
    const struct jq_program *jq; /* when payload is REVERSE_JQ */
    int qos;
    bool retain;
    int64_t expiry_s; /* 0: none */
    int attempts;
    char *dead_letter; /* a queue; "": the local store */
    bool allow_loop;
    uint64_t digest; /* likewise */
    const char *file;
    int line;
};

/* A filter that the broker should send us. */
struct rule_subscription {
    char *filter;  /* plain, without $share */
    int qos;       /* the highest of its rules */
    bool retained; /* some rule of it wants retained copies */
    bool covered;  /* another subscription's filter covers it, at no lower qos, and wants retained
                      copies if this one does: not needed where the broker knows no subscription
                      identifiers */
    uint32_t id;   /* set by ruleset_number; 0 before */
    uint32_t earlier_id; /* what it was until now, if that has changed; else 0 */
};

/* An identifier that a copy of a message may carry. */
struct rule_id {
    uint32_t id;
    const struct rule_subscription *subscription;
};

struct matcher;

struct ruleset {
    char *gateway; /* gateway.id */
    struct forward_rule *forward;
    size_t forward_count;
    struct reverse_rule *reverse;
    size_t reverse_count;
    struct jq_program **programs; /* of all rules, each text once; ruleset_program's */
    size_t program_count;
    struct rule_subscription *subscriptions; /* distinct plain filters, in order of appearance */
    size_t subscription_count;
    struct rule_id *ids; /* of all, earlier ones too, in order; ruleset_number's, else NULL */
    size_t id_count;
    struct matcher *matcher;
    char **files; /* names that rules point to */
    size_t file_count;
};

/*
 * The jq program with this text, which the set owns: compiled when it is new, which takes some 20
 * ms. NULL and err with jq's own words when it does not compile. While the set is made.
 */
const struct jq_program *ruleset_program(struct ruleset *set, struct span text, struct err *err);

/* Builds subscriptions and matcher from the rules. Once, after the rules are complete. */
void ruleset_seal(struct ruleset *set);

/* The subscription that has or had this id, or NULL; NULL also before ruleset_number. */
const struct rule_subscription *ruleset_subscription(const struct ruleset *set, uint32_t id);

/*
 * Gives each subscription its identifier: the one that known() says its filter had before (0:
 * none), otherwise a new one above all of those. used(id) tells whether an id belongs to some other
 * filter of an earlier run. Subscriptions made in the order of their identifiers have them in order
 * of age. One that has a lower identifier than a final rule above it, and so cannot tell whether
 * that rule has the message too, gets a new one, and is to be made again. Once, before the set is
 * shared.
 */
void ruleset_number(struct ruleset *set, uint32_t (*known)(void *ctx, const char *filter),
                    bool (*used)(void *ctx, uint32_t id), void *ctx);

void ruleset_free(struct ruleset *set); /* NULL is fine */

#endif
