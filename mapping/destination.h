/*
 * destination - where in CMQ a delivery goes, as text that survives the spool
 *
 * The text is canonical (equal destinations have equal text) and readable:
 *     queue NAME            queue NAME delay 5
 *     topic NAME            topic NAME route KEY            topic NAME tags T1,T2
 * In routes and tags the bytes '%', ',', space and below, and 0x7F are written %XX. Pure; any
 * thread.
 */
#ifndef MAPPING_DESTINATION_H
#define MAPPING_DESTINATION_H

#include "base/buf.h"
#include "cmq/limits.h"

struct destination {
    bool is_topic;
    struct span name;
    uint32_t delay_s; /* queues */
    bool has_route;   /* topics; excludes tags */
    struct span route;
    struct span tags[CMQ_MAX_TAGS];
    size_t tag_count;
};

/* Appends the canonical text. */
bool destination_format(const struct destination *d, struct buf *out);

/*
 * Reads it back. store holds the decoded bytes that *d points into: keep it as long as *d. False
 * when text is not canonical: a damaged spool.
 */
bool destination_parse(struct span text, struct destination *d, struct buf *store);

/*
 * The part of a destination text that names the queue or topic: "queue NAME", "topic NAME". What
 * rate limits and holds apply to.
 */
struct span destination_door(struct span text);

/*
 * The lane of a delivery: relaxed ones share it with the same destination text, strict ones with
 * the same queue or topic, whatever route, tags or delay.
 */
uint64_t destination_lane(struct span text, bool strict);

#endif
