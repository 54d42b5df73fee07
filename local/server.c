/*
 * server - see server.h.
 *
 * A request that is not answered at once is an exchange: a poll that stands in its queue's line, a
 * request that the script delays, or a connection that is to be closed. evhttp stops reading from
 * a connection while a request is under way, and so does not notice its end; each exchange
 * therefore watches its socket itself, edge-triggered, because the client may have sent its next
 * request already, which stays unread until this one is answered.
 */
#include "local/server.h"

#include "base/clock.h"
#include "local/control.h"
#include "local/listener.h"
#include "local/plane.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <utlist.h>

enum {
    IDLE_S = 300,
    MAX_HEADER_BYTES = 64 * 1024,
    MAX_BODY_BYTES = 4 * CMQ_MAX_POST_BYTES, /* above the limit, to answer instead of closing */
    MAX_ANSWER_BYTES = 128 << 20,            /* 16 bodies of 1 MiB, each byte escaped */
    KEPT_ANSWER_BYTES = 1 << 20,
};

enum exchange_kind { EXCHANGE_POLL, EXCHANGE_DELAY, EXCHANGE_DROP };

struct exchange {
    struct queue_waiter waiter; /* first, so that it leads back here */
    struct exchange *prev;
    struct exchange *next;
    struct server *server;
    struct evhttp_request *req;
    struct event *event; /* the socket and the time limit */
    enum exchange_kind kind;
    bool late_drop;
    int64_t began_ms; /* monotonic, as all times here */
    int64_t due_ms;
    struct call call;
    char *text; /* EXCHANGE_DELAY: the form as it came */
    size_t len;
};

struct server {
    struct event_base *base;
    struct evhttp *http;
    struct event *signals[2];
    struct event *due; /* when the store has something to do */
    int64_t due_ms;    /* when due is set to fire */
    int64_t now_ms;    /* Unix time; never runs backwards */
    struct exchange *exchanges;
    struct plane plane;
    struct store *store;
    struct sabotage sabotage;
    struct journal journal;
    struct buf answer;
    struct buf query; /* a copy of what evhttp keeps, to be decoded in place */
    char address[LISTENER_ADDRESS_SIZE];
};

static int64_t unix_now(struct server *server)
{
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
                        const char *reason)
{
    CHECK(!server->answer.overflow);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Content-Type", "application/json;charset=utf-8");
    CHECK(evbuffer_add(evhttp_request_get_output_buffer(req), buf_str(&server->answer),
                       server->answer.len) == 0);
    evhttp_send_reply(req, status, reason, NULL);
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
                                    .module = call->module};
    memcpy(entry->action, call->action, sizeof entry->action);
    memcpy(entry->name, call->name, sizeof entry->name);
}

/* Ends an exchange, but neither its request nor its connection. */
static void exchange_end(struct exchange *exchange)
{
    queue_leave(&exchange->waiter);
    DL_DELETE(exchange->server->exchanges, exchange);
    event_free(exchange->event);
    free(exchange->text);
    free(exchange);
}

/* Ends an exchange and closes its connection, which frees the request. */
static void exchange_drop(struct exchange *exchange)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(exchange->req);
    exchange_end(exchange);
    evhttp_connection_free(connection);
}

/* Whether the client has closed its side or the connection is broken. */
static bool exchange_gone(const struct exchange *exchange)
{
    struct pollfd fd = {.fd = event_get_fd(exchange->event), .events = POLLRDHUP};
    return poll(&fd, 1, 0) == 1;
}

static void exchange_due(struct exchange *exchange);

static void on_exchange(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    struct exchange *exchange = ctx;
    if (exchange_gone(exchange)) {
        if (exchange->kind != EXCHANGE_DROP)
            note(exchange->server, &exchange->call, exchange->began_ms, "client gone", NULL);
        exchange_drop(exchange);
    } else if (what & EV_TIMEOUT) {
        exchange_due(exchange);
    } else { /* more bytes came: the time that is left stays as it was */
        struct timeval left = timeval_of(exchange->due_ms - clock_mono_ms());
        CHECK(event_add(exchange->event, &left) == 0);
    }
}

static struct exchange *exchange_new(struct server *server, struct evhttp_request *req,
                                     enum exchange_kind kind, const struct call *call,
                                     int64_t began_ms, int64_t wait_ms)
{
    struct exchange *exchange = check_alloc(calloc(1, sizeof *exchange));
    exchange->server = server;
    exchange->req = req;
    exchange->kind = kind;
    exchange->call = *call;
    exchange->began_ms = began_ms;
    exchange->due_ms = clock_mono_ms() + wait_ms;
    struct evhttp_connection *connection = evhttp_request_get_connection(req);
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    exchange->event = check_alloc(
        event_new(server->base, fd, EV_READ | EV_ET | EV_PERSIST, on_exchange, exchange));
    struct timeval wait = timeval_of(wait_ms);
    if (event_add(exchange->event, &wait) != 0) {
        /* evhttp still writes "100 Continue" and the two ways of watching do not mix: the end of
         * this connection is noticed when its time comes or a message is to be handed out. */
        CHECK(event_assign(exchange->event, server->base, fd, EV_TIMEOUT, on_exchange, exchange) ==
              0);
        CHECK(event_add(exchange->event, &wait) == 0);
    }
    DL_APPEND(server->exchanges, exchange);
    return exchange;
}

static void serve_ready(struct server *server);
static void set_due(struct server *server);

/* Answers a request with server->answer, or closes its connection if it was told to. */
static void answer(struct server *server, struct evhttp_request *req, const struct call *call,
                   int64_t began_ms, bool late_drop, const char *why)
{
    note(server, call, began_ms, late_drop ? "dropped" : "answered",
         late_drop ? "faults: late_drop" : why);
    if (late_drop)
        exchange_new(server, req, EXCHANGE_DROP, call, began_ms, 0);
    else
        send_answer(server, req, HTTP_OK, "OK");
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
    struct exchange *exchange;
    switch (result.outcome) {
    case PLANE_ANSWERED:
        answer(server, req, &call, began_ms, result.late_drop, result.why);
        break;
    case PLANE_WAITS:
        exchange = exchange_new(server, req, EXCHANGE_POLL, &call, began_ms, result.wait_ms);
        exchange->late_drop = result.late_drop;
        queue_wait(result.queue, &exchange->waiter);
        break;
    case PLANE_DELAYED:
        exchange = exchange_new(server, req, EXCHANGE_DELAY, &call, began_ms, result.wait_ms);
        exchange->text = kept;
        exchange->len = request->len;
        kept = NULL;
        break;
    case PLANE_DROPPED:
        note(server, &call, began_ms, "dropped", result.why);
        exchange_new(server, req, EXCHANGE_DROP, &call, began_ms, 0);
        break;
    case PLANE_HTTP_500:
        note(server, &call, began_ms, "http_500", result.why);
        evhttp_send_error(req, HTTP_INTERNAL, NULL);
        break;
    }
    free(kept);
    serve_ready(server);
}

/* Hands messages to those who wait for them, in the order of their coming. */
static void serve_ready(struct server *server)
{
    struct queue *queue;
    while ((queue = store_ready(server->store))) {
        struct exchange *exchange = (struct exchange *)queue->waiters;
        if (exchange_gone(exchange)) {
            note(server, &exchange->call, exchange->began_ms, "client gone", NULL);
            exchange_drop(exchange);
            continue;
        }
        exchange->call.out = &server->answer;
        actions_receive(&exchange->call, queue, unix_now(server));
        struct call call = exchange->call;
        struct evhttp_request *req = exchange->req;
        bool late_drop = exchange->late_drop;
        int64_t began_ms = exchange->began_ms;
        exchange_end(exchange);
        answer(server, req, &call, began_ms, late_drop, NULL);
    }
    set_due(server);
}

static struct span method_of(struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
        return span_of("GET");
    case EVHTTP_REQ_POST:
        return span_of("POST");
    case EVHTTP_REQ_HEAD:
        return span_of("HEAD");
    case EVHTTP_REQ_PUT:
        return span_of("PUT");
    case EVHTTP_REQ_DELETE:
        return span_of("DELETE");
    case EVHTTP_REQ_OPTIONS:
        return span_of("OPTIONS");
    case EVHTTP_REQ_PATCH:
        return span_of("PATCH");
    default:
        return span_of("method");
    }
}

/* Splits the request's target; one that begins with a scheme (as to a proxy) loses its host. */
static void split_target(struct evhttp_request *req, struct span *path, struct span *query)
{
    struct span target = span_of(evhttp_request_get_uri(req));
    if (target.len && target.ptr[0] != '/') {
        const char *host = memmem(target.ptr, target.len, "://", 3);
        struct span rest = host ? span_of(host + 3) : target;
        target = span_slice(rest, span_find(rest, '/'), rest.len);
    }
    size_t mark = span_find(target, '?');
    *path = span_slice(target, 0, mark);
    *query = span_slice(target, mark + 1, target.len);
    if (path->len == 0)
        *path = span_of("/");
}

static const char *header(struct evhttp_request *req, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(req), name);
}

static struct span body_of(struct evhttp_request *req)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(input);
    return span_make(evbuffer_pullup(input, -1), len);
}

static void serve_plane(struct server *server, struct evhttp_request *req, int64_t began_ms,
                        char *kept, size_t kept_len)
{
    struct plane_request request = {.was_delayed = kept != NULL};
    struct span query, body;
    request.target.method = method_of(req);
    request.target.host = span_of(header(req, "Host"));
    split_target(req, &request.target.path, &query);
    bool is_get = span_eq_str(request.target.method, "GET");
    if (kept) {
        request.text = kept;
        request.len = kept_len;
    } else if (is_get) {
        buf_clear(&server->query);
        CHECK(buf_add(&server->query, query));
        request.text = server->query.ptr;
        request.len = server->query.len;
    } else {
        body = body_of(req);
        request.text = (char *)(uintptr_t)body.ptr; /* the request's own buffer: ours to change */
        request.len = body.len;
    }
    serve_form(server, req, &request, began_ms);
}

static bool is_api3(struct evhttp_request *req)
{
    const char *authorization = header(req, "Authorization");
    return header(req, "X-TC-Action") ||
           (authorization && span_starts(span_of(authorization), "TC3-"));
}

static void serve_api3(struct server *server, struct evhttp_request *req, int64_t began_ms)
{
    struct call call = {.request_id = ++server->plane.last_request_id, .out = &server->answer};
    const char *action = header(req, "X-TC-Action");
    (void)snprintf(call.action, sizeof call.action, "%s", action ? action : "");
    plane_no_management(&server->plane, &call);
    answer(server, req, &call, began_ms, false, NULL);
}

/* Whether a web page on another site may have caused the request. */
static bool from_browser(struct evhttp_request *req)
{
    const char *site = header(req, "Sec-Fetch-Site");
    return header(req, "Origin") || (site && strcmp(site, "none") != 0);
}

static void serve_control(struct server *server, struct evhttp_request *req,
                          const struct control_request *request)
{
    struct control control = {server->store, &server->sabotage, &server->journal};
    buf_clear(&server->answer);
    int status = 403;
    if (from_browser(req))
        buf_add_str(&server->answer,
                    "{\"error\":\"not for web pages: the request has an Origin\"}");
    else
        status = control_serve(&control, request, unix_now(server), &server->answer);
    send_answer(server, req, status, NULL);
    serve_ready(server); /* looking at the state moves time on */
}

static void on_request(struct evhttp_request *req, void *ctx)
{
    struct server *server = ctx;
    int64_t began_ms = clock_mono_ms();
    struct control_request request = {.method = method_of(req)};
    split_target(req, &request.path, &request.query);
    if (span_starts(request.path, "/local/")) {
        request.body = body_of(req);
        serve_control(server, req, &request);
    } else if (is_api3(req)) {
        serve_api3(server, req, began_ms);
    } else {
        serve_plane(server, req, began_ms, NULL, 0);
    }
}

static void exchange_due(struct exchange *exchange)
{
    struct server *server = exchange->server;
    if (exchange->kind == EXCHANGE_DROP) {
        exchange_drop(exchange);
        return;
    }
    struct evhttp_request *req = exchange->req;
    int64_t began_ms = exchange->began_ms;
    if (exchange->kind == EXCHANGE_POLL) {
        struct call call = exchange->call;
        bool late_drop = exchange->late_drop;
        struct queue *queue = exchange->waiter.queue;
        exchange_end(exchange);
        call.out = &server->answer;
        actions_receive(&call, queue, unix_now(server));
        answer(server, req, &call, began_ms, late_drop, NULL);
        serve_ready(server);
        return;
    }
    char *text = exchange->text;
    size_t len = exchange->len;
    exchange->text = NULL;
    exchange_end(exchange);
    serve_plane(server, req, began_ms, text, len);
    free(text);
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

static void set_up_http(struct server *server)
{
    server->http = check_alloc(evhttp_new(server->base));
    evhttp_set_allowed_methods(server->http, UINT16_MAX); /* refused with a code, not a status */
    evhttp_set_max_headers_size(server->http, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(server->http, MAX_BODY_BYTES);
    evhttp_set_timeout(server->http, IDLE_S);
    (void)evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_gencb(server->http, on_request, server);
}

static void set_up_events(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        server->signals[i] = check_alloc(evsignal_new(server->base, numbers[i], on_signal, server));
        CHECK(event_add(server->signals[i], NULL) == 0);
    }
    server->due = check_alloc(evtimer_new(server->base, on_due, server));
}

struct server *server_open(const struct server_options *options, struct err *err)
{
    struct server *server = check_alloc(calloc(1, sizeof *server));
    server->store = options->store;
    server->base = new_base();
    buf_init(&server->answer, MAX_ANSWER_BYTES);
    buf_init(&server->query, MAX_HEADER_BYTES);
    journal_init(&server->journal);
    set_up_http(server);
    set_up_events(server);
    server->plane.service = (struct service){options->store, server->address};
    server->plane.sabotage = &server->sabotage;
    server->plane.last_request_id = (uint64_t)clock_unix_ms() << 20;
    server->plane.verifier = verifier_new(&options->verify, err);
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

void server_run(struct server *server)
{
    set_due(server);
    CHECK(event_base_dispatch(server->base) >= 0);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    while (server->exchanges)
        exchange_drop(server->exchanges);
    evhttp_free(server->http); /* with its listener and connections */
    for (size_t i = 0; i < sizeof server->signals / sizeof *server->signals; i++)
        event_free(server->signals[i]);
    event_free(server->due);
    event_base_free(server->base);
    verifier_free(server->plane.verifier);
    sabotage_clear(&server->sabotage);
    journal_fini(&server->journal);
    buf_fini(&server->answer);
    buf_fini(&server->query);
    free(server);
}
