/*
 * topic - MQTT topic names and topic filters
 *
 * A name is what a message was published to ("plant/7/temp"); a filter is what a rule listens with
 * ("plant/+/temp", "plant/#"). The matching rules are MQTT 5.0 s. 4.7 and the same in 3.1.1. Of a
 * shared subscription ("$share/GROUP/FILTER") only FILTER belongs here.
 *
 * All functions are pure: they keep and lock nothing, and any thread may call them. Spans point
 * into the caller's bytes and live as long as those do.
 */
#ifndef MAPPING_TOPIC_H
#define MAPPING_TOPIC_H

#include "base/buf.h"

enum {
    TOPIC_MAX_BYTES = 65535, /* MQTT 5.0 s. 4.7.3 */
    TOPIC_MAX_CAPTURES = 32, /* wildcards in one filter */
    TOPIC_MAX_LEVELS = 256,  /* deeper names match only by '#'; a filter may not have more */
};

/* What each wildcard of a filter stood for, left to right. */
struct topic_captures {
    size_t count;
    struct span at[TOPIC_MAX_CAPTURES];
};

/*
 * A name: 1 to 65535 bytes of valid UTF-8 without NUL, '+' or '#'. *why, when not NULL, gets a
 * constant text that says what is wrong.
 */
bool topic_name_ok(struct span name, const char **why);

/* A filter: as a name, but '+' and '#' may stand for whole levels, '#' only for the last. */
bool topic_filter_ok(struct span filter, const char **why);

/*
 * Tells whether name matches filter and, if it does and caps is not NULL, what each wildcard stood
 * for. Both must have passed their check. Easy to forget: "a/#" matches "a" itself, and then '#'
 * stands for nothing (ptr NULL; in "a/" it stands for one empty level); a filter that begins with a
 * wildcard does not match a name that begins with '$'.
 */
bool topic_match(struct span filter, struct span name, struct topic_captures *caps);

/* Appends why name does not match filter, for people; nothing when it does. Both are checked. */
void topic_explain(struct span filter, struct span name, struct buf *out);

/* Whether every name that matches `inner` also matches `outer`. Both are checked filters. */
bool topic_filter_covers(struct span outer, struct span inner);

/* Whether some name matches both. Both are checked filters. */
bool topic_filters_overlap(struct span a, struct span b);

#endif
