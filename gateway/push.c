/* push - see push.h. The mutex guards the configuration, and what is known of repeated log lines.
 */
#include "gateway/push.h"

#include "admin/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmq/limits.h"
#include "config/config.h"
#include "gateway/downlink.h"
#include "gateway/push_body.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    /* Of 1 MiB, if each byte came as \u00XX: 6 MiB, and what is around it. */
    PUSH_MAX_BODY_BYTES = 8 << 20,
    PUSH_MAX_BODIES_BYTES = 64 << 20,
    /* Well below the usual 1,024 open files; a proxy in front is one address. */
    PUSH_MAX_CONNECTIONS = 512,
    PUSH_MAX_CONNECTIONS_PER_ADDRESS = 384,
    PUSH_TIMEOUT_MS = 15000, /* as long as CMQ waits for an answer */
    PUSH_LOG_PERIOD_MS = 60000,
};

enum complaint { NOT_FOUND, REFUSED, AWAY, FAILED, COMPLAINT_COUNT };

static const struct {
    const char *event, *text;
} complaints[COMPLAINT_COUNT] = {
    [NOT_FOUND] = {"push.not_found", "a request to no rule's push path was answered with 404"},
    [REFUSED] = {"push.refused", "a push was answered with 400"},
    [AWAY] = {"push.away", "a push was answered with 503: MQTT is down, or too many are under way"},
    [FAILED] = {"push.failed", "a push was answered with 500 after a failure"},
};

struct push {
    atomic_uint holders; /* its owner, and each call */
    struct downlink *downlink;
    struct http_listener *listener;
    pthread_mutex_t mutex;
    const struct config *config;
    struct log_repeat repeats[COMPLAINT_COUNT];
};

/* What a push is called, for the log; cut when longer. */
struct push_ids {
    char request[64];
    char msg[CMQ_MAX_HANDLE_BYTES + 1];
};

/* A push on its way to the broker. */
struct push_call {
    struct push *push;
    const struct config *config; /* of the rule; held */
    const struct reverse_rule *rule;
    struct http_request *request;
    struct push_ids ids;
};

static void let_go(struct push *push)
{
    if (atomic_fetch_sub(&push->holders, 1) != 1)
        return;
    http_listener_free(push->listener);
    config_free(push->config);
    pthread_mutex_destroy(&push->mutex);
    free(push);
}

static const struct config *hold_config(struct push *push)
{
    pthread_mutex_lock(&push->mutex);
    const struct config *config = config_hold(push->config);
    pthread_mutex_unlock(&push->mutex);
    return config;
}

static void copy(char *out, size_t size, struct span text)
{
    struct span cut = span_slice(text, 0, size - 1);
    if (cut.len > 0)
        memcpy(out, cut.ptr, cut.len);
    out[cut.len] = '\0';
}

/* Logs the first of its kind, then one a minute. */
static void complain(struct push *push, enum complaint what, const char *rule,
                     const struct push_ids *ids, const char *why)
{
    uint64_t held_back = 0;
    pthread_mutex_lock(&push->mutex);
    bool due =
        log_repeat_due(&push->repeats[what], clock_mono_ms(), PUSH_LOG_PERIOD_MS, &held_back);
    pthread_mutex_unlock(&push->mutex);
    if (due)
        log_write(LOG_WARN, complaints[what].event,
                  LOG_FIELDS(LOG_STR("rule", rule), LOG_STR("request_id", ids->request),
                             LOG_STR("msg_id", ids->msg), LOG_NUM("more", held_back)),
                  "%s%s%s", complaints[what].text, *why ? ": " : "", why);
}

static void reply(struct http_request *request, unsigned status, const char *text)
{
    http_reply(request, status, "text/plain", span_of(text));
}

/* How long it takes says nothing about where they differ. */
static bool same_secret(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    volatile unsigned char differ = 0;
    for (size_t i = 0; i < a.len; i++)
        differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return differ == 0;
}

/* The rule that the request is for; NULL: none. Looks at all of them, whichever it is. */
static const struct reverse_rule *rule_for(const struct config *config,
                                           const struct http_request *request)
{
    const struct span path = span_of(http_path(request));
    const struct reverse_rule *found = NULL;
    for (size_t i = 0; i < config->rules->reverse_count; i++) {
        const struct reverse_rule *rule = &config->rules->reverse[i];
        if (rule->push_path && same_secret(path, span_of(rule->push_path)))
            found = rule;
    }
    return strcmp(http_method(request), "POST") == 0 ? found : NULL;
}

static bool wants_body(void *ctx, const struct http_request *request)
{
    const struct config *config = hold_config(ctx);
    bool wanted = rule_for(config, request) != NULL;
    config_free(config);
    return wanted;
}

static void on_pushed(void *ctx, enum downlink_push_result result)
{
    struct push_call *call = ctx;
    if (result == DOWNLINK_PUSH_DONE) {
        reply(call->request, 200, "done\n");
    } else {
        bool away = result == DOWNLINK_PUSH_AWAY;
        complain(call->push, away ? AWAY : FAILED, call->rule->name, &call->ids, "");
        if (away)
            http_reply_header(call->request, "Retry-After", "10");
        reply(call->request, away ? 503 : 500, "try again later\n");
    }
    config_free(call->config);
    let_go(call->push);
    free(call);
}

static void pass_on(struct push *push, const struct config *config, const struct reverse_rule *rule,
                    struct http_request *request, const struct push_ids *ids,
                    const struct push_body *body)
{
    struct push_call *call = check_alloc(malloc(sizeof *call));
    *call = (struct push_call){push, config_hold(config), rule, request, *ids};
    atomic_fetch_add(&push->holders, 1);
    copy(call->ids.msg, sizeof call->ids.msg, body->msg_id);
    downlink_push(push->downlink, rule->name, body->msg_id, body->message, on_pushed, call);
}

static void serve(struct push *push, const struct config *config, struct http_request *request)
{
    const struct reverse_rule *rule = rule_for(config, request);
    const struct span id_header = http_header(request, "x-cmq-message-id");
    struct push_ids ids;
    copy(ids.request, sizeof ids.request, http_header(request, "x-cmq-request-id"));
    copy(ids.msg, sizeof ids.msg, id_header);
    if (!rule) {
        complain(push, NOT_FOUND, "", &ids, "");
        reply(request, 404, "not found\n");
        return;
    }
    struct push_body body;
    struct err err;
    if (push_body_read(&body, id_header, http_body(request), &err)) {
        pass_on(push, config, rule, request, &ids, &body);
    } else {
        complain(push, REFUSED, rule->name, &ids, err.text);
        reply(request, 400, "this is no push that can be passed on\n");
    }
    push_body_fini(&body);
}

static void on_request(void *ctx, struct http_request *request)
{
    struct push *push = ctx;
    const struct config *config = hold_config(push);
    serve(push, config, request);
    config_free(config);
}

struct push *push_new(const struct push_options *options, struct err *err)
{
    static const struct http_options usual = {
        .name = "push",
        .max_body_bytes = PUSH_MAX_BODY_BYTES,
        .max_bodies_bytes = PUSH_MAX_BODIES_BYTES,
        .max_connections = PUSH_MAX_CONNECTIONS,
        .max_connections_per_address = PUSH_MAX_CONNECTIONS_PER_ADDRESS,
        .timeout_ms = PUSH_TIMEOUT_MS,
        .wants_body = wants_body,
    };
    struct push *push = check_alloc(calloc(1, sizeof *push));
    struct http_options http = usual;
    atomic_init(&push->holders, 1);
    push->config = config_hold(options->config);
    push->downlink = options->downlink;
    CHECK(pthread_mutex_init(&push->mutex, NULL) == 0);
    http.listen = options->config->push.listen;
    push->listener = http_listener_new(&http, on_request, push, err);
    if (!push->listener) {
        push_free(push);
        return NULL;
    }
    log_write(LOG_INFO, "push.listening", LOG_FIELDS(LOG_NUM("port", push_port(push))),
              "waiting for CMQ's pushes on %s", options->config->push.listen);
    return push;
}

void push_reload(struct push *push, const struct config *config)
{
    pthread_mutex_lock(&push->mutex);
    const struct config *before = push->config;
    push->config = config_hold(config);
    pthread_mutex_unlock(&push->mutex);
    config_free(before);
}

uint16_t push_port(const struct push *push)
{
    return http_listener_port(push->listener);
}

void push_stop(struct push *push)
{
    http_listener_stop(push->listener);
}

void push_free(struct push *push)
{
    if (!push)
        return;
    if (push->listener)
        push_stop(push);
    let_go(push);
}
