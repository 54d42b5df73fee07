/*
 * delivery - a message bound for one destination, and a dead letter that found none
 *
 * mapping/ makes them, spool/ keeps them, gateway/ sends them. Each is one heap block: the struct
 * with its bytes behind it, so it has one owner and is freed by free(). Spans point into the block.
 * What the destination text means is mapping/destination.h's business; here it is bytes.
 */
#ifndef BASE_DELIVERY_H
#define BASE_DELIVERY_H

#include "base/span.h"

enum delivery_flag {
    DELIVERY_STRICT = 1,          /* order = "strict": holds what comes behind it in its lane */
    DELIVERY_ACCEPT_UNROUTED = 2, /* unrouted = "accept": CMQ's 6030 counts as done */
};

struct delivery {
    struct delivery *next; /* utlist's; whoever owns the list */
    uint64_t id;           /* the spool's number: grows with arrival, never used twice */
    uint64_t lane;         /* deliveries of one lane share it; see destination_lane */
    int64_t received_ms;   /* Unix time of arrival at the gateway */
    int64_t expires_ms;    /* Unix time after which it is a dead letter; 0: never */
    uint32_t attempts;     /* tries that failed */
    uint32_t flags;        /* of enum delivery_flag */
    struct span rule;
    struct span destination;
    struct span body;
};

/*
 * A delivery with copies of the three byte runs; everything else is zero. Never NULL. The caller
 * owns it and frees it with free().
 */
struct delivery *delivery_new(struct span rule, struct span destination, struct span body);

/* Bytes of memory that a delivery takes. */
size_t delivery_bytes(const struct delivery *delivery);

enum dead_direction { DEAD_UP, DEAD_DOWN };

/*
 * What could not be delivered, with the reason and enough to try again. If destination is not
 * empty it was planned and body is the body for CMQ; otherwise mapping failed, body is the original
 * payload, and origin is a JSON object describing the original message (mapping/origin.h), from
 * which it can be planned again.
 */
struct dead_letter {
    struct dead_letter *next;
    uint64_t id;         /* the spool's number */
    int64_t received_ms; /* Unix time of arrival at the gateway */
    int64_t died_ms;     /* Unix time of setting aside */
    uint32_t attempts;
    uint32_t flags; /* of enum delivery_flag */
    enum dead_direction direction;
    struct span rule;
    struct span reason; /* "code: text for people", e.g. "raw_not_utf8: the payload ..." */
    struct span destination;
    struct span origin;
    struct span body;
};

/* A dead letter with copies of the five byte runs; everything else is zero. Never NULL. */
struct dead_letter *dead_letter_new(struct span rule, struct span reason, struct span destination,
                                    struct span origin, struct span body);

size_t dead_letter_bytes(const struct dead_letter *letter);

#endif
