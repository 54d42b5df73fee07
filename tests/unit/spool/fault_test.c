/* fault_test - a disk that refuses, lies or hangs: nothing acknowledged is lost, nothing lost is
 * acknowledged */
#include "tests/unit/spool/bad_disk.h"

static int with_power_sync(void **state)
{
    struct fixture *f = fixture_new();
    f->options.sync_power = true;
    fixture_run(f);
    *state = f;
    return 0;
}

static int with_crash_sync(void **state)
{
    return with_spool(state);
}

static int cure(void **state)
{
    atomic_store(&bad_disk.write_result, SQLITE_OK);
    atomic_store(&bad_disk.database_write_result, SQLITE_OK);
    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    bad_disk_hang(false);
    return without(state);
}

/* What is on disk in lane 1, after opening again. */
static size_t reopened_count(struct fixture *f)
{
    fixture_close(f);
    fixture_run(f);
    refill(f, 1, 0, 1000000, SIZE_MAX);
    return f->record.refill_count;
}

static void a_failed_sync_acknowledges_nothing(void **state)
{
    struct fixture *f = *state;
    append_one(f, 1, 1);
    AWAIT(f, r->through_ticket == 1);
    atomic_store(&bad_disk.sync_result, SQLITE_IOERR_FSYNC);
    append_one(f, 1, 2);
    AWAIT(f, r->refused == 1);
    assert_int_equal(f->record.through_ticket, 1);
    assert_int_equal(f->record.states_at_refusal, 1);
    assert_int_equal(f->record.state[0], SPOOL_FAILED);
    assert_int_equal(stat_of(f).state, SPOOL_FAILED);
    assert_int_equal(stat_of(f).deliveries, 1);
    assert_false(append(f, make_delivery(f, 1, span_of("at once")), 3));

    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    AWAIT(f, r->states == 2 && r->state[1] == SPOOL_ACCEPTING);
    append_one(f, 1, 4);
    AWAIT(f, r->through_ticket == 4);
    assert_int_equal(f->record.refused, 1);
    assert_int_equal(reopened_count(f), 2);
}

static void every_refusal_says_what_to_do(void **state)
{
    static const struct {
        int code;
        const char *says;
    } rows[] = {
        {SQLITE_FULL, "make room"},        {SQLITE_IOERR_WRITE, "look at the disk"},
        {SQLITE_READONLY, "read-only"},    {SQLITE_CORRUPT, "cmqgw spool verify"},
        {SQLITE_NOTADB, "is not a spool"}, {SQLITE_PROTOCOL, "locking protocol"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        atomic_store(&bad_disk.write_result, rows[i].code);
        append_one(f, 1, i + 1);
        AWAIT(f, r->refused == i + 1);
        assert_int_equal(f->record.states, 2 * i + 1);
        const char *why = f->record.why[SPOOL_FAILED];
        if (!strstr(why, rows[i].says) || !strstr(why, f->dir))
            fail_msg("not helpful: %s", why);
        atomic_store(&bad_disk.write_result, SQLITE_OK);
        AWAIT(f, r->states == 2 * i + 2);
        assert_int_equal(f->record.state[2 * i + 1], SPOOL_ACCEPTING);
    }
    assert_int_equal(f->record.committed, 0);
    assert_int_equal(reopened_count(f), 0);
}

static void what_finishes_is_kept_and_written_later(void **state)
{
    struct fixture *f = *state;
    uint64_t settled = append_one(f, 1, 1);
    uint64_t retried = append_one(f, 1, 2);
    uint64_t buried = append_one(f, 1, 3);
    AWAIT(f, r->through_ticket == 3);
    atomic_store(&bad_disk.sync_result, SQLITE_IOERR_FSYNC);
    spool_settle(f->spool, settled);
    AWAIT(f, r->states == 1);
    spool_retried(f->spool, retried, 5);
    spool_bury(f->spool, buried, 2, span_of("4000: no"));
    spool_refill(f->spool, 1, 0, 10, 1 << 20);
    assert_int_equal(f->record.refused, 0);
    assert_int_equal(f->record.refills, 0);

    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    AWAIT(f, r->refills == 1);
    assert_int_equal(f->record.refill_count, 1);
    assert_int_equal(f->record.refill->id, retried);
    assert_int_equal(f->record.refill->attempts, 5);
    AWAIT(f, r->states == 2);
    assert_int_equal(stat_of(f).settled, 1);
    assert_int_equal(stat_of(f).dead_letters, 1);
    assert_int_equal(reopened_count(f), 1);
}

static void a_note_that_is_thrown_away_is_told(void **state)
{
    struct fixture *f = *state;
    int cookie;
    atomic_store(&bad_disk.sync_result, SQLITE_IOERR_FSYNC);
    assert_true(
        spool_append(f->spool, &(struct spool_entry){.note = "queue 1", .cookie = &cookie}));
    AWAIT(f, r->not_noted == 1);
    assert_ptr_equal(f->record.cookie, &cookie);
    assert_int_equal(f->record.noted, 0);
    assert_int_equal(f->record.refused, 0);
    assert_false(spool_append(f->spool, &(struct spool_entry){.note = "queue 2"}));
    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    AWAIT(f, r->states == 2);
    assert_true(spool_append(f->spool, &(struct spool_entry){.note = "queue 1"}));
    AWAIT(f, r->noted == 1);
}

static void everything_behind_a_failed_group_is_refused_too(void **state)
{
    struct fixture *f = *state;
    bad_disk_hang(true);
    append_one(f, 1, 1);
    bad_disk_await_hang();
    for (uint64_t ticket = 2; ticket <= 50; ticket++)
        append_one(f, 1, ticket % 10 ? ticket : 0);
    atomic_store(&bad_disk.sync_result, SQLITE_IOERR_FSYNC);
    bad_disk_hang(false);
    AWAIT(f, r->refused > 0);
    assert_int_equal(f->record.refused, 50);
    assert_int_equal(f->record.unticketed, 5);
    assert_int_equal(f->record.groups, 0);
    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    AWAIT(f, r->states == 2);
    assert_int_equal(reopened_count(f), 0);
}

static void nothing_is_told_before_the_sync_is_done(void **state)
{
    struct fixture *f = *state;
    bad_disk_hang(true);
    append_one(f, 1, 1);
    bad_disk_await_hang();
    assert_int_equal(f->record.groups, 0);
    bad_disk_hang(false);
    AWAIT(f, r->through_ticket == 1);
}

enum { LARGE = 1 << 20 };

/* Hands in until one more would have to wait; with the disk hanging. */
static uint64_t fill_pending(struct fixture *f)
{
    bad_disk_hang(true);
    uint64_t count = 0;
    for (; (count + 2) * LARGE < SPOOL_MAX_PENDING_BYTES; count++)
        assert_true(append(f, make_large(f, 1, LARGE), count + 1));
    return count;
}

static void a_hung_disk_holds_a_caller_for_a_second_and_then_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t count = fill_pending(f);
    assert_true(append(f, make_large(f, 1, LARGE), ++count));
    int64_t from_ms = clock_mono_ms();
    assert_false(append(f, make_large(f, 1, LARGE), count + 1));
    assert_true(clock_mono_ms() - from_ms >= 1000);
    assert_int_equal(stat_of(f).state, SPOOL_FAILED);
    for (int i = 0; i < 100; i++) /* would take 100 s */
        assert_false(append(f, make_large(f, 1, LARGE), count + 1));

    bad_disk_hang(false);
    AWAIT(f, r->states == 2);
    assert_int_equal(f->record.state[0], SPOOL_FAILED);
    assert_non_null(strstr(f->record.why[SPOOL_FAILED], "too slow"));
    assert_int_equal(f->record.state[1], SPOOL_ACCEPTING);
    assert_int_equal(f->record.through_ticket, count);
    assert_int_equal(f->record.refused, 0);
    append_one(f, 1, count + 1);
    AWAIT(f, r->through_ticket == count + 1);
}

static void *append_waiting(void *arg)
{
    struct fixture *f = arg;
    return append(f, make_large(f, 1, 2 * LARGE), 1000) ? f : NULL;
}

static void a_caller_that_waits_for_room_gets_it(void **state)
{
    struct fixture *f = *state;
    fill_pending(f);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, append_waiting, f), 0);
    bad_disk_await_hang();
    bad_disk_hang(false);
    void *accepted;
    pthread_join(thread, &accepted);
    assert_ptr_equal(accepted, f);
    AWAIT(f, r->through_ticket == 1000);
    assert_int_equal(f->record.states, 0);
}

static void stopping_ends_even_with_a_failed_disk(void **state)
{
    struct fixture *f = *state;
    uint64_t id = append_one(f, 1, 1);
    AWAIT(f, r->through_ticket == 1);
    atomic_store(&bad_disk.sync_result, SQLITE_IOERR_FSYNC);
    atomic_store(&bad_disk.write_result, SQLITE_IOERR_WRITE);
    append_one(f, 1, 2);
    AWAIT(f, r->refused == 1);
    spool_settle(f->spool, id);
    spool_stop(f->spool);
    assert_int_equal(f->record.states, 1);
    spool_close(f->spool);
    f->spool = NULL;
    atomic_store(&bad_disk.sync_result, SQLITE_OK);
    atomic_store(&bad_disk.write_result, SQLITE_OK);
    fixture_run(f);
    refill(f, 1, 0, 10, 1 << 20);
    assert_int_equal(f->record.refill_count, 1); /* delivered again rather than never */
}

static void a_log_that_cannot_be_emptied_stops_accepting(void **state)
{
    struct fixture *f = *state;
    atomic_store(&bad_disk.database_write_result, SQLITE_FULL);
    uint64_t ticket = 0;
    while (stat_of(f).state == SPOOL_ACCEPTING && ticket < 200)
        (void)append(f, make_large(f, 1, LARGE / 4), ++ticket);
    AWAIT(f, r->states == 1 && r->state[0] == SPOOL_FAILED);
    struct stat log;
    char path[128];
    fixture_path(f, "spool.db-wal", path);
    assert_int_equal(stat(path, &log), 0);
    assert_in_range(log.st_size, 1 << 20, 48 << 20);

    atomic_store(&bad_disk.database_write_result, SQLITE_OK);
    AWAIT(f, r->states == 2 && r->state[1] == SPOOL_ACCEPTING);
    assert_int_equal(stat_of(f).deliveries, f->record.committed);
    assert_int_equal(reopened_count(f), f->record.committed);
}

static void a_process_that_sits_on_the_database_is_named_as_the_cause(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_database(f);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    append_one(f, 1, 1);
    AWAIT(f, r->refused == 1);
    assert_non_null(strstr(f->record.why[SPOOL_FAILED], "held by another process"));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    AWAIT(f, r->states == 2 && r->state[1] == SPOOL_ACCEPTING);
}

static void opening_on_a_failing_disk_says_why(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    atomic_store(&bad_disk.write_result, SQLITE_FULL);
    atomic_store(&bad_disk.database_write_result, SQLITE_FULL);
    assert_null(fixture_open(f, &err));
    assert_non_null(strstr(err.text, "make room"));
    atomic_store(&bad_disk.write_result, SQLITE_OK);
    atomic_store(&bad_disk.database_write_result, SQLITE_OK);
    assert_non_null(fixture_open(f, &err));
    atomic_store(&bad_disk.write_result, SQLITE_FULL);
    const char *filter = "a";
    const uint32_t id = 1;
    assert_false(spool_set_filters(f->spool, &filter, &id, 1, &err));
    assert_true(spool_start(f->spool, &err));
    err.text[0] = '\0';
    assert_false(spool_set_filters(f->spool, &filter, &id, 1, &err));
    assert_non_null(strstr(err.text, "make room"));
    atomic_store(&bad_disk.write_result, SQLITE_OK);
    assert_true(spool_set_filters(f->spool, &filter, &id, 1, &err));
    fixture_close(f);
}

int main(void)
{
    bad_disk_register();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_sync_acknowledges_nothing, with_power_sync, cure),
        cmocka_unit_test_setup_teardown(every_refusal_says_what_to_do, with_crash_sync, cure),
        cmocka_unit_test_setup_teardown(what_finishes_is_kept_and_written_later, with_power_sync,
                                        cure),
        cmocka_unit_test_setup_teardown(a_note_that_is_thrown_away_is_told, with_power_sync, cure),
        cmocka_unit_test_setup_teardown(everything_behind_a_failed_group_is_refused_too,
                                        with_power_sync, cure),
        cmocka_unit_test_setup_teardown(nothing_is_told_before_the_sync_is_done, with_power_sync,
                                        cure),
        cmocka_unit_test_setup_teardown(a_hung_disk_holds_a_caller_for_a_second_and_then_nobody,
                                        with_power_sync, cure),
        cmocka_unit_test_setup_teardown(a_caller_that_waits_for_room_gets_it, with_power_sync,
                                        cure),
        cmocka_unit_test_setup_teardown(stopping_ends_even_with_a_failed_disk, with_power_sync,
                                        cure),
        cmocka_unit_test_setup_teardown(a_log_that_cannot_be_emptied_stops_accepting,
                                        with_crash_sync, cure),
        cmocka_unit_test_setup_teardown(a_process_that_sits_on_the_database_is_named_as_the_cause,
                                        with_crash_sync, cure),
        cmocka_unit_test_setup_teardown(opening_on_a_failing_disk_says_why, with_directory, cure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
