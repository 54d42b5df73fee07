/*
 * store - all queues and topics, by name
 *
 * Names are unique whatever their case (CMQ.md 4). Whoever changes what exists does it here. What
 * can be refused is asked first: nothing here fails because of a state that the caller could have
 * looked at, but for names, filters and urls of wrong form. One thread.
 */
#ifndef LOCAL_STORE_H
#define LOCAL_STORE_H

#include "base/err.h"
#include "local/bars.h"
#include "local/topic.h"

struct store;

struct store *store_new(const struct depot_limits *limits, int64_t now_ms);
void store_free(struct store *store); /* nobody may stand in line; NULL is fine */

/* Adds an empty queue or topic. NULL and err when the name is bad or taken. */
struct queue *store_add_queue(struct store *store, struct span name,
                              const struct queue_attributes *attributes, struct err *err);

struct topic_attributes {
    bool by_route; /* cannot change later */
    int64_t retention_s;
    int64_t max_size_bytes;
    bool trace; /* shown, without effect */
};
struct topic *store_add_topic(struct store *store, struct span name,
                              const struct topic_attributes *attributes, struct err *err);

/*
 * Makes target the dead letter queue of queue. False and err when there is no such queue, it has a
 * dead letter queue itself, or queue is the dead letter queue of another.
 */
MUST_CHECK bool store_bind_dead_letter(struct store *store, struct queue *queue, struct span target,
                                       struct err *err);

struct subscription_spec {
    struct span name;
    struct span queue;          /* or */
    struct span url;            /* exactly one is not empty */
    const struct span *filters; /* tags or binding keys, by the kind of the topic */
    size_t filter_count;
    bool exponential;
    bool simplified;
};
/* False and err when the name is bad or taken, a filter or the url is bad, or there is no such
 * queue. To an https:// url nothing will be pushed: what is published for it is dropped. */
MUST_CHECK bool store_subscribe(struct store *store, struct topic *topic,
                                const struct subscription_spec *spec, struct err *err);

/* Changes a queue's attributes and its dead letter queue, NULL for none. */
void store_change_queue(struct store *store, struct queue *queue,
                        const struct queue_attributes *attributes, struct queue *dead_letter);
void store_change_topic(struct store *store, struct topic *topic,
                        const struct topic_attributes *attributes);

struct subscription_change {
    const struct span *filters; /* NULL: as before; checked as store_subscribe checks them */
    size_t filter_count;
    bool exponential;
    bool simplified;
};
void store_change_subscription(struct store *store, struct subscription *subscription,
                               const struct subscription_change *change);

/* Gives a queue or topic tags: a JSON list, copied; NULL for none. */
void store_tag_queue(struct store *store, struct queue *queue, const char *tags);
void store_tag_topic(struct store *store, struct topic *topic, const char *tags);

/*
 * Forgets a queue with its messages and the subscriptions that feed it. Nobody may stand in its
 * line, and it may be nobody's dead letter queue (store_is_grave).
 */
void store_remove_queue(struct store *store, struct queue *queue);
void store_remove_topic(struct store *store, struct topic *topic); /* and its subscriptions */
void store_unsubscribe(struct store *store, struct subscription *subscription);

/* Whether another queue sends its dead letters to this one. */
bool store_is_grave(const struct store *store, const struct queue *queue);

/* Tells the store the time, which is what is noted for a creation or a change. store_advance does
 * too. */
void store_set_time(struct store *store, int64_t now_ms);

struct queue *store_queue(const struct store *store, struct span name);
struct topic *store_topic(const struct store *store, struct span name);
size_t store_queue_count(const struct store *store);
size_t store_topic_count(const struct store *store);

/* The one added after previous, or the first for NULL; NULL at the end. */
struct queue *store_next_queue(const struct store *store, const struct queue *previous);
struct topic *store_next_topic(const struct store *store, const struct topic *previous);

/* Does in all queues and lines of pushes what has become due by now_ms. */
void store_advance(struct store *store, int64_t now_ms);

/* When store_advance has something to do next; INT64_MAX: not until something is sent. */
int64_t store_next_due(const struct store *store);

/* A queue where a waiter can be served, or NULL. */
struct queue *store_ready(const struct store *store);

/* The messages of all queues. */
struct depot *store_depot(struct store *store);

/* The names that cannot be had again yet. */
struct bars *store_bars(struct store *store);

/* The pushes of all subscriptions. */
struct push_hub *store_pushes(struct store *store);

/* Bytes of memory that messages take. */
uint64_t store_bytes(const struct store *store);

/* Forgets all messages and barred names; those who wait go on waiting. */
void store_reset(struct store *store);

#endif
