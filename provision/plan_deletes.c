/* plan_deletes - what the account has and nobody declares; see plan.h. */
#include "provision/plan_impl.h"

#include <strings.h>

static const struct resource_subscription *declared_subscription(const struct resource_topic *topic,
                                                                 const char *name)
{
    for (size_t i = 0; i < topic->subscription_count; i++) {
        if (strcasecmp(topic->subscriptions[i].name, name) == 0)
            return &topic->subscriptions[i];
    }
    return NULL;
}

static void delete_subscriptions(struct planning *planning, const struct inventory_topic *was,
                                 bool prune)
{
    const struct resource_topic *topic = declared_topic(&planning->declared, was->is.name);
    for (size_t i = 0; i < was->is.subscription_count; i++) {
        const struct resource_subscription *s = &was->is.subscriptions[i];
        if (topic && declared_subscription(topic, s->name))
            continue;
        planning->plan->undeclared_subscriptions += !prune;
        if (prune)
            plan_push(planning, &(struct step){.kind = STEP_DELETE,
                                               .object = STEP_SUBSCRIPTION,
                                               .name = s->name,
                                               .of = was->is.name});
    }
}

static void delete_topics(struct planning *planning, bool prune)
{
    const struct inventory *inventory = planning->inventory;
    for (size_t i = 0; i < inventory->topic_count; i++)
        delete_subscriptions(planning, &inventory->topics[i], prune);
    for (size_t i = 0; i < inventory->topic_count; i++) {
        const struct inventory_topic *was = &inventory->topics[i];
        if (declared_topic(&planning->declared, was->is.name) || !plan_exists(was->status))
            continue;
        planning->plan->undeclared_topics += !prune;
        if (prune)
            plan_push(
                planning,
                &(struct step){.kind = STEP_DELETE, .object = STEP_TOPIC, .name = was->is.name});
    }
}

/* Who goes on needing a queue that nobody declares: a text for people; NULL: nobody. */
static char *needed_by(const struct planning *planning, const char *name)
{
    const struct resources *resources = planning->resources;
    for (size_t i = 0; i < resources->queue_count; i++) {
        const char *grave = plan_effective_grave(planning, resources->queues[i].name);
        if (grave && strcasecmp(grave, name) == 0)
            return plan_text("the queue %s needs it for its dead letters",
                             resources->queues[i].name);
    }
    for (size_t i = 0; i < resources->topic_count; i++) {
        const struct resource_topic *topic = &resources->topics[i];
        for (size_t k = 0; k < topic->subscription_count; k++) {
            const struct resource_subscription *s = &topic->subscriptions[k];
            if (s->queue && strcasecmp(s->queue, name) == 0)
                return plan_text("the subscription %s of %s needs it", s->name, topic->name);
        }
    }
    return NULL;
}

static void delete_queue(struct planning *planning, const struct inventory_queue *was)
{
    char *who = needed_by(planning, was->is.name);
    struct step step = {.kind = who ? STEP_CANNOT : STEP_DELETE,
                        .object = STEP_QUEUE,
                        .name = was->is.name,
                        .messages = was->messages};
    if (who)
        step.why = plan_text("it is not declared, but %s: declare it", who);
    free(who);
    plan_push(planning, &step);
}

/* A queue goes before the one that has its dead letters, which the service would not let go. */
static void delete_queues(struct planning *planning, bool prune)
{
    const struct inventory *inventory = planning->inventory;
    for (int bound = 1; bound >= 0; bound--) {
        for (size_t i = 0; i < inventory->queue_count; i++) {
            const struct inventory_queue *was = &inventory->queues[i];
            if ((was->is.dead_letter != NULL) != bound || !plan_exists(was->status) ||
                declared_queue(&planning->declared, was->is.name))
                continue;
            planning->plan->undeclared_queues += !prune;
            if (prune)
                delete_queue(planning, was);
        }
    }
}

void plan_deletes(struct planning *planning, bool prune)
{
    delete_topics(planning, prune);
    delete_queues(planning, prune);
}
