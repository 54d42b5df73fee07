/* The listener and clients that are slow, go away, talk nonsense, or do not listen. */
#include "tests/unit/admin/http_server.h"

static void a_client_that_is_gone_before_its_answer_does_no_harm(void **state)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct server server;
    struct client client;
    struct http_request *held;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    for (int with_reset = 0; with_reset < 2; with_reset++) {
        client_open(&client, port);
        assert_true(client_ask(&client, "POST", "/later", "", span_of("x")));
        server_take(&server, 1, &held);
        if (with_reset)
            CHECK(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
        client_close(&client);
        http_reply(held, 200, NULL, span_make(large, sizeof large));
    }
    client_open(&client, port);
    assert_true(client_ask(&client, "POST", "/echo", "", span_of("still here")));
    expect_reply(&client, 200, "still here");
    client_close(&client);
    server_free(&server);
}

static void a_client_that_is_gone_in_the_midst_of_its_body_is_forgotten(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client client;
    struct span all = span_make(large, MAX_BODY);
    unsigned status = 0;
    (void)state;
    options.max_bodies_bytes = MAX_BODY; /* so that a body that was not forgotten is in the way */
    options.timeout_ms = 500;
    uint16_t port = server_start(&server, &options);
    client_open(&client, port);
    assert_true(client_ask(&client, "POST", "/echo", "Content-Length: 100000\r\n", span_of("")));
    assert_true(client_send(&client, span_slice(all, 0, MAX_BODY - 1)));
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_true(client_closed(&client));
    client_close(&client);
    assert_int_equal(server_handled(&server), 0);
    while (status == 0) { /* on a busy machine half a second may be too short */
        client_open(&client, port);
        (void)client_ask(&client, "POST", "/echo", "", all);
        status = client_status(&client);
        client_close(&client);
    }
    assert_int_equal(status, 200);
    server_free(&server);
}

/* Whatever the client does, it is cut off; nothing of it reaches the handler. */
static void slow_clients_are_cut_off(void **state)
{
    static const char *const beginnings[] = {
        "",
        "P",
        "POST /echo HTTP/1.1\r\nHost: a\r\nX-Lo",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
    };
    struct http_options options = usual;
    struct server server;
    struct client client;
    (void)state;
    options.timeout_ms = 30;
    uint16_t port = server_start(&server, &options);
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        client_open(&client, port);
        client_send(&client, span_of(beginnings[i]));
        assert_true(client_closed(&client));
        client_close(&client);
    }
    assert_int_equal(server_handled(&server), 0);
    server_free(&server);
}

static void a_byte_now_and_then_does_not_keep_a_connection(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client client;
    (void)state;
    options.timeout_ms = 200;
    client_open(&client, server_start(&server, &options));
    struct pollfd readable = {.fd = client.fd, .events = POLLIN};
    assert_true(client_send(&client, span_of("POST /echo HTTP/1.1\r\nX: ")));
    int64_t end = clock_mono_ms() + CLIENT_DEADLINE_MS;
    while (poll(&readable, 1, 20) == 0) { /* more often than the time-out */
        assert_true(clock_mono_ms() < end);
        (void)client_send(&client, span_of("x"));
    }
    assert_true(client_closed(&client));
    client_close(&client);
    server_free(&server);
}

static void who_does_not_take_the_answer_is_cut_off(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client first, second;
    (void)state;
    options.timeout_ms = 50;
    options.max_connections = 1;
    uint16_t port = server_start(&server, &options);
    client_open(&first, port);
    assert_true(client_ask(&first, "GET", "/large", "", span_of("")));
    client_open(&second, port);
    assert_true(client_closed(&second)); /* so it had its turn */
    assert_int_equal(client_status(&first), 0);
    assert_true(first.reset); /* the system keeps nothing for it */
    client_close(&first);
    client_close(&second);
    server_free(&server);
}

static void an_answer_may_take_longer_than_the_time_out_of_clients(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client patient, idle;
    struct http_request *held;
    (void)state;
    options.timeout_ms = 1000;
    uint16_t port = server_start(&server, &options);
    client_open(&patient, port);
    assert_true(client_ask(&patient, "GET", "/later", "", span_of("")));
    server_take(&server, 1, &held);
    client_open(&idle, port); /* once it is cut off, the other one's time would have been up, too */
    assert_true(client_closed(&idle));
    http_reply(held, 200, NULL, span_of("at last"));
    expect_reply(&patient, 200, "at last");
    client_close(&idle);
    client_close(&patient);
    server_free(&server);
}

static void what_is_no_http_does_not_reach_the_handler(void **state)
{
    static const struct span rows[] = {
        SPAN_LIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"),
        SPAN_LIT("\0\0\0\0\r\n\r\n"),
        SPAN_LIT("GET\r\n\r\n"),
        SPAN_LIT("GET /ask HTTP/9.9\r\nHost: a\r\n\r\n"),
        SPAN_LIT("GET /ask HTTP/1.1\r\n\r\n"), /* no host: RFC 9112 s. 3.2 */
        SPAN_LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        SPAN_LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n"),
        SPAN_LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        SPAN_LIT("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    };
    struct http_options options = usual;
    struct server server;
    struct client client;
    (void)state;
    options.timeout_ms = 500; /* what looks unfinished is cut off */
    uint16_t port = server_start(&server, &options);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        client_open(&client, port);
        assert_true(client_send(&client, rows[i]));
        unsigned status = client_status(&client);
        if (status != 0 && (status < 400 || status > 505))
            fail_msg("row %zu is answered with %u", i, status);
        client_close(&client);
    }
    assert_int_equal(server_handled(&server), 0);
    server_free(&server);
}

static void headers_have_a_bound(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    char *line = check_alloc(malloc(2 * HTTP_MAX_HEADER_BYTES));
    memset(line, 'x', 2 * HTTP_MAX_HEADER_BYTES);
    client_open(&client, port);
    (void)client_send(&client, span_of("GET /ask HTTP/1.1\r\nHost: a\r\nX: "));
    (void)client_send(&client, span_make(line, 2 * HTTP_MAX_HEADER_BYTES));
    (void)client_send(&client, span_of("\r\n\r\n"));
    unsigned status = client_status(&client);
    assert_true(status == 0 || status == 431);
    assert_int_equal(server_handled(&server), 0);
    client_close(&client);
    free(line);
    server_free(&server);
}

static void a_stop_does_not_wait_for_who_does_not_take_the_answer(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    client_open(&client, server_start(&server, &usual)); /* with a long time-out */
    assert_true(client_ask(&client, "GET", "/large", "", span_of("")));
    assert_true(client_more(&client));
    int64_t begin = clock_mono_ms();
    server_free(&server);
    assert_true(clock_mono_ms() - begin < LONG_MS);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_is_gone_before_its_answer_does_no_harm),
        cmocka_unit_test(a_client_that_is_gone_in_the_midst_of_its_body_is_forgotten),
        cmocka_unit_test(slow_clients_are_cut_off),
        cmocka_unit_test(a_byte_now_and_then_does_not_keep_a_connection),
        cmocka_unit_test(who_does_not_take_the_answer_is_cut_off),
        cmocka_unit_test(an_answer_may_take_longer_than_the_time_out_of_clients),
        cmocka_unit_test(what_is_no_http_does_not_reach_the_handler),
        cmocka_unit_test(headers_have_a_bound),
        cmocka_unit_test(a_stop_does_not_wait_for_who_does_not_take_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
