/*
 * plan_deletes - what the account has and nobody declares; see plan.h
 *
 * First it is found out what has to stay all the same: topics and queues that rules use, queues
 * that subscriptions which stay deliver to, and dead-letter queues of queues that stay.
 */
#include "provision/plan_impl.h"

#include <strings.h>

/* By the number in the inventory: who needs it, as a text; NULL: nobody, or it is declared. */
struct needs {
    char **topics;
    char **queues;
};

static const struct resource_subscription *declared_subscription(const struct resource_topic *topic,
                                                                 const char *name)
{
    for (size_t i = 0; i < topic->subscription_count; i++) {
        if (strcasecmp(topic->subscriptions[i].name, name) == 0)
            return &topic->subscriptions[i];
    }
    return NULL;
}

/* The rule that may publish or send to it, or take from it. */
static char *used_by(const struct ruleset *rules, bool is_topic, const char *name)
{
    for (size_t i = 0; i < rules->forward_count; i++) {
        const struct forward_rule *rule = &rules->forward[i];
        for (size_t k = 0; k < rule->target_count; k++) {
            const struct rule_target *target = &rule->targets[k];
            if (target->is_topic == is_topic && shape_name_can_be(target->name, name))
                return plan_text("the forward rule %s can send to it", rule->name);
        }
    }
    for (size_t i = 0; !is_topic && i < rules->reverse_count; i++) {
        const struct reverse_rule *rule = &rules->reverse[i];
        if (rule->queue && strcasecmp(rule->queue, name) == 0)
            return plan_text("the reverse rule %s takes from it", rule->name);
        if (rule->dead_letter && strcasecmp(rule->dead_letter, name) == 0)
            return plan_text("the reverse rule %s needs it for its dead letters", rule->name);
    }
    return NULL;
}

/* Notes that the queue is needed; takes who. */
static void need_queue(const struct planning *planning, struct needs *needs, const char *name,
                       char *who)
{
    const struct inventory_queue *queue = name ? inventory_queue(planning->inventory, name) : NULL;
    size_t at = queue ? (size_t)(queue - planning->inventory->queues) : 0;
    if (queue && !needs->queues[at] && !declared_queue(&planning->declared, name))
        needs->queues[at] = who;
    else
        free(who);
}

static void need_of_subscriptions(const struct planning *planning, struct needs *needs,
                                  const struct resource_topic *topic)
{
    for (size_t i = 0; i < topic->subscription_count; i++) {
        const struct resource_subscription *s = &topic->subscriptions[i];
        need_queue(planning, needs, s->queue,
                   plan_text("the subscription %s of %s needs it", s->name, topic->name));
    }
}

static void need_of_queue(const struct planning *planning, struct needs *needs, const char *name)
{
    need_queue(planning, needs, plan_effective_grave(planning, name),
               plan_text("the queue %s needs it for its dead letters", name));
}

static void find_needs(const struct planning *planning, struct needs *needs)
{
    const struct resources *resources = planning->resources;
    const struct inventory *inventory = planning->inventory;
    for (size_t i = 0; i < inventory->topic_count; i++) {
        const struct resource_topic *topic = &inventory->topics[i].is;
        if (!declared_topic(&planning->declared, topic->name))
            needs->topics[i] = used_by(planning->rules, true, topic->name);
        if (needs->topics[i])
            need_of_subscriptions(planning, needs, topic);
    }
    for (size_t i = 0; i < resources->topic_count; i++)
        need_of_subscriptions(planning, needs, &resources->topics[i]);
    for (size_t i = 0; i < inventory->queue_count; i++) {
        const char *name = inventory->queues[i].is.name;
        need_queue(planning, needs, name, used_by(planning->rules, false, name));
    }
    for (size_t i = 0; i < resources->queue_count; i++)
        need_of_queue(planning, needs, resources->queues[i].name);
    for (size_t i = 0; i < inventory->queue_count; i++) {
        if (needs->queues[i]) /* a dead-letter queue has none itself, so once is enough */
            need_of_queue(planning, needs, inventory->queues[i].is.name);
    }
}

/* A step that deletes, or says who goes on needing it. */
static void push_delete(struct planning *planning, struct step *step, const char *who)
{
    step->kind = who ? STEP_CANNOT : STEP_DELETE;
    if (who)
        step->why = plan_text("it is not declared, but %s: declare it", who);
    plan_push(planning, step);
}

static void delete_subscriptions(struct planning *planning, const struct inventory_topic *was,
                                 bool prune)
{
    const struct resource_topic *topic = declared_topic(&planning->declared, was->is.name);
    for (size_t i = 0; i < was->is.subscription_count; i++) {
        const struct resource_subscription *s = &was->is.subscriptions[i];
        struct step step = {.object = STEP_SUBSCRIPTION, .name = s->name, .of = was->is.name};
        if (topic && declared_subscription(topic, s->name))
            continue;
        planning->plan->undeclared_subscriptions += !prune;
        if (prune)
            push_delete(planning, &step, NULL);
    }
}

static void delete_topics(struct planning *planning, const struct needs *needs, bool prune)
{
    const struct inventory *inventory = planning->inventory;
    for (size_t i = 0; i < inventory->topic_count; i++) {
        if (!needs->topics[i])
            delete_subscriptions(planning, &inventory->topics[i], prune);
    }
    for (size_t i = 0; i < inventory->topic_count; i++) {
        const struct inventory_topic *was = &inventory->topics[i];
        struct step step = {.object = STEP_TOPIC, .name = was->is.name};
        if (declared_topic(&planning->declared, was->is.name) || !inventory_exists(was->status))
            continue;
        planning->plan->undeclared_topics += !prune;
        if (prune)
            push_delete(planning, &step, needs->topics[i]);
    }
}

/* A queue goes before the one that has its dead letters, which the service would not let go. */
static void delete_queues(struct planning *planning, const struct needs *needs, bool prune)
{
    const struct inventory *inventory = planning->inventory;
    for (int bound = 1; bound >= 0; bound--) {
        for (size_t i = 0; i < inventory->queue_count; i++) {
            const struct inventory_queue *was = &inventory->queues[i];
            struct step step = {
                .object = STEP_QUEUE, .name = was->is.name, .messages = was->messages};
            if ((was->is.dead_letter != NULL) != bound || !inventory_exists(was->status) ||
                declared_queue(&planning->declared, was->is.name))
                continue;
            planning->plan->undeclared_queues += !prune;
            if (prune)
                push_delete(planning, &step, needs->queues[i]);
        }
    }
}

void plan_deletes(struct planning *planning, bool prune)
{
    const struct inventory *inventory = planning->inventory;
    struct needs needs = {
        .topics = check_alloc(calloc(inventory->topic_count + 1, sizeof *needs.topics)),
        .queues = check_alloc(calloc(inventory->queue_count + 1, sizeof *needs.queues)),
    };
    find_needs(planning, &needs);
    delete_topics(planning, &needs, prune);
    delete_queues(planning, &needs, prune);
    for (size_t i = 0; i < inventory->topic_count; i++)
        free(needs.topics[i]);
    for (size_t i = 0; i < inventory->queue_count; i++)
        free(needs.queues[i]);
    free(needs.topics);
    free(needs.queues);
}
