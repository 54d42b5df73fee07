/* The pump's loop: posts, timers, starting, stopping. */
#include "tests/unit/cmq/exchange.h"

#include "base/random.h"

static void stopping_ends_everything_under_way(void **state)
{
    (void)state;
    enum { POLLS = 50 };
    struct exchange exchanges[POLLS];
    struct order polls;
    assert_true(pump_start(pump, NULL));
    post_order(&polls, "/hold", exchanges, POLLS);
    assert_true(http_wait_held(server, POLLS));
    pump_stop(pump);
    all_are(&polls, 0);
    assert_int_equal(polls.crowd.pending, 0);
    for (size_t i = 0; i < POLLS; i++) {
        assert_true(exchanges[i].cancelled);
        assert_true(exchanges[i].connected);
    }
    assert_true(http_wait_held(server, 0));
    pump_stop(pump); /* again: nothing to do */
}

static void what_is_posted_too_late_is_still_run(void **state)
{
    (void)state;
    struct exchange exchanges[3];
    struct order late;
    assert_true(pump_start(pump, NULL));
    pump_stop(pump);
    post_order(&late, "/echo", exchanges, 3);
    pump_free(pump);
    pump = NULL;
    all_are(&late, 0);
    assert_int_equal(late.crowd.pending, 0);
}

enum { POSTERS = 4, POSTS = 5000 };

struct poster {
    struct crowd *crowd;
    int next; /* as seen on the pump's thread */
    struct numbered {
        struct poster *poster;
        int number;
    } posts[POSTS];
};

static void on_post(void *ctx)
{
    struct numbered *post = ctx;
    CHECK(post->number == post->poster->next++);
    crowd_less(post->poster->crowd);
}

static void *post_many(void *ctx)
{
    struct poster *poster = ctx;
    for (int i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct numbered){poster, i};
        pump_post(pump, on_post, &poster->posts[i]);
    }
    return NULL;
}

static void posts_of_many_threads_all_run_in_order(void **state)
{
    (void)state;
    struct poster *posters = test_calloc(POSTERS, sizeof *posters);
    struct crowd crowd = CROWD_INIT;
    pthread_t threads[POSTERS];
    crowd.pending = (size_t)POSTERS * POSTS;
    assert_true(pump_start(pump, NULL));
    for (int i = 0; i < POSTERS; i++) {
        posters[i].crowd = &crowd;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    crowd_wait(&crowd);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pump_stop(pump);
    test_free(posters);
}

static void a_post_wakes_a_waiting_pump(void **state)
{
    (void)state;
    struct poster *poster = test_calloc(1, sizeof *poster);
    struct crowd crowd = CROWD_INIT;
    poster->crowd = &crowd;
    assert_true(pump_start(pump, NULL));
    for (int i = 0; i < 100; i++) { /* each finds the pump in its wait of a minute */
        crowd.pending = 1;
        poster->posts[i] = (struct numbered){poster, i};
        pump_post(pump, on_post, &poster->posts[i]);
        crowd_wait(&crowd);
    }
    pump_stop(pump);
    test_free(poster);
}

static void add_one(void *ctx)
{
    (*(int *)ctx)++;
}

static void a_call_returns_when_it_has_run(void **state)
{
    (void)state;
    assert_true(pump_start(pump, NULL));
    int calls = 0;
    for (int i = 0; i < 100; i++) {
        pump_call(pump, add_one, &calls);
        assert_int_equal(calls, i + 1);
    }
    pump_stop(pump);
}

enum { TIMERS = 500 };

struct bell {
    struct pump_timer timer;
    struct crowd *crowd;
    int64_t *last_due_ms;
    int rung;
};

static void on_bell(void *ctx)
{
    struct bell *bell = ctx;
    CHECK(bell->timer.place == 0);
    CHECK(bell->timer.due_ms >= *bell->last_due_ms && clock_mono_ms() >= bell->timer.due_ms);
    *bell->last_due_ms = bell->timer.due_ms;
    bell->rung++;
    crowd_less(bell->crowd);
}

static void timers_fire_in_order_unless_cleared(void **state)
{
    (void)state;
    static struct bell bells[TIMERS];
    struct crowd crowd = CROWD_INIT;
    int64_t last_due_ms = 0;
    for (int i = 0; i < TIMERS; i++) {
        bells[i] = (struct bell){.timer = {.fn = on_bell, .ctx = &bells[i]},
                                 .crowd = &crowd,
                                 .last_due_ms = &last_due_ms};
        pump_timer_set(pump, &bells[i].timer, (int64_t)random_below(50));
        crowd.pending++;
    }
    for (int i = 0; i < TIMERS; i += 3) { /* moved, earlier or later */
        pump_timer_set(pump, &bells[i].timer, (int64_t)random_below(100) - 10);
    }
    for (int i = 1; i < TIMERS; i += 3) {
        pump_timer_clear(pump, &bells[i].timer);
        pump_timer_clear(pump, &bells[i].timer); /* fine */
        crowd.pending--;
    }
    pump_run(pump, &crowd.stop);
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(bells[i].rung, i % 3 == 1 ? 0 : 1);
}

struct echo_bell {
    struct pump_timer timer;
    int rung;
    bool stop;
    struct exchange exchange;
    struct crowd crowd;
};

static void ring_again(void *ctx)
{
    struct echo_bell *bell = ctx;
    bell->rung++;
    pump_timer_set(pump, &bell->timer, 0);
}

static void a_timer_that_sets_itself_does_not_starve_the_exchanges(void **state)
{
    (void)state;
    struct echo_bell bell = {.crowd = CROWD_INIT};
    bell.timer = (struct pump_timer){.fn = ring_again, .ctx = &bell};
    pump_timer_set(pump, &bell.timer, 0);
    begin(&bell.exchange, &bell.crowd, "/echo", span_of("x"));
    pump_run(pump, &bell.crowd.stop);
    assert_int_equal(bell.exchange.status, 200);
    assert_true(bell.rung > 0);
    pump_timer_clear(pump, &bell.timer);
}

static void stop_at_once(void *ctx)
{
    *(bool *)ctx = true;
}

static void running_ends_when_a_post_or_a_timer_says_so(void **state)
{
    (void)state;
    bool stop = false;
    pump_post(pump, stop_at_once, &stop);
    pump_run(pump, &stop);
    stop = false;
    struct pump_timer timer = {.fn = stop_at_once, .ctx = &stop};
    pump_timer_set(pump, &timer, 1);
    pump_run(pump, &stop);
    pump_run(pump, &stop); /* already true */
}

static void freeing_ends_what_is_left(void **state)
{
    (void)state;
    struct crowd crowd = CROWD_INIT;
    struct exchange exchange, stuck;
    const struct pump_request bad = {.url = "", .timeout_ms = 1};
    begin(&exchange, &crowd, "/hold", span_of("x"));
    stuck = (struct exchange){.crowd = &crowd};
    crowd.pending++;
    (void)pump_transfer(pump, &bad, on_done, &stuck);
    pump_free(pump);
    pump = NULL;
    assert_int_equal(exchange.calls, 1);
    assert_int_equal(stuck.calls, 1);
    pump_free(NULL);
}

static void without_file_descriptors_there_is_no_pump(void **state)
{
    (void)state;
    struct rlimit before, none;
    struct err err = {""};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct pump *unlucky = pump_new(&err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(unlucky);
    assert_non_null(strstr(err.text, "file descriptors"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(stopping_ends_everything_under_way),
        TEST(what_is_posted_too_late_is_still_run),
        TEST(posts_of_many_threads_all_run_in_order),
        TEST(a_call_returns_when_it_has_run),
        TEST(a_post_wakes_a_waiting_pump),
        TEST(timers_fire_in_order_unless_cleared),
        TEST(a_timer_that_sets_itself_does_not_starve_the_exchanges),
        TEST(running_ends_when_a_post_or_a_timer_says_so),
        TEST(freeing_ends_what_is_left),
        TEST(without_file_descriptors_there_is_no_pump),
    };
    return cmocka_run_group_tests_name("cmq/pump", tests, NULL, NULL);
}
