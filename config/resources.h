/*
 * resources - the queues, topics and subscriptions that should exist in CMQ (RULES 5)
 *
 * Filled by config_load, read-only afterwards. Units are the service's: seconds and bytes.
 */
#ifndef CONFIG_RESOURCES_H
#define CONFIG_RESOURCES_H

#include "cmq/limits.h"

#include <stdbool.h>

struct resource_queue {
    char *name;
    int64_t visibility_s;   /* 1 to 43200, default 30 */
    int64_t polling_wait_s; /* 0 to 30, default 0 */
    int64_t retention_s;    /* 30 to 43200, default 3600 */
    int64_t max_size_bytes; /* 1024 to 1048576, default 1048576 */
    int64_t rewind_s;       /* 0 to 1296000, default 0 */
    char *dead_letter;      /* a queue's name, or NULL */
    int policy;             /* 0: max_receive; 1: max_age_s */
    int64_t max_receive;    /* 1 to 1000 */
    int64_t max_age_s;      /* 300 to 43200 */
    const char *file;
    int line;
};

struct resource_subscription {
    char *name;
    char *queue; /* or */
    char *url;   /* exactly one of them is set */
    char *tags[CMQ_MAX_TAGS];
    size_t tag_count;
    char *keys[CMQ_MAX_BINDING_KEYS];
    size_t key_count;
    bool exponential; /* retry = "exponential" (default) or "backoff" */
    bool simplified;  /* format = "simplified" (always for queues) or "json" */
    const char *file;
    int line;
};

struct resource_topic {
    char *name;
    bool by_route;          /* filter = "route"; else "tag", the default */
    int64_t retention_s;    /* 60 to 86400, default 86400 */
    int64_t max_size_bytes; /* 1024 to 1048576, default 65536 */
    struct resource_subscription *subscriptions;
    size_t subscription_count;
    const char *file;
    int line;
};

struct resources {
    bool declared; /* a resources section stands somewhere */
    struct resource_queue *queues;
    size_t queue_count;
    struct resource_topic *topics;
    size_t topic_count;
};

#endif
