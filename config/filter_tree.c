/* filter_tree - see filter_tree.h. A node is a level; recursion is as deep as filters may be. */
#include "config/filter_tree.h"

#include "base/check.h"

#define HASH_INITIAL_NUM_BUCKETS 4U /* most nodes have few children */
#define HASH_INITIAL_NUM_BUCKETS_LOG2 2U
#include <uthash.h>

struct filter_tree {
    struct span level;
    struct filter_tree *children; /* uthash, in order of arrival; '+' not among them */
    struct filter_tree *plus;
    bool ends, all; /* a filter ends here; one has '#' here */
    size_t end_owner, all_owner;
    UT_hash_handle hh;
};

struct filter_tree *filter_tree_new(void)
{
    return check_alloc(calloc(1, sizeof(struct filter_tree)));
}

void filter_tree_free(struct filter_tree *tree)
{
    if (!tree)
        return;
    filter_tree_free(tree->plus);
    struct filter_tree *child, *next;
    HASH_ITER(hh, tree->children, child, next)
    {
        HASH_DEL(tree->children, child);
        filter_tree_free(child);
    }
    free(tree);
}

static struct filter_tree *child_of(const struct filter_tree *node, struct span level)
{
    static const char nothing[1];
    struct filter_tree *child;
    HASH_FIND(hh, node->children, level.len ? level.ptr : nothing, level.len, child);
    return child;
}

static struct filter_tree *make_child(struct filter_tree *node, struct span level)
{
    if (span_eq_str(level, "+")) {
        if (!node->plus)
            node->plus = filter_tree_new();
        return node->plus;
    }
    struct filter_tree *child = child_of(node, level);
    if (!child) {
        child = filter_tree_new();
        child->level = level;
        HASH_ADD_KEYPTR(hh, node->children, child->level.ptr, child->level.len, child);
    }
    return child;
}

void filter_tree_add(struct filter_tree *tree, struct span filter, size_t owner)
{
    for (bool more = true; more;) {
        struct span level = span_slice(filter, 0, span_find(filter, '/'));
        more = level.len < filter.len;
        filter = span_slice(filter, level.len + 1, filter.len);
        if (span_eq_str(level, "#")) {
            if (!tree->all)
                tree->all_owner = owner;
            tree->all = true;
            return;
        }
        tree = make_child(tree, level);
    }
    if (!tree->ends)
        tree->end_owner = owner;
    tree->ends = true;
}

/* Which of a node's wildcards and children a walk may take: at the root '$' keeps off both. */
struct walk {
    const struct shape *shape;
    const struct filter_tree *root;
    bool dollar;
    filter_tree_visit *visit;
    void *ctx;
};

static bool found(const struct walk *walk, size_t owner)
{
    return walk->visit(walk->ctx, owner);
}

/* Until visit has enough: true. */
static bool meets(const struct walk *walk, const struct filter_tree *node, size_t at)
{
    bool wildcards = node != walk->root || !walk->dollar;
    if (node->all && wildcards && found(walk, node->all_owner))
        return true;
    if (at == walk->shape->count)
        return node->ends && found(walk, node->end_owner);
    const struct shape_word *word = &walk->shape->words[at];
    bool many = word->kind == SHAPE_MANY;
    size_t next = many ? at : at + 1;
    if (many && meets(walk, node, at + 1))
        return true;
    if (node->plus && wildcards && meets(walk, node->plus, next))
        return true;
    if (word->kind == SHAPE_WORD) {
        const struct filter_tree *child = child_of(node, word->head);
        return child && meets(walk, child, next);
    }
    for (const struct filter_tree *child = node->children; child; child = child->hh.next) {
        struct shape_word level = {.kind = SHAPE_WORD, .head = child->level};
        bool system = node == walk->root && child->level.len > 0 && child->level.ptr[0] == '$' &&
                      !walk->dollar;
        if (!system && (many || shape_words_meet(&level, word)) && meets(walk, child, next))
            return true;
    }
    return false;
}

static bool covers(const struct walk *walk, const struct filter_tree *node, size_t at)
{
    bool wildcards = node != walk->root || !walk->dollar;
    if (node->all && wildcards)
        return found(walk, node->all_owner);
    if (at == walk->shape->count)
        return node->ends && found(walk, node->end_owner);
    const struct shape_word *word = &walk->shape->words[at];
    if (word->kind == SHAPE_MANY)
        return false;
    if (node->plus && wildcards && covers(walk, node->plus, at + 1))
        return true;
    const struct filter_tree *child = word->kind == SHAPE_WORD ? child_of(node, word->head) : NULL;
    return child && covers(walk, child, at + 1);
}

bool filter_tree_each(const struct filter_tree *tree, const struct shape *shape,
                      filter_tree_visit *visit, void *ctx)
{
    struct walk walk = {shape, tree, shape_begins_with_dollar(shape), visit, ctx};
    return meets(&walk, tree, 0);
}

static bool take_first(void *ctx, size_t owner)
{
    *(size_t *)ctx = owner;
    return true;
}

bool filter_tree_meets(const struct filter_tree *tree, const struct shape *shape, size_t *owner)
{
    return filter_tree_each(tree, shape, take_first, owner);
}

bool filter_tree_covers(const struct filter_tree *tree, struct span filter, size_t *owner)
{
    struct shape shape;
    shape_of_filter(&shape, filter);
    struct walk walk = {&shape, tree, shape_begins_with_dollar(&shape), take_first, owner};
    return covers(&walk, tree, 0);
}
