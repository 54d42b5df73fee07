/* admin - see admin.h: the listener, who may ask what, and the answers that are at hand. */
#include "gateway/admin_impl.h"

#include "base/emit.h"
#include "base/log.h"
#include "config/secret.h"
#include "gateway/metrics.h"

enum {
    ADMIN_MAX_BODIES_BYTES = 16 << 20,
    ADMIN_MAX_CONNECTIONS = 64,
    ADMIN_TIMEOUT_MS = 10000,
    ADMIN_MAX_WAITING = 16,
    ADMIN_SILENT_MS = 30000, /* a thread that has not taken its turn for so long is stuck */
    ADMIN_FEW_RULES = 1000,  /* so many have their metrics from the start */
};

static const char strict_policy[] = "default-src 'none'; frame-ancestors 'none'";

/* ---- answers ---- */

void admin_answer_as(struct http_request *request, unsigned status, const char *content_type,
                     const char *policy, struct span body)
{
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply_header(request, "X-Content-Type-Options", "nosniff");
    http_reply_header(request, "Referrer-Policy", "no-referrer");
    http_reply_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    http_reply_header(request, "Content-Security-Policy", policy ? policy : strict_policy);
    http_reply(request, status, content_type, body);
}

void admin_refuse(struct http_request *request, unsigned status, const char *text)
{
    struct buf out = BUF_INIT(4096);
    struct emit e = {.out = &out};
    emit_object(&e, NULL);
    emit_text(&e, "error", text);
    emit_object_end(&e);
    admin_answer(request, status, &out);
}

void admin_answer(struct http_request *request, unsigned status, struct buf *out)
{
    if (out->overflow) {
        buf_clear(out);
        buf_add_str(out, "{\"error\":\"the answer is too large\"}");
        status = 500;
    }
    buf_add_char(out, '\n');
    admin_answer_as(request, status, "application/json", NULL, buf_span(out));
    buf_fini(out);
}

/* ---- what the answers are made from ---- */

const struct config *admin_config(struct admin *admin)
{
    pthread_mutex_lock(&admin->mutex);
    const struct config *config = config_hold(admin->config);
    pthread_mutex_unlock(&admin->mutex);
    return config;
}

struct status_view admin_view(struct admin *admin)
{
    struct status_view view = admin->options.view;
    view.config = admin_config(admin);
    return view;
}

/* ---- handlers that answer at once ---- */

struct guard_request admin_who(const struct http_request *request)
{
    return (struct guard_request){.host = http_header(request, "Host"),
                                  .origin = http_header(request, "Origin"),
                                  .fetch_site = http_header(request, "Sec-Fetch-Site"),
                                  .authorization = http_header(request, "Authorization")};
}

static void healthz(struct admin *admin, struct http_request *request)
{
    int64_t silent_ms = status_silent_ms(&admin->options.view);
    bool ok = silent_ms < ADMIN_SILENT_MS;
    struct buf out = BUF_INIT(256);
    struct emit e = {.out = &out};
    emit_object(&e, NULL);
    emit_bool(&e, "ok", ok);
    if (!ok)
        emit_number(&e, "silent_s", (double)silent_ms / 1000);
    emit_object_end(&e);
    admin_answer(request, ok ? 200 : 503, &out);
}

static void readyz(struct admin *admin, struct http_request *request)
{
    struct guard_request who = admin_who(request);
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    bool ready = status_ready(&admin->options.view, guard_knows(admin->guard, &who), &out);
    admin_answer(request, ready ? 200 : 503, &out);
}

static void status(struct admin *admin, struct http_request *request)
{
    struct status_view view = admin_view(admin);
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    status_json(&view, &out);
    config_free(view.config);
    admin_answer(request, 200, &out);
}

static void rules(struct admin *admin, struct http_request *request)
{
    struct status_view view = admin_view(admin);
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    status_rules_json(&view, &out);
    config_free(view.config);
    admin_answer(request, 200, &out);
}

static void metrics(struct admin *admin, struct http_request *request)
{
    struct status_view view = admin_view(admin);
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    metrics_write(&view, &out);
    config_free(view.config);
    if (out.overflow)
        admin_refuse(request, 500, "the answer is too large");
    else
        admin_answer_as(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
                        buf_span(&out));
    buf_fini(&out);
}

/* ---- who may ask what ---- */

enum {
    GET = 1, /* and HEAD */
    POST = 2,
    OPEN = 4,   /* wants no token */
    PREFIX = 8, /* what follows the path belongs to it */
};

static const struct route {
    const char *path;
    void (*handler)(struct admin *admin, struct http_request *request);
    unsigned how;
} routes[] = {
    {"/", admin_page, GET | OPEN},
    {"/page/", admin_page, GET | OPEN | PREFIX},
    {"/healthz", healthz, GET | OPEN},
    {"/readyz", readyz, GET | OPEN},
    {"/metrics", metrics, GET},
    {"/api/v1/status", status, GET},
    {"/api/v1/rules", rules, GET},
    {"/api/v1/explain", admin_explain, GET | POST},
    {"/api/v1/dead-letters", admin_letters, GET},
    {"/api/v1/dead-letters/replay", admin_replay, POST},
    {"/api/v1/dead-letters/drop", admin_drop, POST},
    {"/api/v1/dead-letters/", admin_letter, GET | PREFIX},
    {"/api/v1/reload", admin_reload, POST},
};

static const struct route *route_of(const struct http_request *request)
{
    const char *path = http_path(request);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const struct route *route = &routes[i];
        if (route->how & PREFIX ? span_starts(span_of(path), route->path)
                                : strcmp(path, route->path) == 0)
            return route;
    }
    return NULL;
}

static unsigned method_of(const struct http_request *request)
{
    const char *method = http_method(request);
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? GET
           : strcmp(method, "POST") == 0                             ? POST
                                                                     : 0;
}

static bool is_json(struct span content_type)
{
    struct span type = span_slice(content_type, 0, span_find(content_type, ';'));
    while (type.len > 0 && type.ptr[type.len - 1] == ' ')
        type.len--;
    return span_eq_str(type, "application/json");
}

/* Only those who may ask for something have us keep their bytes. */
static bool wants_body(void *ctx, const struct http_request *request)
{
    struct admin *admin = ctx;
    const struct route *route = route_of(request);
    struct guard_request who = admin_who(request);
    return route && (route->how & POST) && method_of(request) == POST &&
           is_json(http_header(request, "Content-Type")) &&
           guard_judge(admin->guard, &who, route->how & OPEN) == GUARD_PASS;
}

static bool let_in(struct admin *admin, const struct route *route, struct http_request *request)
{
    struct guard_request who = admin_who(request);
    /* A link on another page may lead to ours, which then shows itself and does nothing else. */
    if (route && route->handler == admin_page &&
        span_eq_str(http_header(request, "Sec-Fetch-Mode"), "navigate"))
        who.fetch_site = (struct span){NULL, 0};
    switch (guard_judge(admin->guard, &who, route && (route->how & OPEN))) {
    case GUARD_PASS:
        return true;
    case GUARD_TOKEN:
        http_reply_header(request, "WWW-Authenticate", "Bearer realm=\"cmqgw\"");
        admin_refuse(request, 401, "this needs the token: Authorization: Bearer TOKEN");
        return false;
    case GUARD_HOST:
        admin_refuse(request, 403,
                     "Host is none of this listener's names; with admin.token set, any would do");
        return false;
    case GUARD_ORIGIN:
        break;
    }
    admin_refuse(request, 403, "a page of another origin may not ask");
    return false;
}

static void on_request(void *ctx, struct http_request *request)
{
    struct admin *admin = ctx;
    const struct route *route = route_of(request);
    if (!let_in(admin, route, request))
        return;
    unsigned method = method_of(request);
    struct span type = http_header(request, "Content-Type");
    if (!route) {
        admin_refuse(request, 404, "there is nothing here; docs/admin.md has the list");
    } else if (!(route->how & method)) {
        http_reply_header(request, "Allow",
                          !(route->how & POST)  ? "GET, HEAD"
                          : !(route->how & GET) ? "POST"
                                                : "GET, HEAD, POST");
        admin_refuse(request, 405, "this method is not for this path");
    } else if (method == POST && type.ptr && !is_json(type)) {
        admin_refuse(request, 415, "a body must be application/json");
    } else {
        route->handler(admin, request);
    }
}

/* ---- the worker ---- */

static void call_free(struct admin_call *call)
{
    free(call->path);
    free(call->arg);
    free(call);
}

static void run_call(void *ctx, bool cancelled)
{
    struct admin_call *call = ctx;
    if (cancelled)
        admin_refuse(call->request, 503, "the gateway is ending");
    else
        call->fn(call);
    call_free(call);
}

void admin_later(struct admin *admin, struct http_request *request,
                 void (*fn)(struct admin_call *call), void *arg)
{
    struct admin_call *call = check_alloc(malloc(sizeof *call));
    *call = (struct admin_call){admin, request, span_dup(span_of(http_path(request))), fn, arg};
    if (worker_post(admin->worker, run_call, call))
        return;
    http_reply_header(request, "Retry-After", "1");
    admin_refuse(request, 503, "too many requests wait already");
    call_free(call);
}

/* ---- life ---- */

static bool read_token(const struct config *config, struct buf *token, struct err *err)
{
    struct span text = span_of(config->admin.token);
    return text.len == 0 || secret_resolve(text, token, err);
}

static void enter_rules(struct admin *admin, const struct ruleset *set)
{
    struct figures_book *book = counters_book(admin->options.view.counters);
    if (set->forward_count + set->reverse_count > ADMIN_FEW_RULES)
        return;
    for (size_t i = 0; i < set->forward_count; i++)
        (void)figures_enter(book, FIGURES_FORWARD, span_of(set->forward[i].name));
}

void admin_use(struct admin *admin, const struct config *config)
{
    struct buf token = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    if (!read_token(config, &token, &err))
        log_write(LOG_WARN, "admin.token", NULL, "admin.token stays as it was: %s", err.text);
    else if (token.len > 0)
        guard_change_token(admin->guard, buf_span(&token));
    buf_fini(&token);
    enter_rules(admin, config->rules);
    pthread_mutex_lock(&admin->mutex);
    const struct config *old = admin->config;
    admin->config = config_hold(config);
    pthread_mutex_unlock(&admin->mutex);
    config_free(old);
}

static bool listen(struct admin *admin, struct err *err)
{
    const struct config *config = admin->config;
    const struct http_options http = {
        .name = "admin",
        .listen = config->admin.listen,
        .max_body_bytes = ADMIN_MAX_BODY_BYTES,
        .max_bodies_bytes = ADMIN_MAX_BODIES_BYTES,
        .max_connections = ADMIN_MAX_CONNECTIONS,
        .timeout_ms = ADMIN_TIMEOUT_MS,
        .wants_body = wants_body,
    };
    struct buf token = BUF_INIT(SECRET_MAX_BYTES);
    bool ok = read_token(config, &token, err);
    if (ok && config->admin.token[0] != '\0' && token.len == 0)
        ok = err_set(err, "admin.token is empty where it refers to");
    if (ok) {
        admin->guard = guard_new(config->admin.listen, buf_span(&token));
        admin->listener = http_listener_new(&http, on_request, admin, err);
    }
    buf_fini(&token);
    return admin->listener;
}

struct admin *admin_new(const struct admin_options *options, struct err *err)
{
    struct admin *admin = check_alloc(calloc(1, sizeof *admin));
    admin->options = *options;
    admin->config = config_hold(options->view.config);
    CHECK(pthread_mutex_init(&admin->mutex, NULL) == 0);
    admin->jq = options->jq ? jq_worker_new(options->jq) : NULL;
    admin->worker = worker_new("admin-work", ADMIN_MAX_WAITING);
    enter_rules(admin, admin->config->rules);
    if (!listen(admin, err)) {
        admin_free(admin);
        return NULL;
    }
    log_write(LOG_INFO, "admin.listening", LOG_FIELDS(LOG_NUM("port", admin_port(admin))),
              "operators are served on %s", admin->config->admin.listen);
    return admin;
}

uint16_t admin_port(const struct admin *admin)
{
    return http_listener_port(admin->listener);
}

void admin_stop(struct admin *admin)
{
    if (admin->listener)
        http_listener_stop(admin->listener);
    worker_stop(admin->worker);
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    admin_stop(admin);
    http_listener_free(admin->listener);
    worker_free(admin->worker);
    guard_free(admin->guard);
    jq_worker_free(admin->jq);
    config_free(admin->config);
    pthread_mutex_destroy(&admin->mutex);
    free(admin);
}
