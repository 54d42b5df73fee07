/*
 * api - see api.h
 *
 * Built on the pump, which is run only while a call or a wait is under way.
 */
#include "cmq/api.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "cmq/endpoint.h"
#include "cmq/tc3.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    PACE_MS = 52, /* between requests to one action: 20 in 1040 ms */
    TRIES = 8,
    FIRST_PAUSE_MS = 250,
    LONGEST_PAUSE_MS = 4000,
    CLOCK_TOLERANCE_S = 30,
    PAGE = 50,
    MAX_ITEMS = 20000, /* an account has 10,000 queues (CMQ.md 4) */
    MAX_BODY_BYTES = 1 << 20,
    MAX_REPLY_BYTES = 8 << 20,
    MAX_HEADER_BYTES = 8192,
    HEADERS = 9,
};

static const struct {
    const char *name;
    bool repeatable; /* twice is the same as once */
} actions[API_ACTION_COUNT] = {
    [API_DESCRIBE_QUEUES] = {"DescribeCmqQueues", true},
    [API_DESCRIBE_TOPICS] = {"DescribeCmqTopics", true},
    [API_DESCRIBE_SUBSCRIPTIONS] = {"DescribeCmqSubscriptionDetail", true},
    [API_CREATE_QUEUE] = {"CreateCmqQueue", false},
    [API_CREATE_TOPIC] = {"CreateCmqTopic", false},
    [API_CREATE_SUBSCRIPTION] = {"CreateCmqSubscribe", false},
    [API_MODIFY_QUEUE] = {"ModifyCmqQueueAttribute", true},
    [API_MODIFY_TOPIC] = {"ModifyCmqTopicAttribute", true},
    [API_MODIFY_SUBSCRIPTION] = {"ModifyCmqSubscriptionAttribute", true},
    [API_CLEAR_FILTER_TAGS] = {"ClearCmqSubscriptionFilterTags", true},
    [API_UNBIND_DEAD_LETTER] = {"UnbindCmqDeadLetter", false},
    [API_DELETE_QUEUE] = {"DeleteCmqQueue", true},
    [API_DELETE_TOPIC] = {"DeleteCmqTopic", true},
    [API_DELETE_SUBSCRIPTION] = {"DeleteCmqSubscribe", true},
};

struct api {
    struct api_options options; /* its strings are ours, but for the endpoint, which is NULL */
    struct cmq_endpoint endpoint;
    struct cmq_credentials credentials;
    struct pump *pump;
    int64_t next_ms[API_ACTION_COUNT]; /* clock_mono_ms; no request to the action before */
    int64_t clock_ahead_s;             /* the service's clock before ours, when that matters */
    struct api_reply *reply;           /* of the exchange under way */
    bool done;
};

const char *api_action_name(enum api_action action)
{
    return actions[action].name;
}

struct api *api_open(const struct api_options *options, struct err *err)
{
    struct api *api = check_alloc(calloc(1, sizeof *api));
    api->options = *options;
    api->options.endpoint = NULL;
    api->options.region = span_dup(span_of(options->region));
    api->options.tls.ca = span_dup(span_of(options->tls.ca));
    static const char setting[] = "cmq.management.endpoint";
    bool ok = cmq_endpoint_parse(&api->endpoint, setting, options->endpoint, "/", err) &&
              (strcmp(api->endpoint.path, "/") == 0 ||
               err_set(err, "%s must have no path: API 3.0 has none", setting)) &&
              cmq_credentials_read(&api->credentials, &options->secrets, err);
    if (ok) {
        api->pump = pump_new(err);
        ok = api->pump;
    }
    if (!ok) {
        api_close(api);
        return NULL;
    }
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    pump_free(api->pump);
    cmq_credentials_fini(&api->credentials);
    cmq_endpoint_fini(&api->endpoint);
    free((char *)api->options.region);
    free((char *)api->options.tls.ca);
    free(api);
}

__attribute__((format(printf, 2, 3))) static void note(const struct api *api, const char *format,
                                                       ...)
{
    char text[512];
    va_list args;
    if (!api->options.note)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    api->options.note(api->options.note_ctx, text);
}

static void on_timer(void *ctx)
{
    *(bool *)ctx = true;
}

void api_wait(struct api *api, int64_t wait_ms)
{
    bool over = false;
    struct pump_timer timer = {.fn = on_timer, .ctx = &over};
    pump_timer_set(api->pump, &timer, wait_ms);
    pump_run(api->pump, &over);
}

/* The clock that a request is stamped with follows the service's when ours is off. */
static void learn_clock(struct api *api, int64_t date_s)
{
    if (date_s == 0)
        return;
    int64_t ahead_s = date_s - clock_unix_ms() / 1000;
    bool off = ahead_s > CLOCK_TOLERANCE_S || ahead_s < -CLOCK_TOLERANCE_S;
    if (off && api->clock_ahead_s == 0)
        note(api,
             "the service's clock differs from ours by %lld s: requests are stamped with the "
             "service's time; set this machine's clock",
             (long long)ahead_s);
    api->clock_ahead_s = off ? ahead_s : 0;
}

static void on_result(void *ctx, const struct pump_result *result)
{
    struct api *api = ctx;
    api->done = true;
    if (result->http_status != 0) {
        api_reply_parse(api->reply, result->http_status, result->body);
        if (api->reply->code[0] || api->reply->outcome == API_DONE) /* not some proxy's clock */
            learn_clock(api, result->date_s);
    } else if (result->connected) {
        api_reply_failed(api->reply, API_LOST, result->error);
    } else {
        char text[sizeof api->reply->text];
        (void)snprintf(text, sizeof text,
                       "%s: check cmq.management.endpoint%s and that the service is up",
                       result->error, api->endpoint.https ? ", cmq.tls" : "");
        api_reply_failed(api->reply, API_UNREACHED, text);
    }
}

/* The value of Authorization. The headers that it signs are those that the service's page names. */
static void authorize(const struct api *api, const char *action, int64_t timestamp_s,
                      struct span body, struct buf *out)
{
    struct buf lower = BUF_INIT(64);
    for (const char *c = action; *c; c++)
        CHECK(buf_add_char(&lower, (char)tolower((unsigned char)*c)));
    const struct tc3_header headers[] = {
        {SPAN_LIT("content-type"), SPAN_LIT("application/json")},
        {SPAN_LIT("host"), span_of(api->endpoint.host)},
        {SPAN_LIT("x-tc-action"), buf_span(&lower)},
    };
    const struct tc3_request request = {
        .method = SPAN_LIT("POST"), .headers = headers, .header_count = 3, .body = body};
    CHECK(tc3_authorize(&request, timestamp_s, span_of("tdmq"),
                        buf_span(&api->credentials.secret_id),
                        buf_span(&api->credentials.secret_key), out));
    buf_fini(&lower);
}

/* One exchange. */
static void exchange(struct api *api, const char *action, struct span body, struct api_reply *reply)
{
    int64_t timestamp_s = clock_unix_ms() / 1000 + api->clock_ahead_s;
    struct buf texts[HEADERS];
    const char *headers[HEADERS + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < HEADERS; i++)
        buf_init(&texts[i], MAX_HEADER_BYTES);
    buf_add_str(&texts[count++], "Content-Type: application/json");
    buf_printf(&texts[count++], "X-TC-Action: %s", action);
    buf_add_str(&texts[count++], "X-TC-Version: 2020-02-17");
    buf_printf(&texts[count++], "X-TC-Timestamp: %lld", (long long)timestamp_s);
    buf_printf(&texts[count++], "X-TC-Region: %s", api->options.region);
    buf_add_str(&texts[count++], "X-TC-Language: en-US");
    buf_add_str(&texts[count++], "X-TC-RequestClient: cmqgw_" CMQGW_VERSION);
    if (api->credentials.token.len > 0)
        buf_printf(&texts[count++], "X-TC-Token: %s", buf_str(&api->credentials.token));
    buf_add_str(&texts[count], "Authorization: ");
    authorize(api, action, timestamp_s, body, &texts[count++]);
    for (size_t i = 0; i < count; i++) {
        CHECK(!texts[i].overflow);
        headers[i] = buf_str(&texts[i]);
    }
    const struct pump_request request = {.url = api->endpoint.url,
                                         .body = body,
                                         .headers = headers,
                                         .timeout_ms = api->options.timeout_ms,
                                         .max_reply_bytes = MAX_REPLY_BYTES,
                                         .tls = &api->options.tls};
    api->reply = reply;
    api->done = false;
    (void)pump_transfer(api->pump, &request, on_result, api);
    for (size_t i = 0; i < HEADERS; i++)
        cmq_secret_wipe(&texts[i]);
    pump_run(api->pump, &api->done);
}

/* Keeps requests to an action apart, also over pauses. */
static void pace(struct api *api, enum api_action action)
{
    int64_t early_ms = api->next_ms[action] - clock_mono_ms();
    if (early_ms > 0)
        api_wait(api, early_ms);
    api->next_ms[action] = clock_mono_ms() + PACE_MS;
}

/* Whether trying again can help and cannot harm. */
static bool should_repeat(const struct api *api, enum api_action action,
                          const struct api_reply *reply, int64_t ahead_before_s)
{
    switch (reply->outcome) {
    case API_DONE:
        return false;
    case API_REFUSED:
        return api_reply_is(reply, "RequestLimitExceeded") ||
               (api_reply_is(reply, "AuthFailure.SignatureExpire") &&
                api->clock_ahead_s != ahead_before_s);
    case API_LOST:
        return actions[action].repeatable;
    case API_UNREACHED:
        break;
    }
    return true;
}

void api_call(struct api *api, enum api_action action, const struct cJSON *body,
              struct api_reply *reply)
{
    int64_t cap_ms = api->options.longest_pause_ms;
    struct backoff backoff = {.first_ms = FIRST_PAUSE_MS,
                              .cap_ms = cap_ms ? cap_ms : LONGEST_PAUSE_MS};
    char *text = check_alloc(cJSON_PrintUnformatted(body));
    CHECK(strlen(text) <= MAX_BODY_BYTES);
    for (int try = 1;; try++) {
        int64_t ahead_s = api->clock_ahead_s;
        pace(api, action);
        exchange(api, actions[action].name, span_of(text), reply);
        int tries = reply->outcome == API_UNREACHED ? TRIES / 2 : TRIES;
        if (try >= tries || !should_repeat(api, action, reply, ahead_s))
            break;
        int64_t pause_ms = backoff_next(&backoff);
        if (api->clock_ahead_s == ahead_s)
            note(api, "%s: %s%s%s; again in %lld ms", actions[action].name, reply->code,
                 reply->code[0] ? ": " : "", reply->text, (long long)pause_ms);
        api_reply_fini(reply);
        api_wait(api, pause_ms);
    }
    cJSON_free(text);
}

static bool set_number(cJSON *object, const char *key, size_t value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    return cJSON_AddNumberToObject(object, key, (double)value);
}

/* Takes the items of a page. *more: whether there may be another one. */
static bool take_page(const struct api_reply *reply, const char *name, const char *field,
                      api_item_fn take, void *ctx, size_t *offset, bool *more, struct err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(reply->response, field);
    const cJSON *total = cJSON_GetObjectItemCaseSensitive(reply->response, "TotalCount");
    const cJSON *item;
    size_t before = *offset;
    if (!cJSON_IsArray(list) && !cJSON_IsNull(list))
        return err_set(err, "the answer to %s has no %s", name, field);
    cJSON_ArrayForEach(item, list)
    {
        if (++*offset > MAX_ITEMS)
            return err_set(err, "%s gives more than the %d items that can be", name, MAX_ITEMS);
        if (!take(ctx, item, err))
            return false;
    }
    size_t count = *offset - before;
    bool said = cJSON_IsNumber(total) && total->valuedouble >= 0;
    *more = count > 0 && (said ? (double)*offset < total->valuedouble : count == PAGE);
    return true;
}

bool api_list(struct api *api, enum api_action action, struct cJSON *body, const char *field,
              api_item_fn take, void *ctx, struct err *err)
{
    size_t offset = 0;
    bool ok = true, more = true;
    while (ok && more) {
        struct api_reply reply;
        CHECK(set_number(body, "Offset", offset) && set_number(body, "Limit", PAGE));
        api_call(api, action, body, &reply);
        ok = reply.outcome == API_DONE
                 ? take_page(&reply, actions[action].name, field, take, ctx, &offset, &more, err)
                 : api_reply_explain(&reply, actions[action].name, err);
        api_reply_fini(&reply);
    }
    return ok;
}
