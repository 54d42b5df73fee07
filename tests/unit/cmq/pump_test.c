/* The pump against a little server: answers, faults, timers, posts, stopping. */
#include "cmq/pump.h"
#include "tests/unit/cmq/http_server.h"

#include "base/random.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct http_server *server;
static struct pump *pump;

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(setenv("no_proxy", "*", 1) == 0);
    server = http_start();
    pump = pump_new(NULL);
    return !pump;
}

static int tear_down(void **state)
{
    (void)state;
    pump_free(pump);
    http_stop(server);
    return 0;
}

/* A crowd of exchanges: whoever comes last stops the loop, and tells whoever waits. */
struct crowd {
    size_t pending;
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};
#define CROWD_INIT                                                                                 \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static void crowd_less(struct crowd *crowd)
{
    CHECK(pthread_mutex_lock(&crowd->lock) == 0);
    crowd->stop = --crowd->pending == 0;
    CHECK(pthread_cond_broadcast(&crowd->changed) == 0);
    CHECK(pthread_mutex_unlock(&crowd->lock) == 0);
}

/* For when the pump has its own thread. */
static void crowd_wait(struct crowd *crowd)
{
    struct timespec deadline = clock_deadline(HTTP_DEADLINE_MS);
    int rc = 0;
    CHECK(pthread_mutex_lock(&crowd->lock) == 0);
    while (crowd->pending > 0 && rc == 0)
        rc = pthread_cond_clockwait(&crowd->changed, &crowd->lock, CLOCK_MONOTONIC, &deadline);
    CHECK(pthread_mutex_unlock(&crowd->lock) == 0);
    assert_int_equal(rc, 0);
}

struct exchange {
    struct crowd *crowd;
    struct pump_transfer *transfer;
    int calls;
    int status;
    bool connected, cancelled;
    int64_t date_s;
    size_t body_len;
    char body[64]; /* its first bytes */
    char error[200];
};

static void on_done(void *ctx, const struct pump_result *result)
{
    struct exchange *exchange = ctx;
    exchange->calls++;
    exchange->status = result->http_status;
    exchange->connected = result->connected;
    exchange->cancelled = result->cancelled;
    exchange->date_s = result->date_s;
    exchange->body_len = result->body.len;
    http_copy(exchange->body, sizeof exchange->body, result->body);
    CHECK((result->http_status == 0) == (result->error != NULL));
    http_copy(exchange->error, sizeof exchange->error, span_of(result->error));
    crowd_less(exchange->crowd);
}

static void begin(struct exchange *exchange, struct crowd *crowd, const char *path,
                  struct span body)
{
    char url[100];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, path);
    const struct pump_request request = {
        .url = url, .body = body, .timeout_ms = HTTP_DEADLINE_MS, .max_reply_bytes = 2 << 20};
    *exchange = (struct exchange){.crowd = crowd};
    CHECK(pthread_mutex_lock(&crowd->lock) == 0);
    crowd->pending++;
    CHECK(pthread_mutex_unlock(&crowd->lock) == 0);
    exchange->transfer = pump_transfer(pump, &request, on_done, exchange);
}

static void run_one(struct exchange *exchange, const char *path, struct span body)
{
    struct crowd crowd = CROWD_INIT;
    begin(exchange, &crowd, path, body);
    assert_int_equal(exchange->calls, 0);
    assert_int_equal(pump_in_flight(pump), 1);
    pump_run(pump, &crowd.stop);
    assert_int_equal(exchange->calls, 1);
    assert_int_equal(pump_in_flight(pump), 0);
}

static void an_answer_comes_back_as_it_was_given(void **state)
{
    (void)state;
    struct exchange exchange;
    run_one(&exchange, "/echo", span_of("a=1&b=2"));
    assert_int_equal(exchange.status, 200);
    assert_true(exchange.connected);
    assert_string_equal(exchange.body, "a=1&b=2");
    assert_int_equal(exchange.date_s, 0);
    run_one(&exchange, "/echo", span_of(""));
    assert_int_equal(exchange.status, 200);
    assert_int_equal(exchange.body_len, 0);
    char *big = test_malloc(1 << 20);
    memset(big, 'x', 1 << 20);
    run_one(&exchange, "/echo", span_make(big, 1 << 20));
    assert_int_equal(exchange.body_len, 1 << 20);
    test_free(big);
}

static void the_date_of_an_answer_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        int64_t date_s;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 784198177},
        {"no date at all", 0},
        {"a header that is far too long to be a date of any kind", 0},
    };
    struct exchange exchange;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_say(server, "{}", rows[i].date);
        run_one(&exchange, "/say", span_of("x"));
        assert_string_equal(exchange.body, "{}");
        assert_int_equal(exchange.date_s, rows[i].date_s);
    }
}

static void any_status_is_an_answer_and_redirects_are_not_followed(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
    } rows[] = {
        {"/status/204", 204}, {"/status/404", 404}, {"/status/503", 503}, {"/redirect", 302}};
    struct exchange exchange;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_one(&exchange, rows[i].path, span_of("x"));
        assert_int_equal(exchange.status, rows[i].status);
    }
}

static void connections_are_used_again(void **state)
{
    (void)state;
    enum { CROWD = 16 };
    struct exchange exchanges[CROWD];
    for (int round = 0; round < 20; round++) {
        struct crowd crowd = CROWD_INIT;
        for (int i = 0; i < CROWD; i++)
            begin(&exchanges[i], &crowd, "/echo", span_of("x"));
        pump_run(pump, &crowd.stop);
        for (int i = 0; i < CROWD; i++)
            assert_int_equal(exchanges[i].status, 200);
    }
    assert_in_range(http_accepted(server), 1, CROWD);
}

static void each_fault_has_one_clear_line(void **state)
{
    (void)state;
    unsigned closed_port = http_free_port();
    char refused[100], https[100];
    (void)snprintf(refused, sizeof refused, "http://127.0.0.1:%u/v2/index.php", closed_port);
    (void)snprintf(https, sizeof https, "https://127.0.0.1:%u/echo", server->port);
    const struct pump_tls no_ca = {.ca = "/nonexistent/ca.pem", .verify = true};
    const struct pump_tls lax = {.verify = false};
    const struct {
        const char *path; /* or a whole URL */
        const struct pump_tls *tls;
        const char *text;
        bool connected;
    } rows[] = {
        {refused, NULL, ": Connection refused", false},
        {"/close", NULL, "closed the connection before its answer was complete", true},
        {"/half", NULL, "closed the connection before its answer was complete", true},
        {"/garbage", NULL, "failed", true},
        {"/slow", NULL, "within 100 ms", true},
        {"/hold", NULL, "within 100 ms", true},
        {"/big", NULL, "larger than 1000 bytes", true},
        {https, NULL, "failed", false},
        {https, &lax, "failed", false},
        {https, &no_ca, "ca.pem", false},
        {"file:///etc/hostname", NULL, "failed", false},
        {"", NULL, "failed", false},
        {"http://[::1", NULL, "failed", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct crowd crowd = CROWD_INIT;
        crowd.pending = 1;
        struct exchange exchange = {.crowd = &crowd};
        char url[100];
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, rows[i].path);
        const struct pump_request request = {
            .url = rows[i].path[0] == '/' ? url : rows[i].path,
            .body = SPAN_LIT("body"),
            .timeout_ms = rows[i].text[0] == 'w' ? 100 : HTTP_DEADLINE_MS,
            .max_reply_bytes = 1000,
            .tls = rows[i].tls,
        };
        (void)pump_transfer(pump, &request, on_done, &exchange);
        assert_int_equal(exchange.calls, 0);
        pump_run(pump, &crowd.stop);
        assert_int_equal(exchange.calls, 1);
        assert_int_equal(exchange.status, 0);
        assert_false(exchange.cancelled);
        assert_null(strchr(exchange.error, '\n'));
        if (!strstr(exchange.error, rows[i].text) || exchange.connected != rows[i].connected)
            fail_msg("%s: %s (%d)", rows[i].path, exchange.error, exchange.connected);
    }
    /* and the next one is as good as ever */
    struct exchange exchange;
    run_one(&exchange, "/echo", span_of("x"));
    assert_int_equal(exchange.status, 200);
}

static void own_headers_are_for_one_exchange_only(void **state)
{
    (void)state;
    static const char *const headers[] = {"Content-Type: application/json", "Host: elsewhere",
                                          NULL};
    char url[100];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", server->port);
    struct crowd crowd = CROWD_INIT;
    crowd.pending = 1;
    struct exchange exchange = {.crowd = &crowd};
    const struct pump_request request = {.url = url,
                                         .body = SPAN_LIT("{}"),
                                         .headers = headers,
                                         .timeout_ms = HTTP_DEADLINE_MS,
                                         .max_reply_bytes = 10};
    (void)pump_transfer(pump, &request, on_done, &exchange);
    pump_run(pump, &crowd.stop);
    assert_int_equal(exchange.status, 200);
    assert_string_equal(server->host, "elsewhere");
    run_one(&exchange, "/echo", span_of("x"));
    assert_string_not_equal(server->host, "elsewhere");
}

static void a_cancelled_exchange_calls_back_at_once(void **state)
{
    (void)state;
    struct crowd crowd = CROWD_INIT;
    struct exchange held, other, never_begun;
    begin(&held, &crowd, "/hold", span_of("x"));
    begin(&other, &crowd, "/echo", span_of("x"));
    crowd.pending--;
    pump_run(pump, &crowd.stop); /* until the other one is done */
    assert_int_equal(other.status, 200);
    assert_int_equal(held.calls, 0);
    crowd.pending++;
    pump_cancel(pump, held.transfer);
    assert_int_equal(held.calls, 1);
    assert_int_equal(held.status, 0);
    assert_true(held.cancelled);
    begin(&never_begun, &crowd, "/echo", span_of("x"));
    pump_cancel(pump, never_begun.transfer);
    assert_int_equal(never_begun.calls, 1);
    assert_false(never_begun.connected);
    assert_int_equal(pump_in_flight(pump), 0);
}

/* So many exchanges of one kind, begun on the pump's thread. */
struct order {
    struct crowd crowd;
    struct exchange *exchanges;
    size_t count;
    const char *path;
};

static void begin_order(void *ctx)
{
    struct order *order = ctx;
    for (size_t i = 0; i < order->count; i++)
        begin(&order->exchanges[i], &order->crowd, order->path, span_of("x"));
    crowd_less(&order->crowd);
}

static void post_order(struct order *order, const char *path, struct exchange *exchanges,
                       size_t count)
{
    *order =
        (struct order){.crowd = CROWD_INIT, .exchanges = exchanges, .count = count, .path = path};
    order->crowd.pending = 1; /* until all have begun */
    pump_post(pump, begin_order, order);
}

static void all_are(const struct order *order, int status)
{
    for (size_t i = 0; i < order->count; i++) {
        assert_int_equal(order->exchanges[i].calls, 1);
        assert_int_equal(order->exchanges[i].status, status);
    }
}

static void a_thousand_long_polls_leave_room_for_others(void **state)
{
    (void)state;
    enum { POLLS = 1000, OTHERS = 64 };
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 2 * (POLLS + OTHERS) + 100)
        skip();
    struct exchange *exchanges = test_calloc(POLLS + OTHERS, sizeof *exchanges);
    struct order polls, others;
    assert_true(pump_start(pump, NULL));
    for (int round = 0; round < 2; round++) {
        post_order(&polls, "/hold", exchanges, POLLS);
        assert_true(http_wait_held(server, POLLS));
        for (int turn = 0; turn < 3; turn++) {
            post_order(&others, "/echo", exchanges + POLLS, OTHERS);
            crowd_wait(&others.crowd);
            all_are(&others, 200);
        }
        http_release(server);
        crowd_wait(&polls.crowd);
        all_are(&polls, 200);
    }
    pump_stop(pump);
    assert_in_range(http_accepted(server), POLLS, POLLS + OTHERS); /* each poll kept its own */
    test_free(exchanges);
}

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
        TEST(an_answer_comes_back_as_it_was_given),
        TEST(the_date_of_an_answer_is_read),
        TEST(any_status_is_an_answer_and_redirects_are_not_followed),
        TEST(connections_are_used_again),
        TEST(each_fault_has_one_clear_line),
        TEST(own_headers_are_for_one_exchange_only),
        TEST(a_cancelled_exchange_calls_back_at_once),
        TEST(a_thousand_long_polls_leave_room_for_others),
        TEST(stopping_ends_everything_under_way),
        TEST(what_is_posted_too_late_is_still_run),
        TEST(posts_of_many_threads_all_run_in_order),
        TEST(a_post_wakes_a_waiting_pump),
        TEST(timers_fire_in_order_unless_cleared),
        TEST(a_timer_that_sets_itself_does_not_starve_the_exchanges),
        TEST(running_ends_when_a_post_or_a_timer_says_so),
        TEST(freeing_ends_what_is_left),
        TEST(without_file_descriptors_there_is_no_pump),
    };
    return cmocka_run_group_tests_name("cmq/pump", tests, NULL, NULL);
}
