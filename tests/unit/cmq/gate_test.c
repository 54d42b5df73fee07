/* Doors under simulated time. */
#include "cmq/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct gate *gate;
static int64_t now = 1000000;

static int set_up(void **state)
{
    (void)state;
    gate = gate_new(&(struct gate_options){.connections = 16, .rate = 1000});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gate_free(gate);
    return 0;
}

static struct gate_door *enter(const char *key)
{
    return gate_enter(gate, span_of(key));
}

/* Admits as many as may go at once. */
static unsigned fill(struct gate_door *door)
{
    unsigned n = 0;
    while (gate_admit(gate, door, now) == 0)
        n++;
    return n;
}

static void end(struct gate_door *door, enum cmq_verdict verdict, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)gate_result(gate, door, verdict, now);
}

/* One request with this verdict, at the time when it may go. Returns how long it had to wait. */
static int64_t try_one(struct gate_door *door, enum cmq_verdict verdict)
{
    int64_t start = now, wait;
    while ((wait = gate_admit(gate, door, now)) != 0) {
        assert_true(wait > 0);
        now += wait;
    }
    (void)gate_result(gate, door, verdict, now);
    return now - start;
}

static void the_number_in_flight_grows_by_one_a_round_of_successes(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    unsigned before = 0;
    for (unsigned round = 0; round < 12; round++) {
        unsigned n = fill(door);
        assert_int_equal(gate_admit(gate, door, now), GATE_WHEN_DONE);
        if (before)
            assert_int_equal(n, before + 1);
        before = n;
        assert_int_equal(gate_door_in_flight(door), n);
        assert_int_equal(gate_in_flight(gate), n);
        end(door, CMQ_DONE, n);
        now += 1000;
    }
    for (unsigned round = 0; round < 20; round++) {
        end(door, CMQ_DONE, fill(door));
        now += 1000;
    }
    assert_int_equal(fill(door), 16); /* and never above the connections */
    end(door, CMQ_DONE, 16);
    gate_leave(gate, door);
}

static void a_limit_that_is_not_used_does_not_grow(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    for (int i = 0; i < 1000; i++)
        try_one(door, CMQ_DONE);
    now += 1000;
    assert_in_range(fill(door), 1, 4);
    end(door, CMQ_DONE, gate_door_in_flight(door));
    gate_leave(gate, door);
}

static void a_failure_halves_the_number_in_flight_and_closes_the_door(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    for (int round = 0; round < 20; round++) {
        end(door, CMQ_DONE, fill(door));
        now += 1000;
    }
    assert_int_equal(fill(door), 16);
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    assert_true(gate_result(gate, door, CMQ_RETRY, now));
    assert_int_equal(gate_door_health(door), GATE_BACKING_OFF);
    assert_int_equal(gate_admit(gate, door, now + 1000000), GATE_WHEN_DONE);
    end(door, CMQ_RETRY, 15);
    int64_t wait = gate_admit(gate, door, now);
    assert_in_range(wait, 1, 100);
    now += wait;
    assert_int_equal(gate_admit(gate, door, now), 0);
    assert_int_equal(gate_admit(gate, door, now), GATE_WHEN_DONE); /* one at a time */
    assert_true(gate_result(gate, door, CMQ_DONE, now));
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    now += 1000;
    assert_int_equal(fill(door), 8);
    end(door, CMQ_DONE, 8);
    gate_leave(gate, door);
}

static void failures_in_a_row_wait_longer_up_to_a_cap(void **state)
{
    (void)state;
    static const struct {
        enum cmq_verdict verdict;
        int64_t first_ms;
    } rows[] = {{CMQ_RETRY, 100}, {CMQ_THROTTLE, 100}, {CMQ_HOLD, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gate_door *door = enter("q");
        assert_in_range(try_one(door, rows[i].verdict), 0, 10);
        int64_t ceiling = rows[i].first_ms, longest = 0;
        for (int failure = 0; failure < 200; failure++) {
            int64_t wait = try_one(door, rows[i].verdict);
            if (wait < 1 || wait > ceiling)
                fail_msg("wait %d is %lld ms of %lld", failure, (long long)wait,
                         (long long)ceiling);
            longest = wait > longest ? wait : longest;
            ceiling = 2 * ceiling > 30000 ? 30000 : 2 * ceiling;
        }
        assert_true(longest > 15000); /* by 2^-190 it could be less */
        try_one(door, CMQ_DONE);
        now += 120000; /* the rate is back */
        assert_int_equal(try_one(door, rows[i].verdict), 0);
        assert_in_range(gate_admit(gate, door, now), 1, rows[i].first_ms); /* from the start */
        now += 30000;
        try_one(door, CMQ_DONE);
        gate_leave(gate, door);
    }
}

static void failures_that_were_in_flight_together_count_once(void **state)
{
    (void)state;
    /* Had each counted, the wait would be drawn from 100 * 2^15 ms and be longer than 100. */
    for (int again = 0; again < 30; again++) {
        char key[16];
        (void)snprintf(key, sizeof key, "q%d", again);
        struct gate_door *door = enter(key);
        unsigned n = fill(door);
        assert_true(n > 3);
        end(door, CMQ_RETRY, n);
        assert_in_range(gate_admit(gate, door, now), 1, 100);
        /* the next ones do count */
        try_one(door, CMQ_RETRY);
        assert_in_range(gate_admit(gate, door, now), 1, 200);
        now += 200;
        try_one(door, CMQ_DONE);
        gate_leave(gate, door);
    }
}

static void one_failure_among_successes_opens_again_at_once(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    unsigned n = fill(door);
    assert_int_equal(n, 4);
    assert_true(gate_result(gate, door, CMQ_RETRY, now));
    assert_true(gate_result(gate, door, CMQ_DONE, now));
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    assert_false(gate_result(gate, door, CMQ_RETRY, now)); /* still of the same failure */
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    assert_int_equal(fill(door), 1); /* 2 in all: halved once */
    end(door, CMQ_DONE, 1);
    assert_true(gate_result(gate, door, CMQ_RETRY, now)); /* a new one */
    now += 100;
    try_one(door, CMQ_DONE);
    gate_leave(gate, door);
}

static void a_hold_is_not_lifted_by_what_was_sent_before(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    assert_int_equal(fill(door), 4);
    assert_true(gate_result(gate, door, CMQ_HOLD, now));
    assert_false(gate_result(gate, door, CMQ_DONE, now));
    assert_false(gate_result(gate, door, CMQ_RETRY, now));
    assert_false(gate_result(gate, door, CMQ_HOLD, now));
    assert_int_equal(gate_door_health(door), GATE_HOLDING);
    assert_in_range(gate_admit(gate, door, now), 1, 1000);
    try_one(door, CMQ_RETRY); /* now the network: still not open, but for another reason */
    assert_int_equal(gate_door_health(door), GATE_BACKING_OFF);
    try_one(door, CMQ_HOLD);
    assert_int_equal(gate_door_health(door), GATE_HOLDING);
    try_one(door, CMQ_DONE);
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    gate_leave(gate, door);
}

static void a_closed_door_may_be_tried_at_once_when_told(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    for (int i = 0; i < 10; i++)
        try_one(door, CMQ_HOLD);
    assert_true(gate_admit(gate, door, now) > 0);
    gate_try_now(gate);
    assert_int_equal(gate_admit(gate, door, now), 0);
    assert_int_equal(gate_admit(gate, door, now), GATE_WHEN_DONE); /* one only */
    assert_false(gate_result(gate, door, CMQ_HOLD, now));
    assert_in_range(gate_admit(gate, door, now), 1, 1000); /* and the waits begin anew */
    gate_leave(gate, door);
}

static void whatever_the_service_heard_keeps_the_door_open(void **state)
{
    (void)state;
    static const enum cmq_verdict heard[] = {CMQ_DONE, CMQ_EMPTY, CMQ_PARTIAL, CMQ_UNROUTED,
                                             CMQ_REJECT};
    struct gate_door *door = enter("q");
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) {
        try_one(door, heard[i]);
        assert_int_equal(gate_door_health(door), GATE_OPEN);
        try_one(door, CMQ_RETRY);
        try_one(door, heard[i]);
        assert_int_equal(gate_door_health(door), GATE_OPEN);
    }
    gate_leave(gate, door);
}

static unsigned admitted_in(struct gate_door *door, int64_t ms)
{
    unsigned n = 0;
    for (int64_t until = now + ms; now < until;) {
        int64_t wait = gate_admit(gate, door, now);
        assert_true(wait >= 0);
        if (wait == 0) {
            n++;
            end(door, CMQ_DONE, 1);
        }
        now += wait;
    }
    return n;
}

static void a_door_sends_no_more_than_its_rate(void **state)
{
    (void)state;
    struct gate_door *door = enter("q"), *other = enter("r");
    assert_in_range(admitted_in(door, 1000), 1000, 1101); /* a tenth of a second may come at once */
    assert_in_range(admitted_in(door, 10000), 9990, 10010);
    assert_int_equal(gate_admit(gate, other, now), 0); /* each door has its own */
    gate_return(gate, other);
    gate_limit(gate, &(struct gate_options){.connections = 16, .rate = 10});
    now += 100000;
    (void)admitted_in(door, 1000);
    assert_in_range(admitted_in(door, 10000), 99, 101);
    gate_leave(gate, door);
    gate_leave(gate, other);
}

static void a_rate_below_one_burst_still_lets_requests_through(void **state)
{
    (void)state;
    gate_limit(gate, &(struct gate_options){.connections = 1, .rate = 1});
    struct gate_door *door = enter("q");
    assert_in_range(admitted_in(door, 100000), 99, 102);
    gate_leave(gate, door);
}

static void a_throttle_slows_the_door_for_a_while(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    try_one(door, CMQ_THROTTLE);
    try_one(door, CMQ_DONE);
    assert_in_range(admitted_in(door, 1000), 490, 580);
    (void)admitted_in(door, 60000);
    assert_in_range(admitted_in(door, 1000), 990, 1010);
    for (int i = 0; i < 30; i++)
        try_one(door, CMQ_THROTTLE); /* waits are long: the rate recovers, but is never 0 */
    try_one(door, CMQ_DONE);
    gate_leave(gate, door);
}

static void all_doors_share_the_connections(void **state)
{
    (void)state;
    struct gate_door *doors[8];
    unsigned total = 0;
    for (int i = 0; i < 8; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        doors[i] = enter(key);
        total += fill(doors[i]);
    }
    assert_int_equal(total, 16);
    assert_int_equal(gate_in_flight(gate), 16);
    for (int i = 0; i < 8; i++) {
        end(doors[i], CMQ_DONE, gate_door_in_flight(doors[i]));
        gate_leave(gate, doors[i]);
    }
    assert_int_equal(gate_in_flight(gate), 0);
}

static void a_quiet_door_gets_its_turn_among_busy_ones(void **state)
{
    (void)state;
    gate_limit(gate, &(struct gate_options){.connections = 4, .rate = 1000});
    struct gate_door *busy = enter("busy"), *quiet = enter("quiet"), *third = enter("third");
    assert_int_equal(fill(busy), 4);
    assert_int_equal(gate_admit(gate, quiet, now), GATE_WHEN_DONE);
    assert_int_equal(gate_admit(gate, third, now), GATE_WHEN_DONE);
    end(busy, CMQ_DONE, 1);
    assert_int_equal(gate_admit(gate, busy, now), GATE_WHEN_DONE); /* kept for the quiet one */
    assert_int_equal(gate_admit(gate, quiet, now), 0);
    assert_int_equal(gate_admit(gate, third, now), GATE_WHEN_DONE);
    end(busy, CMQ_DONE, 1);
    assert_int_equal(gate_admit(gate, busy, now), GATE_WHEN_DONE);
    end(quiet, CMQ_DONE, 1);
    /* the third never asks again: the place is not kept for ever */
    unsigned admitted = 0;
    for (int i = 0; i < 10 && gate_in_flight(gate) > 0; i++) {
        end(busy, CMQ_DONE, 1);
        admitted += fill(busy);
    }
    assert_true(admitted > 10);
    end(busy, CMQ_DONE, gate_door_in_flight(busy));
    /* and a door that goes away is not waited for */
    assert_int_equal(fill(busy), 4);
    assert_int_equal(gate_admit(gate, third, now), GATE_WHEN_DONE);
    gate_leave(gate, third);
    end(busy, CMQ_DONE, 1);
    assert_int_equal(fill(busy), 1);
    end(busy, CMQ_DONE, 4);
    gate_leave(gate, busy);
    gate_leave(gate, quiet);
}

static void one_connection_serves_all_in_turn(void **state)
{
    (void)state;
    gate_limit(gate, &(struct gate_options){.connections = 1, .rate = 1000});
    struct gate_door *a = enter("a"), *b = enter("b");
    for (int i = 0; i < 50; i++) {
        struct gate_door *one = i % 2 ? a : b, *other = i % 2 ? b : a;
        assert_int_equal(gate_admit(gate, one, now), 0);
        assert_int_equal(gate_admit(gate, other, now), GATE_WHEN_DONE);
        end(one, CMQ_DONE, 1);
    }
    gate_leave(gate, a);
    gate_leave(gate, b);
}

static void a_returned_request_counts_for_nothing(void **state)
{
    (void)state;
    gate_limit(gate, &(struct gate_options){.connections = 16, .rate = 1});
    struct gate_door *door = enter("q");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(gate_admit(gate, door, now), 0);
        gate_return(gate, door);
    }
    assert_int_equal(gate_in_flight(gate), 0);
    gate_limit(gate, &(struct gate_options){.connections = 16, .rate = 1000});
    now += 100000;
    assert_int_equal(fill(door), 4);
    end(door, CMQ_RETRY, 1);
    gate_return(gate, door); /* of those that the failure made stale */
    gate_return(gate, door);
    gate_return(gate, door);
    now += 100;
    try_one(door, CMQ_RETRY); /* is not taken for a stale one */
    assert_in_range(gate_admit(gate, door, now), 1, 200);
    gate_leave(gate, door);
}

static void a_door_is_remembered_while_it_matters(void **state)
{
    (void)state;
    struct gate_door *door = enter("queue a");
    assert_true(span_eq_str(gate_door_key(door), "queue a"));
    assert_ptr_equal(enter("queue a"), door);
    gate_leave(gate, door);
    assert_int_equal(gate_admit(gate, door, now), 0);
    gate_leave(gate, door); /* in flight still */
    assert_ptr_equal(enter("queue a"), door);
    gate_leave(gate, door);
    end(door, CMQ_HOLD, 1);
    door = enter("queue a"); /* in bad health still */
    assert_int_equal(gate_door_health(door), GATE_HOLDING);
    gate_leave(gate, door);
    for (int i = 0; i < 2000; i++) { /* but not at any price */
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        struct gate_door *other = enter(key);
        assert_int_equal(gate_admit(gate, other, now), 0);
        end(other, CMQ_HOLD, 1);
        gate_leave(gate, other);
    }
    door = enter("queue a");
    assert_int_equal(gate_door_health(door), GATE_OPEN);
    assert_true(span_eq_str(gate_door_key(door), "queue a"));
    gate_leave(gate, door);
}

static void fewer_connections_take_effect_as_requests_end(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    assert_int_equal(fill(door), 4);
    gate_limit(gate, &(struct gate_options){.connections = 2, .rate = 1000});
    end(door, CMQ_DONE, 2);
    assert_int_equal(gate_admit(gate, door, now), GATE_WHEN_DONE);
    end(door, CMQ_DONE, 2);
    assert_int_equal(fill(door), 2);
    end(door, CMQ_DONE, 2);
    gate_leave(gate, door);
}

static void time_that_stands_still_or_goes_back_does_no_harm(void **state)
{
    (void)state;
    struct gate_door *door = enter("q");
    for (int i = 0; i < 100; i++) {
        int64_t wait = gate_admit(gate, door, now - i);
        assert_true(wait >= 0);
        if (wait == 0)
            (void)gate_result(gate, door, CMQ_DONE, now - i);
    }
    gate_leave(gate, door);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_number_in_flight_grows_by_one_a_round_of_successes),
        TEST(a_limit_that_is_not_used_does_not_grow),
        TEST(a_failure_halves_the_number_in_flight_and_closes_the_door),
        TEST(failures_in_a_row_wait_longer_up_to_a_cap),
        TEST(failures_that_were_in_flight_together_count_once),
        TEST(one_failure_among_successes_opens_again_at_once),
        TEST(a_hold_is_not_lifted_by_what_was_sent_before),
        TEST(a_closed_door_may_be_tried_at_once_when_told),
        TEST(whatever_the_service_heard_keeps_the_door_open),
        TEST(a_door_sends_no_more_than_its_rate),
        TEST(a_rate_below_one_burst_still_lets_requests_through),
        TEST(a_throttle_slows_the_door_for_a_while),
        TEST(all_doors_share_the_connections),
        TEST(a_quiet_door_gets_its_turn_among_busy_ones),
        TEST(one_connection_serves_all_in_turn),
        TEST(a_returned_request_counts_for_nothing),
        TEST(a_door_is_remembered_while_it_matters),
        TEST(fewer_connections_take_effect_as_requests_end),
        TEST(time_that_stands_still_or_goes_back_does_no_harm),
    };
    return cmocka_run_group_tests_name("cmq/gate", tests, NULL, NULL);
}
