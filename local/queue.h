/*
 * queue - one queue's messages and what becomes of them (CMQ.md 5)
 *
 *      send ---------------> active <------- visibility lapses -------+
 *        |                   ^    |                                   |
 *        + delay > 0 -> delayed   +---- receive (a new handle) --> in flight ---- delete --> gone
 *
 *      from any state: older than retention -> gone, than max_age -> the dead letter queue;
 *      visibility lapses after max_receive receives -> the dead letter queue
 *
 * With rewind_s, what was deleted is kept until so long after its sending, and queue_rewind makes
 * it active again.
 *
 * Time is an argument, in Unix milliseconds, and never runs backwards. Nothing here is slower than
 * the logarithm of the number of messages, but for reset. Those who wait for messages stand in
 * line; queue_ready tells where someone in line can be served. One thread.
 */
#ifndef LOCAL_QUEUE_H
#define LOCAL_QUEUE_H

#include "cmq/limits.h"
#include "local/depot.h"
#include "local/rate.h"

enum queue_policy { QUEUE_BY_RECEIVES = 0, QUEUE_BY_AGE = 1 };

struct queue_attributes {
    int64_t visibility_s;
    int64_t polling_wait_s;
    int64_t retention_s;
    int64_t max_size_bytes;
    int64_t rewind_s; /* 0: nothing is kept */
    int64_t max_heap; /* messages at most; 0: what the depot allows */
    enum queue_policy policy;
    int64_t max_receive; /* policy 0 */
    int64_t max_age_s;   /* policy 1 */
    /* shown, but without effect over HTTP (CMQ.md 5) */
    bool transaction;
    int64_t first_query_s;
    int64_t max_queries;
    int64_t retention_mb;
    bool trace;
};

/* The service's own defaults (CMQ.md 4, 8.5). */
#define QUEUE_DEFAULTS                                                                             \
    {                                                                                              \
        .visibility_s = 30, .retention_s = 3600, .max_size_bytes = CMQ_MAX_BODY_BYTES              \
    }

enum queue_rate { QUEUE_SENDS, QUEUE_RECEIVES, QUEUE_DELETES, QUEUE_RATES };

/* Someone in line for messages; embedded in its owner. */
struct queue_waiter {
    struct queue_waiter *prev;
    struct queue_waiter *next;
    struct queue *queue; /* NULL: stands in no line */
};

struct queue {
    struct heap_node due; /* in the depot's heap: when queue_advance has something to do */
    char name[CMQ_MAX_NAME_BYTES + 1];
    struct queue_attributes attributes;
    struct queue *dead_letter; /* NULL: none */
    int64_t created_ms;
    int64_t modified_ms;
    uint64_t number; /* in the data file */
    struct record record;
    char *tags; /* [{"TagKey":"...","TagValue":"..."}, ...] or NULL; the queue's own */
    struct depot *depot;
    struct message *active; /* first in, first out */
    struct message *oldest;
    struct message *newest;
    struct heap timers; /* of delayed messages and of those in flight */
    struct heap kept;   /* deleted messages, by when they were sent */
    uint64_t active_count;
    uint64_t delayed_count;
    uint64_t inflight_count;
    struct rate rates[QUEUE_RATES]; /* of calls, for who limits them */
    struct queue_waiter *waiters;
    uint64_t waiter_count;
    struct queue *ready_prev; /* in the depot's ready list */
    struct queue *ready_next;
    bool is_ready;
};

/* An empty queue. name is at most CMQ_MAX_NAME_BYTES long. */
void queue_init(struct queue *queue, struct depot *depot, struct span name,
                const struct queue_attributes *attributes);

/*
 * Puts back a message of an earlier run, with its state, its times and, for the timers, due_ms.
 * They must come in the order of entered_ms.
 */
void queue_restore(struct queue *queue, struct message *message, int64_t due_ms);

/* Forgets all messages. Nobody may stand in line. */
void queue_fini(struct queue *queue);

/* Forgets all messages, those kept for rewinding too; handles become invalid. */
void queue_reset(struct queue *queue);

/*
 * Gives a queue other attributes and another dead letter queue (NULL: none), for the messages that
 * are in it too; only visibilities and delays that run already end as they would have.
 */
void queue_set_attributes(struct queue *queue, const struct queue_attributes *attributes,
                          struct queue *dead_letter, int64_t now_ms);

/*
 * Does what has become due by now_ms. The other calls begin with it; for the counts, and for those
 * who wait, somebody must call it (store_advance does for all queues).
 */
void queue_advance(struct queue *queue, int64_t now_ms);

enum queue_result {
    QUEUE_OK,
    QUEUE_TOO_LARGE,    /* a body is above max_size_bytes */
    QUEUE_FULL,         /* the depot's memory or the queue's count is exhausted */
    QUEUE_TOO_MANY_OUT, /* too many delayed, or too many in flight */
};

/* Adds all bodies or none; ids[i] is the number of the i-th, unless ids is NULL. */
enum queue_result queue_send(struct queue *queue, const struct span *bodies, size_t count,
                             int64_t delay_ms, int64_t now_ms, uint64_t *ids);

/*
 * Takes up to max active messages, oldest arrival first: each is in flight until its timer.due_ms
 * and has a new handle. *count may be 0.
 */
enum queue_result queue_receive(struct queue *queue, size_t max, int64_t now_ms,
                                struct message **out, size_t *count);

/* Deletes the message that handle is the newest, unlapsed handle of; false when there is none. */
bool queue_delete(struct queue *queue, struct span handle, int64_t now_ms);

/* When the oldest message that is not deleted was sent; now_ms when there is none. */
int64_t queue_min_time(const struct queue *queue, int64_t now_ms);

enum queue_rewind {
    QUEUE_REWOUND,
    QUEUE_KEEPS_NOTHING,     /* rewind_s is 0 */
    QUEUE_REWIND_IMPOSSIBLE, /* before now - rewind_s, or after queue_min_time */
};

/*
 * Makes active, in the order of their sending, what was sent from the second of start_ms on and
 * deleted since (CMQ.md 5). Their ids and times of sending stay; receives and life begin anew.
 */
enum queue_rewind queue_rewind(struct queue *queue, int64_t start_ms, int64_t now_ms);

/* Puts waiter at the end of the line, or takes it out (fine when it stands in none). */
void queue_wait(struct queue *queue, struct queue_waiter *waiter);
void queue_leave(struct queue_waiter *waiter);

/* A queue where a waiter can be served, or NULL. */
struct queue *queue_ready(const struct depot *depot);

#endif
