/* crash_test - kill -9 at any moment: what was reported as committed is there, whole entries only
 */
#include "tests/unit/spool/fixture.h"

#include "base/random.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 30, MAX_REPORTS = 40, IN_FLIGHT = 100, BODY_BYTES = 3000 };

/* Entry n is two deliveries with n at the start of their bodies; every third is settled at once. */
static bool is_settled(uint64_t entry)
{
    return entry % 3 == 0;
}

struct child {
    struct spool *spool;
    sem_t room; /* for entries in flight */
    int pipe;
};

static void report_committed(void *ctx, struct delivery *deliveries, uint64_t through_ticket)
{
    struct child *child = ctx;
    struct delivery *d;
    struct delivery *next;
    uint64_t entry = 0;
    unsigned halves = 0;
    LL_FOREACH_SAFE(deliveries, d, next)
    {
        memcpy(&entry, d->body.ptr, sizeof entry);
        if (is_settled(entry))
            spool_settle(child->spool, d->id);
        free(d);
        if (halves++ % 2)
            sem_post(&child->room);
    }
    if (write(child->pipe, &through_ticket, sizeof through_ticket) < 0)
        _exit(1);
}

static void ignore_refilled(void *ctx, uint64_t lane, struct delivery *deliveries, bool more)
{
    (void)ctx;
    (void)lane;
    (void)more;
    free_list(deliveries);
}

static void ignore_appeared(void *ctx, uint64_t lane)
{
    (void)ctx;
    (void)lane;
}

static void never_refused(void *ctx, uint64_t entries, uint64_t unticketed)
{
    (void)ctx;
    (void)entries;
    (void)unticketed;
    _exit(2);
}

static void never_changes(void *ctx, enum spool_state state, const char *why)
{
    (void)ctx;
    (void)state;
    (void)why;
    _exit(3);
}

/* Appends until it is killed. */
static void run_child(const struct fixture *f, int pipe, uint64_t first_entry)
{
    static struct child child;
    child.pipe = pipe;
    sem_init(&child.room, 0, IN_FLIGHT);
    struct spool_callbacks callbacks = {.ctx = &child,
                                        .committed = report_committed,
                                        .refilled = ignore_refilled,
                                        .appeared = ignore_appeared,
                                        .refused = never_refused,
                                        .state = never_changes};
    struct err err;
    child.spool = spool_open(&f->options, &callbacks, &err);
    if (!child.spool || !spool_start(child.spool, &err))
        _exit(4);
    static char body[BODY_BYTES];
    for (uint64_t entry = first_entry;; entry++) {
        sem_wait(&child.room);
        memcpy(body, &entry, sizeof entry);
        struct delivery *pair[2];
        for (int i = 0; i < 2; i++) {
            pair[i] = delivery_new(span_of("r"), span_of("queue q"), span_make(body, sizeof body));
            pair[i]->id = spool_next_id(child.spool);
            pair[i]->lane = (uint64_t)i;
        }
        pair[0]->next = pair[1];
        if (!spool_append(child.spool,
                          &(struct spool_entry){.deliveries = pair[0], .ticket = entry}))
            _exit(5);
    }
}

/* Reads reports until there were so many or the last one came; returns the highest. */
static uint64_t read_reports(int pipe, unsigned max, uint64_t through)
{
    uint64_t ticket;
    for (unsigned i = 0; i < max; i++) {
        ssize_t n = read(pipe, &ticket, sizeof ticket);
        if (n != (ssize_t)sizeof ticket)
            break;
        assert_true(ticket > through);
        through = ticket;
    }
    return through;
}

/* Runs a child from this entry on, kills it at some moment, returns the last it reported. */
static uint64_t run_and_kill(const struct fixture *f, uint64_t first_entry)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        run_child(f, ends[1], first_entry);
    }
    close(ends[1]);
    uint64_t through = read_reports(ends[0], (unsigned)random_below(MAX_REPORTS), first_entry - 1);
    kill(pid, SIGKILL);
    through = read_reports(ends[0], UINT32_MAX, through);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the child gave up with %d", WEXITSTATUS(status));
    return through;
}

/*
 * Checks what is on disk after a child that began at first reported through, and that its numbers
 * are at least first_id and below next_id. Returns the highest entry there.
 */
static uint64_t check_disk(const struct fixture *f, uint64_t first, uint64_t through,
                           uint64_t first_id, uint64_t next_id)
{
    sqlite3 *db = open_database(f);
    sqlite3_stmt *rows;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT body, length(body), id FROM delivery ORDER BY id",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    uint64_t highest = first - 1;
    uint64_t expected = first;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        uint64_t entry;
        assert_int_equal(sqlite3_column_int(rows, 1), BODY_BYTES);
        assert_in_range(sqlite3_column_int64(rows, 2), first_id, next_id - 1);
        memcpy(&entry, sqlite3_column_blob(rows, 0), sizeof entry);
        if (is_settled(entry))
            continue;
        while (is_settled(expected))
            expected++;
        assert_int_equal(entry, expected);
        assert_int_equal(sqlite3_step(rows), SQLITE_ROW); /* its other half */
        memcpy(&entry, sqlite3_column_blob(rows, 0), sizeof entry);
        assert_int_equal(entry, expected);
        highest = expected++;
    }
    sqlite3_finalize(rows);
    sqlite3_close(db);
    while (is_settled(expected))
        expected++;
    if (expected <= through)
        fail_msg("%llu was committed and is lost", (unsigned long long)expected);
    return highest;
}

static void no_fault(void *ctx, const char *line)
{
    (void)ctx;
    fail_msg("%s", line);
}

static void survive(struct fixture *f)
{
    uint64_t entry = 1;
    uint64_t first_id = 1;
    for (int round = 0; round < ROUNDS / 2; round++) {
        uint64_t through = run_and_kill(f, entry);
        struct err err = {""};
        if (!fixture_open(f, &err))
            fail_msg("%s", err.text);
        uint64_t next_id = spool_next_id(f->spool);
        uint64_t highest = check_disk(f, entry, through, first_id, next_id);
        first_id = next_id;
        fixture_close(f);
        struct morgue *morgue = morgue_open(f->dir, &err);
        assert_non_null(morgue);
        assert_true(morgue_verify(morgue, no_fault, NULL, &err));
        morgue_close(morgue);
        run_sql(f, "DELETE FROM delivery");
        entry = (highest > through ? highest : through) + 1;
    }
    assert_true(entry > ROUNDS); /* the test did something */
}

static void a_killed_process_loses_nothing_it_reported(void **state)
{
    survive(*state);
}

static void nor_does_one_that_syncs(void **state)
{
    struct fixture *f = *state;
    f->options.sync_power = true;
    survive(f);
}

/* What a power cut leaves at the end of the log: the group that was being written goes, no other.
 */
static void a_torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    for (uint64_t i = 1; i <= 20; i++) {
        append_one(f, 1, i);
        AWAIT(f, r->through_ticket == i);
    }
    char path[128];
    struct stat log;
    fixture_path(f, "spool.db-wal", path);
    assert_int_equal(stat(path, &log), 0);

    struct fixture *copy = fixture_new();
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = {"spool.db", "spool.db-wal"};
        static char bytes[1 << 20];
        char target[128];
        fixture_path(f, names[i], path);
        fixture_path(copy, names[i], target);
        FILE *from = fopen(path, "rb");
        FILE *to = fopen(target, "wb");
        assert_true(from && to);
        size_t count = fread(bytes, 1, sizeof bytes, from);
        assert_int_equal(fwrite(bytes, 1, i ? count - 3000 : count, to), i ? count - 3000 : count);
        fclose(from);
        fclose(to);
    }
    fixture_run(copy);
    refill(copy, 1, 0, 100, 1 << 20);
    assert_int_equal(copy->record.refill_count, 19);
    fixture_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_killed_process_loses_nothing_it_reported, with_directory,
                                        without),
        cmocka_unit_test_setup_teardown(nor_does_one_that_syncs, with_directory, without),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut, with_directory, without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
