/*
 * cycles - a directed graph over numbers, and the cycles in it
 *
 * Edges carry a number of the owner's, a label. One thread.
 */
#ifndef CONFIG_CYCLES_H
#define CONFIG_CYCLES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CYCLES_MAX_EDGES = 1 << 20,
    CYCLES_MAX_STEPS = 1 << 26, /* of the search, all in all */
};

struct cycles_edge {
    size_t from, to, label;
};

struct cycles {
    struct cycles_edge *edges;
    size_t edge_count;
    size_t node_count;
    bool cut; /* there were too many edges, or steps: some cycles may not have been found */
};

void cycles_init(struct cycles *graph, size_t node_count);
void cycles_fini(struct cycles *graph);

/* Of several edges between the same two nodes one is enough. */
void cycles_add(struct cycles *graph, size_t from, size_t to, size_t label);

/* The edge i of a cycle leads from its node i to the next one, the last edge back to the first. */
typedef void cycles_found(void *ctx, const size_t *nodes, const size_t *labels, size_t count);

/*
 * Gives a shortest cycle through each node that is in one, each cycle once, beginning with its
 * lowest node. So every node that is in a cycle is in one of those given, if it was not cut.
 */
void cycles_find(struct cycles *graph, cycles_found *found, void *ctx);

#endif
