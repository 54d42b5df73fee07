/*
 * writer - see writer.h
 *
 * The thread takes all that is pending and works it off:
 *
 *     groups   entries in slices, all finishes with the first: one transaction each; then room is
 *              freed, and only then committed() called, because a caller that waits for room may
 *              hold a lock that committed() needs
 *     refills  read after that, so that a lane sees either committed() or refilled() bring a
 *              delivery last, and nothing falls between
 *     requests of other processes, when the database says that somebody else wrote
 *
 * A fault anywhere rolls back and throws away the entries that wait, in order, none kept: whoever
 * sent them still has them. Finishes and refills stay and are tried again until the disk works.
 */
#include "spool/writer.h"

#include "base/clock.h"

#include <stdio.h>
#include <utlist.h>

enum { ID_BLOCK = 1 << 16 }; /* numbers set aside at once, so that not every group writes meta */

static const char *advice(enum spool_state state)
{
    switch (state) {
    case SPOOL_ACCEPTING:
        break;
    case SPOOL_FULL:
        return "; messages stay with the broker until CMQ has taken some; dead letters leave only "
               "by `cmqgw dead-letters replay` or `drop`";
    case SPOOL_FAILED:
        return "; nothing is acknowledged until it works again; it is tried every few seconds";
    }
    return "";
}

/* Tells of a state, with what is known in figures or, for a fault, its cause. */
static void report(struct spool *spool, enum spool_state state, const char *cause)
{
    struct spool_stat stat;
    spool_stat(spool, &stat);
    char why[1024];
    const double mib = 1 << 20;
    if (cause) {
        (void)snprintf(why, sizeof why, "%s%s", cause, advice(state));
    } else {
        (void)snprintf(why, sizeof why,
                       "spool %s: %.1f of %.1f MiB used, %llu deliveries wait, %llu dead letters "
                       "are kept%s",
                       state == SPOOL_FULL ? "full" : "accepting", (double)stat.used_bytes / mib,
                       (double)stat.max_bytes / mib, (unsigned long long)stat.deliveries,
                       (unsigned long long)stat.dead_letters, advice(state));
    }
    spool->reported = state;
    spool->callbacks.state(spool->callbacks.ctx, state, why);
}

/* The disk refused: throws away what was not committed and waits for better times. */
static void fail(struct spool *spool)
{
    store_rollback(spool->store);
    struct err cause;
    store_fault(spool->store, &cause);

    pthread_mutex_lock(&spool->mutex);
    spool->stat.state = SPOOL_FAILED;
    batch_move(&spool->taken, &spool->pending);
    spool->pending_bytes = 0;
    spool->pending_estimate = 0;
    spool->pending_tickets = 0;
    pthread_cond_broadcast(&spool->room);
    pthread_mutex_unlock(&spool->mutex);

    spool->retry_at_ms = clock_mono_ms() + backoff_next(&spool->backoff);
    if (spool->reported != SPOOL_FAILED)
        report(spool, SPOOL_FAILED, cause.text);
    size_t count = spool->taken.entries.len;
    uint64_t messages = 0;
    uint64_t unticketed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct batch_entry *entry = batch_entry_at(&spool->taken, i);
        if (entry->note) {
            spool->callbacks.noted(spool->callbacks.ctx, entry->cookie, false);
            continue;
        }
        messages++;
        unticketed += entry->ticket == 0;
    }
    batch_drop_entries(&spool->taken, count);
    if (messages)
        spool->callbacks.refused(spool->callbacks.ctx, messages, unticketed);
}

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

/* Sees to it that every number that may have been used is below the limit on disk. */
static bool write_id_limit(struct spool *spool, uint64_t *limit)
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
           write_id_limit(spool, &group->id_limit) &&
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

static bool commit_groups(struct spool *spool)
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

static bool answer_refills(struct spool *spool)
{
    struct batch *taken = &spool->taken;
    size_t done = 0;
    bool ok = true;
    for (; done < taken->refills.len; done++) {
        const struct batch_refill *refill = batch_refill_at(taken, done);
        struct delivery *deliveries;
        bool more;
        ok = rows_of_lane(spool->store, refill->lane, refill->after_id, refill->max_count,
                          refill->max_bytes, &deliveries, &more);
        if (!ok)
            break;
        spool->callbacks.refilled(spool->callbacks.ctx, refill->lane, deliveries, more);
    }
    batch_drop_refills(taken, done);
    return ok;
}

/* Carries out what other processes asked for. */
static bool serve_requests(struct spool *spool, unsigned *served)
{
    struct request_effect effect;
    request_effect_init(&effect);
    uint64_t id_limit;
    uint64_t used_bytes;
    bool ok = store_begin(spool->store) &&
              request_serve(spool->store, &spool->next_id, &effect, served) &&
              write_id_limit(spool, &id_limit) && store_used_bytes(spool->store, &used_bytes) &&
              store_commit(spool->store);
    if (ok) {
        spool->id_limit = id_limit;
        spool->oldest_stale = true;
        pthread_mutex_lock(&spool->mutex);
        spool->stat.deliveries += effect.replayed;
        spool->stat.dead_letters -= effect.letters_gone;
        spool->stat.used_bytes = used_bytes;
        pthread_mutex_unlock(&spool->mutex);
        for (size_t i = 0; i < effect.lanes.len; i += sizeof(uint64_t)) {
            uint64_t lane;
            memcpy(&lane, effect.lanes.ptr + i, sizeof lane);
            spool->callbacks.appeared(spool->callbacks.ctx, lane);
        }
    }
    request_effect_fini(&effect);
    return ok;
}

/* Looks whether another process wrote, and if so for its requests. */
static bool watch(struct spool *spool)
{
    int64_t version;
    if (!store_number(spool->store, store_use(spool->store, SQL_DATA_VERSION), &version))
        return false;
    int64_t now_ms = clock_mono_ms();
    if (version != spool->data_version) {
        unsigned served;
        if (!serve_requests(spool, &served))
            return false;
        if (served < REQUEST_MAX_ROUND)
            spool->data_version = version;
        if (served)
            spool->watch_busy_until_ms = now_ms + WRITER_WATCH_BUSY_FOR_MS;
    }
    spool->watch_at_ms =
        now_ms + (now_ms < spool->watch_busy_until_ms ? WRITER_WATCH_BUSY_MS : WRITER_WATCH_MS);
    return true;
}

/* Looks up the oldest delivery's age when it may have changed, once a second at most. */
static bool look_up_oldest(struct spool *spool)
{
    int64_t now_ms = clock_mono_ms();
    if (!spool->oldest_stale || (spool->stat.deliveries && now_ms < spool->oldest_at_ms + 1000))
        return true;
    int64_t oldest_ms;
    if (!store_number(spool->store, store_use(spool->store, SQL_DELIVERY_OLDEST), &oldest_ms))
        return false;
    spool->oldest_at_ms = now_ms;
    spool->oldest_stale = false;
    pthread_mutex_lock(&spool->mutex);
    spool->stat.oldest_ms = oldest_ms;
    pthread_mutex_unlock(&spool->mutex);
    return true;
}

/*
 * With the disk working: reports what appending found, and accepts again when there is room. What
 * was accepted before is committed first, so that a state divides all tickets into those before it
 * and those after; while nothing is accepted, that ends.
 */
static void judge(struct spool *spool)
{
    backoff_reset(&spool->backoff);
    pthread_mutex_lock(&spool->mutex);
    const struct spool_stat *stat = &spool->stat;
    enum spool_state state = stat->state;
    uint64_t limit = state == SPOOL_FULL ? space_low_water(stat->max_bytes, stat->deliveries)
                                         : space_high_water(stat->max_bytes);
    enum spool_state next = stat->used_bytes > limit ? SPOOL_FULL : SPOOL_ACCEPTING;
    bool nothing_to_tell = spool->pending_tickets || (state == spool->reported && next == state);
    pthread_mutex_unlock(&spool->mutex);
    if (nothing_to_tell)
        return;
    if (state != spool->reported)
        report(spool, state, state == SPOOL_FAILED ? "the disk was too slow for what came" : NULL);
    if (next == state)
        return;
    pthread_mutex_lock(&spool->mutex);
    spool->stat.state = next;
    pthread_cond_broadcast(&spool->room);
    pthread_mutex_unlock(&spool->mutex);
    report(spool, next, NULL);
}

/* Whether the writer has a reason to stop waiting, and if not, until when it may wait. */
static bool due_locked(struct spool *spool, int64_t *until_ms)
{
    if (spool->stopping)
        return true;
    int64_t now_ms = clock_mono_ms();
    if (spool->reported == SPOOL_FAILED) {
        *until_ms = spool->retry_at_ms;
        return now_ms >= *until_ms;
    }
    if (spool->pending.entries.len || spool->pending.refills.len ||
        spool->pending.finishes.len >= WRITER_FINISHES_DUE || spool->stat.state != spool->reported)
        return true;
    *until_ms = spool->watch_at_ms;
    if (spool->pending.finishes.len && spool->finishes_since_ms + WRITER_FINISHES_MS < *until_ms)
        *until_ms = spool->finishes_since_ms + WRITER_FINISHES_MS;
    return now_ms >= *until_ms;
}

/* Waits for work and takes it. False when this is the last of it. */
static bool take(struct spool *spool)
{
    pthread_mutex_lock(&spool->mutex);
    int64_t until_ms;
    while (!due_locked(spool, &until_ms)) {
        spool->writer_waits = true;
        struct timespec deadline = clock_deadline(until_ms - clock_mono_ms());
        pthread_cond_clockwait(&spool->work, &spool->mutex, CLOCK_MONOTONIC, &deadline);
        spool->writer_waits = false;
    }
    batch_move(&spool->taken, &spool->pending);
    bool go_on = !spool->stopping;
    pthread_mutex_unlock(&spool->mutex);
    return go_on;
}

static bool work_off(struct spool *spool)
{
    if (!commit_groups(spool) || !answer_refills(spool) || !watch(spool) || !look_up_oldest(spool))
        return false;
    judge(spool);
    return true;
}

void *writer_run(void *arg)
{
    struct spool *spool = arg;
    pthread_setname_np(pthread_self(), "spool");
    judge(spool);
    bool go_on;
    do {
        go_on = take(spool);
        if (!work_off(spool))
            fail(spool);
    } while (go_on);
    return NULL;
}
