/* plan_topics - compares the topics and their subscriptions; see plan.h. */
#include "provision/plan_impl.h"

#include <strings.h>

static const char *filter_name(bool by_route)
{
    return by_route ? "route" : "tag";
}

static char *endpoint_text(const struct resource_subscription *s)
{
    return s->queue ? plan_text("queue %s", s->queue) : plan_text("url %s", s->url);
}

static bool same_endpoint(const struct resource_subscription *a,
                          const struct resource_subscription *b)
{
    if (!a->queue != !b->queue)
        return false;
    return a->queue ? strcasecmp(a->queue, b->queue) == 0 : strcmp(a->url, b->url) == 0;
}

/* What it chooses by: its tags or its keys. */
static void compare_filter(const struct step *of, const struct resource_subscription *was,
                           struct step *step, struct step *cannot)
{
    const struct resource_subscription *s = of->subscription;
    bool by_route = of->topic->by_route;
    char *const *to = by_route ? s->keys : s->tags;
    size_t to_count = by_route ? s->key_count : s->tag_count;
    char *const *from = was ? (by_route ? was->keys : was->tags) : NULL;
    size_t from_count = was ? (by_route ? was->key_count : was->tag_count) : 0;
    const char *none = by_route ? "none" : "all messages";
    if (was && plan_same_texts(to, to_count, from, from_count))
        return;
    bool impossible = by_route && to_count == 0;
    plan_differ(impossible ? cannot : step, by_route ? "keys" : "tags",
                was ? plan_list(from, from_count, none) : NULL, plan_list(to, to_count, none));
    if (!impossible)
        step->changes |= by_route ? CHANGE_KEYS : CHANGE_TAGS;
    else if (!cannot->why)
        cannot->why =
            plan_text("a subscription of a topic by route needs keys: declare some, \"#\" "
                      "for all messages");
}

static void compare_delivery(const struct resource_subscription *s,
                             const struct resource_subscription *was, struct step *step)
{
    if ((s->given & GIVEN_RETRY) && (!was || s->exponential != was->exponential)) {
        static const char *const names[] = {"backoff", "exponential"};
        plan_differ(step, "retry", was ? plan_text("%s", names[was->exponential]) : NULL,
                    plan_text("%s", names[s->exponential]));
        step->changes |= GIVEN_RETRY;
    }
    if ((s->given & GIVEN_FORMAT) && s->url && (!was || s->simplified != was->simplified)) {
        static const char *const names[] = {"json", "simplified"};
        plan_differ(step, "format", was ? plan_text("%s", names[was->simplified]) : NULL,
                    plan_text("%s", names[s->simplified]));
        step->changes |= GIVEN_FORMAT;
    }
}

/* Why the queue that a subscription is to deliver to will not be there; NULL: it will. */
static char *queue_fault(const struct planning *planning, const char *name)
{
    const struct resource_queue *declared = declared_queue(&planning->declared, name);
    const struct inventory_queue *was = inventory_queue(planning->inventory, name);
    if (declared)
        return planning->refused[declared - planning->resources->queues]
                   ? plan_text("it waits for the queue %s", name)
                   : NULL;
    return was && inventory_exists(was->status)
               ? NULL
               : plan_text("the queue %s neither exists nor is declared: declare it", name);
}

static void compare_endpoint(const struct planning *planning, const struct resource_subscription *s,
                             const struct resource_subscription *was, struct step *step,
                             struct step *cannot)
{
    if (was && same_endpoint(s, was))
        return;
    cannot->why = s->queue ? queue_fault(planning, s->queue) : NULL;
    if (was && !cannot->why)
        cannot->why = plan_text("where a subscription goes to cannot be changed: declare it under "
                                "another name, then delete this one, by --prune or in the console");
    plan_differ(cannot->why ? cannot : step, "to", was ? endpoint_text(was) : NULL,
                endpoint_text(s));
}

static void plan_subscription(struct planning *planning, const struct step *topic_step,
                              const struct inventory_topic *topic_was,
                              const struct resource_subscription *s, bool topic_is_wrong)
{
    const struct resource_subscription *was =
        topic_was ? inventory_subscription(topic_was, s->name) : NULL;
    struct step step = {.kind = STEP_CREATE,
                        .object = STEP_SUBSCRIPTION,
                        .name = was ? was->name : s->name,
                        .of = topic_step->name,
                        .topic = topic_step->topic,
                        .subscription = s};
    struct step cannot = step;
    cannot.kind = STEP_CANNOT;
    if (topic_is_wrong) {
        cannot.why = plan_text("it waits for its topic");
        plan_push(planning, &cannot);
        return;
    }
    compare_endpoint(planning, s, was, &step, &cannot);
    compare_filter(&step, was, &step, &cannot);
    compare_delivery(s, was, &step);
    if (was) {
        plan_push_compared(planning, &step, &cannot);
        return;
    }
    for (size_t i = 0; cannot.why && i < step.difference_count; i++)
        free(step.differences[i].to);
    if (cannot.why)
        free(step.differences);
    plan_push(planning, cannot.why ? &cannot : &step);
}

static void plan_topic(struct planning *planning, const struct resource_topic *topic)
{
    const struct inventory_topic *found = inventory_topic(planning->inventory, topic->name);
    const struct inventory_topic *was = found && inventory_exists(found->status) ? found : NULL;
    struct step step = {.kind = STEP_CREATE,
                        .object = STEP_TOPIC,
                        .name = was ? was->is.name : topic->name,
                        .topic = topic,
                        .arriving = was && was->status == STATUS_CREATING};
    struct step cannot = step;
    cannot.kind = STEP_CANNOT;
    const char *fault = was ? plan_status_fault(was->status) : NULL;
    bool wrong = fault || (was && was->is.by_route != topic->by_route);
    if (fault) {
        cannot.why = plan_text("%s", fault);
        plan_push(planning, &cannot);
    } else {
        if (wrong || !was)
            plan_differ(wrong ? &cannot : &step, "filter",
                        was ? plan_text("%s", filter_name(was->is.by_route)) : NULL,
                        plan_text("%s", filter_name(topic->by_route)));
        if (wrong)
            cannot.why = plan_text("a topic's filter cannot be changed: declare a topic with "
                                   "another name, let the rules publish to that, move the "
                                   "subscriptions, then delete this one");
        plan_compare(&topic_attributes, topic, topic->given, was ? &was->is : NULL, &step, &cannot);
        if (topic->given & GIVEN_LABELS)
            plan_compare_labels(topic->labels, topic->label_count, was, was ? was->is.labels : NULL,
                                was ? was->is.label_count : 0, &step, &cannot);
        if (was)
            plan_push_compared(planning, &step, &cannot);
        else
            plan_push(planning, &step);
    }
    for (size_t i = 0; i < topic->subscription_count; i++)
        plan_subscription(planning, &step, was, &topic->subscriptions[i], wrong);
}

void plan_topics(struct planning *planning)
{
    for (size_t i = 0; i < planning->resources->topic_count; i++)
        plan_topic(planning, &planning->resources->topics[i]);
}
