/* exchange - for tests: exchanges with a little server, alone and in crowds. */
#ifndef TESTS_CMQ_EXCHANGE_H
#define TESTS_CMQ_EXCHANGE_H

#include "cmq/pump.h"
#include "tests/unit/cmq/http_server.h"

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

static inline void crowd_less(struct crowd *crowd)
{
    CHECK(pthread_mutex_lock(&crowd->lock) == 0);
    crowd->stop = --crowd->pending == 0;
    CHECK(pthread_cond_broadcast(&crowd->changed) == 0);
    CHECK(pthread_mutex_unlock(&crowd->lock) == 0);
}

/* For when the pump has its own thread. */
static inline void crowd_wait(struct crowd *crowd)
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

static inline void on_done(void *ctx, const struct pump_result *result)
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

static inline void begin(struct exchange *exchange, struct crowd *crowd, const char *path,
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

/* So many exchanges of one kind, begun on the pump's thread. */
struct order {
    struct crowd crowd;
    struct exchange *exchanges;
    size_t count;
    const char *path;
};

static inline void begin_order(void *ctx)
{
    struct order *order = ctx;
    for (size_t i = 0; i < order->count; i++)
        begin(&order->exchanges[i], &order->crowd, order->path, span_of("x"));
    crowd_less(&order->crowd);
}

static inline void post_order(struct order *order, const char *path, struct exchange *exchanges,
                              size_t count)
{
    *order =
        (struct order){.crowd = CROWD_INIT, .exchanges = exchanges, .count = count, .path = path};
    order->crowd.pending = 1; /* until all have begun */
    pump_post(pump, begin_order, order);
}

static inline void all_are(const struct order *order, int status)
{
    for (size_t i = 0; i < order->count; i++) {
        assert_int_equal(order->exchanges[i].calls, 1);
        assert_int_equal(order->exchanges[i].status, status);
    }
}

#endif
