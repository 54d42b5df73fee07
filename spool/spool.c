/* spool - see spool.h: opening and closing, and the side of those who hand work in. */
#include "spool/spool.h"

#include "base/clock.h"
#include "spool/lock.h"
#include "spool/writer.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum {
    ROOM_WAIT_MS = 1000, /* how long spool_append waits for room */
    MIN_BYTES = 16 << 20,
    REASON_MAX_BYTES = 512, /* kept of a burial's reason */
    RETRY_FIRST_MS = 100,
    RETRY_CAP_MS = 5000,
};

/* Reads what the disk knows into the books. Nobody else writes while it runs. */
static bool load(struct spool *spool, uint64_t max_bytes)
{
    struct store *store = spool->store;
    uint64_t next_id;
    int64_t deliveries;
    int64_t letters;
    if (!store_begin(store) || !request_clear(store) ||
        !store_meta_set(store, "max_bytes", max_bytes) || !rows_next_id(store, &next_id) ||
        !store_number(store, store_use(store, SQL_DELIVERY_COUNT), &deliveries) ||
        !store_number(store, store_use(store, SQL_DEAD_COUNT), &letters) ||
        !store_number(store, store_use(store, SQL_DELIVERY_OLDEST), &spool->stat.oldest_ms) ||
        !store_used_bytes(store, &spool->stat.used_bytes) || !store_commit(store) ||
        !store_number(store, store_use(store, SQL_DATA_VERSION), &spool->data_version)) {
        store_rollback(store);
        return false;
    }
    atomic_store(&spool->next_id, next_id);
    spool->id_limit = next_id;
    spool->stat.max_bytes = max_bytes;
    spool->stat.capacity_bytes = space_high_water(max_bytes);
    spool->stat.deliveries = (uint64_t)deliveries;
    spool->stat.dead_letters = (uint64_t)letters;
    if (spool->stat.used_bytes > space_high_water(max_bytes))
        spool->stat.state = SPOOL_FULL;
    return true;
}

static bool open_files(struct spool *spool, const struct spool_options *options, struct err *err)
{
    if (options->max_bytes < MIN_BYTES)
        return err_set(err, "the spool needs at least %d MiB", MIN_BYTES >> 20);
    if (mkdir(options->dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, "state_dir cannot be made: %s: %s", strerror(errno), options->dir);
    spool->lock_fd = lock_take(options->dir, err);
    if (spool->lock_fd < 0)
        return false;
    spool->store = store_open(options->dir, true, err);
    if (!spool->store || !store_tune(spool->store, options->sync_power, options->max_bytes, err))
        return false;
    return load(spool, options->max_bytes) || store_fault(spool->store, err);
}

struct spool *spool_open(const struct spool_options *options,
                         const struct spool_callbacks *callbacks, struct err *err)
{
    struct spool *spool = check_alloc(calloc(1, sizeof *spool));
    spool->callbacks = *callbacks;
    spool->lock_fd = -1;
    spool->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .cap_ms = RETRY_CAP_MS};
    CHECK(pthread_mutex_init(&spool->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&spool->work, NULL) == 0);
    CHECK(pthread_cond_init(&spool->room, NULL) == 0);
    CHECK(pthread_cond_init(&spool->filed, NULL) == 0);
    if (open_files(spool, options, err))
        return spool;
    spool_close(spool);
    return NULL;
}

bool spool_start(struct spool *spool, struct err *err)
{
    spool->stat.turn_ms = clock_mono_ms();
    int failed = pthread_create(&spool->thread, NULL, writer_run, spool);
    if (failed)
        return err_set(err, "cannot start the spool's thread: %s", strerror(failed));
    spool->running = true;
    return true;
}

void spool_stop(struct spool *spool)
{
    if (!spool->running)
        return;
    pthread_mutex_lock(&spool->mutex);
    spool->stopping = true;
    pthread_cond_signal(&spool->work);
    pthread_cond_broadcast(&spool->room);
    pthread_mutex_unlock(&spool->mutex);
    pthread_join(spool->thread, NULL);
    spool->running = false;
}

/* Of the numbers set aside, gives back those not used. When it fails, they are skipped. */
static void give_back_ids(struct spool *spool)
{
    uint64_t next = atomic_load(&spool->next_id);
    if (spool->id_limit > next && !store_meta_set(spool->store, "next_id", next))
        spool->id_limit = 0;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    CHECK(!spool->running);
    if (spool->store)
        give_back_ids(spool);
    store_close(spool->store);
    batch_fini(&spool->pending);
    batch_fini(&spool->taken);
    pthread_cond_destroy(&spool->filed);
    pthread_cond_destroy(&spool->room);
    pthread_cond_destroy(&spool->work);
    pthread_mutex_destroy(&spool->mutex);
    if (spool->lock_fd >= 0)
        close(spool->lock_fd);
    free(spool);
}

uint64_t spool_next_id(struct spool *spool)
{
    return atomic_fetch_add_explicit(&spool->next_id, 1, memory_order_relaxed);
}

/* Signals the writer if it sleeps. One that works looks for more before it does. */
static void wake_locked(struct spool *spool)
{
    if (spool->writer_waits)
        pthread_cond_signal(&spool->work);
}

/* Gives the letters their numbers and measures the entry. */
static struct batch_entry prepare_entry(struct spool *spool, const struct spool_entry *entry)
{
    struct batch_entry made = {.deliveries = entry->deliveries,
                               .dead = entry->dead,
                               .ticket = entry->ticket,
                               .note = entry->note ? span_dup(span_of(entry->note)) : NULL,
                               .cookie = entry->cookie};
    size_t rows = 0;
    size_t row_bytes = 0;
    const struct delivery *d;
    LL_FOREACH(made.deliveries, d)
    {
        rows++;
        row_bytes += delivery_bytes(d);
    }
    struct dead_letter *letter;
    LL_FOREACH(made.dead, letter)
    {
        letter->id = spool_next_id(spool);
        rows++;
        row_bytes += dead_letter_bytes(letter);
    }
    if (made.note)
        row_bytes += strlen(made.note);
    made.bytes = sizeof made + row_bytes;
    /* In memory a row is larger than on disk; there, a long one may waste most of a page. */
    made.estimate = row_bytes + rows * STORE_PAGE_BYTES / 4;
    return made;
}

enum admission { ADMIT, WAIT, REFUSE };

/*
 * Whether the entry may be added. What is pending is only estimated, so near the limit it is waited
 * for until it is known.
 */
static enum admission admit_locked(struct spool *spool, const struct batch_entry *entry)
{
    struct spool_stat *stat = &spool->stat;
    bool only_note = entry->note && !entry->deliveries && !entry->dead;
    if (only_note && !spool->stopping && stat->state != SPOOL_FAILED)
        return ADMIT; /* small, and what it is about may be deleted from CMQ thanks to it */
    if (spool->stopping || stat->state != SPOOL_ACCEPTING)
        return REFUSE;
    uint64_t high_water = space_high_water(stat->max_bytes);
    if (stat->used_bytes + entry->estimate > high_water) {
        stat->state = SPOOL_FULL;
        wake_locked(spool);
        return REFUSE;
    }
    bool fits = spool->pending_bytes + entry->bytes <= SPOOL_MAX_PENDING_BYTES &&
                stat->used_bytes + spool->pending_estimate + entry->estimate <= high_water;
    return fits || !spool->pending_bytes ? ADMIT : WAIT;
}

bool spool_append(struct spool *spool, const struct spool_entry *entry)
{
    struct batch_entry made = prepare_entry(spool, entry);
    pthread_mutex_lock(&spool->mutex);
    enum admission admission = admit_locked(spool, &made);
    if (admission == WAIT) {
        struct timespec deadline = clock_deadline(ROOM_WAIT_MS);
        int late = 0;
        while (admission == WAIT && !late) {
            late = pthread_cond_clockwait(&spool->room, &spool->mutex, CLOCK_MONOTONIC, &deadline);
            admission = admit_locked(spool, &made);
        }
        if (admission == WAIT) {
            /* Nobody else waits a second for nothing; the writer tells when it can. */
            spool->stat.state = SPOOL_FAILED;
            pthread_cond_broadcast(&spool->room);
        }
    }
    if (admission == ADMIT) {
        batch_add_entry(&spool->pending, &made);
        spool->pending_bytes += made.bytes;
        spool->pending_estimate += made.estimate;
        spool->pending_tickets += made.ticket != 0;
        wake_locked(spool);
    }
    pthread_mutex_unlock(&spool->mutex);
    if (admission == ADMIT)
        return true;
    rows_free_deliveries(entry->deliveries);
    rows_free_letters(entry->dead);
    free(made.note);
    return false;
}

/* A finish wakes the writer when it is the first, to set the time, and when there are enough. */
static void add_finish(struct spool *spool, const struct batch_finish *finish)
{
    pthread_mutex_lock(&spool->mutex);
    size_t before = spool->pending.finishes.len;
    batch_add_finish(&spool->pending, finish);
    if (before == 0)
        spool->finishes_since_ms = clock_mono_ms();
    if (before == 0 || before + 1 == WRITER_FINISHES_DUE)
        wake_locked(spool);
    pthread_mutex_unlock(&spool->mutex);
}

void spool_settle(struct spool *spool, uint64_t id)
{
    add_finish(spool, &(struct batch_finish){.kind = BATCH_SETTLE, .id = id});
}

void spool_retried(struct spool *spool, uint64_t id, uint32_t attempts)
{
    add_finish(spool,
               &(struct batch_finish){.kind = BATCH_RETRIED, .id = id, .attempts = attempts});
}

void spool_bury(struct spool *spool, uint64_t id, uint32_t attempts, struct span reason)
{
    if (reason.len > REASON_MAX_BYTES) {
        reason.len = REASON_MAX_BYTES;
        while (reason.len && ((unsigned char)reason.ptr[reason.len] & 0xC0) == 0x80)
            reason.len--; /* not in the middle of a UTF-8 character */
    }
    add_finish(spool,
               &(struct batch_finish){
                   .kind = BATCH_BURY, .id = id, .attempts = attempts, .text = span_dup(reason)});
}

void spool_forget(struct spool *spool, const char *note)
{
    add_finish(spool,
               &(struct batch_finish){.kind = BATCH_FORGET, .text = span_dup(span_of(note))});
}

void spool_refill(struct spool *spool, uint64_t lane, uint64_t after_id, unsigned max_count,
                  size_t max_bytes)
{
    pthread_mutex_lock(&spool->mutex);
    batch_add_refill(&spool->pending, &(struct batch_refill){.lane = lane,
                                                             .after_id = after_id,
                                                             .max_bytes = max_bytes,
                                                             .max_count = max_count});
    wake_locked(spool);
    pthread_mutex_unlock(&spool->mutex);
}

void spool_stat(struct spool *spool, struct spool_stat *out)
{
    pthread_mutex_lock(&spool->mutex);
    *out = spool->stat;
    pthread_mutex_unlock(&spool->mutex);
}

bool spool_each_lane(struct spool *spool, void (*fn)(void *ctx, uint64_t lane, uint64_t count),
                     void *ctx, struct err *err)
{
    CHECK(!spool->running);
    return rows_each_lane(spool->store, fn, ctx) || store_fault(spool->store, err);
}

bool spool_each_filter(struct spool *spool, void (*fn)(void *ctx, const char *filter, uint32_t id),
                       void *ctx, struct err *err)
{
    CHECK(!spool->running);
    return rows_each_filter(spool->store, fn, ctx) || store_fault(spool->store, err);
}

bool spool_each_note(struct spool *spool, void (*fn)(void *ctx, const char *note, int64_t noted_ms),
                     void *ctx, struct err *err)
{
    CHECK(!spool->running);
    return rows_each_note(spool->store, fn, ctx) || store_fault(spool->store, err);
}

bool spool_set_filters(struct spool *spool, const char *const *filters, const uint32_t *ids,
                       size_t count, struct err *err)
{
    struct writer_filters set = {.filters = filters, .ids = ids, .count = count, .err = err};
    if (!spool->running) {
        writer_write_filters(spool, &set);
        return set.ok;
    }
    pthread_mutex_lock(&spool->mutex);
    spool->filters = &set;
    pthread_cond_signal(&spool->work);
    while (!set.done)
        pthread_cond_wait(&spool->filed, &spool->mutex);
    pthread_mutex_unlock(&spool->mutex);
    return set.ok;
}
