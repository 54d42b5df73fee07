/* rule - see rule.h. */
#include "mapping/rule.h"

#include "mapping/matcher.h"

#include <uthash.h>

enum { MQTT_MAX_SUBSCRIPTION_ID = 268435455 }; /* MQTT 5.0 s. 3.8.2.1.2 */

struct known_filter {
    UT_hash_handle hh;
    size_t index; /* into subscriptions */
};

/* Counts of `from` entries over all rules: as many subscriptions as there can be. */
static size_t count_filters(const struct ruleset *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->forward_count; i++)
        n += set->forward[i].from_count;
    return n;
}

static void subscribe(struct ruleset *set, struct known_filter **known, struct known_filter *spare,
                      const struct forward_rule *rule, struct rule_from *from)
{
    const char *plain = from->filter->plain;
    struct known_filter *k;
    HASH_FIND_STR(*known, plain, k);
    if (!k) {
        k = &spare[set->subscription_count];
        k->index = set->subscription_count++;
        set->subscriptions[k->index] =
            (struct rule_subscription){.filter = span_dup(span_of(plain))};
        HASH_ADD_KEYPTR(hh, *known, plain, strlen(plain), k);
    }
    struct rule_subscription *s = &set->subscriptions[k->index];
    from->subscription = k->index;
    s->retained = s->retained || !rule->skip_retained;
    if (rule->qos > s->qos)
        s->qos = rule->qos;
}

static void make_subscriptions(struct ruleset *set)
{
    size_t room = count_filters(set);
    struct known_filter *known = NULL, *spare = check_alloc(calloc(room + 1, sizeof *spare));
    set->subscriptions = check_alloc(calloc(room + 1, sizeof *set->subscriptions));
    for (size_t i = 0; i < set->forward_count; i++) {
        struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->from_count; k++)
            subscribe(set, &known, spare, rule, &rule->from[k]);
    }
    HASH_CLEAR(hh, known);
    free(spare);
}

static bool is_covered(const struct ruleset *set, size_t index, const struct matcher_hit *hits,
                       size_t count)
{
    const struct rule_subscription *s = &set->subscriptions[index];
    for (size_t i = 0; i < count; i++) {
        const struct rule_subscription *other = &set->subscriptions[hits[i].rule];
        if (hits[i].rule != index && other->qos >= s->qos && other->retained >= s->retained)
            return true;
    }
    return false;
}

/* A matcher over the subscriptions finds those that cover one; two never cover each other in it. */
static void mark_covered(struct ruleset *set)
{
    struct matcher *m = matcher_new();
    for (size_t i = 0; i < set->subscription_count; i++)
        matcher_add(m, span_of(set->subscriptions[i].filter), (uint32_t)i, 0);
    matcher_seal(m);
    size_t room = set->subscription_count + 1;
    struct matcher_hit *hits = check_alloc(calloc(room, sizeof *hits));
    for (size_t i = 0; i < set->subscription_count; i++) {
        struct span filter = span_of(set->subscriptions[i].filter);
        size_t count = matcher_find(m, filter, hits, room);
        set->subscriptions[i].covered = is_covered(set, i, hits, count);
    }
    free(hits);
    matcher_free(m);
}

const struct jq_program *ruleset_program(struct ruleset *set, struct span text, struct err *err)
{
    for (size_t i = 0; i < set->program_count; i++) {
        if (span_eq(jq_program_text(set->programs[i]), text))
            return set->programs[i];
    }
    struct jq_program *program = jq_program_new(text, err);
    if (!program)
        return NULL;
    size_t room = set->program_count + 1;
    set->programs = check_alloc(reallocarray(set->programs, room, sizeof(struct jq_program *)));
    set->programs[set->program_count++] = program;
    return program;
}

void ruleset_seal(struct ruleset *set)
{
    CHECK(!set->matcher);
    make_subscriptions(set);
    mark_covered(set);
    set->matcher = matcher_new();
    for (size_t i = 0; i < set->forward_count; i++) {
        for (size_t k = 0; k < set->forward[i].from_count; k++) {
            matcher_add(set->matcher, span_of(set->forward[i].from[k].filter->plain), (uint32_t)i,
                        (uint32_t)k);
        }
    }
    matcher_seal(set->matcher);
}

struct numbering {
    bool (*used)(void *ctx, uint32_t id);
    void *ctx;
    uint32_t last; /* no identifier of the set is above */
};

static uint32_t new_id(struct numbering *n)
{
    do {
        n->last++;
        CHECK(n->last <= MQTT_MAX_SUBSCRIPTION_ID);
    } while (n->used(n->ctx, n->last));
    return n->last;
}

/* Sees to it that subscriptions below a final rule are younger than its own, but for its own. */
static void renew_below_finals(struct ruleset *set, struct numbering *n)
{
    bool *of_final = check_alloc(calloc(set->subscription_count + 1, sizeof *of_final));
    uint32_t youngest = 0; /* of final rules so far */
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->from_count; k++) {
            struct rule_subscription *s = &set->subscriptions[rule->from[k].subscription];
            if (s->id >= youngest || of_final[rule->from[k].subscription])
                continue;
            if (s->earlier_id == 0)
                s->earlier_id = s->id;
            s->id = new_id(n);
        }
        for (size_t k = 0; k < rule->from_count && rule->final; k++) {
            uint32_t id = set->subscriptions[rule->from[k].subscription].id;
            youngest = id > youngest ? id : youngest;
            of_final[rule->from[k].subscription] = true;
        }
    }
    free(of_final);
}

static int id_order(const void *a, const void *b)
{
    const struct rule_id *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

void ruleset_number(struct ruleset *set, uint32_t (*known)(void *ctx, const char *filter),
                    bool (*used)(void *ctx, uint32_t id), void *ctx)
{
    struct numbering n = {used, ctx, 0};
    for (size_t i = 0; i < set->subscription_count; i++) {
        struct rule_subscription *s = &set->subscriptions[i];
        s->id = known(ctx, s->filter);
        n.last = s->id > n.last ? s->id : n.last;
    }
    for (size_t i = 0; i < set->subscription_count; i++) {
        if (set->subscriptions[i].id == 0)
            set->subscriptions[i].id = new_id(&n);
    }
    renew_below_finals(set, &n);
    set->ids = check_alloc(calloc(2 * set->subscription_count + 1, sizeof *set->ids));
    for (size_t i = 0; i < set->subscription_count; i++) {
        const struct rule_subscription *s = &set->subscriptions[i];
        set->ids[set->id_count++] = (struct rule_id){s->id, s};
        if (s->earlier_id > 0)
            set->ids[set->id_count++] = (struct rule_id){s->earlier_id, s};
    }
    qsort(set->ids, set->id_count, sizeof *set->ids, id_order);
}

const struct rule_subscription *ruleset_subscription(const struct ruleset *set, uint32_t id)
{
    const struct rule_id sought = {.id = id}, *found;
    if (set->id_count == 0)
        return NULL;
    found = bsearch(&sought, set->ids, set->id_count, sizeof *set->ids, id_order);
    return found ? found->subscription : NULL;
}

static void forward_fini(struct forward_rule *rule)
{
    for (size_t i = 0; i < rule->from_count; i++)
        filter_free(rule->from[i].filter);
    for (size_t i = 0; i < rule->target_count; i++) {
        struct rule_target *target = &rule->targets[i];
        template_free(target->name);
        template_free(target->route);
        for (size_t k = 0; k < target->tag_count; k++)
            template_free(target->tags[k]);
    }
    free(rule->from);
    free(rule->targets);
    free(rule->name);
    free(rule->replace);
}

static void reverse_fini(struct reverse_rule *rule)
{
    free(rule->name);
    free(rule->queue);
    free(rule->push_path);
    free(rule->dead_letter);
    template_free(rule->to);
}

void ruleset_free(struct ruleset *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->forward_count; i++)
        forward_fini(&set->forward[i]);
    for (size_t i = 0; i < set->reverse_count; i++)
        reverse_fini(&set->reverse[i]);
    for (size_t i = 0; i < set->program_count; i++)
        jq_program_free(set->programs[i]);
    for (size_t i = 0; i < set->subscription_count; i++)
        free(set->subscriptions[i].filter);
    for (size_t i = 0; i < set->file_count; i++)
        free(set->files[i]);
    free(set->gateway);
    free(set->forward);
    free(set->reverse);
    free(set->programs);
    free(set->subscriptions);
    free(set->ids);
    free(set->files);
    matcher_free(set->matcher);
    free(set);
}
