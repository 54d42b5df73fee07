/* The heap against a plain search, over many random moves. */
#include "local/heap.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

enum { NODES = 200, MOVES = 20000 };

static uint64_t state = 42;

static uint64_t next_random(void) /* xorshift: the same run every time */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int64_t least(const struct heap_node *nodes)
{
    int64_t found = INT64_MAX;
    for (size_t i = 0; i < NODES; i++) {
        if (nodes[i].place && nodes[i].due_ms < found)
            found = nodes[i].due_ms;
    }
    return found;
}

static void the_first_is_always_the_one_due_first(void **unused)
{
    (void)unused;
    static struct heap_node nodes[NODES];
    struct heap heap = {0};
    for (int i = 0; i < MOVES; i++) {
        struct heap_node *node = &nodes[next_random() % NODES];
        if (next_random() % 3 == 0) {
            heap_remove(&heap, node);
        } else {
            heap_set(&heap, node, (int64_t)(next_random() % 1000));
        }
        const struct heap_node *first = heap_first(&heap);
        assert_int_equal(first ? first->due_ms : INT64_MAX, least(nodes));
    }
    while (heap_first(&heap))
        heap_remove(&heap, heap_first(&heap));
    assert_int_equal(heap.count, 0);
    heap_fini(&heap);
}

static void taking_out_what_is_not_in_changes_nothing(void **unused)
{
    (void)unused;
    struct heap heap = {0};
    struct heap_node in = {0}, out = {0};
    heap_set(&heap, &in, 5);
    heap_remove(&heap, &out);
    assert_ptr_equal(heap_first(&heap), &in);
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_always_the_one_due_first),
        cmocka_unit_test(taking_out_what_is_not_in_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
