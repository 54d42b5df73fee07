/* plane - see plane.h. */
#include "local/plane.h"

#include "base/clock.h"

enum { REPEAT_MS = 10000 };

static struct plane_result answered(const char *why)
{
    return (struct plane_result){.outcome = PLANE_ANSWERED, .why = why};
}

static struct plane_result refused(struct call *call, int code, int module, const char *name)
{
    call_error(call, code, module, name);
    return answered(NULL);
}

/* Carries out a rule of the script; true when that is all that happens to the request. */
static bool misbehave(const struct sabotage_rule *rule, struct call *call,
                      struct plane_result *result)
{
    switch (rule->mode) {
    case SABOTAGE_HTTP_500:
        *result = (struct plane_result){.outcome = PLANE_HTTP_500, .why = "faults: http_500"};
        return true;
    case SABOTAGE_DROP:
        *result = (struct plane_result){.outcome = PLANE_DROPPED, .why = "faults: drop"};
        return true;
    case SABOTAGE_DELAY:
        *result = (struct plane_result){.outcome = PLANE_DELAYED, .wait_ms = rule->delay_ms};
        return true;
    case SABOTAGE_GARBAGE:
        buf_clear(call->out);
        buf_add_str(call->out, "{\"code\":0,\"message\":<html>502 Bad Gateway</html>");
        *result = answered("faults: garbage");
        return true;
    case SABOTAGE_CODE:
        call_error(call, rule->code, rule->module, call->action);
        *result = answered("faults: code");
        return true;
    case SABOTAGE_LATE_DROP:
        result->late_drop = true;
        return false;
    }
    CHECK(false);
}

static struct span first_of(const struct form *form, const char *key, const char *otherwise)
{
    const struct span *value = form_get(form, key);
    if (!value)
        value = form_get(form, otherwise);
    return value ? *value : (struct span){NULL, 0};
}

/* Says that a request was refused, unless that has just been said. */
static void log_refusal(struct plane *plane, const struct call *call, const char *why,
                        int64_t now_ms)
{
    uint64_t held_back;
    if (log_repeat_due(&plane->unauthentic, now_ms, REPEAT_MS, &held_back)) {
        log_write(LOG_WARN, "local.unauthentic",
                  LOG_FIELDS(LOG_STR("action", call->action), LOG_NUM("held_back", held_back)),
                  "refused a request: %s", why);
    }
}

/* Whether the request is authentic; else the answer is written. */
static bool authentic(struct plane *plane, const struct plane_request *request, struct call *call,
                      int64_t now_ms, const char **why)
{
    uint64_t held_back;
    struct verify_result verdict =
        verify_request(plane->verifier, &request->target, &plane->form, now_ms / 1000);
    if (verdict.at_left_out && log_repeat_due(&plane->at_left_out, now_ms, REPEAT_MS, &held_back)) {
        log_write(LOG_WARN, "local.at_left_out",
                  LOG_FIELDS(LOG_STR("action", call->action), LOG_NUM("held_back", held_back)),
                  "accepted a signature that leaves out values beginning with '@'");
    }
    if (verdict.code == 0)
        return true;
    *why = verdict.why;
    if (verdict.why)
        log_refusal(plane, call, verdict.why, now_ms);
    call_error(call, verdict.code, verdict.module, verdict.name);
    return false;
}

static struct plane_result from_api(struct plane *plane, const struct api_result *served,
                                    struct call *call, int64_t now_ms)
{
    struct plane_result result = {
        .outcome = PLANE_ANSWERED, .late_drop = served->late_drop, .why = served->why};
    if (call->error && span_starts(span_of(call->error), "AuthFailure."))
        log_refusal(plane, call, call->error, now_ms);
    if (served->outcome == API_MISBEHAVE)
        CHECK(misbehave(served->rule, call, &result));
    return result;
}

struct plane_result plane_serve_api3(struct plane *plane, const struct verify3_request *request,
                                     bool was_delayed, struct call *call, struct buf *out,
                                     int64_t now_ms)
{
    const char *action = request->header(request->ctx, "X-TC-Action");
    *call = (struct call){.request_id = ++plane->last_request_id, .out = out};
    call_set_action(call, span_of(action));
    struct api_result served = api_serve(plane->api, request, was_delayed, call, now_ms);
    return from_api(plane, &served, call, now_ms);
}

struct plane_result plane_serve(struct plane *plane, struct plane_request *request,
                                struct call *call, struct buf *out, int64_t now_ms)
{
    struct form *form = &plane->form;
    struct span method = request->target.method;
    bool parsed =
        request->len <= CMQ_MAX_POST_BYTES && form_parse(form, request->text, request->len);
    if (!parsed)
        form->count = 0;
    call_init(call, ++plane->last_request_id, form, out);
    if (!span_eq_str(method, "GET") && !span_eq_str(method, "POST")) {
        char name[16] = "";
        memcpy(name, method.ptr, method.len < sizeof name ? method.len : sizeof name - 1);
        return refused(call, 4000, 10410, name);
    }
    if (!parsed)
        return refused(call, 4000, 10420, "parameters");
    if (actions_is_management(form)) {
        struct api_result served =
            api_serve_form(plane->api, &request->target, form, request->was_delayed, call, now_ms);
        return from_api(plane, &served, call, now_ms);
    }
    call_set_name(call, first_of(form, "queueName", "topicName"));

    struct plane_result result = {.outcome = PLANE_ANSWERED};
    if (!request->was_delayed) {
        const struct sabotage_rule *rule =
            sabotage_pick(plane->sabotage, span_of(call->action),
                          first_of(form, "queueName", "topicName"), false);
        if (rule && misbehave(rule, call, &result))
            return result;
    }
    if (!authentic(plane, request, call, now_ms, &result.why))
        return result;
    const struct span *repeated = form_repeated(form);
    if (repeated) {
        char name[32] = "";
        memcpy(name, repeated->ptr, repeated->len < sizeof name ? repeated->len : sizeof name - 1);
        call_error(call, 4000, 10330, name);
        return result;
    }
    struct action_wait wait = actions_serve(&plane->service, call, form, now_ms);
    if (wait.queue) {
        result.outcome = PLANE_WAITS;
        result.queue = wait.queue;
        result.wait_ms = wait.wait_ms;
    }
    return result;
}
