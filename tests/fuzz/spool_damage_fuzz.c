/*
 * spool_damage_fuzz - a state directory whose database was damaged
 *
 * The input is either a whole file or, so that more than the header is reached, a list of patches
 * on a good one: three bytes of offset, one of length, and the bytes. Everything that reads a spool
 * is then let loose on it. It may refuse; it may not crash.
 */
#include "base/clock.h"
#include "spool/morgue.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FILE = 256 << 10, MIN_SPOOL = 16 << 20 };

static char dir[64];
static char database[96];
static char good[MAX_FILE];
static size_t good_size;

static void on_committed(void *ctx, struct delivery *deliveries, uint64_t through_ticket)
{
    (void)ctx;
    (void)through_ticket;
    for (struct delivery *next; deliveries; deliveries = next) {
        next = deliveries->next;
        free(deliveries);
    }
}

static void on_refilled(void *ctx, uint64_t lane, struct delivery *deliveries, bool more)
{
    (void)lane;
    (void)more;
    on_committed(ctx, deliveries, 0);
}

static void on_appeared(void *ctx, uint64_t lane)
{
    spool_refill(*(struct spool **)ctx, lane, 0, 10, 1 << 20);
}

static void on_refused(void *ctx, uint64_t entries, uint64_t unticketed)
{
    (void)ctx;
    (void)entries;
    (void)unticketed;
}

static void on_state(void *ctx, enum spool_state state, const char *why)
{
    (void)ctx;
    (void)state;
    (void)why;
}

static void on_lane(void *ctx, uint64_t lane, uint64_t count)
{
    (void)count;
    spool_refill(*(struct spool **)ctx, lane, 0, 10, 1 << 20);
}

static void on_filter(void *ctx, const char *filter, uint32_t id)
{
    (void)ctx;
    (void)filter;
    (void)id;
}

static bool on_letter(void *ctx, const struct dead_letter *letter)
{
    (void)letter;
    return ++*(unsigned *)ctx < 1000;
}

static void on_fault(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

static void append(struct spool *spool, uint64_t lane, const char *body)
{
    struct delivery *d = delivery_new(span_of("rule"), span_of("queue q"), span_of(body));
    d->id = spool_next_id(spool);
    d->lane = lane;
    (void)spool_append(spool, &(struct spool_entry){.deliveries = d, .ticket = d->id});
}

static void run_gateway(void)
{
    static struct spool *spool;
    struct spool_options options = {.dir = dir, .max_bytes = MIN_SPOOL};
    struct spool_callbacks callbacks = {.ctx = &spool,
                                        .committed = on_committed,
                                        .refilled = on_refilled,
                                        .appeared = on_appeared,
                                        .refused = on_refused,
                                        .state = on_state};
    struct err err;
    spool = spool_open(&options, &callbacks, &err);
    if (!spool)
        return;
    bool ok = spool_each_lane(spool, on_lane, &spool, &err) &&
              spool_each_filter(spool, on_filter, NULL, &err);
    const char *filter = "a/#";
    const uint32_t id = 1;
    ok = ok && spool_set_filters(spool, &filter, &id, 1, &err);
    for (uint64_t lane = 0; lane < 3; lane++) {
        append(spool, lane, "a body");
        spool_settle(spool, lane + 1);
        spool_retried(spool, lane + 4, 2);
        spool_bury(spool, lane + 7, 3, span_of("4400: no"));
        spool_refill(spool, lane, 0, 10, 1 << 20);
    }
    if (spool_start(spool, &err))
        spool_stop(spool);
    spool_close(spool);
}

static void run_morgue(void)
{
    struct err err;
    struct morgue *morgue = morgue_open(dir, &err);
    if (!morgue)
        return;
    unsigned letters = 0;
    struct spool_stat stat;
    uint64_t id;
    bool ok = morgue_each(morgue, NULL, true, on_letter, &letters, &err);
    ok &= morgue_stat(morgue, &stat, &err);
    ok &= morgue_verify(morgue, on_fault, NULL, &err);
    free(morgue_find(morgue, 21, &err));
    ok &= morgue_reserve_id(morgue, &id, &err);
    ok &= morgue_replay(morgue, 21, 0, &err);
    ok &= morgue_drop(morgue, 22, &err);
    ok &= morgue_replace(morgue, 23, delivery_new(span_of("r"), span_of("queue q"), span_of("b")),
                         0, &err);
    (void)ok;
    morgue_close(morgue);
}

static void empty_dir(void)
{
    static const char *const names[] = {"spool.db", "spool.db-wal", "spool.db-shm",
                                        "spool.db-journal", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
}

static void remove_dir(void)
{
    empty_dir();
    (void)rmdir(dir);
}

/* Makes a spool with something in every table but the requests. */
static void prepare(void)
{
    struct stat shm;
    (void)snprintf(dir, sizeof dir, "%s/cmqgw-fuzz-XXXXXX",
                   stat("/dev/shm", &shm) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(dir));
    atexit(remove_dir);
    (void)snprintf(database, sizeof database, "%s/spool.db", dir);
    struct spool_options options = {.dir = dir, .max_bytes = MIN_SPOOL};
    struct spool *spool = NULL;
    struct spool_callbacks callbacks = {.ctx = &spool,
                                        .committed = on_committed,
                                        .refilled = on_refilled,
                                        .appeared = on_appeared,
                                        .refused = on_refused,
                                        .state = on_state};
    struct err err;
    spool = spool_open(&options, &callbacks, &err);
    const char *filter = "b/+";
    const uint32_t id = 7;
    CHECK(spool && spool_set_filters(spool, &filter, &id, 1, &err));
    for (uint64_t i = 1; i <= 30; i++)
        append(spool, i % 3, i % 5 ? "short" : good /* NUL: empty */);
    CHECK(spool_start(spool, &err));
    spool_stop(spool);
    spool_close(spool);
    spool = spool_open(&options, &callbacks, &err);
    CHECK(spool);
    for (uint64_t i = 21; i <= 26; i++)
        spool_bury(spool, i, 1, span_of("4400: no"));
    CHECK(spool_start(spool, &err));
    spool_stop(spool);
    spool_close(spool);
    FILE *file = fopen(database, "rb");
    CHECK(file);
    good_size = fread(good, 1, sizeof good, file);
    CHECK(good_size > 0 && good_size < sizeof good);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!good_size)
        prepare();
    if (size < 1 || size > MAX_FILE)
        return 0;
    static char bytes[MAX_FILE];
    size_t count = size - 1;
    if (data[0] == 'f') {
        memcpy(bytes, data + 1, count);
    } else {
        memcpy(bytes, good, good_size);
        count = good_size;
        for (size_t at = 1; at + 4 <= size;) {
            size_t offset = ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]);
            size_t length = data[at + 3];
            at += 4;
            for (size_t i = 0; i < length && at < size; i++, at++)
                bytes[(offset + i) % good_size] = (char)data[at];
        }
    }
    empty_dir();
    FILE *file = fopen(database, "wb");
    CHECK(file && fwrite(bytes, 1, count, file) == count);
    CHECK(fclose(file) == 0);
    run_morgue();
    run_gateway();
    return 0;
}
