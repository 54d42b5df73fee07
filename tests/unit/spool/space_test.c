/* space_test - a spool that fills up, and what makes room in it */
#include "tests/unit/spool/fixture.h"

#include "spool/space.h"

#include <signal.h>
#include <sys/resource.h>

enum { SMALLEST = 16 << 20, LARGE = 64 << 10 };

static int with_small_spool(void **state)
{
    struct fixture *f = fixture_new();
    f->options.max_bytes = SMALLEST;
    fixture_run(f);
    *state = f;
    return 0;
}

/* Appends bodies of this size until refused; their numbers are 1 to the result. */
static uint64_t fill(struct fixture *f, size_t bytes)
{
    uint64_t count = 0;
    while (append(f, make_large(f, count % 3, bytes), count + 1)) {
        count++;
        assert_true(count < 1000000);
    }
    AWAIT(f, r->states == 1);
    assert_int_equal(f->record.state[0], SPOOL_FULL);
    AWAIT(f, r->committed == count);
    return count;
}

static void the_water_marks_leave_a_reserve(void **state)
{
    static const struct {
        uint64_t max_mib, high_mib, low_mib, low_without_deliveries_mib;
    } rows[] = {{16, 12, 9, 11}, {64, 60, 45, 56}, {1024, 960, 720, 900}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(space_high_water(rows[i].max_mib << 20) >> 20, rows[i].high_mib);
        assert_int_equal(space_low_water(rows[i].max_mib << 20, 1) >> 20, rows[i].low_mib);
        assert_int_equal(space_low_water(rows[i].max_mib << 20, 0) >> 20,
                         rows[i].low_without_deliveries_mib);
    }
}

static void a_full_spool_accepts_again_below_the_low_water_mark(void **state)
{
    struct fixture *f = *state;
    uint64_t count = fill(f, LARGE);
    assert_in_range(count, 150, SMALLEST / LARGE);
    assert_in_range(stat_of(f).used_bytes, 11 << 20, space_high_water(SMALLEST));
    assert_non_null(strstr(f->record.why[SPOOL_FULL], "spool full: "));
    assert_non_null(strstr(f->record.why[SPOOL_FULL], "of 16.0 MiB"));
    assert_false(append(f, make_delivery(f, 1, span_of("small")), count + 1));

    uint64_t settled = 0;
    while (stat_of(f).used_bytes > space_low_water(SMALLEST, 1)) {
        assert_int_equal(stat_of(f).state, SPOOL_FULL);
        spool_settle(f->spool, ++settled);
        refill(f, 99, 0, 1, 1);
    }
    AWAIT(f, r->states == 2);
    assert_int_equal(f->record.state[1], SPOOL_ACCEPTING);
    assert_in_range(settled, count / 8, count / 2);
    append_one(f, 1, count + 1);
    AWAIT(f, r->through_ticket == count + 1);
    assert_int_equal(f->record.refused, 0);
    assert_int_equal(stat_of(f).deliveries, count + 1 - settled);
}

static void everything_accepted_can_be_buried(void **state)
{
    struct fixture *f = *state;
    uint64_t count = fill(f, 200);
    /* Out of order, which packs the pages worst. */
    static const char reason[] = "4400: the body is not what the queue takes: a long explanation";
    for (uint64_t first = 1; first <= 7; first++) {
        for (uint64_t id = first; id <= count; id += 7)
            spool_bury(f->spool, id, 1, span_of(reason));
    }
    AWAIT_STAT(f, stat.dead_letters == count);
    assert_int_equal(stat_of(f).deliveries, 0);
    assert_int_equal(stat_of(f).state, SPOOL_FULL);
    assert_int_equal(f->record.states, 1); /* and it never failed */
    assert_in_range(stat_of(f).used_bytes, SMALLEST / 2, 2 * SMALLEST);
    fixture_close(f);

    /* Full of dead letters is told at once on starting. */
    f->record.states = 0;
    fixture_run(f);
    AWAIT(f, r->states == 1);
    assert_int_equal(f->record.state[0], SPOOL_FULL);
    assert_non_null(strstr(f->record.why[SPOOL_FULL], "cmqgw dead-letters"));
    assert_false(append(f, make_delivery(f, 1, span_of("x")), 1));
}

static void dropping_dead_letters_makes_room(void **state)
{
    struct fixture *f = *state;
    uint64_t count = fill(f, LARGE);
    for (uint64_t id = 1; id <= count; id++)
        spool_bury(f->spool, id, 1, span_of("4400: no"));
    AWAIT_STAT(f, stat.dead_letters == count);
    struct err err = {""};
    struct morgue *morgue = morgue_open(f->dir, &err);
    assert_non_null(morgue);
    uint64_t dropped = 0;
    while (stat_of(f).state == SPOOL_FULL && dropped < count) {
        if (!morgue_drop(morgue, ++dropped, &err))
            fail_msg("%s", err.text);
    }
    morgue_close(morgue);
    AWAIT(f, r->states == 2);
    /* With no deliveries left, a sixteenth is enough. */
    assert_in_range(dropped, 1, count / 4);
    append_one(f, 1, count + 1);
    AWAIT(f, r->through_ticket == count + 1);
}

static void an_entry_larger_than_the_spool_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(append(f, make_large(f, 1, SMALLEST), 1));
    AWAIT(f, r->states == 2);
    assert_int_equal(f->record.state[0], SPOOL_FULL);
    assert_int_equal(f->record.state[1], SPOOL_ACCEPTING);
    append_one(f, 1, 2);
    AWAIT(f, r->through_ticket == 2);
}

/* The kernel itself refuses to let a file grow. */
static void a_limit_of_the_system_is_a_failed_disk(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit tight = old;
    tight.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    uint64_t ticket = 0;
    while (stat_of(f).state == SPOOL_ACCEPTING && ticket < 1000)
        (void)append(f, make_large(f, 1, LARGE), ++ticket);
    AWAIT(f, r->refused > 0);
    uint64_t committed = f->record.committed;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    if (!strstr(f->record.why[SPOOL_FAILED], "writing "))
        fail_msg("not helpful: %s", f->record.why[SPOOL_FAILED]);
    AWAIT(f, r->states == 2 && r->state[1] == SPOOL_ACCEPTING);
    append_one(f, 1, ticket + 1);
    AWAIT(f, r->through_ticket == ticket + 1);
    refill(f, 1, 0, 1000, SIZE_MAX);
    assert_int_equal(f->record.refill_count, committed + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_water_marks_leave_a_reserve),
        cmocka_unit_test_setup_teardown(a_full_spool_accepts_again_below_the_low_water_mark,
                                        with_small_spool, without),
        cmocka_unit_test_setup_teardown(everything_accepted_can_be_buried, with_small_spool,
                                        without),
        cmocka_unit_test_setup_teardown(dropping_dead_letters_makes_room, with_small_spool,
                                        without),
        cmocka_unit_test_setup_teardown(an_entry_larger_than_the_spool_is_refused, with_small_spool,
                                        without),
        cmocka_unit_test_setup_teardown(a_limit_of_the_system_is_a_failed_disk, with_small_spool,
                                        without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
