/*
 * resources - the queues, topics and subscriptions that should exist in CMQ (RULES 5)
 *
 * Filled by config_load, read-only afterwards. Units are seconds and bytes. Settings that were not
 * declared hold their default, and `given` tells them apart: `cmqgw provision` creates with the
 * default and leaves alone what exists.
 */
#ifndef CONFIG_RESOURCES_H
#define CONFIG_RESOURCES_H

#include "cmq/limits.h"

#include <stdbool.h>

enum resource_given {
    GIVEN_VISIBILITY = 1 << 0,
    GIVEN_POLLING_WAIT = 1 << 1,
    GIVEN_RETENTION = 1 << 2,
    GIVEN_MAX_SIZE = 1 << 3,
    GIVEN_MAX_MESSAGES = 1 << 4,
    GIVEN_REWIND = 1 << 5,
    GIVEN_REWIND_SIZE = 1 << 6,
    GIVEN_TRACE = 1 << 7,
    GIVEN_TRANSACTION = 1 << 8,
    GIVEN_CHECK_BACK_AFTER = 1 << 9,
    GIVEN_CHECK_BACKS = 1 << 10,
    GIVEN_DEAD_LETTER = 1 << 11, /* also given as none */
    GIVEN_LABELS = 1 << 12,
    GIVEN_RETRY = 1 << 13,
    GIVEN_FORMAT = 1 << 14,
};

struct resource_queue {
    char *name;
    unsigned given;             /* of enum resource_given */
    int64_t visibility_s;       /* 1 to 43200, default 30 */
    int64_t polling_wait_s;     /* 0 to 30, default 0 */
    int64_t retention_s;        /* 30 to 43200, default 3600 */
    int64_t max_size_bytes;     /* 1024 to 1048576, default 1048576 */
    int64_t max_messages;       /* 1000000 to 1000000000; 0: not given */
    int64_t rewind_s;           /* 0 to 1296000, default 0 */
    int64_t rewind_size_bytes;  /* 10 GiB to 500 GiB, whole MiB; 0: not given */
    bool trace;                 /* default false */
    bool transaction;           /* default false */
    int64_t check_back_after_s; /* 1 to 43200, with transaction only; 0: not given */
    int64_t check_backs;        /* 1 to 1000, with transaction only; 0: not given */
    char **labels;              /* "KEY=VALUE" */
    size_t label_count;
    char *dead_letter;   /* a queue's name, or NULL */
    int policy;          /* 0: max_receive; 1: max_age_s */
    int64_t max_receive; /* 1 to 1000 */
    int64_t max_age_s;   /* 300 to 43200 */
    const char *file;
    int line;
};

struct resource_subscription {
    char *name;
    unsigned given; /* of enum resource_given */
    char *queue;    /* or */
    char *url;      /* exactly one of them is set */
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
    unsigned given;         /* of enum resource_given */
    bool by_route;          /* filter = "route"; else "tag", the default */
    int64_t retention_s;    /* 60 to 86400, default 86400 */
    int64_t max_size_bytes; /* 1024 to 1048576, default 65536 */
    bool trace;             /* default false */
    char **labels;          /* "KEY=VALUE" */
    size_t label_count;
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
    uint64_t digest; /* of all these sections: differs when they do */
};

#endif
