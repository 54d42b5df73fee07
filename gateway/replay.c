/* replay: plans a dead letter again and exchanges it for what came of it. */
#include "gateway/replay.h"

#include "mapping/destination.h"
#include "mapping/jsonview.h"
#include "mapping/origin.h"
#include "mapping/plan.h"

#include <utlist.h>

/* What planning again gave. */
struct attempt {
    const struct replay *replay;
    struct err *err;
    bool failed; /* err says why */
    struct delivery *deliveries;
};

static uint64_t next_id(void *ctx)
{
    struct attempt *attempt = ctx;
    uint64_t id = 0;
    if (!attempt->failed)
        attempt->failed = !morgue_reserve_id(attempt->replay->morgue, &id, attempt->err);
    return id;
}

static void on_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                        struct delivery *delivery)
{
    (void)rule;
    (void)target;
    struct attempt *attempt = ctx;
    delivery->expires_ms = 0;
    LL_APPEND(attempt->deliveries, delivery);
}

static void on_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    struct attempt *attempt = ctx;
    err_set(attempt->err, "rule %s fails again: %.*s", rule->name, SPAN_ARG(letter->reason));
    attempt->failed = true;
    free(letter);
}

static const struct forward_rule *find_rule(const struct ruleset *rules, struct span name)
{
    for (size_t i = 0; i < rules->forward_count; i++) {
        if (span_eq_str(name, rules->forward[i].name))
            return &rules->forward[i];
    }
    return NULL;
}

/* Fills attempt with the letter's deliveries; there is at least one when it returns true. */
static bool plan_again(struct attempt *attempt, const struct dead_letter *letter)
{
    const struct ruleset *rules = attempt->replay->rules;
    const struct forward_rule *rule = find_rule(rules, letter->rule);
    struct mqtt_message message;
    struct origin *origin;
    if (!rule) {
        return err_set(attempt->err, "there is no forward rule %.*s any more",
                       SPAN_ARG(letter->rule));
    }
    if (!origin_read(letter->origin, letter->body, &message, &origin))
        return err_set(attempt->err, "its origin cannot be read: the state directory is damaged");
    message.subscription_id_count = 0; /* they were of an earlier configuration */
    const struct plan_sink sink = {
        .ctx = attempt, .next_id = next_id, .delivery = on_delivery, .dead = on_dead};
    plan_message(rules, &message, rule, attempt->replay->jq, &sink);
    if (!attempt->failed && !attempt->deliveries)
        attempt->failed = !err_set(attempt->err, "rule %s does not take it any more", rule->name);
    origin_free(origin);
    return !attempt->failed;
}

/* Where a parked message came from; its origin is {"queue":...,"msgId":...}. */
static bool origin_queue(struct span origin, struct buf *store, struct span *queue)
{
    struct jsonview root, value;
    return jsonview_parse(origin, JSONVIEW_MAX_DEPTH, &root) &&
           jsonview_member(root, span_of("queue"), &value) && jsonview_text(value, store, queue);
}

static bool somebody_reads(const struct ruleset *rules, struct span queue)
{
    for (size_t i = 0; i < rules->reverse_count; i++) {
        if (rules->reverse[i].queue && span_eq_str(queue, rules->reverse[i].queue))
            return true;
    }
    return false;
}

/* The message goes back into the queue it came from, where a reverse rule takes it again. */
static bool send_back(struct attempt *attempt, const struct dead_letter *letter, struct span queue)
{
    if (span_starts(queue, "push/")) {
        return err_set(attempt->err, "CMQ pushed it, so there is no queue to put it back into: it "
                                     "can only be exported or dropped");
    }
    if (!somebody_reads(attempt->replay->rules, queue)) {
        return err_set(attempt->err, "no reverse rule reads the queue %.*s any more",
                       SPAN_ARG(queue));
    }
    uint64_t id;
    if (!morgue_reserve_id(attempt->replay->morgue, &id, attempt->err))
        return false;
    struct buf to = BUF_INIT(256);
    CHECK(destination_format(&(struct destination){.name = queue}, &to));
    struct delivery *delivery = delivery_new(letter->rule, buf_span(&to), letter->body);
    delivery->id = id;
    delivery->lane = destination_lane(buf_span(&to), false);
    delivery->received_ms = letter->received_ms;
    attempt->deliveries = delivery;
    buf_fini(&to);
    return true;
}

static bool send_back_letter(struct attempt *attempt, const struct dead_letter *letter)
{
    struct buf store = BUF_INIT(1024);
    struct span queue;
    bool ok = origin_queue(letter->origin, &store, &queue);
    if (!ok) {
        (void)err_set(attempt->err, "its origin cannot be read: the state directory is damaged");
    } else {
        ok = send_back(attempt, letter, queue);
    }
    buf_fini(&store);
    return ok;
}

bool replay_letter(const struct replay *replay, const struct dead_letter *letter, struct err *err)
{
    struct morgue *morgue = replay->morgue;
    if (letter->destination.len)
        return morgue_replay(morgue, letter->id, replay->timeout_ms, err);
    struct attempt attempt = {.replay = replay, .err = err};
    bool ok = letter->direction == DEAD_UP ? plan_again(&attempt, letter)
                                           : send_back_letter(&attempt, letter);
    if (ok)
        return morgue_replace(morgue, letter->id, attempt.deliveries, replay->timeout_ms, err);
    struct delivery *delivery, *next;
    LL_FOREACH_SAFE(attempt.deliveries, delivery, next)
    {
        free(delivery);
    }
    return false;
}
