/* Pushes in simulated time: intervals, order, drops, bounds (CMQ.md 6). */
#include "local/push.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define START INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

enum { BACKOFF = false, DECAY = true };

static struct depot depot;
static struct push_hub hub;
static struct push_line *lines[32];
static size_t line_count;
static int64_t now;
static uint64_t next_id;

static int open_hub(void **unused)
{
    (void)unused;
    static const struct depot_limits limits = {1 << 30, 1000, 1000};
    depot_init(&depot, &limits, START);
    push_hub_init(&hub, &depot);
    line_count = 0;
    now = START;
    next_id = 1;
    return 0;
}

static int close_hub(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < line_count; i++)
        push_line_free(lines[i]);
    push_hub_fini(&hub);
    uint64_t left = depot.bytes;
    depot_fini(&depot);
    return left != 0;
}

static struct push_line *add_line(bool exponential)
{
    return lines[line_count++] = push_line_new(&hub, NULL, exponential, DAY_MS);
}

static uint64_t add(struct push_line *line)
{
    const struct span tags = SPAN_LIT("a, b"), body = SPAN_LIT("hello");
    push_add(line, next_id, tags, body, now);
    return next_id++;
}

/* The next push to be tried, which must be of this number. */
static struct push *expect(uint64_t id)
{
    push_advance(&hub, now);
    struct push *push = push_next(&hub, now);
    assert_non_null(push);
    assert_int_equal(push->id, id);
    return push;
}

static void expect_none(void)
{
    push_advance(&hub, now);
    assert_null(push_next(&hub, now));
}

/* Goes to the moment at which something is due, and returns how long that took. */
static int64_t wait_for_due(void)
{
    int64_t due_ms = push_next_due(&hub);
    assert_true(due_ms != INT64_MAX && due_ms >= now);
    int64_t waited = due_ms - now;
    now = due_ms - 1;
    push_advance(&hub, now); /* too early by a millisecond: nothing changes */
    assert_int_equal(push_next_due(&hub), due_ms);
    now = due_ms;
    push_advance(&hub, now);
    return waited;
}

static void backoff_rests_three_times_for_10_to_20_seconds(void **unused)
{
    (void)unused;
    assert_int_equal(push_rest_ms(BACKOFF, PUSH_BACKOFF_MIN_MS, 1, 0), 10000);
    assert_int_equal(push_rest_ms(BACKOFF, PUSH_BACKOFF_MIN_MS, 2, 10000), 20000);
    assert_int_equal(push_rest_ms(BACKOFF, PUSH_BACKOFF_MIN_MS, 3, 10001), 10000);
    assert_int_equal(push_rest_ms(BACKOFF, PUSH_BACKOFF_MIN_MS, 4, 0), -1);
    assert_int_equal(push_rest_ms(BACKOFF, 19000, 1, 0), 19000);
    assert_int_equal(push_rest_ms(BACKOFF, 19000, 3, 10000), 29000);
    assert_int_equal(push_rest_ms(BACKOFF, 19000, 4, 0), -1);
    for (uint64_t i = 0; i < 1000; i++) {
        int64_t ms =
            push_rest_ms(BACKOFF, PUSH_BACKOFF_MIN_MS, 1, i * UINT64_C(0x9e3779b97f4a7c15));
        assert_in_range(ms, 10000, 20000);
    }
}

static void exponential_decay_rests_176_times_and_86015_seconds_in_all(void **unused)
{
    (void)unused;
    static const int64_t first_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512};
    for (unsigned i = 0; i < sizeof first_s / sizeof *first_s; i++)
        assert_int_equal(push_rest_ms(DECAY, PUSH_BACKOFF_MIN_MS, i + 1, 99), first_s[i] * 1000);
    int64_t sum_ms = 0;
    for (unsigned i = 1; i <= 176; i++) {
        int64_t ms = push_rest_ms(DECAY, PUSH_BACKOFF_MIN_MS, i, 0);
        assert_true(ms > 0 && ms <= 512000);
        sum_ms += ms;
    }
    assert_int_equal(sum_ms, 86015000);
    assert_int_equal(push_rest_ms(DECAY, PUSH_BACKOFF_MIN_MS, 177, 0), -1);
}

static void what_is_delivered_is_gone(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(BACKOFF);
    uint64_t id = add(line);
    assert_int_equal(depot.bytes, push_bytes(4, 5));
    assert_int_equal(line->pending, 1);
    struct push *push = expect(id);
    assert_memory_equal(push->bytes, "a, bhello", 9);
    assert_int_equal(push->tags_len, 4);
    assert_int_equal(push->body_len, 5);
    assert_int_equal(push->born_ms, START);
    expect_none(); /* it is under way */
    assert_int_equal(push_settle(push, true, now), PUSH_DELIVERED);
    assert_int_equal(line->delivered, 1);
    assert_int_equal(line->pending, 0);
    assert_int_equal(depot.bytes, 0);
    assert_true(push_next_due(&hub) == INT64_MAX);
    expect_none();
}

static void backoff_drops_after_three_retries_and_goes_on_in_order(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(BACKOFF);
    uint64_t first = add(line), second = add(line), third = add(line);
    for (int retry = 1; retry <= 3; retry++) {
        assert_int_equal(push_settle(expect(first), false, now), PUSH_RESTS);
        expect_none(); /* nothing goes past it */
        assert_in_range(wait_for_due(), 10000, 20000);
    }
    assert_int_equal(push_settle(expect(first), false, now), PUSH_DROPPED);
    assert_int_equal(line->dropped, 1);
    assert_int_equal(line->failed_tries, 4);
    struct push *push = expect(second);
    expect_none(); /* one after another, also while all is well */
    assert_int_equal(push_settle(push, false, now), PUSH_RESTS);
    (void)wait_for_due();
    assert_int_equal(push_settle(expect(second), true, now), PUSH_DELIVERED);
    assert_int_equal(push_settle(expect(third), true, now), PUSH_DELIVERED);
    assert_int_equal(line->delivered, 2);
    assert_int_equal(line->pending, 0);
}

static void decay_retries_176_times_and_drops_when_the_day_is_over(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(DECAY);
    uint64_t id = add(line);
    for (int retry = 1; retry <= 176; retry++) {
        assert_int_equal(push_settle(expect(id), false, now), PUSH_RESTS);
        int64_t want_ms = retry > 9 ? 512000 : INT64_C(1000) << (retry - 1);
        assert_int_equal(wait_for_due(), want_ms);
    }
    assert_int_equal(now - START, 86015000);
    assert_int_equal(push_settle(expect(id), false, now), PUSH_RESTS);
    expect_none();
    uint64_t behind = add(line);
    assert_int_equal(wait_for_due(), 385000); /* no 177th retry, only the end of its life */
    assert_int_equal(now - START, DAY_MS);
    assert_int_equal(line->dropped, 1);
    assert_int_equal(line->failed_tries, 177);
    assert_int_equal(push_settle(expect(behind), true, now), PUSH_DELIVERED);
}

static void tries_that_take_time_do_not_lengthen_a_life(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(DECAY);
    uint64_t id = add(line);
    int tries = 0;
    while (line->dropped == 0) {
        struct push *push = expect(id);
        now += 15000; /* the time-out */
        tries++;
        if (push_settle(push, false, now) == PUSH_RESTS)
            (void)wait_for_due();
    }
    assert_true(now - START >= DAY_MS && now - START < DAY_MS + 15000);
    assert_in_range(tries, 160, 176);
    assert_int_equal(line->pending, 0);
}

static void decay_pushes_concurrently_until_one_fails(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(DECAY);
    struct push *under_way[PUSH_LINE_TRIES];
    uint64_t first = next_id;
    for (int i = 0; i < PUSH_LINE_TRIES + 1; i++)
        (void)add(line);
    for (unsigned i = 0; i < PUSH_LINE_TRIES; i++)
        under_way[i] = expect(first + i);
    expect_none(); /* bounded */
    assert_int_equal(push_settle(under_way[3], false, now), PUSH_RESTS);
    expect_none(); /* there is room, but a new one waits behind a failed one */
    now += 500;
    assert_int_equal(push_settle(under_way[5], false, now), PUSH_RESTS);
    assert_int_equal(push_settle(under_way[0], true, now), PUSH_DELIVERED);
    expect_none();
    assert_int_equal(wait_for_due(), 500); /* each has its own schedule */
    struct push *again = expect(first + 3);
    expect_none(); /* a new one also waits while the failed one is tried again */
    assert_int_equal(wait_for_due(), 500);
    assert_int_equal(push_settle(again, true, now), PUSH_DELIVERED);
    again = expect(first + 5);
    expect_none();
    assert_int_equal(push_settle(again, true, now), PUSH_DELIVERED);
    struct push *fresh = expect(first + PUSH_LINE_TRIES);
    assert_int_equal(push_settle(fresh, true, now), PUSH_DELIVERED);
    for (int i = 0; i < PUSH_LINE_TRIES; i++) {
        if (i != 0 && i != 3 && i != 5)
            assert_int_equal(push_settle(under_way[i], true, now), PUSH_DELIVERED);
    }
    assert_int_equal(line->delivered, PUSH_LINE_TRIES + 1);
}

static void a_failing_message_blocks_its_own_subscription_only(void **unused)
{
    (void)unused;
    for (int exponential = 0; exponential < 2; exponential++) {
        struct push_line *sick = add_line(exponential), *well = add_line(exponential);
        assert_int_equal(push_settle(expect(add(sick)), false, now), PUSH_RESTS);
        (void)add(sick);
        for (int i = 0; i < 100; i++)
            assert_int_equal(push_settle(expect(add(well)), true, now), PUSH_DELIVERED);
        expect_none();
        assert_int_equal(sick->pending, 2);
        push_line_reset(sick);
    }
}

static void all_lines_get_their_turn(void **unused)
{
    (void)unused;
    struct push_line *a = add_line(DECAY), *b = add_line(DECAY), *c = add_line(BACKOFF);
    uint64_t a1 = add(a), a2 = add(a), b1 = add(b), b2 = add(b), c1 = add(c);
    const uint64_t order[] = {a1, b1, c1, a2, b2};
    struct push *pushes[5];
    for (int i = 0; i < 5; i++)
        pushes[i] = expect(order[i]);
    for (int i = 0; i < 5; i++)
        assert_int_equal(push_settle(pushes[i], true, now), PUSH_DELIVERED);
}

static void tries_of_all_lines_are_bounded(void **unused)
{
    (void)unused;
    struct push *pushes[PUSH_HUB_TRIES];
    enum { LINES = PUSH_HUB_TRIES / PUSH_LINE_TRIES + 1 };
    for (int i = 0; i < LINES; i++) {
        struct push_line *line = add_line(DECAY);
        for (int k = 0; k < PUSH_LINE_TRIES; k++)
            (void)add(line);
    }
    for (int i = 0; i < PUSH_HUB_TRIES; i++) {
        pushes[i] = push_next(&hub, now);
        assert_non_null(pushes[i]);
    }
    expect_none();
    assert_int_equal(push_settle(pushes[0], true, now), PUSH_DELIVERED);
    pushes[0] = push_next(&hub, now);
    assert_non_null(pushes[0]);
    expect_none();
    for (int i = 0; i < PUSH_HUB_TRIES; i++)
        assert_int_equal(push_settle(pushes[i], true, now), PUSH_DELIVERED);
}

static void those_that_wait_die_of_age_too(void **unused)
{
    (void)unused;
    for (int exponential = 0; exponential < 2; exponential++) {
        struct push_line *line = add_line(exponential);
        struct push *push = expect(add(line));
        if (exponential)
            assert_int_equal(push_settle(push, false, now), PUSH_RESTS);
        int64_t born_ms = now++;
        (void)add(line);
        now = born_ms + DAY_MS;
        push_advance(&hub, now);
        assert_int_equal(line->pending, exponential ? 1 : 2);
        now++;
        push_advance(&hub, now); /* the one behind is a millisecond younger */
        assert_int_equal(line->pending, exponential ? 0 : 1);
        if (!exponential) /* its try was under way: it may end well, but there is no other */
            assert_int_equal(push_settle(push, false, now), PUSH_DROPPED);
        assert_int_equal(line->dropped, 2);
    }
}

static void one_that_was_to_be_tried_again_is_not_after_its_life(void **unused)
{
    (void)unused;
    struct push_line *line = add_line(DECAY);
    assert_int_equal(push_settle(expect(add(line)), false, now), PUSH_RESTS);
    (void)wait_for_due(); /* nobody takes it */
    now = START + DAY_MS;
    assert_null(push_next(&hub, now));
    assert_int_equal(line->dropped, 1);
}

static void a_speedup_divides_all_times(void **unused)
{
    (void)unused;
    hub.speedup = 1000;
    struct push_line *decay = add_line(DECAY);
    for (int retry = 1; retry <= 12; retry++) {
        if (retry == 1)
            (void)add(decay);
        assert_int_equal(push_settle(expect(next_id - 1), false, now), PUSH_RESTS);
        assert_int_equal(wait_for_due(), retry > 9 ? 512 : 1 << (retry - 1));
    }
    now = START + DAY_MS / 1000;
    push_advance(&hub, now);
    assert_null(push_next(&hub, now));
    assert_int_equal(decay->dropped, 1);
    struct push_line *backoff = add_line(BACKOFF);
    assert_int_equal(push_settle(expect(add(backoff)), false, now), PUSH_RESTS);
    assert_in_range(wait_for_due(), 10, 20);
    push_line_reset(backoff);
    hub.speedup = 4000000000; /* never to nothing */
    (void)add(backoff);
    assert_int_equal(push_settle(expect(next_id - 1), false, now), PUSH_RESTS);
    assert_int_equal(wait_for_due(), 1);
}

static void a_reset_forgets_all_but_the_tries_under_way(void **unused)
{
    (void)unused;
    for (int exponential = 0; exponential < 2; exponential++) {
        struct push_line *line = add_line(exponential);
        assert_int_equal(push_settle(expect(add(line)), false, now), PUSH_RESTS);
        push_line_reset(line);
        assert_int_equal(depot.bytes, 0);
        assert_true(push_next_due(&hub) == INT64_MAX);
        struct push *push = expect(add(line));
        (void)add(line);
        push_line_reset(line);
        assert_null(push->line);
        assert_int_equal(line->pending, 0);
        assert_int_equal(line->trying_count, 0);
        assert_int_equal(depot.bytes, push_bytes(4, 5));
        uint64_t id = add(line); /* is not held up by what was forgotten */
        assert_int_equal(push_settle(expect(id), true, now), PUSH_DELIVERED);
        assert_int_equal(push_settle(push, exponential, now), PUSH_FORGOTTEN);
        assert_int_equal(hub.trying_count, 0);
        assert_int_equal(line->delivered, 1);
        assert_int_equal(line->failed_tries, 1);
        assert_int_equal(depot.bytes, 0);
        (void)add(line); /* fresh ones and those to be tried again */
        assert_int_equal(push_settle(expect(next_id - 1), false, now), PUSH_RESTS);
        (void)wait_for_due();
        push_line_reset(line);
        expect_none();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_rests_three_times_for_10_to_20_seconds),
        cmocka_unit_test(exponential_decay_rests_176_times_and_86015_seconds_in_all),
        cmocka_unit_test_setup_teardown(what_is_delivered_is_gone, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(backoff_drops_after_three_retries_and_goes_on_in_order,
                                        open_hub, close_hub),
        cmocka_unit_test_setup_teardown(decay_retries_176_times_and_drops_when_the_day_is_over,
                                        open_hub, close_hub),
        cmocka_unit_test_setup_teardown(tries_that_take_time_do_not_lengthen_a_life, open_hub,
                                        close_hub),
        cmocka_unit_test_setup_teardown(decay_pushes_concurrently_until_one_fails, open_hub,
                                        close_hub),
        cmocka_unit_test_setup_teardown(a_failing_message_blocks_its_own_subscription_only,
                                        open_hub, close_hub),
        cmocka_unit_test_setup_teardown(all_lines_get_their_turn, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(tries_of_all_lines_are_bounded, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(those_that_wait_die_of_age_too, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(one_that_was_to_be_tried_again_is_not_after_its_life,
                                        open_hub, close_hub),
        cmocka_unit_test_setup_teardown(a_speedup_divides_all_times, open_hub, close_hub),
        cmocka_unit_test_setup_teardown(a_reset_forgets_all_but_the_tries_under_way, open_hub,
                                        close_hub),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
