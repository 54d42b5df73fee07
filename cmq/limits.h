/*
 * limits - what CMQ takes (CMQ.md 4)
 *
 * Numbers and name rules, shared by everyone who checks before sending and by the local server that
 * refuses. Pure; any thread.
 */
#ifndef CMQ_LIMITS_H
#define CMQ_LIMITS_H

#include "base/span.h"

enum {
    CMQ_MAX_BATCH = 16,
    CMQ_MAX_BODY_BYTES = 1 << 20, /* one message */
    CMQ_MAX_POST_BYTES = 1 << 20, /* a whole POST body, encoded */
    CMQ_MAX_NAME_BYTES = 64,      /* queue, topic, subscription */
    CMQ_MAX_TAGS = 5,
    CMQ_MAX_TAG_CHARS = 16,   /* each; characters of UTF-8 */
    CMQ_MAX_ROUTE_BYTES = 64, /* routing key and binding key */
    CMQ_MAX_ROUTE_DOTS = 15,
    CMQ_MAX_BINDING_KEYS = 5,
    CMQ_MAX_POLL_S = 30,
    CMQ_MAX_DELAY_S = 43200, /* TDMQ: at most the queue's unacknowledged time */
    CMQ_MAX_HANDLE_BYTES = 256,
    CMQ_MAX_ENDPOINT_BYTES = 500, /* of a subscription */
};

/*
 * A queue's, topic's or subscription's name: 1 to 64 bytes, a letter first, then letters, digits,
 * '-' and '_'; not ending in "-retry" or "-dlq". *why, when not NULL, gets a constant text.
 */
bool cmq_name_ok(struct span name, const char **why);

/* A tag: 1 to 16 characters of valid UTF-8, no NUL. */
bool cmq_tag_ok(struct span tag, const char **why);

/* A routing key: at most 64 bytes of valid UTF-8 and 15 dots, no NUL; may be empty. */
bool cmq_route_ok(struct span route, const char **why);

/* A binding key: as a routing key, not empty. */
bool cmq_binding_key_ok(struct span key, const char **why);

#endif
