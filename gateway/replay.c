/* replay: plans a dead letter again and exchanges it for what came of it. */
#include "gateway/replay.h"

#include "mapping/origin.h"
#include "mapping/plan.h"

#include <utlist.h>

/* What planning again gave. */
struct attempt {
    struct morgue *morgue;
    struct err *err;
    bool failed; /* err says why */
    struct delivery *deliveries;
};

static uint64_t next_id(void *ctx)
{
    struct attempt *attempt = ctx;
    uint64_t id = 0;
    if (!attempt->failed)
        attempt->failed = !morgue_reserve_id(attempt->morgue, &id, attempt->err);
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
static bool plan_again(struct attempt *attempt, const struct ruleset *rules,
                       const struct dead_letter *letter)
{
    const struct forward_rule *rule = find_rule(rules, letter->rule);
    struct mqtt_message message;
    struct origin *origin;
    if (letter->direction != DEAD_UP) {
        return err_set(attempt->err, "it came from CMQ and was never planned: only messages from "
                                     "MQTT can be planned again");
    }
    if (!rule) {
        return err_set(attempt->err, "there is no forward rule %.*s any more",
                       SPAN_ARG(letter->rule));
    }
    if (!origin_read(letter->origin, letter->body, &message, &origin))
        return err_set(attempt->err, "its origin cannot be read: the state directory is damaged");
    message.subscription_id_count = 0; /* they were of an earlier configuration */
    const struct plan_sink sink = {
        .ctx = attempt, .next_id = next_id, .delivery = on_delivery, .dead = on_dead};
    plan_message(rules, &message, rule, &sink);
    if (!attempt->failed && !attempt->deliveries)
        attempt->failed = !err_set(attempt->err, "rule %s does not take it any more", rule->name);
    origin_free(origin);
    return !attempt->failed;
}

bool replay_letter(struct morgue *morgue, const struct ruleset *rules,
                   const struct dead_letter *letter, int64_t timeout_ms, struct err *err)
{
    if (letter->destination.len)
        return morgue_replay(morgue, letter->id, timeout_ms, err);
    struct attempt attempt = {.morgue = morgue, .err = err};
    if (plan_again(&attempt, rules, letter))
        return morgue_replace(morgue, letter->id, attempt.deliveries, timeout_ms, err);
    struct delivery *delivery, *next;
    LL_FOREACH_SAFE(attempt.deliveries, delivery, next)
    {
        free(delivery);
    }
    return false;
}
