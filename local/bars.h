/*
 * bars - names of queues and topics that were deleted and cannot be had again yet (CMQ.md 4)
 *
 * Their case does not count. One thread.
 */
#ifndef LOCAL_BARS_H
#define LOCAL_BARS_H

#include "local/depot.h"

enum bar_kind { BAR_QUEUE, BAR_TOPIC };

struct bar {
    struct bar *prev;
    struct bar *next;
    uint64_t number; /* in the data file */
    struct record record;
    enum bar_kind kind;
    int64_t until_ms;
    char name[];
};

struct bars {
    struct depot *depot; /* knows the numbers and the changes */
    struct bar *first;   /* oldest first */
};

/* Bars a name until a moment, and forgets bars whose moment has come. */
void bars_add(struct bars *bars, enum bar_kind kind, struct span name, int64_t until_ms,
              int64_t now_ms);

/* Until when a name is barred; 0: it is not. */
int64_t bars_until(const struct bars *bars, enum bar_kind kind, struct span name, int64_t now_ms);

/* Puts back a bar of an earlier run. */
void bars_restore(struct bars *bars, enum bar_kind kind, struct span name, int64_t until_ms,
                  uint64_t number);

/* Forgets all. */
void bars_fini(struct bars *bars);

#endif
