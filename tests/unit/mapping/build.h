/* build - rule sets for tests, made as config/ makes them: every string and struct on the heap */
#ifndef TESTS_UNIT_MAPPING_BUILD_H
#define TESTS_UNIT_MAPPING_BUILD_H

#include "mapping/rule.h"

struct target_spec {
    const char *queue, *topic, *route; /* queue or topic */
    const char *tags[CMQ_MAX_TAGS];
    uint32_t delay_s;
};

struct rule_spec {
    const char *name;
    const char *from[4];
    struct target_spec to[4];
    enum envelope_kind body;
    const char *when, *jq;
    int qos;
    bool skip_retained, final, strict, accept_unrouted, reject;
    int64_t max_age_ms;
};

static inline struct template *build_template(const char *text, enum template_use use,
                                              const struct filter *names)
{
    struct err err;
    struct template *t = text ? template_new(span_of(text), use, names, false, &err) : NULL;
    CHECK(t || !text);
    return t;
}

static inline void build_target(struct rule_target *t, const struct target_spec *spec,
                                const struct filter *names)
{
    t->is_topic = spec->topic != NULL;
    t->name = build_template(spec->topic ? spec->topic : spec->queue, TEMPLATE_NAME, names);
    t->route = build_template(spec->route, TEMPLATE_ROUTE, names);
    t->delay_s = spec->delay_s;
    for (; t->tag_count < CMQ_MAX_TAGS && spec->tags[t->tag_count]; t->tag_count++)
        t->tags[t->tag_count] = build_template(spec->tags[t->tag_count], TEMPLATE_TAG, names);
}

static inline const struct jq_program *build_program(struct ruleset *set, const char *text)
{
    struct err err;
    const struct jq_program *program = text ? ruleset_program(set, span_of(text), &err) : NULL;
    CHECK(program || !text);
    return program;
}

static inline void build_rule(struct ruleset *set, struct forward_rule *r,
                              const struct rule_spec *spec)
{
    struct err err;
    *r = (struct forward_rule){
        .name = span_dup(span_of(spec->name)),
        .from = check_alloc(calloc(4, sizeof *r->from)),
        .qos = spec->qos,
        .targets = check_alloc(calloc(4, sizeof *r->targets)),
        .when = build_program(set, spec->when),
        .jq = build_program(set, spec->jq),
        .body = spec->body,
        .skip_retained = spec->skip_retained,
        .final = spec->final,
        .strict = spec->strict,
        .accept_unrouted = spec->accept_unrouted,
        .max_age_ms = spec->max_age_ms,
        .replace = span_dup(span_of("_")),
        .replace_reject = spec->reject,
    };
    for (; r->from_count < 4 && spec->from[r->from_count]; r->from_count++) {
        r->from[r->from_count].filter = filter_new(span_of(spec->from[r->from_count]), &err);
        CHECK(r->from[r->from_count].filter);
    }
    for (; r->target_count < 4 &&
           (spec->to[r->target_count].queue || spec->to[r->target_count].topic);
         r->target_count++)
        build_target(&r->targets[r->target_count], &spec->to[r->target_count], r->from[0].filter);
}

/* A sealed set; ruleset_free frees it. */
static inline struct ruleset *build_ruleset(const struct rule_spec *specs, size_t count)
{
    struct ruleset *set = check_alloc(calloc(1, sizeof *set));
    set->gateway = span_dup(span_of("edge-1"));
    set->forward = check_alloc(calloc(count + 1, sizeof *set->forward));
    set->forward_count = count;
    for (size_t i = 0; i < count; i++)
        build_rule(set, &set->forward[i], &specs[i]);
    ruleset_seal(set);
    return set;
}

#endif
