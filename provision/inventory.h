/*
 * inventory - the queues, topics and subscriptions that an account has
 *
 * Read through the management plane (CMQ.md 8.5) into the same shape that `resources` declare, with
 * `given` telling what the service said; what it left out or null holds 0. Bytes from outside: what
 * has no usable name or a value of the wrong kind makes reading fail. One thread.
 */
#ifndef PROVISION_INVENTORY_H
#define PROVISION_INVENTORY_H

#include "cmq/api.h"
#include "config/resources.h"

enum inventory_status { /* CmqQueue and CmqTopic (CMQ.md 8.5) */
                        STATUS_CREATING = 0,
                        STATUS_NORMAL = 1, /* also when the service does not say */
                        STATUS_GOING = 2,
                        STATUS_GONE = 3,
                        STATUS_ISOLATED = 4,
                        STATUS_NOT_CREATED = 5,
                        STATUS_NOT_DELETED = 6,
};

/* Whether the account has what has this status: not when it is being deleted. */
bool inventory_exists(int status);

struct inventory_queue {
    struct resource_queue is;
    int status;
    int64_t messages; /* active, inactive and delayed; -1: the service does not say */
};

struct inventory_topic {
    struct resource_topic is; /* its subscriptions in order of name, if they were read */
    int status;
};

struct inventory {
    struct inventory_queue *queues; /* in order of name, upper and lower case the same */
    size_t queue_count;
    struct inventory_topic *topics;
    size_t topic_count;
};

/* Whether a topic's subscriptions are wanted. */
typedef bool (*inventory_wants_fn)(void *ctx, const char *topic);

/* Told now and then how far reading has come: done of total topics. */
typedef void (*inventory_progress_fn)(void *ctx, size_t done, size_t total);

struct inventory_options {
    inventory_wants_fn wants; /* NULL: all */
    inventory_progress_fn progress;
    void *ctx; /* of both */
};

/* Reads the account. False and err when some of it cannot be read. Free with fini either way. */
MUST_CHECK bool inventory_read(struct inventory *inventory, struct api *api,
                               const struct inventory_options *options, struct err *err);
void inventory_fini(struct inventory *inventory);

/* The one with this name, upper and lower case the same; NULL: there is none. */
const struct inventory_queue *inventory_queue(const struct inventory *inventory, const char *name);
const struct inventory_topic *inventory_topic(const struct inventory *inventory, const char *name);
const struct resource_subscription *inventory_subscription(const struct inventory_topic *topic,
                                                           const char *name);

/*
 * Reads what the account has under one name now, with its subscriptions left out. An inventory with
 * none or one in it. False and err when it cannot be read. Free with fini either way.
 */
MUST_CHECK bool inventory_look_queue(struct inventory *inventory, struct api *api, const char *name,
                                     struct err *err);
MUST_CHECK bool inventory_look_topic(struct inventory *inventory, struct api *api, const char *name,
                                     struct err *err);
/* The same with the one subscription in the topic. */
MUST_CHECK bool inventory_look_subscription(struct inventory *inventory, struct api *api,
                                            const char *topic, const char *name, struct err *err);

/* Takes a description in; for inventory_read, and for tests and fuzzers. ctx is the inventory. */
bool inventory_take_queue(void *ctx, const struct cJSON *description, struct err *err);
bool inventory_take_topic(void *ctx, const struct cJSON *description, struct err *err);
/* ctx is the struct resource_topic. */
bool inventory_take_subscription(void *ctx, const struct cJSON *description, struct err *err);

/* Puts all in order; for who took descriptions in. Of two with the same name one stays. */
void inventory_sort(struct inventory *inventory);

#endif
