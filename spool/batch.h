/*
 * batch - work for the writer, as it was handed in
 *
 * Three kinds, each in order of arrival: entries are new and may be thrown away when the disk
 * refuses them; finishes concern what is on disk and are kept until they are; refills are answered
 * last, so that they see both. The order between kinds does not matter: nobody can finish what has
 * not been committed. Private to spool/; the owner serialises calls.
 */
#ifndef SPOOL_BATCH_H
#define SPOOL_BATCH_H

#include "base/delivery.h"

struct batch_entry {
    struct delivery *deliveries;
    struct dead_letter *dead;
    uint64_t ticket;
    char *note; /* owned; NULL: none */
    void *cookie;
    size_t bytes;      /* of memory */
    uint64_t estimate; /* of the disk's, rather too much */
};

enum batch_finish_kind { BATCH_SETTLE, BATCH_RETRIED, BATCH_BURY, BATCH_FORGET };

struct batch_finish {
    enum batch_finish_kind kind;
    uint32_t attempts;
    uint64_t id;
    char *text; /* BATCH_BURY: the reason; BATCH_FORGET: the note; owned */
};

struct batch_refill {
    uint64_t lane;
    uint64_t after_id;
    size_t max_bytes;
    unsigned max_count;
};

struct batch_list {
    void *at;
    size_t len;
    size_t room;
};

struct batch {
    struct batch_list entries;  /* of struct batch_entry */
    struct batch_list finishes; /* of struct batch_finish */
    struct batch_list refills;  /* of struct batch_refill */
};

void batch_fini(struct batch *batch);

void batch_add_entry(struct batch *batch, const struct batch_entry *entry);
void batch_add_finish(struct batch *batch, const struct batch_finish *finish);
void batch_add_refill(struct batch *batch, const struct batch_refill *refill);

/* Appends everything of from to into; from is empty afterwards. */
void batch_move(struct batch *into, struct batch *from);

/* Forget what has been dealt with; memory is kept for the next time unless it is a lot. */
void batch_drop_entries(struct batch *batch, size_t first); /* the first so many */
void batch_drop_refills(struct batch *batch, size_t first);
void batch_drop_finishes(struct batch *batch); /* all */

static inline struct batch_entry *batch_entry_at(const struct batch *batch, size_t at)
{
    return (struct batch_entry *)batch->entries.at + at;
}

static inline struct batch_finish *batch_finish_at(const struct batch *batch, size_t at)
{
    return (struct batch_finish *)batch->finishes.at + at;
}

static inline struct batch_refill *batch_refill_at(const struct batch *batch, size_t at)
{
    return (struct batch_refill *)batch->refills.at + at;
}

#endif
