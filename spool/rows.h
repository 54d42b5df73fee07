/*
 * rows - deliveries, dead letters and filters as rows of the store
 *
 * Private to spool/. Everything that writes belongs inside a transaction of the caller's; a false
 * result is a fault that store_fault explains. One thread at a time.
 */
#ifndef SPOOL_ROWS_H
#define SPOOL_ROWS_H

#include "spool/store.h"

MUST_CHECK bool rows_add_delivery(struct store *store, const struct delivery *delivery);
MUST_CHECK bool rows_add_letter(struct store *store, const struct dead_letter *letter);

/* Adds the number of rows deleted, 0 or 1, to *settled. */
MUST_CHECK bool rows_settle(struct store *store, uint64_t id, uint64_t *settled);

MUST_CHECK bool rows_retried(struct store *store, uint64_t id, uint32_t attempts);

/* Adds the number of deliveries that became dead letters, 0 or 1, to *buried. */
MUST_CHECK bool rows_bury(struct store *store, uint64_t id, uint32_t attempts, struct span reason,
                          int64_t died_ms, uint64_t *buried);

/* Gives a lane's deliveries as spool_refill wants them; on a fault none. */
MUST_CHECK bool rows_of_lane(struct store *store, uint64_t lane, uint64_t after_id,
                             unsigned max_count, size_t max_bytes, struct delivery **out,
                             bool *more);

struct rows_letters {
    uint64_t after_id;
    const char *rule; /* NULL: all */
    bool with_body;   /* else body has its len and no ptr */
    unsigned max_count;
    size_t max_bytes; /* about; at least one letter */
};

/* Gives dead letters in order of id; on a fault none. */
MUST_CHECK bool rows_letters(struct store *store, const struct rows_letters *query,
                             struct dead_letter **out);

/* Gives one dead letter, or NULL in *out when there is none with this id. */
MUST_CHECK bool rows_letter(struct store *store, uint64_t id, struct dead_letter **out);

MUST_CHECK bool rows_each_lane(struct store *store,
                               void (*fn)(void *ctx, uint64_t lane, uint64_t count), void *ctx);

MUST_CHECK bool rows_each_filter(struct store *store,
                                 void (*fn)(void *ctx, const char *filter, uint32_t id), void *ctx);

MUST_CHECK bool rows_set_filters(struct store *store, const char *const *filters,
                                 const uint32_t *ids, size_t count);

MUST_CHECK bool rows_each_note(struct store *store,
                               void (*fn)(void *ctx, const char *note, int64_t noted_ms),
                               void *ctx);
MUST_CHECK bool rows_add_note(struct store *store, const char *note, int64_t noted_ms);
MUST_CHECK bool rows_delete_note(struct store *store, const char *note);

/* A number above all that were ever used. */
MUST_CHECK bool rows_next_id(struct store *store, uint64_t *out);

/* Free whole lists. */
void rows_free_deliveries(struct delivery *list);
void rows_free_letters(struct dead_letter *list);

#endif
