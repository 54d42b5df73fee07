/*
 * depot - what all queues share: the messages, their numbers and the memory they take
 *
 * A message lives in a numbered slot, so that a receipt handle, which is the slot and the number of
 * the receive, finds it without a search. Message numbers grow and start from the clock, so that no
 * number is used twice, not even by a server that is started again. One thread.
 */
#ifndef LOCAL_DEPOT_H
#define LOCAL_DEPOT_H

#include "base/span.h"
#include "local/changes.h"
#include "local/heap.h"

struct queue;

enum message_state {
    MESSAGE_ACTIVE,
    MESSAGE_DELAYED,
    MESSAGE_INFLIGHT,
    MESSAGE_KEPT, /* deleted, and kept for rewinding */
};

struct message {
    struct heap_node timer; /* delayed and in flight: when it becomes active; kept: enqueued_ms */
    struct message *prev;   /* among the active of its queue */
    struct message *next;
    struct message *older; /* among all of its queue */
    struct message *newer;
    struct queue *queue;
    uint64_t id;
    int64_t enqueued_ms; /* when it came into this queue */
    int64_t entered_ms;  /* from when on its life counts: the same, or when it was rewound */
    int64_t first_dequeue_ms;
    uint32_t dequeue_count;
    uint32_t receipt; /* the number of its last receive */
    uint32_t slot;
    enum message_state state;
    struct record record;
    size_t len;
    char body[];
};

struct depot_limits {
    uint64_t bytes;       /* of memory that messages take, over all queues */
    uint64_t queue_count; /* messages in one queue */
    uint64_t unacked;     /* messages of one queue in flight, and as many delayed */
};

struct depot {
    struct depot_limits limits;
    bool bury_on_receive;   /* policy 0: at receive max_receive + 1, not when visibility lapses */
    struct message **slots; /* a free slot holds the number of the next free one */
    uint32_t slot_count;
    uint32_t free_slot;
    uint64_t bytes; /* that messages take now */
    uint64_t next_id;
    uint64_t next_number; /* for queues, topics and subscriptions: theirs in the data file */
    uint32_t next_receipt;
    struct heap due;         /* queues by the moment at which something changes in them */
    struct queue *ready;     /* queues that have both messages and waiters */
    struct changes *changes; /* NULL: nothing is saved */
};

/* An empty depot; ids and receipts continue from what the clock gives. */
void depot_init(struct depot *depot, const struct depot_limits *limits, int64_t now_ms);

/* Frees the depot's memory. Its messages must be gone. */
void depot_fini(struct depot *depot);

/* Whether count messages with so many bytes of bodies in all would fit. */
bool depot_has_room(const struct depot *depot, size_t count, uint64_t body_bytes);

/* A new message in no queue, with a copy of body and a number of its own. Never NULL. */
struct message *depot_add(struct depot *depot, struct span body);

/* To be called when anything but the state's end by time has changed in a message. */
static inline void depot_touch(struct depot *depot, struct message *message)
{
    if (depot->changes)
        changes_touch(depot->changes, &message->record, RECORD_MESSAGE);
}

/*
 * As depot_add, for a message of an earlier run: with its number, in its slot. NULL when the slot
 * is taken or too high. After the last one depot_restored must be called.
 */
struct message *depot_restore(struct depot *depot, uint64_t id, uint32_t slot, struct span body);
void depot_restored(struct depot *depot);

/* Forgets a message that is in no queue's lists any more. */
void depot_remove(struct depot *depot, struct message *message);

enum { DEPOT_HANDLE_SIZE = 24 };

/* Writes the receipt handle of the last receive: decimal digits. Returns its length. */
size_t depot_handle(const struct message *message, char out[DEPOT_HANDLE_SIZE]);

/* The message that handle is the newest handle of, or NULL. It may be in any queue and state. */
struct message *depot_find(const struct depot *depot, struct span handle);

#endif
