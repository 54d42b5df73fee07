/*
 * matcher - see matcher.h
 *
 * Nodes are numbers, 0 the root. One hash table holds all edges, keyed by parent node and level
 * text; '+' children hang on the node itself, and a '#' is a second list of owners on the node it
 * follows, since it matches there and everywhere below. Topics are hostile, filters are not: a
 * probe visits entries put there by filters only, so its length does not depend on the topic.
 */
#include "mapping/matcher.h"

#include "base/check.h"
#include "base/hash.h"

struct range {
    uint32_t first, count; /* in owners */
};

struct node {
    uint32_t plus;    /* the '+' child; 0: none */
    struct range own; /* who ends here */
    struct range all; /* who has '#' here */
};

struct edge {
    struct span level; /* a copy; ptr NULL: free slot */
    uint32_t parent;
    uint32_t child;
};

struct owner {
    uint32_t node;
    bool all;
    struct matcher_hit hit;
};

struct matcher {
    struct node *nodes;
    size_t node_count, node_room;
    struct edge *edges; /* edge_room is a power of two, at most half in use */
    size_t edge_count, edge_room;
    struct owner *owners;
    size_t owner_count, owner_room;
    bool sealed;
};

enum { MATCHER_FIRST_ROOM = 16, MATCHER_SMALL_SORT = 64 };

/* Doubles an array of *room items when count fills it. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : MATCHER_FIRST_ROOM;
    return check_alloc(reallocarray(items, *room, size));
}

static uint32_t node_new(struct matcher *m)
{
    m->nodes = grow(m->nodes, m->node_count, &m->node_room, sizeof *m->nodes);
    m->nodes[m->node_count] = (struct node){0};
    return (uint32_t)m->node_count++;
}

struct matcher *matcher_new(void)
{
    struct matcher *m = check_alloc(calloc(1, sizeof *m));
    m->edge_room = MATCHER_FIRST_ROOM;
    m->edges = check_alloc(calloc(m->edge_room, sizeof *m->edges));
    node_new(m);
    return m;
}

void matcher_free(struct matcher *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->edge_room; i++)
        free((char *)m->edges[i].level.ptr);
    free(m->edges);
    free(m->nodes);
    free(m->owners);
    free(m);
}

/* The slot of an edge, or the free one where it belongs. */
static struct edge *edge_slot(const struct matcher *m, uint32_t parent, struct span level)
{
    uint64_t hash = hash_add(HASH_SEED, level) ^ parent * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    for (size_t i = hash & (m->edge_room - 1);; i = (i + 1) & (m->edge_room - 1)) {
        struct edge *e = &m->edges[i];
        if (!e->level.ptr || (e->parent == parent && span_eq(e->level, level)))
            return e;
    }
}

static void edges_double(struct matcher *m)
{
    struct edge *old = m->edges;
    size_t room = m->edge_room;
    m->edge_room *= 2;
    m->edges = check_alloc(calloc(m->edge_room, sizeof *m->edges));
    for (size_t i = 0; i < room; i++) {
        if (old[i].level.ptr)
            *edge_slot(m, old[i].parent, old[i].level) = old[i];
    }
    free(old);
}

static uint32_t child_make(struct matcher *m, uint32_t parent, struct span level)
{
    if (span_eq_str(level, "+")) {
        if (m->nodes[parent].plus == 0) {
            uint32_t child = node_new(m); /* moves the nodes */
            m->nodes[parent].plus = child;
        }
        return m->nodes[parent].plus;
    }
    struct edge *e = edge_slot(m, parent, level);
    if (e->level.ptr)
        return e->child;
    uint32_t child = node_new(m);
    *e = (struct edge){{span_dup(level), level.len}, parent, child};
    if (++m->edge_count * 2 > m->edge_room)
        edges_double(m);
    return child;
}

void matcher_add(struct matcher *m, struct span filter, uint32_t rule, uint32_t from)
{
    CHECK(!m->sealed);
    uint32_t node = 0;
    bool all = false;
    for (bool more = true; more;) {
        struct span level = span_slice(filter, 0, span_find(filter, '/'));
        more = level.len < filter.len;
        filter = span_slice(filter, level.len + 1, filter.len);
        all = span_eq_str(level, "#");
        if (!all)
            node = child_make(m, node, level);
    }
    m->owners = grow(m->owners, m->owner_count, &m->owner_room, sizeof *m->owners);
    m->owners[m->owner_count++] = (struct owner){node, all, {rule, from}};
}

static int hit_order(const void *a, const void *b)
{
    const struct matcher_hit *x = a, *y = b;
    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static int owner_order(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    if (x->all != y->all)
        return x->all ? 1 : -1;
    return hit_order(&x->hit, &y->hit);
}

void matcher_seal(struct matcher *m)
{
    CHECK(!m->sealed);
    m->sealed = true;
    if (m->owner_count > 0)
        qsort(m->owners, m->owner_count, sizeof *m->owners, owner_order);
    for (size_t i = 0; i < m->owner_count; i++) {
        struct node *node = &m->nodes[m->owners[i].node];
        struct range *range = m->owners[i].all ? &node->all : &node->own;
        if (range->count++ == 0)
            range->first = (uint32_t)i;
    }
}

struct hits {
    struct matcher_hit *at;
    size_t count, room; /* count goes on above room */
    bool sorted;
};

static void collect(const struct matcher *m, struct range range, struct hits *hits)
{
    for (uint32_t i = 0; i < range.count; i++) {
        struct matcher_hit hit = m->owners[range.first + i].hit;
        if (hits->count < hits->room) {
            if (hits->count > 0 && hits->at[hits->count - 1].rule >= hit.rule)
                hits->sorted = false;
            hits->at[hits->count] = hit;
        }
        hits->count++;
    }
}

/* By rule, each once with its first filter. Few hits, the usual case, need no qsort (it allocates).
 */
static void hits_finish(struct hits *hits)
{
    struct matcher_hit *at = hits->at;
    if (hits->sorted)
        return;
    if (hits->count > MATCHER_SMALL_SORT) {
        qsort(at, hits->count, sizeof *at, hit_order);
    } else {
        for (size_t i = 1; i < hits->count; i++) {
            struct matcher_hit hit = at[i];
            size_t k = i;
            for (; k > 0 && hit_order(&at[k - 1], &hit) > 0; k--)
                at[k] = at[k - 1];
            at[k] = hit;
        }
    }
    size_t kept = 1;
    for (size_t i = 1; i < hits->count; i++) {
        if (at[i].rule != at[kept - 1].rule)
            at[kept++] = at[i];
    }
    hits->count = kept;
}

/* Splits name; returns how many levels it has, of which at most TOPIC_MAX_LEVELS are stored. */
static size_t split(struct span name, struct span levels[TOPIC_MAX_LEVELS])
{
    for (size_t count = 0;; count++) {
        struct span level = span_slice(name, 0, span_find(name, '/'));
        if (count == TOPIC_MAX_LEVELS)
            return count + 1;
        levels[count] = level;
        if (level.len == name.len)
            return count + 1;
        name = span_slice(name, level.len + 1, name.len);
    }
}

/*
 * Walks the trie depth first. Every node on the stack is deeper than the one below it but for one
 * sibling, so a place a level and one more are enough.
 */
static void walk(const struct matcher *m, struct span name, struct hits *hits)
{
    struct span levels[TOPIC_MAX_LEVELS];
    size_t level_count = split(name, levels);
    bool dollar = name.len > 0 && name.ptr[0] == '$';
    struct {
        uint32_t node;
        uint32_t depth;
    } stack[TOPIC_MAX_LEVELS + 2];
    size_t top = 0;
    stack[top].node = 0;
    stack[top++].depth = 0;
    while (top > 0) {
        top--;
        uint32_t depth = stack[top].depth, id = stack[top].node;
        const struct node *node = &m->nodes[id];
        bool wildcards = depth > 0 || !dollar; /* MQTT 5.0 s. 4.7.2 */
        if (wildcards)
            collect(m, node->all, hits);
        if (depth == level_count) {
            collect(m, node->own, hits);
            continue;
        }
        if (depth == TOPIC_MAX_LEVELS)
            continue; /* a deeper name: only '#' could match it */
        struct span level = levels[depth];
        if (wildcards && node->plus != 0 && !span_eq_str(level, "#")) {
            stack[top].node = node->plus;
            stack[top++].depth = depth + 1;
        }
        const struct edge *e = edge_slot(m, id, level);
        if (e->level.ptr) {
            stack[top].node = e->child;
            stack[top++].depth = depth + 1;
        }
    }
}

size_t matcher_find(const struct matcher *m, struct span name, struct matcher_hit *hits,
                    size_t room)
{
    CHECK(m->sealed);
    struct hits found = {.at = hits, .room = room, .sorted = true};
    walk(m, name, &found);
    if (found.count <= room)
        hits_finish(&found);
    return found.count;
}
