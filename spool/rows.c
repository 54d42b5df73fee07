/* rows - see rows.h. */
#include "spool/rows.h"

#include <uthash.h>
#include <utlist.h>

bool rows_add_delivery(struct store *store, const struct delivery *d)
{
    sqlite3_stmt *statement = store_use(store, SQL_DELIVERY_ADD);
    store_bind_u64(statement, 1, d->id);
    store_bind_u64(statement, 2, d->lane);
    store_bind_u64(statement, 3, (uint64_t)d->received_ms);
    store_bind_u64(statement, 4, (uint64_t)d->expires_ms);
    store_bind_u64(statement, 5, d->attempts);
    store_bind_u64(statement, 6, d->flags);
    store_bind_text(statement, 7, d->rule);
    store_bind_text(statement, 8, d->destination);
    store_bind_blob(statement, 9, d->body);
    return store_run(store, statement);
}

bool rows_add_letter(struct store *store, const struct dead_letter *d)
{
    sqlite3_stmt *statement = store_use(store, SQL_DEAD_ADD);
    store_bind_u64(statement, 1, d->id);
    store_bind_u64(statement, 2, (uint64_t)d->received_ms);
    store_bind_u64(statement, 3, (uint64_t)d->died_ms);
    store_bind_u64(statement, 4, d->attempts);
    store_bind_u64(statement, 5, d->flags);
    store_bind_u64(statement, 6, (uint64_t)d->direction);
    store_bind_text(statement, 7, d->rule);
    store_bind_text(statement, 8, d->reason);
    store_bind_text(statement, 9, d->destination);
    store_bind_text(statement, 10, d->origin);
    store_bind_blob(statement, 11, d->body);
    return store_run(store, statement);
}

/* Deletes the row with this id; adds to *deleted whether there was one. */
static bool delete_row(struct store *store, enum sql which, uint64_t id, uint64_t *deleted)
{
    sqlite3_stmt *statement = store_use(store, which);
    store_bind_u64(statement, 1, id);
    if (!store_run(store, statement))
        return false;
    *deleted += store_changes(store);
    return true;
}

bool rows_settle(struct store *store, uint64_t id, uint64_t *settled)
{
    return delete_row(store, SQL_DELIVERY_DELETE, id, settled);
}

bool rows_retried(struct store *store, uint64_t id, uint32_t attempts)
{
    sqlite3_stmt *statement = store_use(store, SQL_DELIVERY_RETRIED);
    store_bind_u64(statement, 1, id);
    store_bind_u64(statement, 2, attempts);
    return store_run(store, statement);
}

bool rows_bury(struct store *store, uint64_t id, uint32_t attempts, struct span reason,
               int64_t died_ms, uint64_t *buried)
{
    sqlite3_stmt *statement = store_use(store, SQL_DEAD_FROM_DELIVERY);
    store_bind_u64(statement, 1, id);
    store_bind_u64(statement, 2, (uint64_t)died_ms);
    store_bind_u64(statement, 3, attempts);
    store_bind_text(statement, 4, reason);
    return store_run(store, statement) && delete_row(store, SQL_DELIVERY_DELETE, id, buried);
}

static struct delivery *read_delivery(sqlite3_stmt *row, uint64_t lane)
{
    struct delivery *d =
        delivery_new(store_column(row, 5), store_column(row, 6), store_column(row, 7));
    d->id = (uint64_t)sqlite3_column_int64(row, 0);
    d->lane = lane;
    d->received_ms = sqlite3_column_int64(row, 1);
    d->expires_ms = sqlite3_column_int64(row, 2);
    d->attempts = (uint32_t)sqlite3_column_int64(row, 3);
    d->flags = (uint32_t)sqlite3_column_int64(row, 4);
    return d;
}

/* The segment of the first delivery with an id above after_id; *found false when there is none. */
static bool next_segment(struct store *store, int64_t after_id, int64_t *segment, bool *found)
{
    sqlite3_stmt *statement = store_use(store, SQL_DELIVERY_AFTER);
    store_bind_u64(statement, 1, (uint64_t)after_id);
    int64_t id;
    if (!store_number(store, statement, &id))
        return false;
    *found = id > after_id; /* 0 when there is no row, and a damaged file may give anything */
    *segment = id >> SQL_SEGMENT_BITS;
    return true;
}

/* What a refill has gathered so far. */
struct gathered {
    struct delivery **tail;
    unsigned count;
    unsigned max_count;
    size_t bytes;
    size_t max_bytes;
    bool more;
};

/* Adds the lane's deliveries of one segment, until there are enough and more is set. */
static bool gather_segment(struct store *store, int64_t segment, uint64_t lane, int64_t after_id,
                           struct gathered *gathered)
{
    sqlite3_stmt *statement = store_use(store, SQL_DELIVERY_OF_LANE);
    store_bind_u64(statement, 1, (uint64_t)segment);
    store_bind_u64(statement, 2, lane);
    store_bind_u64(statement, 3, (uint64_t)after_id);
    enum store_step step;
    while ((step = store_step(store, statement)) == STORE_ROW) {
        gathered->more = gathered->count && (gathered->count >= gathered->max_count ||
                                             gathered->bytes >= gathered->max_bytes);
        if (gathered->more)
            break;
        struct delivery *d = read_delivery(statement, lane);
        gathered->bytes += delivery_bytes(d);
        gathered->count++;
        *gathered->tail = d;
        gathered->tail = &d->next;
    }
    sqlite3_reset(statement);
    return step != STORE_FAULT;
}

bool rows_of_lane(struct store *store, uint64_t lane, uint64_t after_id, unsigned max_count,
                  size_t max_bytes, struct delivery **out, bool *more)
{
    *out = NULL;
    struct gathered gathered = {.tail = out, .max_count = max_count, .max_bytes = max_bytes};
    int64_t after = (int64_t)after_id;
    int64_t segment;
    bool found;
    bool ok;
    while ((ok = next_segment(store, after, &segment, &found)) && found && !gathered.more) {
        ok = gather_segment(store, segment, lane, after, &gathered);
        if (!ok)
            break;
        after = segment << SQL_SEGMENT_BITS | ((INT64_C(1) << SQL_SEGMENT_BITS) - 1);
    }
    *more = gathered.more;
    if (!ok) {
        rows_free_deliveries(*out);
        *out = NULL;
    }
    return ok;
}

static struct dead_letter *read_letter(sqlite3_stmt *row, bool with_body)
{
    struct dead_letter *d =
        dead_letter_new(store_column(row, 6), store_column(row, 7), store_column(row, 8),
                        store_column(row, 9), with_body ? store_column(row, 11) : (struct span){0});
    d->id = (uint64_t)sqlite3_column_int64(row, 0);
    d->received_ms = sqlite3_column_int64(row, 1);
    d->died_ms = sqlite3_column_int64(row, 2);
    d->attempts = (uint32_t)sqlite3_column_int64(row, 3);
    d->flags = (uint32_t)sqlite3_column_int64(row, 4);
    d->direction = sqlite3_column_int64(row, 5) == DEAD_DOWN ? DEAD_DOWN : DEAD_UP;
    if (!with_body)
        d->body = (struct span){NULL, (size_t)sqlite3_column_int64(row, 10)};
    return d;
}

bool rows_letters(struct store *store, const struct rows_letters *query, struct dead_letter **out)
{
    sqlite3_stmt *statement = store_use(store, SQL_DEAD_LIST);
    store_bind_u64(statement, 1, query->after_id);
    if (query->rule) {
        store_bind_text(statement, 2, span_of(query->rule));
    } else {
        sqlite3_bind_null(statement, 2);
    }
    store_bind_u64(statement, 3, query->with_body);
    *out = NULL;
    struct dead_letter **tail = out;
    size_t bytes = 0;
    enum store_step step = STORE_DONE;
    for (unsigned count = 0; count < query->max_count && bytes < query->max_bytes; count++) {
        step = store_step(store, statement);
        if (step != STORE_ROW)
            break;
        *tail = read_letter(statement, query->with_body);
        bytes += query->with_body ? dead_letter_bytes(*tail) : sizeof **tail;
        tail = &(*tail)->next;
    }
    sqlite3_reset(statement);
    if (step == STORE_FAULT) {
        rows_free_letters(*out);
        *out = NULL;
    }
    return step != STORE_FAULT;
}

bool rows_letter(struct store *store, uint64_t id, struct dead_letter **out)
{
    sqlite3_stmt *statement = store_use(store, SQL_DEAD_ONE);
    store_bind_u64(statement, 1, id);
    enum store_step step = store_step(store, statement);
    *out = step == STORE_ROW ? read_letter(statement, true) : NULL;
    sqlite3_reset(statement);
    return step != STORE_FAULT;
}

/* A lane and how many deliveries it has, in a hash. */
struct lane_count {
    uint64_t lane;
    uint64_t count;
    UT_hash_handle hh;
};

bool rows_each_lane(struct store *store, void (*fn)(void *ctx, uint64_t lane, uint64_t count),
                    void *ctx)
{
    sqlite3_stmt *statement = store_use(store, SQL_LANES);
    struct lane_count *lanes = NULL;
    struct lane_count *found;
    enum store_step step;
    while ((step = store_step(store, statement)) == STORE_ROW) {
        uint64_t lane = (uint64_t)sqlite3_column_int64(statement, 0);
        HASH_FIND(hh, lanes, &lane, sizeof lane, found);
        if (!found) {
            found = check_alloc(calloc(1, sizeof *found));
            found->lane = lane;
            HASH_ADD(hh, lanes, lane, sizeof found->lane, found);
        }
        found->count += (uint64_t)sqlite3_column_int64(statement, 1);
    }
    struct lane_count *at = lanes;
    HASH_CLEAR(hh, lanes);
    for (struct lane_count *next; at; at = next) {
        next = at->hh.next;
        if (step == STORE_DONE)
            fn(ctx, at->lane, at->count);
        free(at);
    }
    return step == STORE_DONE;
}

bool rows_each_filter(struct store *store, void (*fn)(void *ctx, const char *filter, uint32_t id),
                      void *ctx)
{
    sqlite3_stmt *statement = store_use(store, SQL_FILTERS);
    enum store_step step;
    while ((step = store_step(store, statement)) == STORE_ROW) {
        const char *filter = (const char *)sqlite3_column_text(statement, 0);
        if (filter)
            fn(ctx, filter, (uint32_t)sqlite3_column_int64(statement, 1));
    }
    return step == STORE_DONE;
}

bool rows_set_filters(struct store *store, const char *const *filters, const uint32_t *ids,
                      size_t count)
{
    if (!store_run(store, store_use(store, SQL_FILTER_CLEAR)))
        return false;
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *statement = store_use(store, SQL_FILTER_ADD);
        store_bind_text(statement, 1, span_of(filters[i]));
        store_bind_u64(statement, 2, ids[i]);
        if (!store_run(store, statement))
            return false;
    }
    return true;
}

bool rows_each_note(struct store *store, void (*fn)(void *ctx, const char *note, int64_t noted_ms),
                    void *ctx)
{
    sqlite3_stmt *statement = store_use(store, SQL_NOTES);
    enum store_step step;
    while ((step = store_step(store, statement)) == STORE_ROW) {
        const char *note = (const char *)sqlite3_column_text(statement, 0);
        if (note)
            fn(ctx, note, sqlite3_column_int64(statement, 1));
    }
    return step == STORE_DONE;
}

bool rows_add_note(struct store *store, const char *note, int64_t noted_ms)
{
    sqlite3_stmt *statement = store_use(store, SQL_NOTE_ADD);
    store_bind_text(statement, 1, span_of(note));
    store_bind_u64(statement, 2, (uint64_t)noted_ms);
    return store_run(store, statement);
}

bool rows_delete_note(struct store *store, const char *note)
{
    sqlite3_stmt *statement = store_use(store, SQL_NOTE_DELETE);
    store_bind_text(statement, 1, span_of(note));
    return store_run(store, statement);
}

bool rows_next_id(struct store *store, uint64_t *out)
{
    int64_t highest;
    if (!store_meta_get(store, "next_id", out) ||
        !store_number(store, store_use(store, SQL_HIGHEST_ID), &highest))
        return false;
    if (*out <= (uint64_t)highest) /* a damaged meta must not make numbers come twice */
        *out = (uint64_t)highest + 1;
    return true;
}

void rows_free_deliveries(struct delivery *list)
{
    struct delivery *d;
    struct delivery *next;
    LL_FOREACH_SAFE(list, d, next)
    free(d);
}

void rows_free_letters(struct dead_letter *list)
{
    struct dead_letter *d;
    struct dead_letter *next;
    LL_FOREACH_SAFE(list, d, next)
    free(d);
}
