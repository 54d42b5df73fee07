/* api - see api.h. */
#include "local/api.h"

#include "base/json.h"
#include "local/api_codes.h"
#include "local/api_impl.h"

#include <stdarg.h>
#include <stdio.h>

#define VERSION "2020-02-17"

enum { MAX_ACTIONS = 32 };

struct api {
    struct api_options options;
    struct rate rates[MAX_ACTIONS];
};

struct api *api_new(const struct api_options *options)
{
    struct api *api = check_alloc(calloc(1, sizeof *api));
    api->options = *options;
    return api;
}

void api_free(struct api *api)
{
    free(api);
}

bool api_refuse(struct api_task *task, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(task->why.text, sizeof task->why.text, format, args);
    va_end(args);
    task->code = code;
    return false;
}

static enum bar_kind bar_kind(enum api_kind kind)
{
    return kind == API_QUEUE ? BAR_QUEUE : BAR_TOPIC;
}

bool api_name_free(struct api_task *task, enum api_kind kind, const char *name)
{
    const char *what = kind == API_QUEUE ? "queue" : "topic";
    if (kind == API_QUEUE ? !!store_queue(task->store, span_of(name))
                          : !!store_topic(task->store, span_of(name))) {
        return api_refuse(task, kind == API_QUEUE ? "ResourceInUse.Queue" : "ResourceInUse.Topic",
                          "%s is already existed,case insensitive", what);
    }
    int64_t until_ms =
        bars_until(store_bars(task->store), bar_kind(kind), span_of(name), task->now_ms);
    if (until_ms > 0) {
        return api_refuse(task, "ResourceUnavailable",
                          "resources of the previous queue/topic still being released: the name "
                          "can be used again in %lld seconds",
                          (long long)(until_ms - task->now_ms + 999) / 1000);
    }
    return true;
}

void api_name_freed(struct api_task *task, enum api_kind kind, const char *name)
{
    bars_add(store_bars(task->store), bar_kind(kind), span_of(name),
             task->now_ms + task->api->options.reuse_bar_ms, task->now_ms);
}

static void add_request_id(struct buf *out, uint64_t id)
{
    char text[CALL_ID_SIZE];
    call_print_id(id, true, text);
    buf_printf(out, "\"RequestId\":\"%s\"", text);
}

static void begin_answer(struct buf *out)
{
    buf_clear(out);
    buf_add_str(out, "{\"Response\":{");
}

void api_empty_line(struct api_task *task, struct queue *queue)
{
    const struct api_options *options = &task->api->options;
    if (options->queue_goes)
        options->queue_goes(options->ctx, queue);
    begin_answer(task->out); /* which may have served them */
}

static void answer_error(struct call *call, const char *code, const char *text)
{
    call->error = code;
    buf_clear(call->out);
    buf_add_str(call->out, "{\"Response\":{\"Error\":{\"Code\":\"");
    buf_add_str(call->out, code);
    buf_add_str(call->out, "\",\"Message\":");
    json_string(call->out, span_of(text));
    buf_add_str(call->out, "},");
    add_request_id(call->out, call->request_id);
    buf_add_str(call->out, "}}");
}

/* One call on its way, whichever way it came. */
struct incoming {
    struct call *call;
    struct api_task *task;
    struct span version;
    bool was_delayed;
    bool authentic; /* else fault and fault_text say why not */
    const char *fault;
    struct err fault_text;
    bool parsed; /* else the task's code and why say what is wrong with its parameters */
};

static const struct api_action *find_action(const char *name)
{
    for (const struct api_action *action = api_actions; action->name; action++) {
        if (strcmp(action->name, name) == 0)
            return action;
    }
    return NULL;
}

/* What a call is about, for the log and the script. */
static void name_call(struct call *call, const struct api_args *args)
{
    static const char *const keys[] = {"QueueName", "TopicName", "SourceQueueName"};
    for (size_t i = 0; args->json && i < sizeof keys / sizeof *keys; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(args->json, keys[i]);
        if (cJSON_IsString(item)) {
            call_set_name(call, span_of(item->valuestring));
            return;
        }
    }
}

/* Whether the script leaves the call alone; else it is answered, or result says what to do. */
static bool spared(struct api *api, const struct incoming *in, struct api_result *result)
{
    struct call *call = in->call;
    if (in->was_delayed)
        return true;
    const struct sabotage_rule *rule =
        sabotage_pick(api->options.sabotage, span_of(call->action), span_of(call->name), true);
    if (!rule)
        return true;
    if (rule->mode == SABOTAGE_LATE_DROP) {
        result->late_drop = true;
        return true;
    }
    if (rule->mode == SABOTAGE_CODE) {
        result->why = "faults: code";
        answer_error(call, rule->api_code, result->why);
        return false;
    }
    *result = (struct api_result){.outcome = API_MISBEHAVE, .rule = rule};
    return false;
}

/* Whether an action is not called too often. */
static bool within_rate(struct api *api, const struct api_action *action, int64_t now_ms)
{
    CHECK(action - api_actions < MAX_ACTIONS);
    return rate_take(&api->rates[action - api_actions], api->options.rate, now_ms);
}

/* Whether an authentic call asks for something that there is; the action, else a refusal. */
static bool find_work(struct api *api, const struct incoming *in)
{
    struct api_task *task = in->task;
    const char *action = in->call->action;
    if (!*action) {
        return api_refuse(task, "MissingParameter",
                          "The request is missing a required parameter `Action`.");
    }
    if (in->version.len == 0) {
        return api_refuse(task, "MissingParameter",
                          "The request is missing a required parameter `Version`.");
    }
    if (!span_eq_str(in->version, VERSION)) {
        return api_refuse(task, "NoSuchVersion",
                          "The version is not supported; there is " VERSION ".");
    }
    if (!task->action) {
        return api_refuse(task, "InvalidAction",
                          "The requested action `%s` is invalid or not found.", action);
    }
    if (!within_rate(api, task->action, task->now_ms)) {
        return api_refuse(task, "RequestLimitExceeded",
                          "The number of requests to this action exceeds %u in a second.",
                          api->options.rate);
    }
    if (!in->parsed)
        return false; /* code and why are there already */
    return api_args_check(&task->args, task->action->fields, &task->code, &task->why);
}

/* Does what an authentic call asks for, and answers it. */
static void work(struct api *api, const struct incoming *in)
{
    struct api_task *task = in->task;
    struct buf *out = in->call->out;
    begin_answer(out);
    store_advance(task->store, task->now_ms);
    if (!find_work(api, in) || !task->action->serve(task)) {
        answer_error(in->call, task->code, task->why.text);
        return;
    }
    add_request_id(out, in->call->request_id);
    buf_add_str(out, "}}");
}

/* Answers a call that has been read and verified, or lets the script do so. */
static struct api_result conclude(struct api *api, const struct incoming *in)
{
    struct api_result result = {.outcome = API_ANSWERED};
    name_call(in->call, &in->task->args);
    if (!spared(api, in, &result)) {
        /* nothing is done */
    } else if (!in->authentic) {
        answer_error(in->call, in->fault, in->fault_text.text);
    } else {
        work(api, in);
    }
    api_args_fini(&in->task->args);
    return result;
}

static void begin_task(struct api *api, struct call *call, struct api_task *task, int64_t now_ms)
{
    *task = (struct api_task){.api = api,
                              .store = api->options.store,
                              .action = find_action(call->action),
                              .out = call->out,
                              .now_ms = now_ms};
    call->is_api3 = true;
}

static bool parse_query(struct span query, struct api_task *task)
{
    struct form form;
    char *text = span_dup(query);
    bool ok = false;
    if (query.len > API_MAX_QUERY_BYTES || !form_parse(&form, text, query.len)) {
        (void)api_refuse(task, "InvalidRequest", "The request is too large.");
    } else {
        ok = !task->action ||
             api_args_from_form(&task->args, &form, task->action->fields, &task->code, &task->why);
    }
    free(text);
    return ok;
}

static bool parse(const struct verify3_request *request, struct api_task *task)
{
    if (span_eq_str(request->method, "POST"))
        return api_args_parse(&task->args, request->body, &task->code, &task->why);
    if (span_eq_str(request->method, "GET"))
        return parse_query(request->query, task);
    return api_refuse(task, "InvalidRequest", "Only POST and GET are supported.");
}

struct api_result api_serve(struct api *api, const struct verify3_request *request,
                            bool was_delayed, struct call *call, int64_t now_ms)
{
    struct api_task task;
    begin_task(api, call, &task, now_ms);
    if (request->body.len > API_MAX_BODY_BYTES) { /* which no client can have signed */
        answer_error(call, "InvalidRequest", "The request is larger than 10 MiB.");
        return (struct api_result){.outcome = API_ANSWERED};
    }
    struct incoming in = {.call = call, .task = &task, .was_delayed = was_delayed};
    in.version = span_of(request->header(request->ctx, "X-TC-Version"));
    in.authentic =
        verify3_request(api->options.verifier3, request, now_ms / 1000, &in.fault, &in.fault_text);
    in.parsed = parse(request, &task);
    return conclude(api, &in);
}

struct api_result api_serve_form(struct api *api, const struct verify_target *target,
                                 struct form *form, bool was_delayed, struct call *call,
                                 int64_t now_ms)
{
    struct api_task task;
    begin_task(api, call, &task, now_ms);
    struct incoming in = {.call = call, .task = &task, .was_delayed = was_delayed};
    in.authentic = verify_api3(api->options.verifier, target, form, now_ms / 1000,
                               api->options.tolerance_s, &in.fault, &in.fault_text);
    in.parsed = !task.action ||
                api_args_from_form(&task.args, form, task.action->fields, &task.code, &task.why);
    const struct span *version = form_get(form, "Version");
    if (version)
        in.version = *version;
    return conclude(api, &in);
}
