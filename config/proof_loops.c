/*
 * proof_loops - see proof.h: reverse rules whose messages come back to what they take from
 *
 * A well is what reverse rules take from: a queue, or the path of pushes. A graph is made of what
 * each reverse rule publishes, the forward rules that can match it, and the wells that these can
 * fill: directly, or through a topic and its subscriptions.
 */
#include "config/cycles.h"
#include "config/declared.h"
#include "config/filter_tree.h"
#include "config/list.h"
#include "config/proof.h"

#include <ctype.h>
#include <uthash.h>

enum { MAX_KEY_BYTES = 512, MAX_WAY_BYTES = 8192, SHOWN_STEPS = 6 };

struct well {
    char *key;     /* "queue NAME" in lower case, or "push PATH" */
    size_t *rules; /* that take from it */
    size_t rule_count;
    size_t stamp; /* the last reverse rule, counted from 1, that was seen to lead here */
    UT_hash_handle hh;
};

/* A subscription that fills a well. */
struct pipe {
    const struct resource_subscription *subscription;
    struct well *well;
};

/* The wells that a forward rule can fill. */
struct reach {
    struct well **wells;
    size_t count;
};

/* A filter of a forward rule. */
struct ear {
    struct span filter;
    size_t rule;
};

struct loops {
    const struct config *config;
    struct faults *faults;
    struct declared declared;
    struct well *wells;
    struct pipe *pipes; /* in order of topic */
    size_t *first_pipe; /* of each topic, and behind the last */
    struct reach *reach;
    struct ear *ears; /* of rules that fill wells, in order of filter */
    size_t ear_count;
    struct filter_tree *tree; /* its owners are the first ears with a filter */
    struct cycles graph;
    size_t at; /* the reverse rule whose edges are being made */
};

static const struct reverse_rule *reverse_of(const struct loops *loops, size_t index)
{
    return &loops->config->rules->reverse[index];
}

/* ---- wells ---- */

static void make_key(struct buf *key, bool queue, struct span name)
{
    buf_printf(key, "%s %.*s", queue ? "queue" : "push", SPAN_ARG(name));
    for (size_t i = 0; queue && i < key->len; i++)
        key->ptr[i] = (char)tolower((unsigned char)key->ptr[i]);
}

static struct well *find_well(const struct loops *loops, bool queue, struct span name)
{
    struct buf key = BUF_INIT(MAX_KEY_BYTES);
    struct well *well;
    make_key(&key, queue, name);
    HASH_FIND(hh, loops->wells, buf_str(&key), key.len, well);
    buf_fini(&key);
    return well;
}

static struct well *make_well(struct loops *loops, bool queue, struct span name)
{
    struct buf key = BUF_INIT(MAX_KEY_BYTES);
    struct well *well = check_alloc(calloc(1, sizeof *well));
    make_key(&key, queue, name);
    size_t len = key.len;
    well->key = buf_take(&key);
    HASH_ADD_KEYPTR(hh, loops->wells, well->key, len, well);
    return well;
}

static void make_wells(struct loops *loops)
{
    for (size_t i = 0; i < loops->config->rules->reverse_count; i++) {
        const struct reverse_rule *rule = reverse_of(loops, i);
        struct span name = span_of(rule->queue ? rule->queue : rule->push_path);
        struct well *well = find_well(loops, rule->queue, name);
        if (!well)
            well = make_well(loops, rule->queue, name);
        well->rules = list_grow(well->rules, well->rule_count, sizeof *well->rules);
        well->rules[well->rule_count++] = i;
    }
}

static void make_pipes(struct loops *loops)
{
    const struct resources *resources = &loops->config->resources;
    size_t room = 1, count = 0;
    for (size_t i = 0; i < resources->topic_count; i++)
        room += resources->topics[i].subscription_count;
    loops->pipes = check_alloc(calloc(room, sizeof *loops->pipes));
    loops->first_pipe = check_alloc(calloc(resources->topic_count + 1, sizeof(size_t)));
    for (size_t i = 0; i < resources->topic_count; i++) {
        const struct resource_topic *topic = &resources->topics[i];
        for (size_t k = 0; k < topic->subscription_count; k++) {
            const struct resource_subscription *s = &topic->subscriptions[k];
            struct well *well =
                find_well(loops, s->queue, s->queue ? span_of(s->queue) : declared_path(s->url));
            if (well)
                loops->pipes[count++] = (struct pipe){s, well};
        }
        loops->first_pipe[i + 1] = count;
    }
}

/* ---- what forward rules fill ---- */

static void add_well(struct loops *loops, size_t index, struct well *well)
{
    struct reach *reach = &loops->reach[index];
    for (size_t i = 0; i < reach->count; i++) {
        if (reach->wells[i] == well)
            return;
    }
    reach->wells = list_grow(reach->wells, reach->count, sizeof(struct well *));
    reach->wells[reach->count++] = well;
}

static void add_by_topic(struct loops *loops, size_t index, const struct rule_target *target,
                         const struct resource_topic *topic)
{
    const struct forward_rule *rule = &loops->config->rules->forward[index];
    size_t number = (size_t)(topic - loops->config->resources.topics);
    size_t first = loops->first_pipe[number], end = loops->first_pipe[number + 1];
    struct shape route;
    if (target->route && first < end)
        shape_of_route(&route, target->route, rule->from, rule->from_count);
    for (size_t i = first; i < end; i++) {
        const struct pipe *pipe = &loops->pipes[i];
        if (declared_receives(topic, pipe->subscription, target, target->route ? &route : NULL))
            add_well(loops, index, pipe->well);
    }
}

static void add_target(struct loops *loops, size_t index, const struct rule_target *target)
{
    const char *name = template_constant(target->name).ptr;
    const struct resources *resources = &loops->config->resources;
    if (target->is_topic && name) {
        const struct resource_topic *topic = declared_topic(&loops->declared, name);
        if (topic)
            add_by_topic(loops, index, target, topic);
    } else if (target->is_topic) {
        for (size_t i = 0; i < resources->topic_count; i++) {
            if (shape_name_can_be(target->name, resources->topics[i].name))
                add_by_topic(loops, index, target, &resources->topics[i]);
        }
    } else if (name) {
        struct well *well = find_well(loops, true, span_of(name));
        if (well)
            add_well(loops, index, well);
    } else {
        for (struct well *well = loops->wells; well; well = well->hh.next) {
            const struct reverse_rule *taker = reverse_of(loops, well->rules[0]);
            if (taker->queue && shape_name_can_be(target->name, taker->queue))
                add_well(loops, index, well);
        }
    }
}

static int by_filter(const void *a, const void *b)
{
    const struct ear *x = a, *y = b;
    int order = span_cmp(x->filter, y->filter);
    return order != 0 ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

static void make_ears(struct loops *loops)
{
    const struct ruleset *set = loops->config->rules;
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->target_count; k++)
            add_target(loops, i, &rule->targets[k]);
        for (size_t k = 0; k < rule->from_count && loops->reach[i].count > 0; k++) {
            loops->ears = list_grow(loops->ears, loops->ear_count, sizeof *loops->ears);
            loops->ears[loops->ear_count++] = (struct ear){span_of(rule->from[k].filter->plain), i};
        }
    }
    if (loops->ear_count > 0)
        qsort(loops->ears, loops->ear_count, sizeof *loops->ears, by_filter);
    loops->tree = filter_tree_new();
    for (size_t i = 0; i < loops->ear_count; i++)
        filter_tree_add(loops->tree, loops->ears[i].filter, i);
}

/* ---- cycles ---- */

/* Adds the edges from the reverse rule at hand through the forward rules with this ear's filter. */
static bool add_edges(void *ctx, size_t first)
{
    struct loops *loops = ctx;
    struct span filter = loops->ears[first].filter;
    for (size_t i = first; i < loops->ear_count && span_eq(loops->ears[i].filter, filter); i++) {
        const struct reach *reach = &loops->reach[loops->ears[i].rule];
        for (size_t k = 0; k < reach->count; k++) {
            struct well *well = reach->wells[k];
            for (size_t r = 0; r < well->rule_count && well->stamp != loops->at + 1; r++) {
                if (!reverse_of(loops, well->rules[r])->allow_loop)
                    cycles_add(&loops->graph, loops->at, well->rules[r], loops->ears[i].rule);
            }
            well->stamp = loops->at + 1;
        }
    }
    return false;
}

static void add_step(const struct loops *loops, struct buf *text, size_t forward, size_t to,
                     bool last)
{
    const struct forward_rule *rule = &loops->config->rules->forward[forward];
    const struct reverse_rule *taker = reverse_of(loops, to);
    buf_printf(text,
               "the forward rule \"%s\" at %s:%d can match what %s publishes, and can send it ",
               rule->name, rule->file, rule->line, text->len > 0 ? "that one" : "this rule");
    if (last && taker->queue) {
        buf_printf(text, "back to the queue \"%s\"", taker->queue);
    } else if (last) {
        buf_add_str(text, "back by a subscription that posts to this rule");
    } else if (taker->queue) {
        buf_printf(text, "to the queue \"%s\" of the reverse rule \"%s\" at %s:%d; ", taker->queue,
                   taker->name, taker->file, taker->line);
    } else {
        buf_printf(text, "to the reverse rule \"%s\" at %s:%d by a subscription that posts to it; ",
                   taker->name, taker->file, taker->line);
    }
}

static void tell_cycle(void *ctx, const size_t *nodes, const size_t *labels, size_t count)
{
    const struct loops *loops = ctx;
    const struct reverse_rule *rule = reverse_of(loops, nodes[0]);
    struct buf way = BUF_INIT(MAX_WAY_BYTES);
    for (size_t i = 0; i < count; i++) {
        if (i < SHOWN_STEPS || i + 1 == count)
            add_step(loops, &way, labels[i], nodes[(i + 1) % count], i + 1 == count);
        if (i == SHOWN_STEPS && i + 1 < count)
            buf_printf(&way, "and so on over %zu more rules; ", count - 1 - SHOWN_STEPS);
    }
    faults_add(loops->faults, FAULT_ERROR, rule->file, rule->line,
               "a cycle: %s; allow_loop = true%s permits it", buf_str(&way),
               count > 1 ? " in one of the reverse rules" : "");
    buf_fini(&way);
}

static void find_loops(struct loops *loops)
{
    const struct ruleset *set = loops->config->rules;
    make_pipes(loops);
    make_ears(loops);
    cycles_init(&loops->graph, set->reverse_count);
    for (loops->at = 0; loops->ear_count > 0 && loops->at < set->reverse_count; loops->at++) {
        struct shape topic;
        if (reverse_of(loops, loops->at)->allow_loop)
            continue;
        shape_of_topic(&topic, reverse_of(loops, loops->at)->to);
        filter_tree_each(loops->tree, &topic, add_edges, loops);
    }
    cycles_find(&loops->graph, tell_cycle, loops);
    if (loops->graph.cut) {
        faults_add(loops->faults, FAULT_WARNING, set->reverse[0].file, set->reverse[0].line,
                   "rules lead to each other in too many ways: not every cycle was looked for");
    }
    cycles_fini(&loops->graph);
}

/* ---- dead letters ---- */

static void tell_dead_cycle(void *ctx, const size_t *nodes, const size_t *labels, size_t count)
{
    (void)labels;
    const struct loops *loops = ctx;
    const struct reverse_rule *rule = reverse_of(loops, nodes[0]);
    struct buf way = BUF_INIT(MAX_WAY_BYTES);
    for (size_t i = 1; i < count && i <= SHOWN_STEPS; i++) {
        const struct reverse_rule *next = reverse_of(loops, nodes[i]);
        buf_printf(&way, "to the reverse rule \"%s\" at %s:%d, and from there ", next->name,
                   next->file, next->line);
    }
    if (count > SHOWN_STEPS + 1)
        buf_printf(&way, "over %zu more rules ", count - 1 - SHOWN_STEPS);
    faults_add(loops->faults, FAULT_ERROR, rule->file, rule->line,
               "a cycle of dead letters: what this rule cannot publish goes %sback to the queue "
               "\"%s\", for ever",
               buf_str(&way), rule->queue);
    buf_fini(&way);
}

static void find_dead_loops(struct loops *loops)
{
    const struct ruleset *set = loops->config->rules;
    cycles_init(&loops->graph, set->reverse_count);
    for (size_t i = 0; i < set->reverse_count; i++) {
        const char *queue = set->reverse[i].dead_letter;
        const struct well *well = *queue ? find_well(loops, true, span_of(queue)) : NULL;
        for (size_t k = 0; well && k < well->rule_count; k++)
            cycles_add(&loops->graph, i, well->rules[k], 0);
    }
    cycles_find(&loops->graph, tell_dead_cycle, loops);
    cycles_fini(&loops->graph);
}

static void loops_fini(struct loops *loops)
{
    struct well *well, *next;
    HASH_ITER(hh, loops->wells, well, next)
    {
        HASH_DEL(loops->wells, well);
        free(well->rules);
        free(well->key);
        free(well);
    }
    for (size_t i = 0; i < loops->config->rules->forward_count; i++)
        free(loops->reach[i].wells);
    filter_tree_free(loops->tree);
    free(loops->reach);
    free(loops->ears);
    free(loops->pipes);
    free(loops->first_pipe);
    declared_fini(&loops->declared);
}

void proof_loops(const struct config *config, struct faults *faults)
{
    const struct ruleset *set = config->rules;
    struct loops loops = {.config = config, .faults = faults};
    if (set->reverse_count == 0)
        return;
    declared_init(&loops.declared, &config->resources);
    loops.reach = check_alloc(calloc(set->forward_count + 1, sizeof *loops.reach));
    make_wells(&loops);
    if (config->resources.declared)
        find_loops(&loops);
    find_dead_loops(&loops);
    loops_fini(&loops);
}
