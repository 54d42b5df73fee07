/* apply - see apply.h. */
#include "provision/apply.h"

#include "base/clock.h"
#include "provision/request.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

enum { PATIENCE_MS = 60000, PAUSE_MS = 1000 };

struct apply {
    const struct plan *plan;
    struct api *api;
    const struct apply_options *options;
    bool *ready; /* by step: what it made is known to be there, or it was there before */
};

__attribute__((format(printf, 2, 3))) static void note(const struct apply *apply,
                                                       const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    apply->options->note(apply->options->ctx, text);
}

/* When waiting that begins now is over. */
static int64_t end_of_patience(const struct apply *apply)
{
    int64_t patience_ms = apply->options->patience_ms;
    return clock_mono_ms() + (patience_ms ? patience_ms : PATIENCE_MS);
}

static void pause(const struct apply *apply)
{
    api_wait(apply->api, apply->options->pause_ms ? apply->options->pause_ms : PAUSE_MS);
}

static enum api_action action_of(const struct step *step)
{
    static const enum api_action actions[STEP_KINDS][3] = {
        [STEP_CREATE] = {API_CREATE_QUEUE, API_CREATE_TOPIC, API_CREATE_SUBSCRIPTION},
        [STEP_CHANGE] = {API_MODIFY_QUEUE, API_MODIFY_TOPIC, API_MODIFY_SUBSCRIPTION},
        [STEP_DELETE] = {API_DELETE_QUEUE, API_DELETE_TOPIC, API_DELETE_SUBSCRIPTION},
    };
    return actions[step->kind][step->object];
}

/* What the account has under the step's name now. */
enum presence { PRESENT, ABSENT, ARRIVING, GOING, UNREADABLE };

static enum presence presence_of(bool listed, int status)
{
    if (!listed || status == STATUS_GONE)
        return ABSENT;
    return status == STATUS_CREATING ? ARRIVING : status == STATUS_GOING ? GOING : PRESENT;
}

static enum presence look(const struct apply *apply, const struct step *step, struct err *err)
{
    struct inventory found;
    enum presence presence = UNREADABLE;
    switch (step->object) {
    case STEP_QUEUE:
        if (inventory_look_queue(&found, apply->api, step->name, err)) {
            const struct inventory_queue *queue = inventory_queue(&found, step->name);
            presence = presence_of(queue, queue ? queue->status : 0);
        }
        break;
    case STEP_TOPIC:
        if (inventory_look_topic(&found, apply->api, step->name, err)) {
            const struct inventory_topic *topic = inventory_topic(&found, step->name);
            presence = presence_of(topic, topic ? topic->status : 0);
        }
        break;
    case STEP_SUBSCRIPTION:
        if (inventory_look_subscription(&found, apply->api, step->of, step->name, err)) {
            const struct inventory_topic *topic = inventory_topic(&found, step->of);
            presence =
                presence_of(topic && inventory_subscription(topic, step->name), STATUS_NORMAL);
        }
        break;
    }
    inventory_fini(&found);
    return presence;
}

/* The step that deals with the queue or topic of this name; the plan's count: none does. */
static size_t find_step(const struct plan *plan, enum step_object object, const char *name)
{
    size_t i = 0;
    while (i < plan->count &&
           (plan->steps[i].object != object || !name || strcasecmp(plan->steps[i].name, name) != 0))
        i++;
    return i;
}

/* Waits until what a step made, or found half made, can be built on. */
static bool wait_ready(struct apply *apply, enum step_object object, const char *name,
                       struct err *err)
{
    size_t at = find_step(apply->plan, object, name);
    if (at == apply->plan->count || apply->ready[at])
        return true;
    const struct step *step = &apply->plan->steps[at];
    int64_t end_ms = end_of_patience(apply);
    for (bool said = false;; said = true) {
        enum presence presence = look(apply, step, err);
        if (presence == UNREADABLE)
            return false;
        if (presence == PRESENT) {
            apply->ready[at] = true;
            return true;
        }
        if (clock_mono_ms() >= end_ms)
            return err_set(err,
                           "the %s %s was created and is still not ready: run this again later",
                           step_object_name(object), name);
        if (!said)
            note(apply, "waiting until the %s %s is ready", step_object_name(object), name);
        pause(apply);
    }
}

/* What has to be there first. */
static bool wait_for_needs(struct apply *apply, const struct step *step, struct err *err)
{
    if (step->kind == STEP_DELETE)
        return true;
    if (step->object == STEP_QUEUE)
        return !(step->queue->given & GIVEN_DEAD_LETTER) ||
               wait_ready(apply, STEP_QUEUE, step->queue->dead_letter, err);
    return step->object == STEP_TOPIC ||
           (wait_ready(apply, STEP_TOPIC, step->of, err) &&
            wait_ready(apply, STEP_QUEUE, step->subscription->queue, err));
}

/* A name that is being released after a delete (CMQ.md 4), or whose old bearer is still there. */
static bool is_taken(const struct api_reply *reply)
{
    return api_reply_is(reply, "ResourceInUse") ||
           (api_reply_is(reply, "ResourceUnavailable") &&
            !api_reply_is(reply, "ResourceUnavailable.FundRequired"));
}

/* One try. False and err when it is not known to be done; *lost, *taken: why. */
static bool try_create(struct apply *apply, enum api_action action, const cJSON *request,
                       bool *lost, bool *taken, struct err *err)
{
    struct api_reply reply;
    api_call(apply->api, action, request, &reply);
    *lost = reply.outcome == API_LOST;
    *taken = is_taken(&reply);
    bool ok = reply.outcome == API_DONE || api_reply_explain(&reply, api_action_name(action), err);
    api_reply_fini(&reply);
    return ok;
}

/*
 * Creates. When the answer is lost, or says that the name is taken, the thing may be there all the
 * same: by this try, by an earlier run, or because somebody else was quicker. So it is looked for.
 */
static bool create(struct apply *apply, const struct step *step, const cJSON *request,
                   struct err *err)
{
    int64_t end_ms = end_of_patience(apply);
    bool lost, taken, said = false;
    while (!try_create(apply, action_of(step), request, &lost, &taken, err)) {
        struct err look_err;
        if (!lost && !taken)
            return false;
        enum presence presence = look(apply, step, &look_err);
        if (presence == UNREADABLE)
            return err_set(err, "%s", look_err.text);
        if (presence == PRESENT || presence == ARRIVING)
            return true;
        if (clock_mono_ms() >= end_ms)
            return false;
        if (taken && !said)
            note(apply, "the name was deleted a moment ago and is free again after 30 s: waiting");
        said |= taken;
        pause(apply);
    }
    return true;
}

/* One call whose outcome is its answer. What is to be deleted may be gone already. */
static bool call(struct apply *apply, enum api_action action, const cJSON *request,
                 bool may_be_gone, struct err *err)
{
    struct api_reply reply;
    api_call(apply->api, action, request, &reply);
    bool ok = reply.outcome == API_DONE ||
              (may_be_gone && api_reply_is(&reply, "ResourceNotFound")) ||
              api_reply_explain(&reply, api_action_name(action), err);
    api_reply_fini(&reply);
    return ok;
}

/* Whether the account's queue has no dead-letter queue. */
static bool is_unbound(struct apply *apply, const struct step *step, struct err *err)
{
    struct inventory found;
    struct err look_err;
    bool unbound = false;
    if (inventory_look_queue(&found, apply->api, step->name, &look_err)) {
        const struct inventory_queue *queue = inventory_queue(&found, step->name);
        unbound = queue && !queue->is.dead_letter;
    } else {
        (void)err_set(err, "%s", look_err.text);
    }
    inventory_fini(&found);
    return unbound;
}

/* Twice is refused, so a lost answer is looked for. */
static bool unbind(struct apply *apply, const struct step *step, struct err *err)
{
    cJSON *request = request_unbind(step);
    int64_t end_ms = end_of_patience(apply);
    bool ok;
    for (;;) {
        struct api_reply reply;
        api_call(apply->api, API_UNBIND_DEAD_LETTER, request, &reply);
        bool lost = reply.outcome == API_LOST;
        ok = reply.outcome == API_DONE ||
             api_reply_explain(&reply, api_action_name(API_UNBIND_DEAD_LETTER), err) ||
             (reply.outcome != API_UNREACHED && is_unbound(apply, step, err));
        api_reply_fini(&reply);
        if (ok || !lost || clock_mono_ms() >= end_ms)
            break;
        pause(apply);
    }
    cJSON_Delete(request);
    return ok;
}

static bool change(struct apply *apply, const struct step *step, struct err *err)
{
    if (step->unbinds && !unbind(apply, step, err))
        return false;
    bool ok = true;
    if ((step->changes & CHANGE_TAGS) && step->subscription->tag_count == 0) {
        cJSON *names = request_clear_tags(step);
        ok = call(apply, API_CLEAR_FILTER_TAGS, names, false, err);
        cJSON_Delete(names);
    }
    cJSON *request = ok ? request_change(step) : NULL;
    if (request)
        ok = call(apply, action_of(step), request, false, err);
    cJSON_Delete(request);
    return ok;
}

static bool carry_out(struct apply *apply, const struct step *step, struct err *err)
{
    if (!wait_for_needs(apply, step, err))
        return false;
    if (step->kind == STEP_CHANGE)
        return change(apply, step, err);
    bool creates = step->kind == STEP_CREATE;
    cJSON *request = creates ? request_create(step) : request_delete(step);
    bool ok = creates ? create(apply, step, request, err)
                      : call(apply, action_of(step), request, true, err);
    cJSON_Delete(request);
    return ok;
}

bool plan_apply(const struct plan *plan, struct api *api, const struct apply_options *options,
                size_t *done, struct err *err)
{
    struct apply apply = {.plan = plan, .api = api, .options = options};
    size_t total = plan_work(plan);
    bool ok = true;
    apply.ready = check_alloc(calloc(plan->count + 1, sizeof *apply.ready));
    for (size_t i = 0; i < plan->count; i++)
        apply.ready[i] = plan->steps[i].kind != STEP_CREATE && !plan->steps[i].arriving;
    *done = 0;
    for (size_t i = 0; ok && i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->kind == STEP_SAME || step->kind == STEP_CANNOT)
            continue;
        struct err why = {""};
        options->begin(options->ctx, step, *done + 1, total);
        ok = carry_out(&apply, step, &why);
        if (ok)
            ++*done;
        else
            (void)err_set(err, "%s", why.text);
    }
    free(apply.ready);
    return ok;
}
