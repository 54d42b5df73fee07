/* Asking a listener of ours, and what is none. */
#include "admin/fetch.h"
#include "admin/listen.h"
#include "tests/unit/admin/http_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

static bool ask(uint16_t port, struct fetch what, unsigned *status, struct buf *out,
                struct err *err)
{
    char listen[32];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    what.listen = listen;
    what.method = what.method ? what.method : "GET";
    what.path = what.path ? what.path : "/";
    what.timeout_ms = what.timeout_ms ? what.timeout_ms : CLIENT_DEADLINE_MS;
    return fetch(&what, status, out, NULL, err);
}

static void an_answer_comes_with_its_status_and_body(void **state)
{
    struct server server;
    struct buf out = BUF_INIT(1 << 20);
    struct err err;
    unsigned status = 0;
    (void)state;
    uint16_t port = server_start(&server, &usual);
    struct fetch what = {.method = "POST", .path = "/echo", .body = SPAN_LIT("{\"a\":1}")};
    assert_true(ask(port, what, &status, &out, &err));
    assert_int_equal(status, 200);
    assert_string_equal(buf_str(&out), "{\"a\":1}");
    buf_fini(&out);
    server_free(&server);
}

/* Answers every connection with the same bytes, once. */
struct parrot {
    int fd;
    uint16_t port;
    struct span says;
    pthread_t thread;
};

static void *parrot_run(void *arg)
{
    struct parrot *parrot = arg;
    char question[4096];
    int fd = accept(parrot->fd, NULL, NULL);
    CHECK(fd >= 0);
    CHECK(recv(fd, question, sizeof question, 0) > 0);
    (void)send(fd, parrot->says.ptr, parrot->says.len, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void parrot_start(struct parrot *parrot, struct span says)
{
    struct err err;
    parrot->says = says;
    parrot->fd = listen_open("127.0.0.1:0", &parrot->port, &err);
    CHECK(parrot->fd >= 0);
    int flags = fcntl(parrot->fd, F_GETFL);
    CHECK(fcntl(parrot->fd, F_SETFL, flags & ~O_NONBLOCK) == 0);
    CHECK(pthread_create(&parrot->thread, NULL, parrot_run, parrot) == 0);
}

static void parrot_stop(struct parrot *parrot)
{
    CHECK(pthread_join(parrot->thread, NULL) == 0);
    close(parrot->fd);
}

static void what_is_no_whole_answer_is_refused(void **state)
{
    static const struct span rows[] = {
        SPAN_LIT(""),
        SPAN_LIT("hello\r\n\r\n"),
        SPAN_LIT("HTTP/1.1 200 OK\r\n"),
        SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n"),
        SPAN_LIT("HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
        SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour"),
        SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfour"),
        SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nfour"),
        SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n12345678901234567"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct parrot parrot;
        struct buf out = BUF_INIT(16);
        struct err err;
        unsigned status;
        parrot_start(&parrot, rows[i]);
        if (ask(parrot.port, (struct fetch){0}, &status, &out, &err))
            fail_msg("row %zu was taken", i);
        assert_true(err.text[0] != '\0');
        parrot_stop(&parrot);
        buf_fini(&out);
    }
}

static void a_token_is_shown(void **state)
{
    struct parrot parrot;
    struct buf out = BUF_INIT(16);
    struct err err;
    unsigned status;
    (void)state;
    parrot_start(&parrot, span_of("HTTP/1.1 401 No\r\nX: 1\r\ncontent-length:  2\r\n\r\nno"));
    assert_true(ask(parrot.port, (struct fetch){.token = SPAN_LIT("t")}, &status, &out, &err));
    assert_int_equal(status, 401);
    assert_string_equal(buf_str(&out), "no");
    parrot_stop(&parrot);
    buf_fini(&out);
}

static void who_does_not_answer_is_left_after_a_while(void **state)
{
    struct err err;
    struct buf out = BUF_INIT(16);
    unsigned status;
    uint16_t port;
    (void)state;
    int fd = listen_open("127.0.0.1:0", &port, &err); /* accepts nobody */
    assert_false(ask(port, (struct fetch){.timeout_ms = 30}, &status, &out, &err));
    assert_non_null(strstr(err.text, "no answer"));
    close(fd);
    buf_fini(&out);
}

static void it_is_told_when_nobody_listens(void **state)
{
    struct err err;
    struct buf out = BUF_INIT(16);
    unsigned status;
    uint16_t port;
    char listen[32];
    bool refused = false;
    (void)state;
    close(listen_open("127.0.0.1:0", &port, &err));
    (void)snprintf(listen, sizeof listen, "0.0.0.0:%u", (unsigned)port);
    struct fetch what = {.listen = listen, .method = "GET", .path = "/", .timeout_ms = 5000};
    assert_false(fetch(&what, &status, &out, &refused, &err));
    assert_true(refused);
    what.listen = "nonsense";
    assert_false(fetch(&what, &status, &out, &refused, &err));
    assert_false(refused);
    assert_string_equal(err.text, "\"nonsense\" is not ADDRESS:PORT");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_its_status_and_body),
        cmocka_unit_test(what_is_no_whole_answer_is_refused),
        cmocka_unit_test(a_token_is_shown),
        cmocka_unit_test(who_does_not_answer_is_left_after_a_while),
        cmocka_unit_test(it_is_told_when_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
