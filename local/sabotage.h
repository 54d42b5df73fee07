/*
 * sabotage - the misbehaviour that /local/faults scripts (RULES 8)
 *
 * A list of rules; the first one that fits a request decides. One thread.
 */
#ifndef LOCAL_SABOTAGE_H
#define LOCAL_SABOTAGE_H

#include "base/buf.h"
#include "base/err.h"

enum sabotage_mode {
    SABOTAGE_HTTP_500,
    SABOTAGE_DROP,      /* close, do nothing */
    SABOTAGE_LATE_DROP, /* do, then close instead of answering */
    SABOTAGE_DELAY,     /* wait, then go on as if nothing had been */
    SABOTAGE_GARBAGE,   /* do nothing, answer 200 with no JSON */
    SABOTAGE_CODE,      /* do nothing, answer with an error */
};

enum { SABOTAGE_MAX_RULES = 256, SABOTAGE_MAX_TEXT_BYTES = 64 };

struct sabotage_rule {
    char action[SABOTAGE_MAX_TEXT_BYTES + 1]; /* "*": any */
    char name[SABOTAGE_MAX_TEXT_BYTES + 1];   /* of a queue or topic; "": any */
    enum sabotage_mode mode;
    int code; /* SABOTAGE_CODE of the data plane: a pair that code_find knows */
    int module;
    const char *api_code; /* SABOTAGE_CODE of the management plane: a constant; else NULL */
    int64_t delay_ms;     /* SABOTAGE_DELAY */
    double rate;          /* of the requests that fit, the part that is hit */
    int64_t left;         /* how many more are hit; -1: no limit */
    uint64_t hits;
};

struct sabotage {
    struct sabotage_rule *rules;
    size_t count;
};

/* Replaces the script by the JSON list in text. False and err when it is not one; then it stays. */
MUST_CHECK bool sabotage_set(struct sabotage *sabotage, struct span text, struct err *err);

/* Forgets the script. */
void sabotage_clear(struct sabotage *sabotage);

/*
 * The rule that hits a request with this action and queue or topic (whose case does not count), or
 * NULL; valid until the script changes. Codes are for their own plane only: is_api3 tells which.
 */
const struct sabotage_rule *sabotage_pick(struct sabotage *sabotage, struct span action,
                                          struct span name, bool is_api3);

/* Appends the script as JSON, with "count" what is left of it and "hits" how often it hit. */
void sabotage_print(const struct sabotage *sabotage, struct buf *out);

#endif
