/* life_test - deliveries from append to settle, and what is left after opening again */
#include "tests/unit/spool/fixture.h"

static void what_is_appended_is_committed_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[200];
    for (uint64_t i = 0; i < 200; i++)
        ids[i] = append_one(f, i % 3, i + 1);
    AWAIT(f, r->committed == 200);
    assert_memory_equal(f->record.ids, ids, sizeof ids);
    assert_int_equal(f->record.through_ticket, 200);
    assert_int_equal(stat_of(f).appended, 200);
    assert_int_equal(stat_of(f).deliveries, 200);
    assert_in_range(stat_of(f).groups, 1, 200);
    assert_int_equal(f->record.states, 0);
}

static void an_entry_without_deliveries_still_has_its_ticket_committed(void **state)
{
    struct fixture *f = *state;
    assert_true(append(f, NULL, 7));
    AWAIT(f, r->through_ticket == 7);
    assert_int_equal(stat_of(f).deliveries, 0);
}

static void deliveries_of_several_threads_are_given_in_order_of_id(void **state)
{
    struct fixture *f = *state;
    struct delivery *first = make_delivery(f, 1, span_of("first"));
    struct delivery *second = make_delivery(f, 1, span_of("second"));
    struct delivery *third = make_delivery(f, 1, span_of("third"));
    uint64_t ids[] = {first->id, second->id, third->id};
    first->next = third;
    fixture_close(f);

    /* Not started yet, so all of it becomes one group. */
    struct err err;
    assert_non_null(fixture_open(f, &err));
    assert_true(append(f, first, 1));
    assert_true(append(f, second, 2));
    assert_true(spool_start(f->spool, &err));
    AWAIT(f, r->committed == 3);
    assert_int_equal(f->record.groups, 1);
    assert_memory_equal(f->record.ids, ids, sizeof ids);
}

static void a_refill_gives_every_field_back(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "\0bytes \xff\n";
    struct delivery *d =
        delivery_new(span_of("rule"), span_of("topic t route a.b"), span_make(body, sizeof body));
    uint64_t id = d->id = spool_next_id(f->spool);
    d->lane = UINT64_C(0xfedcba9876543210);
    d->received_ms = 1763900000123;
    d->expires_ms = 1763900060123;
    d->flags = DELIVERY_STRICT | DELIVERY_ACCEPT_UNROUTED;
    assert_true(append(f, d, 1));
    spool_retried(f->spool, id, 3);
    refill(f, UINT64_C(0xfedcba9876543210), 0, 10, 1 << 20);

    const struct delivery *back = f->record.refill;
    assert_non_null(back);
    assert_null(back->next);
    assert_false(f->record.refill_more);
    assert_int_equal(back->id, id);
    assert_int_equal(back->lane, UINT64_C(0xfedcba9876543210));
    assert_int_equal(back->received_ms, 1763900000123);
    assert_int_equal(back->expires_ms, 1763900060123);
    assert_int_equal(back->attempts, 3);
    assert_int_equal(back->flags, DELIVERY_STRICT | DELIVERY_ACCEPT_UNROUTED);
    assert_true(span_eq_str(back->rule, "rule"));
    assert_true(span_eq_str(back->destination, "topic t route a.b"));
    assert_true(span_eq(back->body, span_make(body, sizeof body)));
}

static void a_refill_is_of_one_lane_and_bounded(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[10];
    for (int i = 0; i < 10; i++) {
        ids[i] = append_one(f, 5, 0);
        append_one(f, 6, 0);
    }
    refill(f, 5, 0, 4, 1 << 20);
    assert_int_equal(f->record.refill_count, 4);
    assert_memory_equal(f->record.refill_ids, ids, 4 * sizeof ids[0]);
    assert_true(f->record.refill_more);

    refill(f, 5, ids[5], 4, 1 << 20);
    assert_int_equal(f->record.refill_count, 4);
    assert_memory_equal(f->record.refill_ids, ids + 6, 4 * sizeof ids[0]);
    assert_false(f->record.refill_more);

    refill(f, 5, ids[1], 100, 1);
    assert_int_equal(f->record.refill_count, 1);
    assert_int_equal(f->record.refill_ids[0], ids[2]);
    assert_true(f->record.refill_more);

    refill(f, 7, 0, 100, 1 << 20);
    assert_int_equal(f->record.refill_count, 0);
    assert_false(f->record.refill_more);
}

/* The index is by segments of numbers; a lane may be in many, with nothing in between. */
static void a_lane_may_be_spread_over_many_numbers(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[9];
    for (int i = 0; i < 9; i++) {
        ids[i] = append_one(f, 5, 0);
        append_one(f, 6, 0);
        for (int skip = 0; i % 3 == 2 && skip < 200000; skip++)
            (void)spool_next_id(f->spool);
    }
    refill(f, 5, 0, 100, 1 << 20);
    assert_int_equal(f->record.refill_count, 9);
    assert_memory_equal(f->record.refill_ids, ids, sizeof ids);
    assert_false(f->record.refill_more);
    for (unsigned max = 1; max < 9; max++) {
        refill(f, 5, 0, max, 1 << 20);
        assert_int_equal(f->record.refill_count, max);
        assert_true(f->record.refill_more);
        refill(f, 5, ids[max - 1], 100, 1 << 20);
        assert_int_equal(f->record.refill_count, 9 - max);
        assert_memory_equal(f->record.refill_ids, ids + max, (9 - max) * sizeof ids[0]);
        assert_false(f->record.refill_more);
    }
    refill(f, 5, ids[8], 100, 1 << 20);
    assert_int_equal(f->record.refill_count, 0);
}

static void a_refill_sees_what_was_handed_in_before_it(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 200; round++) {
        uint64_t settled = append_one(f, 1, 0);
        uint64_t kept = append_one(f, 1, 0);
        spool_settle(f->spool, settled);
        refill(f, 1, 0, 10, 1 << 20);
        assert_int_equal(f->record.refill_count, 1);
        assert_int_equal(f->record.refill_ids[0], kept);
        assert_int_equal(f->record.committed, 2 * (round + 1));
        spool_settle(f->spool, kept);
    }
}

/* The gap a lane would lose a delivery in: committed is not told of it and the refill lacks it. */
static void a_delivery_is_in_the_refill_or_committed_after_it(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 200; round++) {
        size_t before = f->record.refills;
        uint64_t first = append_one(f, 1, 0);
        spool_refill(f->spool, 1, 0, 100, 1 << 20);
        uint64_t second = append_one(f, 1, 0);
        AWAIT(f, r->refills > before && r->committed == 2 * (size_t)(round + 1));
        assert_int_equal(f->record.refill_ids[0], first);
        assert_int_equal(f->record.refill_count, f->record.committed_at_refill - 2 * (size_t)round);
        spool_settle(f->spool, first);
        spool_settle(f->spool, second);
    }
}

static void settling_alone_is_written_soon(void **state)
{
    struct fixture *f = *state;
    uint64_t id = append_one(f, 1, 1);
    AWAIT(f, r->committed == 1);
    spool_settle(f->spool, id);
    spool_settle(f->spool, id + 1000); /* unknown: nothing happens */
    AWAIT_STAT(f, stat.settled > 0);
    assert_int_equal(stat_of(f).settled, 1);
    assert_int_equal(stat_of(f).deliveries, 0);
}

static void settlements_share_transactions(void **state)
{
    struct fixture *f = *state;
    uint64_t first = append_one(f, 1, 0);
    for (int i = 1; i < 5000; i++)
        append_one(f, 1, 0);
    AWAIT(f, r->committed == 5000);
    uint64_t groups = stat_of(f).groups;
    for (uint64_t id = first; id < first + 5000; id++)
        spool_settle(f->spool, id);
    refill(f, 1, 0, 10, 1 << 20);
    assert_int_equal(stat_of(f).settled, 5000);
    assert_in_range(stat_of(f).groups - groups, 1, 1000);
}

static void stopping_writes_what_was_handed_in(void **state)
{
    struct fixture *f = *state;
    uint64_t first = append_one(f, 1, 1);
    spool_settle(f->spool, first);
    uint64_t second = append_one(f, 1, 2);
    spool_stop(f->spool);
    assert_int_equal(f->record.through_ticket, 2);
    assert_false(append(f, make_delivery(f, 1, span_of("late")), 3));
    fixture_close(f);

    fixture_run(f);
    refill(f, 1, 0, 10, 1 << 20);
    assert_int_equal(f->record.refill_count, 1);
    assert_int_equal(f->record.refill_ids[0], second);
}

static void numbers_are_never_used_twice(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;
    for (int round = 0; round < 5; round++) {
        uint64_t id = append_one(f, 1, 0);
        assert_true(id > last);
        spool_settle(f->spool, id);
        last = id;
        fixture_close(f);
        fixture_run(f);
        assert_int_equal(stat_of(f).deliveries, 0);
    }
    /* Even when the memory of the highest is damaged, what is there is above all. */
    last = append_one(f, 1, 0);
    fixture_close(f);
    run_sql(f, "UPDATE meta SET value = 1 WHERE key = 'next_id'");
    fixture_run(f);
    assert_true(spool_next_id(f->spool) > last);
}

static void buried_deliveries_become_dead_letters(void **state)
{
    struct fixture *f = *state;
    uint64_t id = append_one(f, 1, 1);
    append_one(f, 1, 1);
    char reason[1000];
    memset(reason, 'x', sizeof reason);
    memcpy(reason, "4400: ", 6);
    memcpy(reason + 511, "\xc3\xa4", 2);
    spool_bury(f->spool, id, 4, span_make(reason, sizeof reason));
    spool_bury(f->spool, id + 1000, 4, span_of("unknown: nothing happens"));
    refill(f, 1, 0, 10, 1 << 20);
    assert_int_equal(f->record.refill_count, 1);
    assert_int_equal(f->record.refill_ids[0], id + 1);
    assert_int_equal(stat_of(f).dead_letters, 1);
    assert_int_equal(stat_of(f).buried, 1);
    assert_int_equal(stat_of(f).deliveries, 1);

    struct err err = {""};
    struct morgue *morgue = morgue_open(f->dir, &err);
    assert_non_null(morgue);
    struct dead_letter *letter = morgue_find(morgue, id, &err);
    assert_non_null(letter);
    assert_int_equal(letter->attempts, 4);
    assert_int_equal(letter->direction, DEAD_UP);
    assert_true(letter->died_ms >= letter->received_ms);
    assert_true(span_eq(letter->reason, span_make(reason, 511))); /* no half characters */
    assert_true(span_eq_str(letter->destination, "queue store"));
    assert_true(span_eq_str(letter->body, "body"));
    free(letter);
    morgue_close(morgue);
}

static void an_entry_may_bring_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct dead_letter *letter =
        dead_letter_new(span_of("alarms"), span_of("raw_not_utf8: no"), (struct span){0},
                        span_of("{\"topic\":\"a\"}"), span_of("\xff"));
    letter->received_ms = 5;
    letter->died_ms = 6;
    letter->direction = DEAD_DOWN;
    letter->attempts = 16;
    struct delivery *d = make_delivery(f, 1, span_of("body"));
    assert_true(spool_append(f->spool,
                             &(struct spool_entry){.deliveries = d, .dead = letter, .ticket = 9}));
    AWAIT(f, r->through_ticket == 9);
    assert_int_equal(stat_of(f).dead_letters, 1);
    assert_int_equal(stat_of(f).deliveries, 1);
}

struct lanes {
    size_t count;
    uint64_t lane[4];
    uint64_t deliveries[4];
};

static void on_lane(void *ctx, uint64_t lane, uint64_t count)
{
    struct lanes *lanes = ctx;
    assert_in_range(lanes->count, 0, 3);
    lanes->lane[lanes->count] = lane;
    lanes->deliveries[lanes->count++] = count;
}

static void lanes_are_found_on_opening(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 30; i++) {
        append_one(f, i % 10 ? 11 : 22, 0);
        for (int skip = 0; i == 15 && skip < 100000; skip++)
            (void)spool_next_id(f->spool);
    }
    uint64_t gone = append_one(f, 33, 0);
    spool_settle(f->spool, gone);
    fixture_close(f);

    struct err err;
    struct lanes lanes = {0};
    assert_non_null(fixture_open(f, &err));
    assert_true(spool_each_lane(f->spool, on_lane, &lanes, &err));
    assert_int_equal(lanes.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(lanes.deliveries[i], lanes.lane[i] == 11 ? 27 : 3);
    assert_int_equal(lanes.lane[0] + lanes.lane[1], 33);
    assert_int_equal(stat_of(f).deliveries, 30);
}

struct filters {
    size_t count;
    char text[4][64];
    uint32_t id[4];
};

static void on_filter(void *ctx, const char *filter, uint32_t id)
{
    struct filters *filters = ctx;
    assert_in_range(filters->count, 0, 3);
    (void)snprintf(filters->text[filters->count], sizeof filters->text[0], "%s", filter);
    filters->id[filters->count++] = id;
}

static void filters_are_kept_as_one_set(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_non_null(fixture_open(f, &err));
    const char *first[] = {"a/#", "b/+"};
    const uint32_t first_ids[] = {1, 2};
    const char *second[] = {"b/+", "$share/g/c"};
    const uint32_t second_ids[] = {2, 4294967295U};
    assert_true(spool_set_filters(f->spool, first, first_ids, 2, &err));
    assert_true(spool_start(f->spool, &err));
    assert_true(spool_set_filters(f->spool, second, second_ids, 2, &err));
    /* The same one twice is refused as a whole. */
    const char *twice[] = {"d", "d"};
    assert_false(spool_set_filters(f->spool, twice, first_ids, 2, &err));
    fixture_close(f);

    assert_non_null(fixture_open(f, &err));
    struct filters filters = {0};
    assert_true(spool_each_filter(f->spool, on_filter, &filters, &err));
    assert_int_equal(filters.count, 2);
    assert_string_equal(filters.text[0], "$share/g/c");
    assert_int_equal(filters.id[0], 4294967295U);
    assert_string_equal(filters.text[1], "b/+");
    assert_int_equal(filters.id[1], 2);
}

static void the_oldest_age_is_known(void **state)
{
    struct fixture *f = *state;
    struct delivery *d = make_delivery(f, 1, span_of("old"));
    uint64_t id = d->id;
    d->received_ms = 12345;
    assert_true(append(f, d, 1));
    append_one(f, 1, 2);
    AWAIT_STAT(f, stat.oldest_ms == 12345);
    spool_settle(f->spool, id);
    spool_settle(f->spool, id + 1);
    AWAIT_STAT(f, stat.oldest_ms == 0);
}

static void on_note(void *ctx, const char *note, int64_t noted_ms)
{
    struct buf *notes = ctx;
    assert_true(noted_ms > 1600000000000 && noted_ms <= clock_unix_ms());
    buf_printf(notes, "%s;", note);
}

static void notes_are_kept_until_they_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct delivery *d = make_delivery(f, 1, span_of("parked"));
    int cookie;
    assert_true(spool_append(f->spool, &(struct spool_entry){.note = "q 1"}));
    assert_true(spool_append(f->spool, &(struct spool_entry){.note = "q 2"}));
    assert_true(spool_append(
        f->spool, &(struct spool_entry){.deliveries = d, .note = "q 3", .cookie = &cookie}));
    AWAIT(f, r->noted == 3);
    assert_ptr_equal(f->record.cookie, &cookie);
    assert_int_equal(f->record.committed, 1);
    spool_forget(f->spool, "q 2");
    spool_forget(f->spool, "never there");
    fixture_close(f);

    struct err err;
    struct buf notes = BUF_INIT(100);
    assert_non_null(fixture_open(f, &err));
    assert_true(spool_each_note(f->spool, on_note, &notes, &err));
    assert_string_equal(buf_str(&notes), "q 1;q 3;");
    buf_fini(&notes);
}

static void an_idle_writer_takes_turns_and_one_that_is_held_up_does_not(void **state)
{
    struct fixture *f = *state;
    int64_t before_ms = stat_of(f).turn_ms;
    AWAIT_STAT(f, stat.turn_ms > before_ms);

    pthread_mutex_lock(&f->record.mutex); /* which its callback wants, too */
    append_one(f, 1, 1);
    AWAIT_STAT(f, stat.groups == 1);
    int64_t held_ms = stat_of(f).turn_ms;
    AWAIT_STAT(f, stat.turn_ms + 300 < clock_mono_ms()); /* longer than an idle writer waits */
    assert_int_equal(stat_of(f).turn_ms, held_ms);
    pthread_mutex_unlock(&f->record.mutex);
    AWAIT_STAT(f, stat.turn_ms > held_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_appended_is_committed_in_order, with_spool,
                                        without),
        cmocka_unit_test_setup_teardown(an_entry_without_deliveries_still_has_its_ticket_committed,
                                        with_spool, without),
        cmocka_unit_test_setup_teardown(deliveries_of_several_threads_are_given_in_order_of_id,
                                        with_spool, without),
        cmocka_unit_test_setup_teardown(a_refill_gives_every_field_back, with_spool, without),
        cmocka_unit_test_setup_teardown(a_refill_is_of_one_lane_and_bounded, with_spool, without),
        cmocka_unit_test_setup_teardown(a_lane_may_be_spread_over_many_numbers, with_spool,
                                        without),
        cmocka_unit_test_setup_teardown(a_refill_sees_what_was_handed_in_before_it, with_spool,
                                        without),
        cmocka_unit_test_setup_teardown(a_delivery_is_in_the_refill_or_committed_after_it,
                                        with_spool, without),
        cmocka_unit_test_setup_teardown(settling_alone_is_written_soon, with_spool, without),
        cmocka_unit_test_setup_teardown(settlements_share_transactions, with_spool, without),
        cmocka_unit_test_setup_teardown(stopping_writes_what_was_handed_in, with_spool, without),
        cmocka_unit_test_setup_teardown(numbers_are_never_used_twice, with_spool, without),
        cmocka_unit_test_setup_teardown(buried_deliveries_become_dead_letters, with_spool, without),
        cmocka_unit_test_setup_teardown(an_entry_may_bring_dead_letters, with_spool, without),
        cmocka_unit_test_setup_teardown(lanes_are_found_on_opening, with_spool, without),
        cmocka_unit_test_setup_teardown(filters_are_kept_as_one_set, with_directory, without),
        cmocka_unit_test_setup_teardown(the_oldest_age_is_known, with_spool, without),
        cmocka_unit_test_setup_teardown(notes_are_kept_until_they_are_forgotten, with_spool,
                                        without),
        cmocka_unit_test_setup_teardown(an_idle_writer_takes_turns_and_one_that_is_held_up_does_not,
                                        with_spool, without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
