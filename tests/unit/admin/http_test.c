/* The listener over real sockets: answers at once and later, bounds, stopping. */
#include "tests/unit/admin/http_server.h"

#include <stdio.h>
#include <sys/resource.h>

enum { MANY = 1000 };

static void a_request_is_answered_at_once_with_its_headers(void **state)
{
    static const struct {
        const char *method, *target, *headers, *body;
    } rows[] = {
        {"GET", "/ask", "", "GET /ask q=(none) x=(none)"},
        {"GET", "/a/b?q=1&r=2", "X-TEST: yes\r\n", "GET /a/b q=1 x=yes"},
        {"DELETE", "/a%20b%2f?q=%41+b", "x-test:  two words \r\n",
         "DELETE /a b/ q=A b x=two words"},
        {"PUT", "/a%00b?q=c%00d", "", "PUT /a%00b q=c%00d x=(none)"},
        {"GET", "/?q", "x-test:\r\n", "GET / q=(none) x="},
    };
    struct server server;
    struct client client;
    (void)state;
    client_open(&client, server_start(&server, &usual));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(
            client_ask(&client, rows[i].method, rows[i].target, rows[i].headers, span_of("")));
        struct client_reply reply = client_read(&client);
        assert_int_equal(reply.status, 202);
        assert_string_equal(buf_str(&reply.body), rows[i].body);
        assert_true(span_eq_str(client_header(&reply, "Content-Type"), "text/plain"));
        assert_true(span_eq_str(client_header(&reply, "Retry-After"), "7"));
        assert_true(span_eq_str(client_header(&reply, "Cache-Control"), "no-store"));
        client_reply_fini(&reply);
    }
    client_close(&client);
    server_free(&server);
}

static void a_body_comes_whole_in_pieces_and_in_chunks(void **state)
{
    struct server server;
    struct client client;
    struct buf body = BUF_INIT(MAX_BODY);
    (void)state;
    client_open(&client, server_start(&server, &usual));
    for (size_t i = 0; i < MAX_BODY; i++)
        buf_add_char(&body, (char)('a' + i % 26));
    assert_true(client_ask(&client, "POST", "/echo", "", buf_span(&body)));
    expect_reply(&client, 200, buf_str(&body));

    assert_true(
        client_ask(&client, "POST", "/echo", "Transfer-Encoding: chunked\r\n", span_of("")));
    assert_true(client_send(&client, span_of("5\r\nhello\r\n1\r\n \r\n")));
    assert_true(client_send(&client, span_of("6\r\nthere!\r\n0\r\n\r\n")));
    expect_reply(&client, 200, "hello there!");
    client_close(&client);
    server_free(&server);
    buf_fini(&body);
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    struct server server;
    struct client client;
    struct http_request *held;
    (void)state;
    client_open(&client, server_start(&server, &usual));
    struct span run = SPAN_LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
                               "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                               "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree");
    assert_true(client_send(&client, run));
    expect_reply(&client, 200, "one");
    server_take(&server, 1, &held);
    assert_int_equal(server_handled(&server), 2);
    http_reply(held, 201, NULL, span_of("two"));
    expect_reply(&client, 201, "two");
    expect_reply(&client, 200, "three");
    client_close(&client);
    server_free(&server);
}

struct replier {
    pthread_t thread;
    struct http_request **requests;
    size_t count;
};

static void *reply_all(void *arg)
{
    struct replier *replier = arg;
    for (size_t i = 0; i < replier->count; i++)
        http_reply(replier->requests[i], 200, NULL, http_body(replier->requests[i]));
    return NULL;
}

static void a_thousand_answers_come_later_from_other_threads(void **state)
{
    static struct client clients[MANY];
    static struct http_request *held[MANY];
    enum { REPLIERS = 4 };
    struct replier repliers[REPLIERS];
    struct server server;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    for (size_t i = 0; i < MANY; i++) {
        char body[32];
        (void)snprintf(body, sizeof body, "message %zu", i);
        client_open(&clients[i], port);
        assert_true(client_ask(&clients[i], "POST", "/later", "", span_of(body)));
    }
    server_take(&server, MANY, held);
    for (size_t i = 0; i < REPLIERS; i++) {
        repliers[i].requests = held + i * MANY / REPLIERS;
        repliers[i].count = MANY / REPLIERS;
        CHECK(pthread_create(&repliers[i].thread, NULL, reply_all, &repliers[i]) == 0);
    }
    for (size_t i = 0; i < MANY; i++) {
        char body[32];
        (void)snprintf(body, sizeof body, "message %zu", i);
        expect_reply(&clients[i], 200, body);
        client_close(&clients[i]);
    }
    for (size_t i = 0; i < REPLIERS; i++)
        pthread_join(repliers[i].thread, NULL);
    server_free(&server);
}

static void a_body_over_its_bound_is_refused_and_the_connection_lives_on(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    client_open(&client, server_start(&server, &usual));
    static const size_t sizes[] = {MAX_BODY + 1, 10 * MAX_BODY};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(client_ask(&client, "POST", "/echo", "", span_make(large, sizes[i])));
        assert_int_equal(client_status(&client), 413);
    }
    assert_true(
        client_ask(&client, "POST", "/echo", "Transfer-Encoding: chunked\r\n", span_of("")));
    assert_true(client_send(&client, span_of("186a1\r\n")) && /* MAX_BODY + 1 */
                client_send(&client, span_make(large, MAX_BODY + 1)) &&
                client_send(&client, span_of("\r\n0\r\n\r\n")));
    assert_int_equal(client_status(&client), 413);
    assert_int_equal(server_handled(&server), 0);
    assert_true(client_ask(&client, "POST", "/echo", "", span_make(large, MAX_BODY)));
    assert_int_equal(client_status(&client), 200);
    client_close(&client);
    server_free(&server);
}

static void bodies_have_a_bound_together_until_they_are_answered(void **state)
{
    enum { FIT = 4 };
    struct server server;
    struct client clients[FIT], one_more;
    struct http_request *held[FIT];
    (void)state;
    uint16_t port = server_start(&server, &usual);
    for (size_t i = 0; i < FIT; i++) {
        client_open(&clients[i], port);
        assert_true(client_ask(&clients[i], "POST", "/later", "", span_make(large, MAX_BODY)));
    }
    server_take(&server, FIT, held);
    client_open(&one_more, port);
    assert_true(client_ask(&one_more, "POST", "/echo", "", span_of("x")));
    assert_int_equal(client_status(&one_more), 503);
    for (size_t i = 0; i < FIT; i++)
        http_reply(held[i], 200, NULL, span_of(""));
    for (size_t i = 0; i < FIT; i++) {
        assert_int_equal(client_status(&clients[i]), 200);
        client_close(&clients[i]);
    }
    assert_true(client_ask(&one_more, "POST", "/echo", "", span_of("x")));
    expect_reply(&one_more, 200, "x");
    client_close(&one_more);
    server_free(&server);
}

static void a_body_that_nobody_wants_is_not_kept_whatever_its_size(void **state)
{
    struct server server;
    struct client client;
    (void)state;
    client_open(&client, server_start(&server, &usual));
    assert_true(client_ask(&client, "POST", "/unwanted", "", span_of("small")));
    expect_reply(&client, 200, "");
    assert_true(client_ask(&client, "POST", "/unwanted", "", span_make(large, sizeof large)));
    expect_reply(&client, 200, "");
    client_close(&client);
    server_free(&server);
}

static void connections_over_the_bound_wait_for_one_to_end(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client first, second;
    struct http_request *held;
    (void)state;
    options.max_connections = 1;
    uint16_t port = server_start(&server, &options);
    client_open(&first, port);
    assert_true(client_ask(&first, "GET", "/later", "", span_of("")));
    server_take(&server, 1, &held);
    client_open(&second, port);
    assert_true(client_ask(&second, "POST", "/echo", "", span_of("second")));
    http_reply(held, 200, NULL, span_of("first"));
    expect_reply(&first, 200, "first");
    assert_true(client_ask(&first, "GET", "/later", "", span_of("")));
    server_take(&server, 1, &held);
    assert_int_equal(server_handled(&server), 2); /* twice the first, not once the second */
    http_reply(held, 200, NULL, span_of(""));
    client_close(&first);
    expect_reply(&second, 200, "second");
    client_close(&second);
    server_free(&server);
}

static void one_address_has_only_so_many_connections(void **state)
{
    struct http_options options = usual;
    struct server server;
    struct client first, second;
    struct http_request *held;
    (void)state;
    options.max_connections_per_address = 1;
    uint16_t port = server_start(&server, &options);
    client_open(&first, port);
    assert_true(client_ask(&first, "GET", "/later", "", span_of("")));
    server_take(&server, 1, &held);
    client_open(&second, port);
    assert_true(client_closed(&second));
    http_reply(held, 200, NULL, span_of("first"));
    expect_reply(&first, 200, "first");
    client_close(&second);
    client_close(&first);
    server_free(&server);
}

static void a_stop_answers_what_is_owed_and_late_answers_are_safe(void **state)
{
    enum { HELD = 50 };
    struct client clients[HELD], half, idle;
    struct http_request *held[HELD];
    struct server server;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    for (size_t i = 0; i < HELD; i++) {
        client_open(&clients[i], port);
        assert_true(client_ask(&clients[i], "POST", "/later", "", span_of("body")));
    }
    client_open(&idle, port);
    client_open(&half, port);
    assert_true(client_send(&half, span_of("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Le")));
    server_take(&server, HELD, held);
    http_reply(held[0], 200, NULL, span_of("just in time"));
    http_listener_stop(server.listener);
    expect_reply(&clients[0], 200, "just in time");
    for (size_t i = 1; i < HELD; i++)
        assert_int_equal(client_status(&clients[i]), 503);
    assert_int_equal(client_status(&half), 0);
    assert_int_equal(client_status(&idle), 0);
    for (size_t i = 1; i < HELD; i++) { /* the body is there until now */
        assert_true(span_eq_str(http_body(held[i]), "body"));
        http_reply(held[i], 200, NULL, http_body(held[i]));
    }
    for (size_t i = 0; i < HELD; i++)
        client_close(&clients[i]);
    client_close(&half);
    client_close(&idle);
    http_listener_stop(server.listener);
    server_free(&server);
}

static void a_stop_and_answers_at_the_same_time_answer_each_request_once(void **state)
{
    enum { HELD = 200 };
    static struct client clients[HELD];
    static struct http_request *held[HELD];
    struct server server;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    for (size_t i = 0; i < HELD; i++) {
        client_open(&clients[i], port);
        assert_true(client_ask(&clients[i], "POST", "/later", "", span_of("body")));
    }
    server_take(&server, HELD, held);
    struct replier replier = {.requests = held, .count = HELD};
    CHECK(pthread_create(&replier.thread, NULL, reply_all, &replier) == 0);
    http_listener_stop(server.listener);
    pthread_join(replier.thread, NULL);
    for (size_t i = 0; i < HELD; i++) {
        unsigned status = client_status(&clients[i]);
        assert_true(status == 200 || status == 503);
        assert_int_equal(client_status(&clients[i]), 0);
        client_close(&clients[i]);
    }
    server_free(&server);
}

static void *read_large(void *arg)
{
    struct client_reply reply = client_read(arg);
    CHECK(reply.status == 200 && reply.body.len == sizeof large);
    client_reply_fini(&reply);
    return NULL;
}

static void a_stop_lets_an_answer_on_its_way_arrive(void **state)
{
    struct server server;
    struct client client;
    struct http_request *held;
    pthread_t reader;
    (void)state;
    client_open(&client, server_start(&server, &usual));
    assert_true(client_ask(&client, "GET", "/later", "", span_of("")));
    server_take(&server, 1, &held);
    CHECK(pthread_create(&reader, NULL, read_large, &client) == 0);
    http_reply(held, 200, NULL, span_make(large, sizeof large)); /* more than sockets hold */
    http_listener_stop(server.listener);
    pthread_join(reader, NULL);
    client_close(&client);
    server_free(&server);
}

static void where_it_cannot_listen_it_says_so(void **state)
{
    static const char *const bad[] = {"",        "127.0.0.1",      ":80",
                                      "[::1:80", "127.0.0.1:",     "127.0.0.1:99999",
                                      "::1:80",  "127.0.0.1:http", "not.an.address:80",
                                      "[]:80",   "192.0.2.1:0"};
    struct server server;
    struct http_options options = usual;
    struct buf taken = BUF_INIT(64);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {.text = ""};
        options.listen = bad[i];
        assert_null(http_listener_new(&options, handle, NULL, &err));
        assert_non_null(strstr(err.text, bad[i]));
    }
    struct err err = {.text = ""};
    buf_printf(&taken, "127.0.0.1:%u", server_start(&server, &usual));
    options.listen = buf_str(&taken);
    assert_null(http_listener_new(&options, handle, NULL, &err));
    assert_non_null(strstr(err.text, "in use"));
    server_free(&server);
    buf_fini(&taken);
    http_listener_free(NULL);
}

static void it_listens_by_name_and_on_ipv6(void **state)
{
    static const char *const rows[] = {"localhost:0", "[::1]:0"};
    struct http_options options = usual;
    struct server server;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {.text = ""};
        options.listen = rows[i];
        struct http_listener *listener = http_listener_new(&options, handle, &server, &err);
        if (!listener && strstr(err.text, "Cannot assign")) /* a machine without IPv6 */
            continue;
        assert_string_equal(err.text, "");
        assert_int_not_equal(http_listener_port(listener), 0);
        http_listener_free(listener);
    }
}

/* The thousand clients and their other ends are of this process. */
static int many_files(void **state)
{
    struct rlimit limit;
    (void)state;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_at_once_with_its_headers),
        cmocka_unit_test(a_body_comes_whole_in_pieces_and_in_chunks),
        cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
        cmocka_unit_test(a_thousand_answers_come_later_from_other_threads),
        cmocka_unit_test(a_body_over_its_bound_is_refused_and_the_connection_lives_on),
        cmocka_unit_test(bodies_have_a_bound_together_until_they_are_answered),
        cmocka_unit_test(a_body_that_nobody_wants_is_not_kept_whatever_its_size),
        cmocka_unit_test(connections_over_the_bound_wait_for_one_to_end),
        cmocka_unit_test(one_address_has_only_so_many_connections),
        cmocka_unit_test(a_stop_answers_what_is_owed_and_late_answers_are_safe),
        cmocka_unit_test(a_stop_and_answers_at_the_same_time_answer_each_request_once),
        cmocka_unit_test(a_stop_lets_an_answer_on_its_way_arrive),
        cmocka_unit_test(where_it_cannot_listen_it_says_so),
        cmocka_unit_test(it_listens_by_name_and_on_ipv6),
    };
    return cmocka_run_group_tests(tests, many_files, NULL);
}
