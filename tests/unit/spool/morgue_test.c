/* morgue_test - dead letters in the hands of another process, beside a running gateway and without
 */
#include "tests/unit/spool/fixture.h"

enum { TIMEOUT_MS = FIXTURE_DEADLINE_MS };

/* Letters 1 to 3: 1 and 2 were deliveries of lanes 7 and 8, 3 never was one. */
static void make_letters(struct fixture *f)
{
    fixture_run(f);
    for (uint64_t id = 1; id <= 2; id++) {
        struct delivery *d = make_delivery(f, 6 + id, span_of(id == 1 ? "one" : "the second"));
        d->flags = DELIVERY_STRICT;
        d->expires_ms = 99;
        assert_int_equal(d->id, id);
        assert_true(append(f, d, id));
    }
    AWAIT(f, r->committed == 2);
    spool_bury(f->spool, 1, 3, span_of("4400: no"));
    spool_bury(f->spool, 2, 4, span_of("expired: too old"));
    struct dead_letter *letter =
        dead_letter_new(span_of("alarms"), span_of("raw_not_utf8: no"), (struct span){0},
                        span_of("{\"topic\":\"a\"}"), span_of("\xff\xfe"));
    letter->received_ms = 5;
    letter->died_ms = 6;
    letter->direction = DEAD_DOWN;
    letter->attempts = 16;
    assert_true(spool_append(f->spool, &(struct spool_entry){.dead = letter, .ticket = 3}));
    AWAIT_STAT(f, stat.dead_letters == 3);
}

static int with_gateway(void **state)
{
    struct fixture *f = fixture_new();
    make_letters(f);
    *state = f;
    return 0;
}

static int with_no_gateway(void **state)
{
    struct fixture *f = fixture_new();
    make_letters(f);
    fixture_close(f);
    *state = f;
    return 0;
}

/* A gateway that holds the lock and answers nothing. */
static int with_deaf_gateway(void **state)
{
    struct err err;
    struct fixture *f = fixture_new();
    make_letters(f);
    fixture_close(f);
    assert_non_null(fixture_open(f, &err));
    *state = f;
    return 0;
}

static struct morgue *open_morgue(const struct fixture *f)
{
    struct err err = {""};
    struct morgue *morgue = morgue_open(f->dir, &err);
    if (!morgue)
        fail_msg("%s", err.text);
    return morgue;
}

static void no_fault(void *ctx, const char *line)
{
    (void)ctx;
    fail_msg("%s", line);
}

/* Closes the morgue after seeing that all is in order. */
static void close_morgue(struct morgue *morgue)
{
    struct err err = {""};
    assert_true(morgue_verify(morgue, no_fault, NULL, &err));
    morgue_close(morgue);
}

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

#define ASSERT_REFUSED(call, says)                                                                 \
    do {                                                                                           \
        assert_false(call);                                                                        \
        if (!strstr(err.text, says))                                                               \
            fail_msg("'%s' does not say '%s'", err.text, says);                                    \
    } while (0)

static void count_of(const struct fixture *f, struct morgue *morgue, uint64_t deliveries,
                     uint64_t letters)
{
    struct err err = {""};
    struct spool_stat stat;
    ASSERT_OK(morgue_stat(morgue, &stat, &err));
    assert_int_equal(stat.deliveries, deliveries);
    assert_int_equal(stat.dead_letters, letters);
    assert_int_equal(stat.max_bytes, f->options.max_bytes);
    assert_in_range(stat.capacity_bytes, stat.max_bytes / 2, stat.max_bytes - 1);
    assert_in_range(stat.used_bytes, 4096, 1 << 20);
    assert_int_equal(stat.state, SPOOL_ACCEPTING);
    assert_int_equal(stat.oldest_ms > 0, deliveries > 0);
}

static void check_replayed(struct fixture *f, uint64_t lane)
{
    refill(f, lane, 0, 10, 1 << 20);
    assert_int_equal(f->record.refill_count, 1);
    const struct delivery *d = f->record.refill;
    assert_true(d->id > 3);
    assert_int_equal(d->attempts, 0);
    assert_int_equal(d->expires_ms, 0);
    assert_int_equal(d->flags, DELIVERY_STRICT);
    assert_true(d->received_ms > 0);
    assert_true(span_eq_str(d->rule, "telemetry"));
    assert_true(span_eq_str(d->destination, "queue store"));
}

static void a_replayed_letter_appears_to_the_running_gateway(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    assert_true(morgue_gateway_runs(morgue));
    ASSERT_OK(morgue_replay(morgue, 2, TIMEOUT_MS, &err));
    AWAIT(f, r->appeared == 1);
    assert_int_equal(f->record.appeared_lane, 8);
    check_replayed(f, 8);
    assert_true(span_eq_str(f->record.refill->body, "the second"));
    assert_int_equal(stat_of(f).dead_letters, 2);
    assert_int_equal(stat_of(f).deliveries, 1);
    assert_true(spool_next_id(f->spool) > f->record.refill->id);
    close_morgue(morgue);
}

static void a_letter_is_replayed_without_a_gateway(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    assert_false(morgue_gateway_runs(morgue));
    ASSERT_OK(morgue_replay(morgue, 1, 0, &err));
    count_of(f, morgue, 1, 2);
    close_morgue(morgue);
    fixture_run(f);
    check_replayed(f, 7);
    assert_true(spool_next_id(f->spool) > f->record.refill->id);
}

static void what_cannot_be_replayed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    ASSERT_REFUSED(morgue_replay(morgue, 3, TIMEOUT_MS, &err), "letter 3 never was a delivery");
    ASSERT_REFUSED(morgue_replay(morgue, 4, TIMEOUT_MS, &err), "no dead letter 4");
    ASSERT_REFUSED(morgue_drop(morgue, 0, &err), "no dead letter 0");
    ASSERT_REFUSED(morgue_replace(morgue, 3, NULL, TIMEOUT_MS, &err), "1 to 4096 deliveries");
    ASSERT_REFUSED(morgue_replace(morgue, 9, delivery_new(span_of("r"), span_of("d"), span_of("b")),
                                  TIMEOUT_MS, &err),
                   "no dead letter 9");
    count_of(f, morgue, 0, 3);
    close_morgue(morgue);
}

static void replace_letter(struct fixture *f, struct morgue *morgue)
{
    struct err err = {""};
    uint64_t first;
    uint64_t second;
    ASSERT_OK(morgue_reserve_id(morgue, &first, &err));
    ASSERT_OK(morgue_reserve_id(morgue, &second, &err));
    assert_true(first > 3);
    assert_true(second > first);
    struct delivery *list = NULL;
    for (uint64_t i = 0; i < 3; i++) {
        struct delivery *d =
            delivery_new(span_of("alarms"), span_of("topic t tags a"), span_make(&"abc"[i], 1));
        d->id = first;
        d->lane = 9;
        d->received_ms = 5;
        d->expires_ms = 77;
        d->flags = DELIVERY_ACCEPT_UNROUTED;
        LL_APPEND(list, d);
    }
    ASSERT_OK(morgue_replace(morgue, 3, list, TIMEOUT_MS, &err));
    count_of(f, morgue, 3, 2);
}

static void check_replaced(struct fixture *f)
{
    refill(f, 9, 0, 10, 1 << 20);
    assert_int_equal(f->record.refill_count, 3);
    const char *body = "abc";
    const struct delivery *d;
    LL_FOREACH(f->record.refill, d)
    {
        assert_int_equal(*d->body.ptr, *body++);
        assert_int_equal(d->received_ms, 5);
        assert_int_equal(d->expires_ms, 77);
        assert_int_equal(d->flags, DELIVERY_ACCEPT_UNROUTED);
        assert_true(span_eq_str(d->rule, "alarms"));
        assert_true(span_eq_str(d->destination, "topic t tags a"));
        assert_true(d->id > 5);
    }
}

static void a_letter_gives_way_to_what_planning_it_again_gave(void **state)
{
    struct fixture *f = *state;
    struct morgue *morgue = open_morgue(f);
    replace_letter(f, morgue);
    AWAIT(f, r->appeared > 0);
    assert_int_equal(f->record.appeared_lane, 9);
    assert_int_equal(stat_of(f).deliveries, 3);
    assert_int_equal(stat_of(f).dead_letters, 2);
    check_replaced(f);
    close_morgue(morgue);
}

static void and_without_a_gateway_too(void **state)
{
    struct fixture *f = *state;
    struct morgue *morgue = open_morgue(f);
    replace_letter(f, morgue);
    close_morgue(morgue);
    fixture_run(f);
    check_replaced(f);
}

static void a_dropped_letter_is_gone(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    ASSERT_OK(morgue_drop(morgue, 1, &err));
    ASSERT_OK(morgue_drop(morgue, 3, &err));
    assert_null(morgue_find(morgue, 1, &err));
    assert_string_equal(err.text, "");
    count_of(f, morgue, 0, 1);
    close_morgue(morgue);
    if (f->spool)
        assert_int_equal(stat_of(f).dead_letters, 1);
}

static void many_requests_are_served_one_after_another(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    enum { COUNT = 200 };
    uint64_t first = 0;
    for (int i = 0; i < COUNT; i++) {
        uint64_t id = append_one(f, 5, 0);
        first = first ? first : id;
        spool_bury(f->spool, id, 1, span_of("4400: no"));
    }
    refill(f, 5, 0, 1, 1);
    struct morgue *morgue = open_morgue(f);
    for (uint64_t id = first; id < first + COUNT; id++)
        ASSERT_OK(morgue_replay(morgue, id, TIMEOUT_MS, &err));
    AWAIT(f, r->appeared == COUNT);
    close_morgue(morgue);
}

static void a_gateway_that_does_not_answer_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    ASSERT_REFUSED(morgue_replay(morgue, 1, 20, &err), "did not answer within 20 ms");
    ASSERT_REFUSED(
        morgue_replace(morgue, 3, delivery_new(span_of("r"), span_of("d"), span_of("b")), 1, &err),
        "nothing was done");
    count_of(f, morgue, 0, 3);
    /* And the request was taken back: a gateway that comes to itself does nothing of it. */
    assert_true(spool_start(f->spool, &err));
    refill(f, 7, 0, 10, 1);
    ASSERT_OK(morgue_replay(morgue, 2, TIMEOUT_MS, &err));
    count_of(f, morgue, 1, 2);
    close_morgue(morgue);
}

struct replaying {
    const struct fixture *f;
    struct err err;
    bool done;
};

static void *replay_one(void *arg)
{
    struct replaying *replaying = arg;
    struct morgue *morgue = morgue_open(replaying->f->dir, &replaying->err);
    if (morgue)
        replaying->done = morgue_replay(morgue, 1, TIMEOUT_MS, &replaying->err);
    morgue_close(morgue);
    return NULL;
}

/* Starts a replay that nobody answers and waits until it has been asked for. */
static pthread_t start_replay(struct replaying *replaying)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, replay_one, replaying), 0);
    sqlite3 *db = open_database(replaying->f);
    sqlite3_stmt *count;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM request", -1, &count, NULL),
                     SQLITE_OK);
    int64_t until_ms = clock_mono_ms() + FIXTURE_DEADLINE_MS;
    do {
        sqlite3_reset(count);
        assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    } while (sqlite3_column_int(count, 0) == 0 && clock_mono_ms() < until_ms);
    sqlite3_finalize(count);
    sqlite3_close(db);
    return thread;
}

static void a_request_outlives_the_gateway_that_was_asked(void **state)
{
    struct fixture *f = *state;
    struct replaying replaying = {.f = f};
    pthread_t thread = start_replay(&replaying);
    fixture_close(f);
    pthread_join(thread, NULL);
    if (!replaying.done)
        fail_msg("%s", replaying.err.text);
    fixture_run(f);
    check_replayed(f, 7);
}

static void a_gateway_that_starts_forgets_what_was_asked_before(void **state)
{
    struct fixture *f = *state;
    struct replaying replaying = {.f = f};
    pthread_t thread = start_replay(&replaying);
    run_sql(f, "DELETE FROM request");
    pthread_join(thread, NULL);
    assert_false(replaying.done);
    assert_non_null(strstr(replaying.err.text, "try again"));
    run_sql(f, "INSERT INTO request(id, verb, letter) VALUES(1, 2, 1)");
    run_sql(f, "INSERT INTO staged VALUES(1, 1, 1, 1, 1, 1, 'r', 'd', x'00')");
    fixture_close(f);
    fixture_run(f);
    assert_int_equal(stat_of(f).dead_letters, 3);
}

static void an_unknown_request_is_answered(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "INSERT INTO request(id, verb, letter) VALUES(1, 77, 1)");
    sqlite3 *db = open_database(f);
    sqlite3_stmt *answer;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT error FROM request WHERE done_ms > 0", -1, &answer, NULL),
        SQLITE_OK);
    int64_t until_ms = clock_mono_ms() + FIXTURE_DEADLINE_MS;
    while (sqlite3_step(answer) != SQLITE_ROW && clock_mono_ms() < until_ms)
        sqlite3_reset(answer);
    assert_non_null(strstr((const char *)sqlite3_column_text(answer, 0), "does not know"));
    sqlite3_finalize(answer);
    sqlite3_close(db);
}

struct seen {
    size_t count;
    size_t max;
    uint64_t ids[300];
    bool bodies;
};

static bool on_letter(void *ctx, const struct dead_letter *letter)
{
    struct seen *seen = ctx;
    assert_true(seen->count < 300);
    seen->ids[seen->count++] = letter->id;
    assert_int_equal(letter->body.ptr != NULL, seen->bodies);
    if (letter->id == 2)
        assert_int_equal(letter->body.len, strlen("the second"));
    return seen->count < seen->max;
}

static void letters_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    struct seen all = {.max = 300, .bodies = true};
    ASSERT_OK(morgue_each(morgue, NULL, true, on_letter, &all, &err));
    assert_int_equal(all.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(all.ids[i], i + 1);
    struct seen of_rule = {.max = 300};
    ASSERT_OK(morgue_each(morgue, "telemetry", false, on_letter, &of_rule, &err));
    assert_int_equal(of_rule.count, 2);
    struct seen rest = {.max = 300};
    ASSERT_OK(morgue_each_after(morgue, 1, NULL, false, on_letter, &rest, &err));
    assert_int_equal(rest.count, 2);
    assert_int_equal(rest.ids[0], 2);
    struct seen beyond = {.max = 300};
    ASSERT_OK(morgue_each_after(morgue, 3, NULL, false, on_letter, &beyond, &err));
    assert_int_equal(beyond.count, 0);
    struct seen none = {.max = 300};
    ASSERT_OK(morgue_each(morgue, "no such rule", false, on_letter, &none, &err));
    assert_int_equal(none.count, 0);
    struct seen first = {.max = 1};
    ASSERT_OK(morgue_each(morgue, NULL, false, on_letter, &first, &err));
    assert_int_equal(first.count, 1);
    close_morgue(morgue);
}

static void long_lists_are_read_in_parts(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    for (int i = 0; i < 197; i++)
        spool_bury(f->spool, append_one(f, 1, 0), 1, span_of("4400: no"));
    AWAIT_STAT(f, stat.dead_letters == 200);
    struct morgue *morgue = open_morgue(f);
    struct seen all = {.max = 300};
    ASSERT_OK(morgue_each(morgue, NULL, false, on_letter, &all, &err));
    assert_int_equal(all.count, 200);
    close_morgue(morgue);
}

static void a_letter_is_found_with_all_its_fields(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct morgue *morgue = open_morgue(f);
    struct dead_letter *letter = morgue_find(morgue, 3, &err);
    assert_non_null(letter);
    assert_int_equal(letter->id, 3);
    assert_int_equal(letter->received_ms, 5);
    assert_int_equal(letter->died_ms, 6);
    assert_int_equal(letter->attempts, 16);
    assert_int_equal(letter->direction, DEAD_DOWN);
    assert_true(span_eq_str(letter->rule, "alarms"));
    assert_true(span_eq_str(letter->reason, "raw_not_utf8: no"));
    assert_true(span_eq_str(letter->destination, ""));
    assert_true(span_eq_str(letter->origin, "{\"topic\":\"a\"}"));
    assert_true(span_eq_str(letter->body, "\xff\xfe"));
    free(letter);
    close_morgue(morgue);
}

struct findings {
    size_t count;
    char first[512];
    char all[8192];
};

static void on_fault(void *ctx, const char *line)
{
    struct findings *findings = ctx;
    size_t used = strlen(findings->all);
    (void)snprintf(findings->all + used, sizeof findings->all - used, "%s\n", line);
    findings->count++;
}

static void verifying_names_what_is_wrong(void **state)
{
    static const struct {
        const char *damage;
        const char *says;
    } rows[] = {
        {"INSERT INTO delivery VALUES(3, 1, 1, 0, 0, 0, 'r', '', x'00')",
         "delivery 3 has no destination"},
        {"INSERT INTO delivery VALUES(3, 1, 1, 0, 0, 4, 'r', 'd', x'00')",
         "delivery 3 has flags that this version does not know"},
        {"INSERT INTO delivery VALUES(3, 1, 1, 0, -1, 0, 'r', 'd', x'00')",
         "delivery 3 has an impossible number of attempts"},
        {"INSERT INTO delivery VALUES(1000000, 1, 1, 0, 0, 0, 'r', 'd', x'00')",
         "delivery 1000000 has a number that was not given out yet"},
        {"INSERT INTO delivery VALUES(-1, 1, 1, 0, 0, 0, 'r', 'd', x'00')",
         "delivery -1 has a number that was not given out yet"},
        {"INSERT INTO delivery VALUES(1, 1, 1, 0, 0, 0, 'r', 'd', x'00')",
         "number 1 is a delivery and a dead letter"},
        {"UPDATE dead SET destination = '' WHERE id = 1",
         "dead letter 1 was a delivery and has no destination"},
        {"UPDATE dead SET direction = 2 WHERE id = 1", "dead letter 1 has an unknown direction"},
        {"UPDATE dead SET flags = -1 WHERE id = 1",
         "dead letter 1 has flags that this version does not know"},
        {"UPDATE dead SET reason = '' WHERE id = 1", "dead letter 1 has no reason"},
        {"UPDATE dead SET id = 1000000 WHERE id = 1",
         "dead letter 1000000 has a number that was not given out yet"},
        {"DELETE FROM meta WHERE key = 'next_id'", "meta lacks next_id"},
        {"INSERT INTO filter VALUES('a/#', 0)", "filter a/# has an impossible number"},
        {"DROP INDEX dead_count", "dead_count is not defined as"},
        {"PRAGMA writable_schema = ON; "
         "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'dead'; "
         "PRAGMA writable_schema = RESET; UPDATE dead SET flags = 'text' WHERE id = 1; "
         "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql || 'STRICT' "
         "WHERE name = 'dead'",
         "non-INTEGER value in dead.flags"},
    };
    struct fixture *f = *state;
    struct err err = {""};
    char path[128];
    fixture_path(f, "spool.db", path);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, count, file), count);
        fclose(file);
        run_sql(f, rows[i].damage);
        struct morgue *morgue = open_morgue(f);
        struct findings findings = {0};
        assert_false(morgue_verify(morgue, on_fault, &findings, &err));
        assert_string_equal(err.text, "");
        if (!strstr(findings.all, rows[i].says))
            fail_msg("'%s' does not say '%s'", findings.all, rows[i].says);
        morgue_close(morgue);
    }
    free(bytes);
}

static void verifying_a_damaged_file_reports_it_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    run_sql(f, "INSERT INTO filter SELECT 'f' || value, value FROM "
               "(WITH RECURSIVE n(value) AS (VALUES(1) UNION ALL SELECT value + 1 FROM n "
               "WHERE value < 2000) SELECT value FROM n)");
    char path[128];
    fixture_path(f, "spool.db", path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -20000, SEEK_END), 0);
    char noise[8192];
    memset(noise, 0x5a, sizeof noise);
    assert_int_equal(fwrite(noise, 1, sizeof noise, file), sizeof noise);
    fclose(file);
    struct morgue *morgue = open_morgue(f);
    struct findings findings = {0};
    assert_false(morgue_verify(morgue, on_fault, &findings, &err));
    assert_in_range(findings.count, 1, 400);
    morgue_close(morgue);
}

static void a_morgue_needs_a_spool(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    assert_null(morgue_open(f->dir, &err));
    assert_non_null(strstr(err.text, "no gateway has run on it"));
    char path[128];
    fixture_path(f, "spool.db", path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fclose(file);
    assert_null(morgue_open(f->dir, &err));
    assert_non_null(strstr(err.text, "holds no spool yet"));
}

#define BESIDE(test) cmocka_unit_test_setup_teardown(test, with_gateway, without)
#define ALONE(test) cmocka_unit_test_setup_teardown(test, with_no_gateway, without)
#define DEAF(test) cmocka_unit_test_setup_teardown(test, with_deaf_gateway, without)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BESIDE(a_replayed_letter_appears_to_the_running_gateway),
        ALONE(a_letter_is_replayed_without_a_gateway),
        BESIDE(what_cannot_be_replayed_is_refused),
        ALONE(what_cannot_be_replayed_is_refused),
        BESIDE(a_letter_gives_way_to_what_planning_it_again_gave),
        ALONE(and_without_a_gateway_too),
        BESIDE(a_dropped_letter_is_gone),
        ALONE(a_dropped_letter_is_gone),
        BESIDE(many_requests_are_served_one_after_another),
        DEAF(a_gateway_that_does_not_answer_is_not_waited_for),
        DEAF(a_request_outlives_the_gateway_that_was_asked),
        DEAF(a_gateway_that_starts_forgets_what_was_asked_before),
        BESIDE(an_unknown_request_is_answered),
        BESIDE(letters_are_listed_in_order),
        ALONE(letters_are_listed_in_order),
        BESIDE(long_lists_are_read_in_parts),
        ALONE(a_letter_is_found_with_all_its_fields),
        ALONE(verifying_names_what_is_wrong),
        ALONE(verifying_a_damaged_file_reports_it_and_goes_on),
        cmocka_unit_test_setup_teardown(a_morgue_needs_a_spool, with_directory, without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
