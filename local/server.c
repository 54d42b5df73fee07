/*
 * server - see server.h.
 *
 * Each request ends here in one of two ways: with an answer, or as an exchange (exchange.h) that
 * ends in an answer or a closed connection later. Whatever moves messages or time is followed by
 * serve_ready, so that no poll waits while there is a message for it, and no push that could go.
 */
#include "local/server.h"

#include "base/clock.h"
#include "local/control.h"
#include "local/exchange.h"
#include "local/http.h"
#include "local/listener.h"
#include "local/outbox.h"
#include "local/plane.h"
#include "local/pusher.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>

enum {
    IDLE_S = 300,
    MAX_HEADER_BYTES = 64 * 1024,
    MAX_BODY_BYTES = 12 << 20,    /* above both planes' limits, to answer instead of closing */
    MAX_ANSWER_BYTES = 128 << 20, /* 16 bodies of 1 MiB, each byte escaped */
    KEPT_ANSWER_BYTES = 1 << 20,
    SIGNAL_COUNT = 2,
};

/* The vendor's cloud SDK for Python looks for an error only under this very type. */
static const char api3_type[] = "application/json";
static const char data_type[] = "application/json;charset=utf-8";

struct server {
    struct event_base *base;
    struct evhttp *http;
    struct event *signals[SIGNAL_COUNT];
    struct event *due; /* when the store has something to do */
    int64_t due_ms;    /* when due is set to fire */
    int64_t now_ms;    /* Unix time; never runs backwards */
    struct exchange_set exchanges;
    struct plane plane;
    struct verifier3 *verifier3;
    struct api *api;
    struct pusher *pusher;
    struct store *store;
    struct outbox outbox;
    struct sabotage sabotage;
    struct journal journal;
    struct buf answer;
    struct buf query; /* a copy of what evhttp keeps, to be decoded in place */
    char address[LISTENER_ADDRESS_SIZE];
};

static int64_t unix_now(void *ctx)
{
    struct server *server = ctx;
    int64_t now_ms = clock_unix_ms();
    if (now_ms > server->now_ms)
        server->now_ms = now_ms;
    return server->now_ms;
}

static struct timeval timeval_of(int64_t ms)
{
    if (ms < 0)
        ms = 0;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void send_answer(struct server *server, struct evhttp_request *req, int status,
                        const char *reason, const char *type)
{
    CHECK(!server->answer.overflow);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Content-Type", type);
    CHECK(evbuffer_add(evhttp_request_get_output_buffer(req), buf_str(&server->answer),
                       server->answer.len) == 0);
    outbox_send(&server->outbox, req, status, reason);
    if (server->answer.room > KEPT_ANSWER_BYTES)
        buf_fini(&server->answer);
}

static void note(struct server *server, const struct call *call, int64_t began_ms,
                 const char *outcome, const char *why)
{
    struct journal_entry *entry = journal_add(&server->journal);
    *entry = (struct journal_entry){.at_ms = server->now_ms,
                                    .took_ms = clock_mono_ms() - began_ms,
                                    .request_id = call->request_id,
                                    .outcome = outcome,
                                    .why = why,
                                    .code = call->code,
                                    .module = call->module,
                                    .is_api3 = call->is_api3,
                                    .error = call->error};
    memcpy(entry->action, call->action, sizeof entry->action);
    memcpy(entry->name, call->name, sizeof entry->name);
}

/* Answers a request with server->answer, or closes its connection if it was told to. */
static void answer(struct server *server, struct evhttp_request *req, const struct call *call,
                   int64_t began_ms, bool late_drop, const char *why)
{
    note(server, call, began_ms, late_drop ? "dropped" : "answered",
         late_drop ? "faults: late_drop" : why);
    if (late_drop) {
        exchange_new(&server->exchanges, req, EXCHANGE_DROP, call, began_ms, 0);
    } else {
        send_answer(server, req, HTTP_OK, "OK", call->is_api3 ? api3_type : data_type);
    }
}

/* A client left before its answer. */
static void on_gone(struct exchange *exchange)
{
    struct server *server = exchange->set->ctx;
    if (exchange->kind != EXCHANGE_DROP)
        note(server, &exchange->call, exchange->began_ms, "client gone", NULL);
    exchange_drop(exchange);
}

static void serve_ready(struct server *server);
static void set_due(struct server *server);

/* Carries out what a plane has decided. *kept: the form as it came, which a delay takes; or NULL.
 */
static void conclude(struct server *server, struct evhttp_request *req,
                     const struct plane_result *result, const struct call *call, int64_t began_ms,
                     char **kept, size_t kept_len)
{
    struct exchange *exchange;
    switch (result->outcome) {
    case PLANE_ANSWERED:
        answer(server, req, call, began_ms, result->late_drop, result->why);
        break;
    case PLANE_WAITS:
        exchange =
            exchange_new(&server->exchanges, req, EXCHANGE_POLL, call, began_ms, result->wait_ms);
        exchange->late_drop = result->late_drop;
        queue_wait(result->queue, &exchange->waiter);
        break;
    case PLANE_DELAYED:
        exchange =
            exchange_new(&server->exchanges, req, EXCHANGE_DELAY, call, began_ms, result->wait_ms);
        exchange->text = *kept;
        exchange->len = kept_len;
        *kept = NULL;
        break;
    case PLANE_DROPPED:
        note(server, call, began_ms, "dropped", result->why);
        exchange_new(&server->exchanges, req, EXCHANGE_DROP, call, began_ms, 0);
        break;
    case PLANE_HTTP_500:
        note(server, call, began_ms, "http_500", result->why);
        evhttp_send_error(req, HTTP_INTERNAL, NULL);
        break;
    }
    serve_ready(server);
}

static void serve_form(struct server *server, struct evhttp_request *req,
                       struct plane_request *request, int64_t began_ms)
{
    struct call call;
    char *kept = NULL; /* decoding destroys the text, and a delay wants it again */
    if (server->sabotage.count && !request->was_delayed)
        kept = span_dup(span_make(request->text, request->len));
    struct plane_result result =
        plane_serve(&server->plane, request, &call, &server->answer, unix_now(server));
    if (call.is_api3)
        pusher_sweep(server->pusher); /* a subscription may have gone */
    conclude(server, req, &result, &call, began_ms, &kept, request->len);
    free(kept);
}

/* Answers a poll with what is there. */
static void end_poll(struct server *server, struct exchange *exchange)
{
    struct exchange ended = *exchange;
    exchange_end(exchange);
    ended.call.out = &server->answer;
    actions_receive(&ended.call, ended.waiter.queue, unix_now(server));
    answer(server, ended.req, &ended.call, ended.began_ms, ended.late_drop, NULL);
}

/* Hands messages to those who wait for them, in the order of their coming, and to those who get
 * pushes. */
static void serve_ready(struct server *server)
{
    struct queue *queue;
    while ((queue = store_ready(server->store))) {
        struct exchange *exchange = (struct exchange *)queue->waiters;
        if (exchange_is_gone(exchange)) {
            on_gone(exchange);
        } else {
            end_poll(server, exchange);
        }
    }
    pusher_run(server->pusher);
    set_due(server);
}

/* A queue is about to be deleted: those who wait for its messages are told that it is gone. */
static void on_queue_goes(void *ctx, struct queue *queue)
{
    struct server *server = ctx;
    while (queue->waiters) {
        struct exchange *exchange = (struct exchange *)queue->waiters;
        struct exchange ended = *exchange;
        exchange_end(exchange);
        ended.call.out = &server->answer;
        call_error(&ended.call, 4440, 10100, NULL);
        answer(server, ended.req, &ended.call, ended.began_ms, ended.late_drop, NULL);
    }
}

static void on_settled(void *ctx)
{
    serve_ready(ctx);
}

/* kept: the form of a request that was delayed; NULL: not yet. */
static void serve_plane(struct server *server, struct evhttp_request *req, int64_t began_ms,
                        char *kept, size_t kept_len)
{
    struct plane_request request = {.text = kept, .len = kept_len, .was_delayed = kept != NULL};
    struct span query;
    request.target.method = http_method(req);
    request.target.host = span_of(http_header(req, "Host"));
    http_target(req, &request.target.path, &query);
    if (!kept && span_eq_str(request.target.method, "GET")) {
        buf_clear(&server->query);
        CHECK(buf_add(&server->query, query));
        request.text = server->query.ptr;
        request.len = server->query.len;
    } else if (!kept) {
        request.text = http_body(req, &request.len);
    }
    serve_form(server, req, &request, began_ms);
}

static const char *find_header(void *ctx, const char *name)
{
    return http_header(ctx, name);
}

static void serve_api3(struct server *server, struct evhttp_request *req, int64_t began_ms,
                       bool was_delayed)
{
    struct call call;
    struct span path;
    char *kept = NULL;
    struct verify3_request request = {
        .method = http_method(req), .ctx = req, .header = find_header};
    http_target(req, &path, &request.query);
    size_t len;
    const char *body = http_body(req, &len);
    request.body = span_make(body, len);
    struct plane_result result = plane_serve_api3(&server->plane, &request, was_delayed, &call,
                                                  &server->answer, unix_now(server));
    pusher_sweep(server->pusher);
    conclude(server, req, &result, &call, began_ms, &kept, 0);
}

static void serve_control(struct server *server, struct evhttp_request *req,
                          const struct control_request *request)
{
    struct control control = {server->store, &server->sabotage, &server->journal};
    buf_clear(&server->answer);
    int status = 403;
    if (http_is_from_page(req)) {
        buf_add_str(&server->answer,
                    "{\"error\":\"not for web pages: the request has an Origin\"}");
    } else {
        status = control_serve(&control, request, unix_now(server), &server->answer);
        pusher_sweep(server->pusher);
    }
    if (server->answer.overflow) {
        buf_clear(&server->answer);
        buf_add_str(&server->answer, "{\"error\":\"too much to show\"}");
        status = HTTP_INTERNAL;
    }
    send_answer(server, req, status, NULL, data_type);
    serve_ready(server); /* looking at the state moves time on */
}

static void on_request(struct evhttp_request *req, void *ctx)
{
    struct server *server = ctx;
    int64_t began_ms = clock_mono_ms();
    struct control_request request = {.method = http_method(req)};
    http_target(req, &request.path, &request.query);
    if (span_starts(request.path, "/local/")) {
        size_t len;
        const char *body = http_body(req, &len);
        request.body = span_make(body, len);
        serve_control(server, req, &request);
    } else if (http_is_api3(req)) {
        serve_api3(server, req, began_ms, false);
    } else {
        serve_plane(server, req, began_ms, NULL, 0);
    }
}

static void on_exchange_due(struct exchange *exchange)
{
    struct server *server = exchange->set->ctx;
    struct exchange delayed = *exchange;
    switch (exchange->kind) {
    case EXCHANGE_POLL:
        end_poll(server, exchange);
        serve_ready(server);
        break;
    case EXCHANGE_DELAY:
        exchange_end(exchange);
        if (delayed.text) {
            serve_plane(server, delayed.req, delayed.began_ms, delayed.text, delayed.len);
        } else {
            serve_api3(server, delayed.req, delayed.began_ms, true);
        }
        free(delayed.text);
        break;
    case EXCHANGE_DROP:
        exchange_drop(exchange);
        break;
    }
}

/* Sees to it that due fires no later than the store has something to do. */
static void set_due(struct server *server)
{
    int64_t next_ms = store_next_due(server->store);
    if (next_ms == INT64_MAX ||
        (event_pending(server->due, EV_TIMEOUT, NULL) && server->due_ms <= next_ms))
        return;
    struct timeval wait = timeval_of(next_ms - unix_now(server));
    CHECK(event_add(server->due, &wait) == 0);
    server->due_ms = next_ms;
}

static void on_due(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct server *server = ctx;
    store_advance(server->store, unix_now(server));
    serve_ready(server);
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct server *server = ctx;
    (void)event_base_loopbreak(server->base);
}

/* evhttp switches reading and writing several times a request: only the sum reaches the kernel. */
static struct event_base *new_base(void)
{
    struct event_config *config = check_alloc(event_config_new());
    CHECK(event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
                                            EVENT_BASE_FLAG_NOLOCK) == 0);
    struct event_base *base = check_alloc(event_base_new_with_config(config));
    event_config_free(config);
    return base;
}

static struct bufferevent *on_tls_stream(struct event_base *base, void *ctx)
{
    return tls_stream(ctx, base);
}

static void set_up_http(struct server *server, struct tls *tls)
{
    server->http = check_alloc(evhttp_new(server->base));
    evhttp_set_allowed_methods(server->http, UINT16_MAX); /* refused with a code, not a status */
    evhttp_set_max_headers_size(server->http, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(server->http, MAX_BODY_BYTES);
    evhttp_set_timeout(server->http, IDLE_S);
    (void)evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_gencb(server->http, on_request, server);
    if (tls)
        evhttp_set_bevcb(server->http, on_tls_stream, tls);
}

static void set_up_events(struct server *server)
{
    static const int numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        server->signals[i] = check_alloc(evsignal_new(server->base, numbers[i], on_signal, server));
        CHECK(event_add(server->signals[i], NULL) == 0);
    }
    server->due = check_alloc(evtimer_new(server->base, on_due, server));
}

static void open_api(struct server *server, const struct server_options *options)
{
    server->verifier3 = verifier3_new(options->verify.secret_id, options->verify.secret_key,
                                      options->api_tolerance_s);
    const struct api_options api_options = {.store = options->store,
                                            .verifier = server->plane.verifier,
                                            .verifier3 = server->verifier3,
                                            .sabotage = &server->sabotage,
                                            .tolerance_s = options->api_tolerance_s,
                                            .reuse_bar_ms = options->reuse_bar_ms,
                                            .rate = options->api_rate,
                                            .ctx = server,
                                            .queue_goes = on_queue_goes};
    server->api = server->plane.api = api_new(&api_options);
}

struct server *server_open(const struct server_options *options, struct err *err)
{
    struct server *server = check_alloc(calloc(1, sizeof *server));
    server->store = options->store;
    server->base = new_base();
    outbox_init(&server->outbox, server->base, options->vault);
    server->exchanges = (struct exchange_set){
        .base = server->base, .ctx = server, .due = on_exchange_due, .gone = on_gone};
    buf_init(&server->answer, MAX_ANSWER_BYTES);
    buf_init(&server->query, MAX_HEADER_BYTES);
    journal_init(&server->journal);
    set_up_http(server, options->tls);
    set_up_events(server);
    const struct pusher_options pusher_options = {.base = server->base,
                                                  .hub = store_pushes(options->store),
                                                  .timeout_ms = options->push_timeout_ms,
                                                  .ctx = server,
                                                  .now = unix_now,
                                                  .settled = on_settled};
    server->pusher = pusher_new(&pusher_options);
    server->plane.service =
        (struct service){options->store, server->address, options->rate, options->no_action};
    server->plane.sabotage = &server->sabotage;
    server->plane.last_request_id = (uint64_t)clock_unix_ms() << 20;
    server->plane.verifier = verifier_new(&options->verify, err);
    open_api(server, options);
    struct evconnlistener *listener =
        server->plane.verifier ? listener_open(server->base, options->listen, server->address, err)
                               : NULL;
    if (!listener) {
        server_close(server);
        return NULL;
    }
    CHECK(evhttp_bind_listener(server->http, listener)); /* which it owns now */
    return server;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

bool server_run(struct server *server)
{
    outbox_start(&server->outbox);
    serve_ready(server); /* of an earlier run */
    CHECK(event_base_dispatch(server->base) >= 0);
    return outbox_stop(&server->outbox);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    while (server->exchanges.first)
        exchange_drop(server->exchanges.first);
    pusher_free(server->pusher);
    evhttp_free(server->http); /* with its listener and connections */
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        event_free(server->signals[i]);
    event_free(server->due);
    outbox_fini(&server->outbox);
    event_base_free(server->base);
    api_free(server->api);
    verifier3_free(server->verifier3);
    verifier_free(server->plane.verifier);
    sabotage_clear(&server->sabotage);
    journal_fini(&server->journal);
    buf_fini(&server->answer);
    buf_fini(&server->query);
    free(server);
}
