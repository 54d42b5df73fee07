/*
 * http_server - for tests: a listener and what its handler was handed
 */
#ifndef TESTS_ADMIN_HTTP_SERVER_H
#define TESTS_ADMIN_HTTP_SERVER_H

#include "admin/http.h"
#include "tests/unit/admin/http_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_HELD = 1200, MAX_BODY = 100000, LONG_MS = CLIENT_DEADLINE_MS };

/*
 * A server: /echo answers with the body, /large with what nobody reads at once, /ask with what it
 * was asked; /later/TEXT is kept until somebody answers; /unwanted wants no body.
 */
struct server {
    struct http_listener *listener;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct http_request *held[MAX_HELD];
    size_t held_count;
    unsigned handled;
};

static char large[8 << 20];

static inline struct span or_none(struct span text)
{
    return text.ptr ? text : span_of("(none)");
}

static inline void answer_ask(struct http_request *request)
{
    struct buf text = BUF_INIT(4096);
    CHECK(buf_printf(&text, "%s %s q=", http_method(request), http_path(request)));
    CHECK(buf_add(&text, or_none(http_query(request, "q"))) && buf_add_str(&text, " x=") &&
          buf_add(&text, or_none(http_header(request, "x-test"))));
    http_reply_header(request, "Retry-After", "7");
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply(request, 202, "text/plain", buf_span(&text));
    buf_fini(&text);
}

static inline void handle(void *ctx, struct http_request *request)
{
    struct server *server = ctx;
    struct span path = span_of(http_path(request));
    pthread_mutex_lock(&server->mutex);
    server->handled++;
    bool later = span_starts(path, "/later");
    if (later) {
        CHECK(server->held_count < MAX_HELD);
        server->held[server->held_count++] = request;
    }
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
    if (later)
        return;
    if (span_eq_str(path, "/large"))
        http_reply(request, 200, NULL, span_make(large, sizeof large));
    else if (span_eq_str(path, "/echo") || span_eq_str(path, "/unwanted"))
        http_reply(request, 200, NULL, http_body(request));
    else
        answer_ask(request);
}

static inline bool wants_body(void *ctx, const struct http_request *request)
{
    (void)ctx;
    return strcmp(http_path(request), "/unwanted") != 0;
}

static const struct http_options usual = {
    .name = "http-test",
    .listen = "127.0.0.1:0",
    .max_body_bytes = MAX_BODY,
    .max_bodies_bytes = 4 * MAX_BODY,
    .max_connections = MAX_HELD,
    .timeout_ms = LONG_MS,
    .wants_body = wants_body,
};

static inline uint16_t server_start(struct server *server, const struct http_options *options)
{
    struct err err = {.text = ""};
    memset(server, 0, sizeof *server);
    CHECK(pthread_mutex_init(&server->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&server->changed, NULL) == 0);
    server->listener = http_listener_new(options, handle, server, &err);
    assert_string_equal(err.text, "");
    assert_non_null(server->listener);
    return http_listener_port(server->listener);
}

static inline void server_free(struct server *server)
{
    http_listener_free(server->listener);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
}

/* Waits until count requests are held, and gives them. */
static inline void server_take(struct server *server, size_t count, struct http_request **out)
{
    struct timespec deadline = clock_deadline(CLIENT_DEADLINE_MS);
    pthread_mutex_lock(&server->mutex);
    while (server->held_count < count)
        CHECK(pthread_cond_clockwait(&server->changed, &server->mutex, CLOCK_MONOTONIC,
                                     &deadline) == 0);
    CHECK(server->held_count == count);
    memcpy(out, server->held, count * sizeof *out);
    server->held_count = 0;
    pthread_mutex_unlock(&server->mutex);
}

static inline unsigned server_handled(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    unsigned handled = server->handled;
    pthread_mutex_unlock(&server->mutex);
    return handled;
}

static inline void expect_reply(struct client *client, unsigned status, const char *body)
{
    struct client_reply reply = client_read(client);
    assert_int_equal(reply.status, status);
    assert_string_equal(buf_str(&reply.body), body);
    client_reply_fini(&reply);
}

#endif
