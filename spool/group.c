/* group - see group.h. */
#include "spool/group.h"

#include "base/clock.h"

#include <utlist.h>

enum { ID_BLOCK = 1 << 16 }; /* numbers set aside at once, so that not every group writes meta */

/* What a transaction will have changed once it is committed. */
struct group {
    size_t from; /* of the taken entries */
    size_t to;
    bool with_finishes;
    uint64_t appended;
    uint64_t letters;
    uint64_t settled;
    uint64_t buried;
    uint64_t id_limit;
    uint64_t used_bytes;
};

static bool write_entries(struct spool *spool, struct group *group)
{
    for (size_t i = group->from; i < group->to; i++) {
        const struct batch_entry *entry = batch_entry_at(&spool->taken, i);
        const struct delivery *d;
        LL_FOREACH(entry->deliveries, d)
        {
            if (!rows_add_delivery(spool->store, d))
                return false;
            group->appended++;
        }
        const struct dead_letter *letter;
        LL_FOREACH(entry->dead, letter)
        {
            if (!rows_add_letter(spool->store, letter))
                return false;
            group->letters++;
        }
        if (entry->note && !rows_add_note(spool->store, entry->note, clock_unix_ms()))
            return false;
    }
    return true;
}

static bool write_finish(struct spool *spool, const struct batch_finish *finish,
                         struct group *group)
{
    switch (finish->kind) {
    case BATCH_SETTLE:
        return rows_settle(spool->store, finish->id, &group->settled);
    case BATCH_RETRIED:
        return rows_retried(spool->store, finish->id, finish->attempts);
    case BATCH_BURY:
        return rows_bury(spool->store, finish->id, finish->attempts, span_of(finish->text),
                         clock_unix_ms(), &group->buried);
    case BATCH_FORGET:
        return rows_delete_note(spool->store, finish->text);
    }
    CHECK(false);
}

bool group_write_id_limit(struct spool *spool, uint64_t *limit)
{
    uint64_t next = atomic_load_explicit(&spool->next_id, memory_order_relaxed);
    *limit = spool->id_limit;
    if (next <= *limit)
        return true;
    *limit = next + ID_BLOCK;
    return store_meta_set(spool->store, "next_id", *limit);
}

static bool write_group(struct spool *spool, struct group *group)
{
    if (!store_begin(spool->store) || !write_entries(spool, group))
        return false;
    for (size_t i = 0; group->with_finishes && i < spool->taken.finishes.len; i++) {
        if (!write_finish(spool, batch_finish_at(&spool->taken, i), group))
            return false;
    }
    return (spool->reported != SPOOL_FAILED || store_probe(spool->store)) &&
           group_write_id_limit(spool, &group->id_limit) &&
           store_used_bytes(spool->store, &group->used_bytes) && store_commit(spool->store);
}

/* Enters a committed group into the books and frees its room. */
static void account(struct spool *spool, const struct group *group)
{
    size_t bytes = 0;
    uint64_t estimate = 0;
    size_t tickets = 0;
    for (size_t i = group->from; i < group->to; i++) {
        bytes += batch_entry_at(&spool->taken, i)->bytes;
        estimate += batch_entry_at(&spool->taken, i)->estimate;
        tickets += batch_entry_at(&spool->taken, i)->ticket != 0;
    }
    spool->id_limit = group->id_limit;
    spool->oldest_stale = true;

    pthread_mutex_lock(&spool->mutex);
    struct spool_stat *stat = &spool->stat;
    stat->deliveries += group->appended - group->settled - group->buried;
    stat->dead_letters += group->letters + group->buried;
    stat->used_bytes = group->used_bytes;
    stat->groups++;
    stat->appended += group->appended;
    stat->settled += group->settled;
    stat->buried += group->letters + group->buried;
    spool->pending_bytes -= bytes;
    spool->pending_estimate -= estimate;
    spool->pending_tickets -= tickets;
    pthread_cond_broadcast(&spool->room);
    pthread_mutex_unlock(&spool->mutex);
}

static int by_id(const struct delivery *a, const struct delivery *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

/* Puts lists in order of id together into one. */
static struct delivery *join_deliveries(struct spool *spool, const struct group *group)
{
    struct delivery *head = NULL;
    struct delivery **tail = &head;
    uint64_t last_id = 0;
    bool ordered = true;
    for (size_t i = group->from; i < group->to; i++) {
        struct batch_entry *entry = batch_entry_at(&spool->taken, i);
        *tail = entry->deliveries;
        entry->deliveries = NULL;
        for (; *tail; tail = &(*tail)->next) {
            ordered = ordered && (*tail)->id > last_id;
            last_id = (*tail)->id;
        }
    }
    if (!ordered)
        LL_SORT(head, by_id);
    return head;
}

static void tell_committed(struct spool *spool, const struct group *group)
{
    uint64_t through = 0;
    for (size_t i = group->from; i < group->to; i++) {
        struct batch_entry *entry = batch_entry_at(&spool->taken, i);
        if (entry->ticket > through)
            through = entry->ticket;
        rows_free_letters(entry->dead);
        entry->dead = NULL;
    }
    if (group->to > group->from)
        spool->callbacks.committed(spool->callbacks.ctx, join_deliveries(spool, group), through);
    for (size_t i = group->from; i < group->to; i++) {
        const struct batch_entry *entry = batch_entry_at(&spool->taken, i);
        if (entry->note)
            spool->callbacks.noted(spool->callbacks.ctx, entry->cookie, true);
    }
}

/* The end of a slice of entries that begins at from. */
static size_t slice_end(const struct batch *taken, size_t from)
{
    size_t bytes = 0;
    size_t to = from;
    while (to < taken->entries.len && to - from < WRITER_GROUP_ENTRIES &&
           bytes < WRITER_GROUP_BYTES)
        bytes += batch_entry_at(taken, to++)->bytes;
    return to;
}

bool group_commit_taken(struct spool *spool)
{
    struct batch *taken = &spool->taken;
    if (!taken->entries.len && !taken->finishes.len && spool->reported != SPOOL_FAILED)
        return true;
    size_t from = 0;
    do {
        struct group group = {
            .from = from, .to = slice_end(taken, from), .with_finishes = from == 0};
        if (!write_group(spool, &group)) {
            batch_drop_entries(taken, from);
            return false;
        }
        account(spool, &group);
        if (group.with_finishes)
            batch_drop_finishes(taken);
        tell_committed(spool, &group);
        from = group.to;
        if (!store_checkpoint(spool->store)) {
            batch_drop_entries(taken, from);
            return false;
        }
    } while (from < taken->entries.len);
    batch_drop_entries(taken, from);
    return true;
}
