/*
 * push - messages on their way to http subscriptions: order, tries and retries (CMQ.md 6)
 *
 *      add ---> fresh ----> trying -------- answered 2xx --------> delivered
 *                 |          ^   |
 *                 |          |   +-- failed --> resting --+--> dropped: no retry left, or the
 *                 |          +------ rest is over --------+        message's life has ended
 *                 +----------------- life has ended ----------> dropped
 *
 * A line holds what one subscription is still to get. While one of its messages has failed and is
 * neither delivered nor dropped, no fresh one is tried. Backoff tries one message at a time, so in
 * order; exponential decay several. A hub is all lines, and bounds the tries that are under way.
 *
 * Time is an argument, in Unix milliseconds, and never runs backwards. Nothing here knows HTTP: who
 * does takes what push_next gives, tries, and says with push_settle how that ended. One thread.
 */
#ifndef LOCAL_PUSH_H
#define LOCAL_PUSH_H

#include "local/depot.h"

enum {
    PUSH_BACKOFF_RETRIES = 3,
    PUSH_BACKOFF_MIN_MS = 10 * 1000,
    PUSH_BACKOFF_SPREAD_MS = 10 * 1000,
    PUSH_DECAY_RETRIES = 176,
    PUSH_DECAY_MAX_MS = 512 * 1000,
    PUSH_LINE_TRIES = 16, /* under way at once for one subscription, exponential decay */
    PUSH_HUB_TRIES = 256, /* and for all */
};

struct subscription;

enum push_state { PUSH_FRESH, PUSH_TRYING, PUSH_RESTING, PUSH_AGAIN };

/* One message for one subscription. */
struct push {
    struct heap_node timer; /* resting: when that ends */
    struct push *prev;      /* fresh, trying, again: among the others of its line */
    struct push *next;
    struct push_hub *hub;
    struct push_line *line; /* NULL: forgotten, and only its try has not ended yet */
    uint64_t id;            /* the msgId that its publisher was told */
    uint64_t number;        /* in the data file */
    struct record record;
    int64_t born_ms;
    unsigned failures;
    enum push_state state;
    size_t tags_len; /* of the tags' header, which bytes begins with */
    size_t body_len;
    char bytes[];
};

struct push_line {
    struct heap_node due; /* in the hub's heap: when push_advance has something to do */
    struct push_hub *hub;
    const struct subscription *subscription; /* for who makes the tries */
    bool exponential;
    int64_t life_ms;
    struct push *fresh; /* oldest first */
    struct push *again; /* their rest is over */
    struct push *trying;
    struct heap resting;
    size_t trying_count;
    uint64_t troubled; /* pending, and failed at least once */
    uint64_t pending;  /* in any state */
    uint64_t delivered;
    uint64_t failed_tries;
    uint64_t dropped;
    struct push_line *ready_prev; /* in the hub's ready list */
    struct push_line *ready_next;
    bool is_ready;
};

struct push_hub {
    struct depot *depot; /* counts the memory */
    uint32_t speedup;    /* what all times are divided by: 1, or set before the first push */
    int64_t backoff_ms;  /* backoff's shortest rest: PUSH_BACKOFF_MIN_MS, or set likewise */
    size_t trying_count;
    struct heap due;         /* lines */
    struct push_line *ready; /* lines where a try can begin, that of the longest wait first */
    uint64_t next_number;
};

/*
 * How long a message rests after its failure number `failures` (1: the first try); -1: there is no
 * retry any more. Backoff rests for backoff_ms at least and PUSH_BACKOFF_SPREAD_MS more at most, as
 * random decides. Pure.
 */
int64_t push_rest_ms(bool exponential, int64_t backoff_ms, unsigned failures, uint64_t random);

void push_hub_init(struct push_hub *hub, struct depot *depot);

/* Frees the hub's memory. Its lines must be gone. */
void push_hub_fini(struct push_hub *hub);

/* A line without messages; life_ms is what a message has from its publishing on. */
struct push_line *push_line_new(struct push_hub *hub, const struct subscription *subscription,
                                bool exponential, int64_t life_ms);

/* Changes how a line tries again and how long its messages live, those that wait included. */
void push_line_change(struct push_line *line, bool exponential, int64_t life_ms);

/* Forgets all messages, and the line. NULL is fine. */
void push_line_free(struct push_line *line);

/* Forgets all messages; the counts of what has been go on. */
void push_line_reset(struct push_line *line);

/* Memory that a message takes, as the depot counts it. */
uint64_t push_bytes(size_t tags_len, size_t body_len);

/* Adds a message, whose memory the depot must have room for; tags and body are copied. */
void push_add(struct push_line *line, uint64_t id, struct span tags, struct span body,
              int64_t now_ms);

/* A message of an earlier run, with what push_add does not know. */
struct push_past {
    uint64_t number; /* unique */
    int64_t born_ms;
    unsigned failures;
    int64_t due_ms; /* of its next try, when it has failed */
};

/* Puts back a message of an earlier run; they must come in the order in which they were added. */
void push_restore(struct push_line *line, uint64_t id, struct span tags, struct span body,
                  const struct push_past *past);

/* Does in all lines what has become due by now_ms. */
void push_advance(struct push_hub *hub, int64_t now_ms);

/* When push_advance has something to do next, or INT64_MAX. */
int64_t push_next_due(const struct push_hub *hub);

/* A message to be tried now, which is under way from then on; NULL when there is none. */
struct push *push_next(struct push_hub *hub, int64_t now_ms);

enum push_verdict {
    PUSH_DELIVERED,
    PUSH_RESTS,
    PUSH_DROPPED,
    PUSH_FORGOTTEN, /* its line was reset meanwhile */
};

/* Ends the try of a message that push_next gave. Only one that rests still exists afterwards. */
enum push_verdict push_settle(struct push *push, bool ok, int64_t now_ms);

#endif
