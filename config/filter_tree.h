/*
 * filter_tree - finds a filter that has to do with another, without trying them all
 *
 * A tree over the levels of plain MQTT filters, each with the number of its owner. Filters are
 * borrowed and must outlive the tree. One thread while filters are added.
 */
#ifndef CONFIG_FILTER_TREE_H
#define CONFIG_FILTER_TREE_H

#include "config/shapes.h"

struct filter_tree;

struct filter_tree *filter_tree_new(void);
void filter_tree_free(struct filter_tree *tree); /* NULL is fine */

/* Of equal filters the first keeps its owner. */
void filter_tree_add(struct filter_tree *tree, struct span filter, size_t owner);

/* Whether some topic matches both a filter of the tree and the shape; *owner gets that filter's. */
bool filter_tree_meets(const struct filter_tree *tree, const struct shape *shape, size_t *owner);

/*
 * Calls visit for the owner of each filter of the tree that some topic of the shape matches too,
 * perhaps more than once, until it returns true. Whether it did.
 */
typedef bool filter_tree_visit(void *ctx, size_t owner);
bool filter_tree_each(const struct filter_tree *tree, const struct shape *shape,
                      filter_tree_visit *visit, void *ctx);

/*
 * Whether a filter of the tree matches every topic that filter, also plain, matches. As
 * topic_filter_covers, but "+/#" is not seen to cover "#".
 */
bool filter_tree_covers(const struct filter_tree *tree, struct span filter, size_t *owner);

#endif
