/*
 * proof_loops - see proof.h: reverse rules whose messages come back to the queue they take from
 *
 * A well is a queue that reverse rules take from, with the filters of all forward rules that can
 * send there: directly, or through a topic that the queue is subscribed to.
 */
#include "config/declared.h"
#include "config/filter_tree.h"
#include "config/proof.h"

#include <ctype.h>
#include <uthash.h>

struct well {
    char queue[CMQ_MAX_NAME_BYTES + 1]; /* in lower case */
    struct filter_tree *senders;        /* owners are forward rules */
    UT_hash_handle hh;
};

/* A subscription that fills a well. */
struct pipe {
    const struct resource_topic *topic;
    const struct resource_subscription *subscription;
    struct well *well;
};

struct loops {
    const struct config *config;
    struct declared declared;
    struct well *wells;
    struct pipe *pipes; /* in order of topic */
    size_t *first_pipe; /* of each topic, and behind the last */
};

static void lower(char out[CMQ_MAX_NAME_BYTES + 1], const char *name)
{
    size_t i = 0;
    for (; name[i] && i < CMQ_MAX_NAME_BYTES; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    out[i] = '\0';
}

static struct well *well_of(const struct loops *loops, const char *queue)
{
    char name[CMQ_MAX_NAME_BYTES + 1] = "";
    struct well *well;
    lower(name, queue);
    HASH_FIND_STR(loops->wells, name, well);
    return well;
}

static void make_wells(struct loops *loops)
{
    const struct ruleset *set = loops->config->rules;
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        if (!rule->queue || rule->allow_loop || well_of(loops, rule->queue))
            continue;
        struct well *well = check_alloc(calloc(1, sizeof *well));
        lower(well->queue, rule->queue);
        well->senders = filter_tree_new();
        HASH_ADD_STR(loops->wells, queue, well);
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
            struct well *well = s->queue ? well_of(loops, s->queue) : NULL;
            if (well)
                loops->pipes[count++] = (struct pipe){topic, s, well};
        }
        loops->first_pipe[i + 1] = count;
    }
}

static void add_sender(const struct loops *loops, struct well *well, size_t index)
{
    const struct forward_rule *rule = &loops->config->rules->forward[index];
    for (size_t i = 0; i < rule->from_count; i++)
        filter_tree_add(well->senders, span_of(rule->from[i].filter->plain), index);
}

static void add_by_topic(const struct loops *loops, size_t index, const struct rule_target *target,
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
            add_sender(loops, pipe->well, index);
    }
}

static void add_target(const struct loops *loops, size_t index, const struct rule_target *target)
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
        struct well *well = well_of(loops, name);
        if (well)
            add_sender(loops, well, index);
    } else {
        for (struct well *well = loops->wells; well; well = well->hh.next) {
            if (shape_name_can_be(target->name, well->queue))
                add_sender(loops, well, index);
        }
    }
}

static void check_rule(const struct loops *loops, const struct reverse_rule *rule,
                       struct faults *faults)
{
    struct shape topic;
    size_t index;
    if (!rule->queue || rule->allow_loop)
        return;
    shape_of_topic(&topic, rule->to);
    if (!filter_tree_meets(well_of(loops, rule->queue)->senders, &topic, &index))
        return;
    const struct forward_rule *forward = &loops->config->rules->forward[index];
    faults_add(faults, FAULT_ERROR, rule->file, rule->line,
               "a cycle: the forward rule \"%s\" at %s:%d can match what this rule publishes, and "
               "can send it back to the queue \"%s\"; allow_loop = true permits it",
               forward->name, forward->file, forward->line, rule->queue);
}

void proof_loops(const struct config *config, struct faults *faults)
{
    const struct ruleset *set = config->rules;
    struct loops loops = {.config = config};
    if (!config->resources.declared || set->reverse_count == 0)
        return;
    declared_init(&loops.declared, &config->resources);
    make_wells(&loops);
    make_pipes(&loops);
    for (size_t i = 0; loops.wells && i < set->forward_count; i++) {
        for (size_t k = 0; k < set->forward[i].target_count; k++)
            add_target(&loops, i, &set->forward[i].targets[k]);
    }
    for (size_t i = 0; i < set->reverse_count; i++)
        check_rule(&loops, &set->reverse[i], faults);

    struct well *well, *next;
    HASH_ITER(hh, loops.wells, well, next)
    {
        HASH_DEL(loops.wells, well);
        filter_tree_free(well->senders);
        free(well);
    }
    free(loops.pipes);
    free(loops.first_pipe);
    declared_fini(&loops.declared);
}
