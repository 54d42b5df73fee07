/*
 * pusher - see pusher.h.
 *
 * evhttp goes on using a connection after the callbacks of its request, so a try is never ended
 * from within one: it only makes its timer fire.
 */
#include "local/pusher.h"

#include "base/json.h"
#include "base/log.h"
#include "local/topic.h"

#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <utlist.h>

enum {
    REPEAT_MS = 60 * 1000,
    MAX_BODY_BYTES = 8 << 20,     /* 1 MiB, each byte escaped, and the names */
    MAX_ANSWER_BYTES = 64 * 1024, /* of headers, and of body; what is above counts for nothing */
    TOPIC_OWNER = 1250000000,     /* an account's number; this server's account has none */
};

struct pusher {
    struct pusher_options options;
    struct evdns_base *dns; /* NULL: no name was to be resolved yet */
    struct pusher_try *tries;
    struct buf body;
    uint64_t last_request_id;
    struct log_repeat failed;
    struct log_repeat dropped;
};

struct pusher_try {
    struct pusher_try *prev;
    struct pusher_try *next;
    struct pusher *pusher;
    struct push *push;
    struct evhttp_connection *connection;
    struct event *timer; /* the time limit; also fires when the request has ended */
    int status;          /* of the answer; 0: there is none yet */
    bool ended;
};

struct pusher *pusher_new(const struct pusher_options *options)
{
    struct pusher *pusher = check_alloc(calloc(1, sizeof *pusher));
    pusher->options = *options;
    pusher->last_request_id = (uint64_t)options->now(options->ctx) << 20;
    buf_init(&pusher->body, MAX_BODY_BYTES);
    return pusher;
}

/* The names' resolver, or NULL when the target needs none. */
static struct evdns_base *resolver(struct pusher *pusher, const struct endpoint *endpoint)
{
    if (!endpoint->by_name)
        return NULL;
    if (!pusher->dns) {
        int flags = EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE;
        pusher->dns = evdns_base_new(pusher->options.base, flags);
    }
    if (!pusher->dns) { /* no name server: there still is the file of hosts */
        pusher->dns = check_alloc(evdns_base_new(pusher->options.base, 0));
        (void)evdns_base_load_hosts(pusher->dns, "/etc/hosts");
    }
    return pusher->dns;
}

static void log_failure(struct pusher *pusher, const struct pusher_try *try,
                        enum push_verdict verdict, const struct subscription *to)
{
    bool dropped = verdict == PUSH_DROPPED;
    uint64_t held_back;
    int64_t now_ms = pusher->options.now(pusher->options.ctx);
    if (!log_repeat_due(dropped ? &pusher->dropped : &pusher->failed, now_ms, REPEAT_MS,
                        &held_back))
        return;
    log_write(LOG_WARN, dropped ? "local.push_dropped" : "local.push_failed",
              LOG_FIELDS(LOG_STR("topic", to->topic->name), LOG_STR("subscription", to->name),
                         LOG_NUM("status", try->status), LOG_NUM("held_back", held_back)),
              "%s: %s",
              try->status  ? "a push was answered, but not with 2xx"
              : try->ended ? "a push could not connect, or the connection was closed"
                           : "a push had no answer in time",
              dropped ? "the message is dropped" : "the message stays pending");
}

/* Ends a try, the connection with it, and settles its push. */
static enum push_verdict end_try(struct pusher_try *try)
{
    struct pusher *pusher = try->pusher;
    struct push *push = try->push;
    bool ok = try->status >= 200 && try->status <= 299;
    DL_DELETE(pusher->tries, try);
    evhttp_connection_free(try->connection);
    event_free(try->timer);
    free(try);
    return push_settle(push, ok, pusher->options.now(pusher->options.ctx));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct pusher_try ended = *(struct pusher_try *)ctx;
    struct pusher *pusher = ended.pusher;
    const struct push_line *line = ended.push->line;
    enum push_verdict verdict = end_try(ctx);
    if (line && (verdict == PUSH_RESTS || verdict == PUSH_DROPPED))
        log_failure(pusher, &ended, verdict, line->subscription);
    pusher->options.settled(pusher->options.ctx);
}

static int on_headers(struct evhttp_request *req, void *ctx)
{
    struct pusher_try *try = ctx;
    try->status = evhttp_request_get_response_code(req);
    return 0;
}

/* The request has ended, well or badly (then req is NULL or has no status). */
static void on_end(struct evhttp_request *req, void *ctx)
{
    (void)req;
    struct pusher_try *try = ctx;
    try->ended = true;
    event_active(try->timer, EV_TIMEOUT, 0);
}

/* Adds a header, with blanks for control characters, which no header can carry. */
static void add_header(struct evhttp_request *req, const char *name, struct span value)
{
    char *text = span_dup(value);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    CHECK(evhttp_add_header(evhttp_request_get_output_headers(req), name, text) == 0);
    free(text);
}

static void add_number(struct evhttp_request *req, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    add_header(req, name, span_of(text));
}

static struct span body_of(struct pusher *pusher, const struct push *push,
                           const struct subscription *to)
{
    struct span body = span_make(push->bytes + push->tags_len, push->body_len);
    struct buf *out = &pusher->body;
    if (to->simplified)
        return body;
    buf_clear(out);
    buf_printf(out, "{\"TopicOwner\":%d,\"topicName\":", TOPIC_OWNER);
    json_string(out, span_of(to->topic->name));
    buf_add_str(out, ",\"subscriptionName\":");
    json_string(out, span_of(to->name));
    buf_printf(out, ",\"msgId\":\"%llu\",\"msgBody\":", (unsigned long long)push->id);
    json_string(out, body);
    buf_printf(out, ",\"publishTime\":%lld}", (long long)push->born_ms / 1000);
    CHECK(!out->overflow);
    return buf_span(out);
}

static struct evhttp_request *request_of(struct pusher_try *try, const struct subscription *to)
{
    struct pusher *pusher = try->pusher;
    struct push *push = try->push;
    struct evhttp_request *req = check_alloc(evhttp_request_new(on_end, try));
    struct span body = body_of(pusher, push, to);
    evhttp_request_set_header_cb(req, on_headers);
    add_header(req, "Host", span_of(to->endpoint.authority));
    add_number(req, "Content-Length", body.len);
    add_header(req, "Content-Type", span_of("text/plain"));
    add_header(req, "User-Agent", span_of("Qcloud Notification Service Agent"));
    add_number(req, "x-cmq-request-id", ++pusher->last_request_id);
    add_number(req, "x-cmq-message-id", push->id);
    if (push->tags_len)
        add_header(req, "x-cmq-message-tag", span_make(push->bytes, push->tags_len));
    CHECK(evbuffer_add(evhttp_request_get_output_buffer(req), body.ptr, body.len) == 0);
    return req;
}

static void begin_try(struct pusher *pusher, struct push *push)
{
    const struct subscription *to = push->line->subscription;
    const struct endpoint *endpoint = &to->endpoint;
    struct timeval limit = {.tv_sec = pusher->options.timeout_ms / 1000,
                            .tv_usec = pusher->options.timeout_ms % 1000 * 1000};
    struct timeval beyond = {.tv_sec = limit.tv_sec + 1}; /* evhttp's own limits come too late */
    struct pusher_try *try = check_alloc(calloc(1, sizeof *try));
    try->pusher = pusher;
    try->push = push;
    try->timer = check_alloc(evtimer_new(pusher->options.base, on_timer, try));
    try->connection = check_alloc(evhttp_connection_base_new(
        pusher->options.base, resolver(pusher, endpoint), endpoint->host, endpoint->port));
    evhttp_connection_set_timeout_tv(try->connection, &beyond);
    evhttp_connection_set_max_headers_size(try->connection, MAX_ANSWER_BYTES);
    evhttp_connection_set_max_body_size(try->connection, MAX_ANSWER_BYTES);
    DL_APPEND(pusher->tries, try);
    CHECK(event_add(try->timer, &limit) == 0);
    if (evhttp_make_request(try->connection, request_of(try, to), EVHTTP_REQ_POST,
                            endpoint->target) != 0)
        on_end(NULL, try);
}

void pusher_run(struct pusher *pusher)
{
    struct push *push;
    while ((push = push_next(pusher->options.hub, pusher->options.now(pusher->options.ctx))))
        begin_try(pusher, push);
}

void pusher_sweep(struct pusher *pusher)
{
    struct pusher_try *try, *next;
    DL_FOREACH_SAFE(pusher->tries, try, next)
    {
        if (!try->push->line)
            (void)end_try(try);
    }
}

void pusher_free(struct pusher *pusher)
{
    if (!pusher)
        return;
    struct pusher_try *try, *next;
    DL_FOREACH_SAFE(pusher->tries, try, next)
    {
        (void)end_try(try);
    }
    if (pusher->dns)
        evdns_base_free(pusher->dns, 0);
    buf_fini(&pusher->body);
    free(pusher);
}
