/*
 * heap - which of many things is due first
 *
 * A binary heap of nodes that are embedded in their owners, so that one can be moved or taken out
 * in O(log n) when its moment changes. The heap owns only its array. One thread.
 */
#ifndef LOCAL_HEAP_H
#define LOCAL_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t due_ms;
    size_t place; /* 1-based; 0: in no heap. Zero-initialise. */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t room;
};

/* The node that is due first, or NULL. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}

/* Puts node in, or moves it to its new moment when it is in already. */
void heap_set(struct heap *heap, struct heap_node *node, int64_t due_ms);

/* Takes node out; fine when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* Frees the array; the nodes are their owners' business. */
void heap_fini(struct heap *heap);

#endif
