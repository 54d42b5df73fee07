/*
 * plan - see plan.h
 *
 * A rule's deliveries are all made before the first is given away, so that a target that cannot be
 * made leaves nothing behind. One pair of buffers serves the whole message.
 */
#include "mapping/plan.h"

#include "base/clock.h"
#include "mapping/destination.h"
#include "mapping/matcher.h"
#include "mapping/origin.h"

enum {
    PLAN_HITS = 64,                      /* matching rules that need no memory of their own */
    PLAN_MAX_DESTINATION = 16 * 1024,    /* name, route and tags, and a value on its way to one */
    PLAN_MAX_ORIGIN = 128 * 1024 * 1024, /* 64 user properties of 128 KiB, each byte escaped */
};

struct planning {
    const struct ruleset *set;
    const struct mqtt_message *message;
    struct {
        uint32_t id;
        const struct rule_subscription *subscription;
    } ways[MQTT_MAX_SUBSCRIPTION_IDS]; /* by which the copy at hand came, of those that are known */
    size_t way_count;                  /* 0: it is for every rule */
    uint32_t oldest;                   /* the lowest id of ways */
    struct jq_worker *jq;
    const struct plan_sink *sink;
    struct plan_result result;
    struct template_scope scope;
    struct buf body;        /* of the rule at hand */
    struct buf text;        /* values of the target at hand */
    struct buf destination; /* of the target at hand */
    struct buf condition;   /* what the `when` of the rule at hand gave */
};

static void skip(const struct planning *p, const struct forward_rule *rule, const char *reason)
{
    if (p->sink->skipped)
        p->sink->skipped(p->sink->ctx, rule, reason);
}

static void find_ways(struct planning *p)
{
    const struct mqtt_message *m = p->message;
    for (size_t i = 0; i < m->subscription_id_count; i++) {
        uint32_t id = m->subscription_ids[i];
        const struct rule_subscription *s = ruleset_subscription(p->set, id);
        if (!s || p->way_count == MQTT_MAX_SUBSCRIPTION_IDS)
            continue;
        p->oldest = p->way_count == 0 || id < p->oldest ? id : p->oldest;
        p->ways[p->way_count].id = id;
        p->ways[p->way_count++].subscription = s;
    }
}

static const struct rule_subscription *subscription_of(const struct planning *p,
                                                       const struct rule_from *from)
{
    return &p->set->subscriptions[from->subscription];
}

/* Whether a filter matches, of a rule of which one does. */
static bool matches(const struct planning *p, const struct forward_rule *rule, size_t from)
{
    return rule->from_count == 1 ||
           topic_match(span_of(rule->from[from].filter->plain), p->message->topic, NULL);
}

/* The lowest identifier by which the copy at hand came for this rule; 0: it is for others. */
static uint32_t way_to(const struct planning *p, const struct forward_rule *rule)
{
    uint32_t lowest = 0;
    for (size_t i = 0; i < rule->from_count; i++) {
        for (size_t k = 0; k < p->way_count; k++) {
            uint32_t id = p->ways[k].id;
            if (p->ways[k].subscription == subscription_of(p, &rule->from[i]) &&
                (lowest == 0 || id < lowest) && matches(p, rule, i))
                lowest = id;
        }
    }
    return lowest;
}

/*
 * Whether the rule has a subscription that is older than the one with this identifier: then what
 * that one brings, the older one brings too.
 */
static bool has_older(const struct planning *p, const struct forward_rule *rule, uint32_t id)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        if (subscription_of(p, &rule->from[i])->id < id && matches(p, rule, i))
            return true;
    }
    return false;
}

/* Renders a template to the text buffer; *at is where it begins there. */
static bool render(struct planning *p, const struct template *t, size_t *at, struct err *err)
{
    *at = p->text.len;
    return template_render(t, &p->scope, &p->text, err);
}

/* Fills p->destination with the target's canonical text. */
static bool make_destination(struct planning *p, const struct rule_target *target, struct err *err)
{
    size_t name, route = 0, tags[CMQ_MAX_TAGS + 1];
    buf_clear(&p->text);
    buf_clear(&p->destination);
    if (!render(p, target->name, &name, err) ||
        (target->route && !render(p, target->route, &route, err)))
        return false;
    size_t name_end = target->route ? route : p->text.len;
    tags[0] = p->text.len;
    for (size_t i = 0; i < target->tag_count; i++) {
        if (!render(p, target->tags[i], &tags[i], err))
            return false;
        tags[i + 1] = p->text.len;
    }
    struct span text = buf_span(&p->text); /* it no longer moves */
    struct destination d = {
        .is_topic = target->is_topic,
        .name = span_slice(text, name, name_end - name),
        .delay_s = target->delay_s,
        .has_route = target->route != NULL,
        .route = span_slice(text, route, target->route ? tags[0] - route : 0),
        .tag_count = target->tag_count,
    };
    for (size_t i = 0; i < target->tag_count; i++)
        d.tags[i] = span_slice(text, tags[i], tags[i + 1] - tags[i]);
    CHECK(destination_format(&d, &p->destination)); /* its parts passed their limits */
    return true;
}

/* The program's first output is the body. */
static bool run_body(struct planning *p, const struct jq_program *program, struct err *err)
{
    enum jq_outcome outcome = jq_run(p->jq, program, p->message->payload, &p->body, err);
    if (outcome == JQ_VALUE || p->body.overflow)
        return envelope_fits(&p->body, 0, err);
    jq_reason(outcome, err);
    return false;
}

/* Makes the body, once for a rule; a CloudEvent once for each target, for its id. */
static bool make_body(struct planning *p, const struct forward_rule *rule, uint64_t id,
                      struct err *err)
{
    if (p->body.len > 0 && (rule->jq || rule->body != ENVELOPE_CLOUDEVENTS))
        return true;
    if (rule->jq)
        return run_body(p, rule->jq, err);
    struct envelope_context context = {p->scope.gateway, id, &p->scope.json};
    buf_clear(&p->body);
    return envelope_write(rule->body, p->message, &context, &p->body, err);
}

static uint32_t flags_of(const struct forward_rule *rule)
{
    return (rule->strict ? DELIVERY_STRICT : 0U) |
           (rule->accept_unrouted ? DELIVERY_ACCEPT_UNROUTED : 0U);
}

static struct delivery *make_delivery(struct planning *p, const struct forward_rule *rule,
                                      const struct rule_target *target, struct err *err)
{
    if (!make_destination(p, target, err))
        return NULL;
    uint64_t id = p->sink->next_id(p->sink->ctx);
    if (!make_body(p, rule, id, err))
        return NULL;
    struct span destination = buf_span(&p->destination);
    struct delivery *d = delivery_new(p->scope.rule, destination, buf_span(&p->body));
    d->id = id;
    d->lane = destination_lane(destination, rule->strict);
    d->received_ms = p->message->received_ms;
    d->expires_ms = rule->max_age_ms > 0 ? d->received_ms + rule->max_age_ms : 0;
    d->flags = flags_of(rule);
    return d;
}

static void give_dead(struct planning *p, const struct forward_rule *rule, const struct err *err)
{
    struct buf origin = BUF_INIT(PLAN_MAX_ORIGIN);
    CHECK(origin_write(p->message, &origin));
    struct span none = {NULL, 0};
    struct dead_letter *letter = dead_letter_new(p->scope.rule, span_of(err->text), none,
                                                 buf_span(&origin), p->message->payload);
    buf_fini(&origin);
    letter->received_ms = p->message->received_ms;
    letter->died_ms = clock_unix_ms();
    letter->flags = flags_of(rule);
    letter->direction = DEAD_UP;
    p->result.dead++;
    p->sink->dead(p->sink->ctx, rule, letter);
}

/* Gives the deliveries in the order of the targets, or frees them. */
static void give_all(struct planning *p, const struct forward_rule *rule, struct delivery *made,
                     bool keep)
{
    for (size_t target = 0; made; target++) {
        struct delivery *next = made->next;
        made->next = NULL;
        if (keep) {
            p->result.deliveries++;
            p->sink->delivery(p->sink->ctx, rule, target, made);
        } else {
            free(made);
        }
        made = next;
    }
}

static void carry_out(struct planning *p, const struct forward_rule *rule)
{
    struct err err;
    struct delivery *made = NULL, **tail = &made;
    bool ok = true;
    buf_clear(&p->body);
    for (size_t i = 0; ok && i < rule->target_count; i++) {
        *tail = make_delivery(p, rule, &rule->targets[i], &err);
        ok = *tail != NULL;
        if (ok)
            tail = &(*tail)->next;
    }
    give_all(p, rule, made, ok);
    if (!ok)
        give_dead(p, rule, &err);
}

enum condition { CONDITION_TRUE, CONDITION_FALSE, CONDITION_FAILED };

/* Whether the rule's `when` holds. FALSE: *why is one line for people; FAILED: err has the code. */
static enum condition judge(struct planning *p, const struct forward_rule *rule, const char **why,
                            struct err *err)
{
    if (!rule->when)
        return CONDITION_TRUE;
    buf_clear(&p->condition);
    enum jq_outcome outcome = jq_run(p->jq, rule->when, p->message->payload, &p->condition, err);
    switch (outcome) {
    case JQ_VALUE:
        *why = "its condition (when) is false or null";
        return jq_is_true(buf_span(&p->condition)) ? CONDITION_TRUE : CONDITION_FALSE;
    case JQ_NOTHING:
        *why = "its condition (when) gives no output";
        return CONDITION_FALSE;
    case JQ_NOT_JSON:
        *why = "it has a condition (when), and the payload is not JSON";
        return CONDITION_FALSE;
    case JQ_FAILED:
    case JQ_LIMIT:
    case JQ_BROKEN:
        jq_reason(outcome, err);
        break;
    }
    return CONDITION_FAILED;
}

/*
 * Leaves a rule to another copy of the message. Returns whether the rule has matched that one and
 * is final: that holds the rules below for every copy, if it is certain that the other one comes.
 */
static bool leave_to_other_copy(struct planning *p, const struct forward_rule *rule)
{
    const char *why;
    struct err err;
    p->result.elsewhere++;
    skip(p, rule, "this copy of the message came for another subscription");
    return rule->final && has_older(p, rule, p->oldest) &&
           !(rule->skip_retained && p->message->retain) &&
           judge(p, rule, &why, &err) == CONDITION_TRUE;
}

/* Plans a rule of which `from` is the first filter that matches. Returns whether it matched. */
static bool plan_rule(struct planning *p, const struct forward_rule *rule, size_t from)
{
    const struct filter *filter = rule->from[from].filter;
    struct topic_captures captures;
    uint32_t way = way_to(p, rule);
    if (p->way_count > 0 && (way == 0 || has_older(p, rule, way)))
        return leave_to_other_copy(p, rule);
    if (rule->skip_retained && p->message->retain) {
        p->result.retained_skipped++;
        skip(p, rule, "it skips retained copies (retained = \"skip\")");
        return false;
    }
    const char *why;
    struct err err;
    enum condition condition = judge(p, rule, &why, &err);
    if (condition == CONDITION_FALSE) {
        skip(p, rule, why);
        return false;
    }
    CHECK(topic_match(span_of(filter->plain), p->message->topic, &captures));
    p->result.matched++;
    if (p->sink->matched)
        p->sink->matched(p->sink->ctx, rule, filter, &captures);
    p->scope.rule = span_of(rule->name);
    if (condition == CONDITION_FAILED) {
        give_dead(p, rule, &err);
        return false;
    }
    p->scope.filter = filter;
    p->scope.captures = &captures;
    p->scope.replace = span_of(rule->replace);
    p->scope.replace_reject = rule->replace_reject;
    carry_out(p, rule);
    return true;
}

/* None of the rule's filters matches: says why not, filter by filter. */
static void skip_unmatched(struct planning *p, const struct forward_rule *rule)
{
    buf_clear(&p->text);
    for (size_t i = 0; i < rule->from_count; i++) {
        const struct filter *filter = rule->from[i].filter;
        buf_printf(&p->text, "%s%s: ", i ? "; " : "", filter->text);
        topic_explain(span_of(filter->plain), p->message->topic, &p->text);
    }
    skip(p, rule, buf_str(&p->text));
}

static void plan_hits(struct planning *p, const struct matcher_hit *hits, size_t count)
{
    size_t next = 0; /* rules below are accounted for */
    const struct forward_rule *final = NULL;
    for (size_t i = 0; i < count && !final; i++) {
        const struct forward_rule *rule = &p->set->forward[hits[i].rule];
        for (; p->sink->skipped && next < hits[i].rule; next++)
            skip_unmatched(p, &p->set->forward[next]);
        next = hits[i].rule + 1;
        if (plan_rule(p, rule, hits[i].from) && rule->final)
            final = rule;
    }
    struct err reason;
    if (final)
        err_set(&reason, "rule \"%s\" above it matched and is final", final->name);
    for (; p->sink->skipped && next < p->set->forward_count; next++) {
        if (final) {
            skip(p, &p->set->forward[next], reason.text);
        } else {
            skip_unmatched(p, &p->set->forward[next]);
        }
    }
}

static void plan_all(struct planning *p)
{
    struct matcher_hit few[PLAN_HITS], *hits = few;
    size_t count = matcher_find(p->set->matcher, p->message->topic, few, PLAN_HITS);
    if (count > PLAN_HITS) {
        hits = check_alloc(calloc(count, sizeof *hits));
        count = matcher_find(p->set->matcher, p->message->topic, hits, count);
    }
    plan_hits(p, hits, count);
    if (hits != few)
        free(hits);
}

static void plan_one(struct planning *p, const struct forward_rule *rule)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        if (topic_match(span_of(rule->from[i].filter->plain), p->message->topic, NULL)) {
            plan_rule(p, rule, i);
            return;
        }
    }
    skip_unmatched(p, rule);
}

struct plan_result plan_message(const struct ruleset *set, const struct mqtt_message *message,
                                const struct forward_rule *only, struct jq_worker *jq,
                                const struct plan_sink *sink)
{
    struct planning p = {
        .set = set,
        .message = message,
        .jq = jq,
        .sink = sink,
        .scope = {.message = message,
                  .gateway = span_of(set->gateway),
                  .payload = message->payload},
        .body = BUF_INIT(CMQ_MAX_BODY_BYTES),
        .text = BUF_INIT(PLAN_MAX_DESTINATION),
        .destination = BUF_INIT(PLAN_MAX_DESTINATION),
        .condition = BUF_INIT(JQ_MAX_OUTPUT_BYTES),
    };
    find_ways(&p);
    if (only) {
        plan_one(&p, only);
    } else {
        plan_all(&p);
    }
    template_scope_fini(&p.scope);
    buf_fini(&p.body);
    buf_fini(&p.text);
    buf_fini(&p.destination);
    buf_fini(&p.condition);
    return p.result;
}
