/*
 * cycles - see cycles.h
 *
 * Nodes that no cycle leads to are peeled off first, which leaves nothing of most graphs. From each
 * of the others a search by breadth looks for the way back.
 */
#include "config/cycles.h"

#include "base/check.h"
#include "config/list.h"

#include <stdint.h>
#include <string.h>

/* A cycle that was given, as its nodes. */
struct given {
    size_t *nodes;
    size_t count;
};

struct search {
    struct cycles *graph;
    const struct cycles_edge **edges; /* in order of from */
    size_t *first;                    /* of each node, and behind the last */
    bool *out;                        /* node: no cycle leads there */
    const struct cycles_edge **by;    /* node: the edge that the search came by */
    size_t *queue;
    struct given *given;
    size_t given_count;
    size_t steps;
};

void cycles_init(struct cycles *graph, size_t node_count)
{
    *graph = (struct cycles){.node_count = node_count};
}

void cycles_fini(struct cycles *graph)
{
    free(graph->edges);
}

void cycles_add(struct cycles *graph, size_t from, size_t to, size_t label)
{
    CHECK(from < graph->node_count && to < graph->node_count);
    if (graph->edge_count == CYCLES_MAX_EDGES) {
        graph->cut = true;
        return;
    }
    graph->edges = list_grow(graph->edges, graph->edge_count, sizeof *graph->edges);
    graph->edges[graph->edge_count++] = (struct cycles_edge){from, to, label};
}

/* Puts the edges in order of where they begin. */
static void sort_edges(struct search *s)
{
    const struct cycles *graph = s->graph;
    s->edges = check_alloc(calloc(graph->edge_count + 1, sizeof(struct cycles_edge *)));
    s->first = check_alloc(calloc(graph->node_count + 2, sizeof *s->first));
    for (size_t i = 0; i < graph->edge_count; i++)
        s->first[graph->edges[i].from + 2]++;
    for (size_t i = 0; i < graph->node_count; i++)
        s->first[i + 2] += s->first[i + 1];
    for (size_t i = 0; i < graph->edge_count; i++)
        s->edges[s->first[graph->edges[i].from + 1]++] = &graph->edges[i];
}

/* Takes out nodes that nothing leads to, then those that only they led to, and so on. */
static void peel(struct search *s)
{
    size_t nodes = s->graph->node_count, count = 0;
    size_t *in = check_alloc(calloc(nodes + 1, sizeof *in));
    for (size_t i = 0; i < s->graph->edge_count; i++)
        in[s->graph->edges[i].to]++;
    for (size_t node = 0; node < nodes; node++) {
        if (in[node] == 0)
            s->queue[count++] = node;
    }
    for (size_t at = 0; at < count; at++) {
        size_t node = s->queue[at];
        s->out[node] = true;
        for (size_t i = s->first[node]; i < s->first[node + 1]; i++) {
            if (--in[s->edges[i]->to] == 0)
                s->queue[count++] = s->edges[i]->to;
        }
    }
    free(in);
}

/* The edge that closes a shortest cycle through start; NULL: there is none. */
static const struct cycles_edge *way_back(struct search *s, size_t start)
{
    size_t count = 0;
    memset(s->by, 0, s->graph->node_count * sizeof(struct cycles_edge *));
    s->queue[count++] = start;
    for (size_t at = 0; at < count; at++) {
        size_t node = s->queue[at];
        for (size_t i = s->first[node]; i < s->first[node + 1]; i++) {
            const struct cycles_edge *edge = s->edges[i];
            if (++s->steps > CYCLES_MAX_STEPS)
                return NULL;
            if (edge->to == start)
                return edge;
            if (!s->by[edge->to]) {
                s->by[edge->to] = edge;
                s->queue[count++] = edge->to;
            }
        }
    }
    return NULL;
}

static bool was_given(const struct search *s, const size_t *nodes, size_t count)
{
    for (size_t i = 0; i < s->given_count; i++) {
        if (s->given[i].count == count &&
            memcmp(s->given[i].nodes, nodes, count * sizeof *nodes) == 0)
            return true;
    }
    return false;
}

/* Gives the cycle that this edge closes at start, unless it was given. */
static void give(struct search *s, size_t start, const struct cycles_edge *last,
                 cycles_found *found, void *ctx)
{
    size_t count = 1, lowest = 0;
    for (const struct cycles_edge *edge = last; edge->from != start; edge = s->by[edge->from])
        count++;
    size_t *way = check_alloc(calloc(4 * count, sizeof *way)); /* as found, then turned */
    size_t *labels = way + count, *nodes = way + 2 * count, *turned = way + 3 * count;
    const struct cycles_edge *edge = last;
    for (size_t i = count; i-- > 0; edge = s->by[edge->from]) {
        way[i] = edge->from;
        labels[i] = edge->label;
    }
    for (size_t i = 0; i < count; i++)
        lowest = way[i] < way[lowest] ? i : lowest;
    for (size_t i = 0; i < count; i++) {
        nodes[i] = way[(lowest + i) % count];
        turned[i] = labels[(lowest + i) % count];
    }
    if (!was_given(s, nodes, count)) {
        found(ctx, nodes, turned, count);
        s->given = list_grow(s->given, s->given_count, sizeof *s->given);
        size_t *keep = check_alloc(calloc(count, sizeof *keep));
        memcpy(keep, nodes, count * sizeof *keep);
        s->given[s->given_count++] = (struct given){keep, count};
    }
    free(way);
}

void cycles_find(struct cycles *graph, cycles_found *found, void *ctx)
{
    size_t nodes = graph->node_count;
    struct search s = {.graph = graph};
    if (graph->edge_count == 0)
        return;
    s.out = check_alloc(calloc(nodes + 1, sizeof *s.out));
    s.by = check_alloc(calloc(nodes + 1, sizeof(struct cycles_edge *)));
    s.queue = check_alloc(calloc(nodes + 1, sizeof *s.queue));
    sort_edges(&s);
    peel(&s);
    for (size_t node = 0; node < nodes; node++) {
        const struct cycles_edge *last = s.out[node] ? NULL : way_back(&s, node);
        if (last)
            give(&s, node, last, found, ctx);
    }
    graph->cut = graph->cut || s.steps > CYCLES_MAX_STEPS;
    for (size_t i = 0; i < s.given_count; i++)
        free(s.given[i].nodes);
    free(s.given);
    free(s.out);
    free(s.by);
    free(s.queue);
    free(s.edges);
    free(s.first);
}
