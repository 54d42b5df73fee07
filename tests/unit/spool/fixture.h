/*
 * fixture - a spool in a directory of its own, and a record of what its callbacks were told
 *
 * Tests wait for a record to show something, with a deadline that only a broken spool reaches.
 */
#ifndef TESTS_SPOOL_FIXTURE_H
#define TESTS_SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "spool/morgue.h"
#include "spool/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum { FIXTURE_DEADLINE_MS = 30000, FIXTURE_MAX = 1 << 16, FIXTURE_MAX_STATES = 64 };

struct record {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    size_t groups; /* calls of committed */
    size_t committed;
    uint64_t *ids; /* committed, in order */
    uint64_t through_ticket;
    size_t refills;
    uint64_t refill_lane;
    size_t refill_count;
    uint64_t *refill_ids;
    struct delivery *refill; /* the last answer */
    bool refill_more;
    size_t committed_at_refill;
    size_t appeared;
    uint64_t appeared_lane;
    uint64_t refused;
    uint64_t unticketed;
    size_t noted;
    size_t not_noted;
    void *cookie; /* the last one's */
    size_t states;
    enum spool_state state[FIXTURE_MAX_STATES];
    char why[3][1024]; /* the last of each state */
    size_t states_at_refusal;
};

struct fixture {
    char dir[64];
    struct spool_options options;
    struct spool *spool;
    struct record record;
};

/* Waits until condition, about record r of fixture f, holds. */
#define AWAIT(f, condition)                                                                        \
    do {                                                                                           \
        struct record *r = &(f)->record;                                                           \
        pthread_mutex_lock(&r->mutex);                                                             \
        struct timespec deadline = clock_deadline(FIXTURE_DEADLINE_MS);                            \
        int late = 0;                                                                              \
        while (!(condition) && !late)                                                              \
            late = pthread_cond_clockwait(&r->changed, &r->mutex, CLOCK_MONOTONIC, &deadline);     \
        bool holds = (condition);                                                                  \
        pthread_mutex_unlock(&r->mutex);                                                           \
        if (!holds)                                                                                \
            fail_msg("never happened: %s", #condition);                                            \
    } while (0)

static inline void on_committed(void *ctx, struct delivery *deliveries, uint64_t through_ticket)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    r->groups++;
    if (through_ticket > r->through_ticket)
        r->through_ticket = through_ticket;
    struct delivery *d;
    struct delivery *next;
    LL_FOREACH_SAFE(deliveries, d, next)
    {
        r->ids[r->committed++ % FIXTURE_MAX] = d->id;
        free(d);
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static inline void free_list(struct delivery *list)
{
    struct delivery *d;
    struct delivery *next;
    LL_FOREACH_SAFE(list, d, next)
    free(d);
}

static inline void on_refilled(void *ctx, uint64_t lane, struct delivery *deliveries, bool more)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    free_list(r->refill);
    r->refills++;
    r->refill_lane = lane;
    r->refill_more = more;
    r->refill = deliveries;
    r->committed_at_refill = r->committed;
    r->refill_count = 0;
    struct delivery *d;
    LL_FOREACH(deliveries, d)
    r->refill_ids[r->refill_count++ % FIXTURE_MAX] = d->id;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static inline void on_appeared(void *ctx, uint64_t lane)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    r->appeared++;
    r->appeared_lane = lane;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static inline void on_refused(void *ctx, uint64_t entries, uint64_t unticketed)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    r->refused += entries;
    r->unticketed += unticketed;
    r->states_at_refusal = r->states;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static inline void on_state(void *ctx, enum spool_state state, const char *why)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    r->state[r->states++ % FIXTURE_MAX_STATES] = state;
    (void)snprintf(r->why[state], sizeof r->why[state], "%s", why);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static inline void on_noted(void *ctx, void *cookie, bool committed)
{
    struct record *r = ctx;
    pthread_mutex_lock(&r->mutex);
    *(committed ? &r->noted : &r->not_noted) += 1;
    r->cookie = cookie;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

/* Opens the spool again in the fixture's directory. */
static inline struct spool *fixture_open(struct fixture *f, struct err *err)
{
    struct spool_callbacks callbacks = {.ctx = &f->record,
                                        .committed = on_committed,
                                        .refilled = on_refilled,
                                        .appeared = on_appeared,
                                        .refused = on_refused,
                                        .noted = on_noted,
                                        .state = on_state};
    f->spool = spool_open(&f->options, &callbacks, err);
    return f->spool;
}

static inline void fixture_run(struct fixture *f)
{
    struct err err = {""};
    if (!fixture_open(f, &err) || !spool_start(f->spool, &err))
        fail_msg("%s", err.text);
}

static inline void fixture_close(struct fixture *f)
{
    if (f->spool) {
        spool_stop(f->spool);
        spool_close(f->spool);
    }
    f->spool = NULL;
}

/* A directory; no spool in it yet. */
static inline struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/cmqgw-spool-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->options = (struct spool_options){.dir = f->dir, .max_bytes = 64 << 20};
    f->record.ids = calloc(FIXTURE_MAX, sizeof(uint64_t));
    f->record.refill_ids = calloc(FIXTURE_MAX, sizeof(uint64_t));
    assert_true(f->record.ids && f->record.refill_ids);
    pthread_mutex_init(&f->record.mutex, NULL);
    pthread_cond_init(&f->record.changed, NULL);
    return f;
}

static inline void remove_dir(const char *dir)
{
    DIR *entries = opendir(dir);
    if (entries) {
        const struct dirent *entry;
        while ((entry = readdir(entries)))
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
        closedir(entries);
    }
    (void)rmdir(dir);
}

static inline void fixture_free(struct fixture *f)
{
    fixture_close(f);
    remove_dir(f->dir);
    free_list(f->record.refill);
    free(f->record.ids);
    free(f->record.refill_ids);
    pthread_mutex_destroy(&f->record.mutex);
    pthread_cond_destroy(&f->record.changed);
    free(f);
}

/* cmocka's setup and teardown for a test with a running spool. */
static inline int with_spool(void **state)
{
    struct fixture *f = fixture_new();
    fixture_run(f);
    *state = f;
    return 0;
}

static inline int with_directory(void **state)
{
    *state = fixture_new();
    return 0;
}

static inline int without(void **state)
{
    fixture_free(*state);
    return 0;
}

/* A delivery with a number from the spool. */
static inline struct delivery *make_delivery(struct fixture *f, uint64_t lane, struct span body)
{
    struct delivery *d = delivery_new(span_of("telemetry"), span_of("queue store"), body);
    d->id = spool_next_id(f->spool);
    d->lane = lane;
    d->received_ms = clock_unix_ms();
    return d;
}

static inline bool append(struct fixture *f, struct delivery *deliveries, uint64_t ticket)
{
    return spool_append(f->spool,
                        &(struct spool_entry){.deliveries = deliveries, .ticket = ticket});
}

/* Appends one small delivery and returns its number. */
static inline uint64_t append_one(struct fixture *f, uint64_t lane, uint64_t ticket)
{
    struct delivery *d = make_delivery(f, lane, span_of("body"));
    uint64_t id = d->id;
    assert_true(append(f, d, ticket));
    return id;
}

/* A delivery with a body of so many bytes. */
static inline struct delivery *make_large(struct fixture *f, uint64_t lane, size_t bytes)
{
    char *body = calloc(1, bytes);
    assert_non_null(body);
    struct delivery *d = make_delivery(f, lane, span_make(body, bytes));
    free(body);
    return d;
}

/* Asks for everything of a lane and waits for the answer, which is in the record. */
static inline void refill(struct fixture *f, uint64_t lane, uint64_t after_id, unsigned max_count,
                          size_t max_bytes)
{
    size_t before = f->record.refills;
    spool_refill(f->spool, lane, after_id, max_count, max_bytes);
    AWAIT(f, r->refills > before);
    assert_int_equal(f->record.refill_lane, lane);
}

static inline struct spool_stat stat_of(struct fixture *f)
{
    struct spool_stat stat;
    spool_stat(f->spool, &stat);
    return stat;
}

/* Waits until condition, about spool_stat stat of fixture f, holds. */
#define AWAIT_STAT(f, condition)                                                                   \
    do {                                                                                           \
        int64_t until_ms = clock_mono_ms() + FIXTURE_DEADLINE_MS;                                  \
        struct spool_stat stat = stat_of(f);                                                       \
        while (!(condition) && clock_mono_ms() < until_ms) {                                       \
            sched_yield();                                                                         \
            stat = stat_of(f);                                                                     \
        }                                                                                          \
        if (!(condition))                                                                          \
            fail_msg("never happened: %s", #condition);                                            \
    } while (0)

static inline void fixture_path(const struct fixture *f, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", f->dir, name);
}

/* Opens the database beside the spool. */
static inline sqlite3 *open_database(const struct fixture *f)
{
    char path[128];
    fixture_path(f, "spool.db", path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, FIXTURE_DEADLINE_MS);
    return db;
}

/* Changes the database behind the spool's back. */
static inline void run_sql(const struct fixture *f, const char *sql)
{
    sqlite3 *db = open_database(f);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
