/* The pump's exchanges: answers, faults, connections, many at once. */
#include "tests/unit/cmq/exchange.h"

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
    };
    return cmocka_run_group_tests_name("cmq/transfer", tests, NULL, NULL);
}
