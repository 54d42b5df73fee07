/*
 * topic - who gets what is published (CMQ.md 3.7, 4.1, 4.2, 6)
 *
 * A subscription takes messages by filter tags or by binding keys, as the topic's kind says, and
 * passes them to a queue, or to a line of pushes when it has a url. One thread.
 */
#ifndef LOCAL_TOPIC_H
#define LOCAL_TOPIC_H

#include "local/endpoint.h"
#include "local/push.h"
#include "local/queue.h"

struct subscription {
    struct subscription *next;
    char name[CMQ_MAX_NAME_BYTES + 1];
    uint64_t number; /* in the data file */
    struct topic *topic;
    struct queue *queue;      /* NULL: an http subscription */
    char *url;                /* NULL: a queue subscription */
    struct endpoint endpoint; /* of an http subscription */
    struct push_line *pushes; /* of an http subscription; NULL: TLS, which is not spoken */
    struct span *filters;     /* filter tags or binding keys; with their bytes in one block */
    size_t filter_count;
    bool exponential;
    bool simplified;
    int64_t created_ms;
    int64_t modified_ms;
    bool matches;       /* what is being published; used by topic_publish only */
    uint64_t delivered; /* messages passed on to the queue or the line */
    uint64_t dropped;   /* messages that could not be passed on */
};

struct topic {
    char name[CMQ_MAX_NAME_BYTES + 1];
    bool by_route; /* binding keys; else filter tags */
    int64_t retention_s;
    int64_t max_size_bytes;
    bool trace; /* shown, without effect */
    int64_t created_ms;
    int64_t modified_ms;
    char *tags;      /* as a queue's */
    uint64_t number; /* in the data file */
    struct record record;
    struct rate rate; /* of publishing calls, for who limits them */
    struct depot *depot;
    struct subscription *subscriptions; /* in the order in which they came */
};

/* What decides who gets a message. A topic looks at the one that is its kind. */
struct topic_label {
    struct span route;
    const struct span *tags;
    size_t tag_count;
};

enum topic_result {
    TOPIC_OK,
    TOPIC_TOO_LARGE,       /* a body is above max_size_bytes */
    TOPIC_FULL,            /* the depot's memory is exhausted */
    TOPIC_NO_SUBSCRIPTION, /* nobody listens at all */
    TOPIC_NONE_MATCHES,
};

/*
 * Publishes all bodies or none; ids[i] is the number of the i-th. Each queue gets copies that have
 * numbers of their own. A queue that cannot take them (full, or too small for the body) loses them,
 * and that is counted. Pushes only stand in line afterwards.
 */
enum topic_result topic_publish(struct topic *topic, const struct span *bodies, size_t count,
                                const struct topic_label *label, int64_t now_ms, uint64_t *ids);

/* Adds a subscription without a receiver. name is checked; filters are copied. */
struct subscription *topic_subscribe(struct topic *topic, struct span name,
                                     const struct span *filters, size_t filter_count);

/* The subscription of this name, whatever its case, or NULL. Slow; not for every request. */
struct subscription *topic_find(const struct topic *topic, struct span name);

/* Gives a subscription other filters, which are copied. */
void topic_set_filters(struct subscription *subscription, const struct span *filters,
                       size_t filter_count);

/* Forgets a subscription and what is still to be pushed for it. */
void topic_unsubscribe(struct topic *topic, struct subscription *subscription);

/* Forgets all subscriptions. */
void topic_fini(struct topic *topic);

#endif
