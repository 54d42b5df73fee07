/* Cycles in graphs: each given once, and none that is not there. */
#include "config/cycles.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* "0-a-1-b-: " for the cycle 0 -> 1 -> 0 with labels a and b. */
static void write_down(void *ctx, const size_t *nodes, const size_t *labels, size_t count)
{
    struct buf *log = ctx;
    for (size_t i = 0; i < count; i++)
        buf_printf(log, "%zu-%c-", nodes[i], (int)labels[i]);
    buf_add_str(log, ": ");
}

static void cycles_are_found_from_their_lowest_node(void **state)
{
    (void)state;
    static const struct {
        const char *edges; /* "01a": from 0 to 1, label a */
        const char *found;
    } rows[] = {
        {"", ""},
        {"01a 12b 23c 02d", ""},
        {"00a", "0-a-: "},
        {"01a 10b", "0-a-1-b-: "},
        {"21a 13b 32c", "1-b-3-c-2-a-: "},
        {"01a 12b 20c 34d 43e", "0-a-1-b-2-c-: 3-d-4-e-: "},
        {"01a 10b 12c 21d", "0-a-1-b-: 1-c-2-d-: "},                 /* one node in both */
        {"01a 12b 23c 30d 13e", "0-a-1-e-3-d-: 0-a-1-b-2-c-3-d-: "}, /* the shorter one first */
        {"00a 01b 10c", "0-a-: 0-b-1-c-: "},
        {"40a 01b 12c 21d 23e", "1-c-2-d-: "}, /* what leads there and away is not in it */
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct cycles graph;
        struct buf log = BUF_INIT(1024);
        cycles_init(&graph, 5);
        for (const char *edge = rows[i].edges; *edge; edge += edge[3] ? 4 : 3)
            cycles_add(&graph, (size_t)(edge[0] - '0'), (size_t)(edge[1] - '0'), (size_t)edge[2]);
        cycles_find(&graph, write_down, &log);
        assert_string_equal(buf_str(&log), rows[i].found);
        assert_false(graph.cut);
        cycles_fini(&graph);
        buf_fini(&log);
    }
}

static void count_nodes(void *ctx, const size_t *nodes, const size_t *labels, size_t count)
{
    (void)nodes;
    (void)labels;
    *(size_t *)ctx += count;
}

static void a_long_ring_is_one_cycle_and_a_long_chain_is_none(void **state)
{
    (void)state;
    enum { NODES = 3000 };
    for (int closed = 0; closed < 2; closed++) {
        struct cycles graph;
        size_t in_cycles = 0;
        cycles_init(&graph, NODES);
        for (size_t i = 0; i + 1 < NODES; i++)
            cycles_add(&graph, i, i + 1, 0);
        if (closed)
            cycles_add(&graph, NODES - 1, 0, 0);
        cycles_find(&graph, count_nodes, &in_cycles);
        assert_int_equal(in_cycles, closed ? NODES : 0);
        cycles_fini(&graph);
    }
}

static void too_many_edges_are_told(void **state)
{
    (void)state;
    struct cycles graph;
    cycles_init(&graph, 2);
    for (size_t i = 0; i <= CYCLES_MAX_EDGES; i++)
        cycles_add(&graph, 0, 1, 0);
    assert_true(graph.cut);
    assert_int_equal(graph.edge_count, CYCLES_MAX_EDGES);
    size_t in_cycles = 0;
    cycles_find(&graph, count_nodes, &in_cycles);
    assert_int_equal(in_cycles, 0);
    cycles_fini(&graph);
}

static void a_search_that_takes_too_long_ends(void **state)
{
    (void)state;
    enum { LAYERS = 10, WIDTH = 100 }; /* all of a layer lead to all of the next one, in a ring */
    struct cycles graph;
    size_t in_cycles = 0;
    cycles_init(&graph, LAYERS * WIDTH);
    for (size_t i = 0; i < LAYERS * WIDTH; i++) {
        for (size_t k = 0; k < WIDTH; k++)
            cycles_add(&graph, i, (i / WIDTH + 1) % LAYERS * WIDTH + k, 0);
    }
    cycles_find(&graph, count_nodes, &in_cycles);
    assert_true(in_cycles > 0);
    assert_true(graph.cut);
    cycles_fini(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycles_are_found_from_their_lowest_node),
        cmocka_unit_test(a_long_ring_is_one_cycle_and_a_long_chain_is_none),
        cmocka_unit_test(too_many_edges_are_told),
        cmocka_unit_test(a_search_that_takes_too_long_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
