/*
 * journal - the last requests that were served, for /local/log
 *
 * A ring: the oldest entries make room for new ones. Numbers grow by one from 1 on. One thread.
 */
#ifndef LOCAL_JOURNAL_H
#define LOCAL_JOURNAL_H

#include "local/call.h"

enum { JOURNAL_ENTRIES = 4096 };

struct journal_entry {
    int64_t at_ms; /* Unix time of the answer */
    int64_t took_ms;
    uint64_t request_id;
    const char *outcome; /* a constant: "answered", "http_500", "dropped", ... */
    const char *why;     /* a constant, what an error's text does not say; or NULL */
    int code;
    int module;
    bool is_api3;      /* of the management plane, which has no code and module, but */
    const char *error; /* a constant, or NULL when there was none */
    char action[CALL_MAX_ACTION_BYTES];
    char name[CMQ_MAX_NAME_BYTES + 1];
};

struct journal {
    struct journal_entry *ring;
    uint64_t last; /* number of the newest entry; 0: none yet */
    uint64_t kept; /* how many of the newest are still to be shown */
};

void journal_init(struct journal *journal);
void journal_fini(struct journal *journal);

/* Makes room for one more entry and returns it; the caller fills all of it. */
struct journal_entry *journal_add(struct journal *journal);

/* Forgets the entries; the numbers go on. */
void journal_reset(struct journal *journal);

/*
 * Appends {"last":N,"lost":M,"requests":[...]}: the entries with numbers above after, of which the
 * oldest M are no longer there.
 */
void journal_print(const struct journal *journal, uint64_t after, struct buf *out);

#endif
