/*
 * explain_reverse - what would become of a message in a CMQ queue (RULES 7)
 *
 * Maps a body by every reverse rule that reads the queue, as the gateway would, and tells which
 * forward rules would then apply. Any thread, a jq worker each.
 */
#ifndef GATEWAY_EXPLAIN_REVERSE_H
#define GATEWAY_EXPLAIN_REVERSE_H

#include "config/config.h"
#include "mapping/reverse.h"

/* A rule that reads the queue. */
struct explain_taking {
    const struct reverse_rule *rule;
    enum reverse_result result;
    struct reverse_draft draft;          /* when REVERSE_PUBLISH */
    const struct forward_rule **forward; /* that take what it publishes, in file order */
    size_t forward_count;
    struct err err; /* when not: why */
};

/* A rule that does not. */
struct explain_other {
    const struct reverse_rule *rule;
    char *reason;
};

struct reverse_explanation {
    const struct config *config;
    struct span queue, body;
    struct explain_taking *takings; /* in file order, as is others */
    size_t taking_count;
    struct explain_other *others;
    size_t other_count;
    size_t publish_count; /* takings that would be published */
};

/*
 * Explains body in queue. Config, queue and body must outlive the explanation, which the caller
 * frees with reverse_explanation_free. jq may be NULL when no rule has a program.
 */
struct reverse_explanation *reverse_explanation_new(const struct config *config, struct span queue,
                                                    struct span body, struct jq_worker *jq);
void reverse_explanation_free(struct reverse_explanation *explanation); /* NULL is fine */

#endif
