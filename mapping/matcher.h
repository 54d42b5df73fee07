/*
 * matcher - finds the rules whose filters match a topic without trying them all
 *
 * A trie over topic levels: the cost of a match grows with the topic's levels and the number of
 * matching filters, not with the number of rules. Built once, immutable, shared by all threads.
 */
#ifndef MAPPING_MATCHER_H
#define MAPPING_MATCHER_H

#include "mapping/topic.h"

struct matcher;

struct matcher *matcher_new(void);
void matcher_free(struct matcher *matcher); /* NULL is fine */

/* Adds a checked plain filter with two numbers for the owner: the rule, and which of its filters.
 */
void matcher_add(struct matcher *matcher, struct span filter, uint32_t rule, uint32_t from);

/* Once, after the last matcher_add. */
void matcher_seal(struct matcher *matcher);

struct matcher_hit {
    uint32_t rule;
    uint32_t from; /* the first of the rule's filters that matches */
};

/*
 * Fills hits with the rules that match a checked name, each once, in order of rule, and returns how
 * many there are. When the result is above room, hits is of no use: call again with as much room as
 * the result. Given a checked filter instead of a name, finds those that cover it level by level
 * (topic_filter_covers but for "+/#", which covers "#" too). Allocates nothing for up to 64 hits.
 */
size_t matcher_find(const struct matcher *matcher, struct span name, struct matcher_hit *hits,
                    size_t room);

#endif
