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
 *     filters  of the subscriptions, in the end, also when the disk just failed
 *
 * A fault anywhere rolls back and throws away the entries that wait, in order, none kept: whoever
 * sent them still has them. Finishes and refills stay and are tried again until the disk works.
 */
#include "spool/writer.h"

#include "base/clock.h"
#include "spool/group.h"

#include <stdio.h>

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
              group_write_id_limit(spool, &id_limit) &&
              store_used_bytes(spool->store, &used_bytes) && store_commit(spool->store);
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
    if (spool->stopping || spool->filters)
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

void writer_write_filters(struct spool *spool, struct writer_filters *set)
{
    set->ok = store_begin(spool->store) &&
              rows_set_filters(spool->store, set->filters, set->ids, set->count) &&
              store_commit(spool->store);
    if (!set->ok) {
        store_rollback(spool->store);
        (void)store_fault(spool->store, set->err);
    }
}

/* Answers whoever waits for its filters, also while the disk fails: it is told so. */
static void file_filters(struct spool *spool)
{
    pthread_mutex_lock(&spool->mutex);
    struct writer_filters *set = spool->filters;
    spool->filters = NULL;
    pthread_mutex_unlock(&spool->mutex);
    if (!set)
        return;
    writer_write_filters(spool, set);
    pthread_mutex_lock(&spool->mutex);
    set->done = true;
    pthread_cond_signal(&spool->filed);
    pthread_mutex_unlock(&spool->mutex);
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
    spool->stat.turn_ms = clock_mono_ms();
    batch_move(&spool->taken, &spool->pending);
    bool go_on = !spool->stopping;
    pthread_mutex_unlock(&spool->mutex);
    return go_on;
}

static bool work_off(struct spool *spool)
{
    if (!group_commit_taken(spool) || !answer_refills(spool) || !watch(spool) ||
        !look_up_oldest(spool))
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
        file_filters(spool);
    } while (go_on);
    return NULL;
}
