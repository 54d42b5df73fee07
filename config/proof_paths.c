/* proof_paths - see proof.h: whether what rules send arrives somewhere. */
#include "config/declared.h"
#include "config/proof.h"

struct path {
    const struct declared *declared;
    const struct forward_rule *rule;
    const struct rule_target *target;
    struct faults *faults;
};

static void check_queue(const struct path *path, const char *name)
{
    const struct forward_rule *rule = path->rule;
    const struct resource_queue *queue = declared_queue(path->declared, name);
    if (!queue) {
        faults_add(path->faults, FAULT_WARNING, rule->file, rule->line,
                   "forward.to.queue: the queue \"%s\" is not declared in resources", name);
    } else if (queue->transaction) {
        faults_add(path->faults, FAULT_ERROR, rule->file, rule->line,
                   "forward.to.queue: the queue \"%s\" at %s:%d is a transaction queue: only CMQ's "
                   "TCP clients can use it",
                   queue->name, queue->file, queue->line);
    } else if (path->target->delay_s > queue->retention_s) {
        faults_add(path->faults, FAULT_ERROR, rule->file, rule->line,
                   "forward.to.delay of %u seconds is longer than the %lld seconds that the queue "
                   "\"%s\" at %s:%d keeps a message: CMQ would lose it",
                   path->target->delay_s, (long long)queue->retention_s, queue->name, queue->file,
                   queue->line);
    }
}

/* Whether the target says what the topic chooses by. */
static bool check_kind(const struct path *path, const struct resource_topic *topic)
{
    const struct rule_target *target = path->target;
    const char *wrong = NULL;
    if (topic->by_route && target->tag_count > 0) {
        wrong = "forward.to.tags have no effect";
    } else if (topic->by_route && !target->route) {
        wrong = "forward.to needs a route";
    } else if (!topic->by_route && target->route) {
        wrong = "forward.to.route has no effect";
    }
    if (wrong) {
        faults_add(path->faults, FAULT_ERROR, path->rule->file, path->rule->line,
                   "%s: the topic \"%s\" at %s:%d filters by %s", wrong, topic->name, topic->file,
                   topic->line, topic->by_route ? "route" : "tag");
    }
    return wrong == NULL;
}

static bool some_receives(const struct path *path, const struct resource_topic *topic)
{
    const struct forward_rule *rule = path->rule;
    const struct rule_target *target = path->target;
    struct shape route;
    if (target->route)
        shape_of_route(&route, target->route, rule->from, rule->from_count);
    for (size_t i = 0; i < topic->subscription_count; i++) {
        if (declared_receives(topic, &topic->subscriptions[i], target,
                              target->route ? &route : NULL))
            return true;
    }
    return false;
}

static void check_topic(const struct path *path, const char *name)
{
    const struct forward_rule *rule = path->rule;
    const struct resource_topic *topic = declared_topic(path->declared, name);
    if (!topic) {
        faults_add(path->faults, FAULT_WARNING, rule->file, rule->line,
                   "forward.to.topic: the topic \"%s\" is not declared in resources", name);
        return;
    }
    if (!check_kind(path, topic) || rule->accept_unrouted)
        return;
    if (topic->subscription_count == 0) {
        faults_add(path->faults, FAULT_WARNING, rule->file, rule->line,
                   "forward.to.topic: the topic \"%s\" at %s:%d has no subscription, so nobody "
                   "receives what is sent there",
                   topic->name, topic->file, topic->line);
    } else if (!some_receives(path, topic)) {
        const char *what = topic->by_route               ? "this route"
                           : path->target->tag_count > 0 ? "these tags"
                                                         : "a message without tags";
        faults_add(path->faults, FAULT_WARNING, rule->file, rule->line,
                   "forward.to: no subscription of the topic \"%s\" at %s:%d can receive %s%s%s%s",
                   topic->name, topic->file, topic->line, what, topic->by_route ? ", \"" : "",
                   topic->by_route ? template_text(path->target->route).ptr : "",
                   topic->by_route ? "\"" : "");
    }
}

/* A queue that a reverse rule names in this setting. */
static void check_named(const struct declared *declared, const struct reverse_rule *rule,
                        const char *setting, const char *name, struct faults *faults)
{
    const struct resource_queue *queue = declared_queue(declared, name);
    if (!queue) {
        faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                   "reverse.%s: the queue \"%s\" is not declared in resources", setting, name);
    } else if (queue->transaction) {
        faults_add(faults, FAULT_ERROR, rule->file, rule->line,
                   "reverse.%s: the queue \"%s\" at %s:%d is a transaction queue: only CMQ's TCP "
                   "clients can use it",
                   setting, queue->name, queue->file, queue->line);
    }
}

/* What the settings of a queue mean to each other, and to the queue of its dead letters. */
static void check_declared(const struct declared *declared, const struct resource_queue *queue,
                           struct faults *faults)
{
    if (queue->visibility_s > queue->retention_s) {
        faults_add(faults, FAULT_WARNING, queue->file, queue->line,
                   "resources.queues: visibility of %lld seconds is longer than the retention of "
                   "%lld: a message that was received once and not deleted never comes again",
                   (long long)queue->visibility_s, (long long)queue->retention_s);
    }
    const struct resource_queue *dead =
        queue->dead_letter ? declared_queue(declared, queue->dead_letter) : NULL;
    if (dead && dead->transaction) {
        faults_add(faults, FAULT_ERROR, queue->file, queue->line,
                   "resources.queues.dead_letter.queue: \"%s\" at %s:%d is a transaction queue, "
                   "which cannot have dead letters sent to it",
                   dead->name, dead->file, dead->line);
    }
}

void proof_paths(const struct config *config, struct faults *faults)
{
    const struct ruleset *set = config->rules;
    struct declared declared;
    if (!config->resources.declared)
        return;
    declared_init(&declared, &config->resources);
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->target_count; k++) {
            const struct rule_target *target = &rule->targets[k];
            struct path path = {&declared, rule, target, faults};
            const char *name = template_constant(target->name).ptr;
            if (name)
                (target->is_topic ? check_topic : check_queue)(&path, name);
        }
    }
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        if (rule->queue)
            check_named(&declared, rule, "from.queue", rule->queue, faults);
        if (*rule->dead_letter)
            check_named(&declared, rule, "dead_letter", rule->dead_letter, faults);
    }
    for (size_t i = 0; i < config->resources.queue_count; i++)
        check_declared(&declared, &config->resources.queues[i], faults);
    declared_fini(&declared);
}
