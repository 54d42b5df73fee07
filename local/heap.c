/* heap - see heap.h. Node i (1-based) has its children at 2i and 2i+1. */
#include "local/heap.h"

#include "base/check.h"

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    while (place > 1 && heap->nodes[place / 2 - 1]->due_ms > node->due_ms) {
        put(heap, place, heap->nodes[place / 2 - 1]);
        place /= 2;
    }
    put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    for (;;) {
        size_t child = 2 * place;
        if (child > heap->count)
            break;
        if (child < heap->count && heap->nodes[child]->due_ms < heap->nodes[child - 1]->due_ms)
            child++;
        if (heap->nodes[child - 1]->due_ms >= node->due_ms)
            break;
        put(heap, place, heap->nodes[child - 1]);
        place = child;
    }
    put(heap, place, node);
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t due_ms)
{
    node->due_ms = due_ms;
    if (node->place == 0) {
        if (heap->count == heap->room) {
            heap->room = heap->room ? heap->room * 2 : 16;
            heap->nodes = check_alloc(reallocarray(heap->nodes, heap->room, sizeof(void *)));
        }
        put(heap, ++heap->count, node);
    }
    sift_up(heap, node);
    sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->place == 0)
        return;
    struct heap_node *last = heap->nodes[--heap->count];
    if (last != node) {
        put(heap, node->place, last);
        sift_up(heap, last);
        sift_down(heap, last);
    }
    node->place = 0;
}

void heap_fini(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}
