/* plan_queues - compares the queues; see plan.h. What CMQ allows of dead letters: CMQ.md 5. */
#include "provision/plan_impl.h"

#include <strings.h>

/* The order in which queues are dealt with. */
enum { RANK_RELEASED, RANK_PLAIN, RANK_MOVED, RANK_BOUND };

const char *plan_effective_grave(const struct planning *planning, const char *name)
{
    const struct resource_queue *queue = declared_queue(&planning->declared, name);
    if (queue && (queue->given & GIVEN_DEAD_LETTER))
        return queue->dead_letter;
    const struct inventory_queue *was = inventory_queue(planning->inventory, name);
    return was && inventory_exists(was->status) ? was->is.dead_letter : NULL;
}

/* Fills sources. */
static void find_sources(struct planning *planning)
{
    const struct resources *resources = planning->resources;
    const struct inventory *inventory = planning->inventory;
    for (size_t i = 0; i < inventory->queue_count; i++) {
        const char *name = inventory->queues[i].is.name;
        const char *grave = plan_effective_grave(planning, name);
        const struct resource_queue *declared =
            grave ? declared_queue(&planning->declared, grave) : NULL;
        if (declared)
            planning->sources[declared - resources->queues] = name;
    }
}

static bool will_exist(const struct planning *planning, const char *name)
{
    const struct inventory_queue *was = inventory_queue(planning->inventory, name);
    return declared_queue(&planning->declared, name) || (was && inventory_exists(was->status));
}

/* Why CMQ would not take the declared dead-letter queue; NULL: it will. */
static char *grave_fault(const struct planning *planning, const struct resource_queue *queue)
{
    const char *grave = queue->dead_letter;
    const char *source = planning->sources[queue - planning->resources->queues];
    if (!grave)
        return NULL;
    if (!will_exist(planning, grave))
        return plan_text("its dead-letter queue %s neither exists nor is declared: declare it",
                         grave);
    if (plan_effective_grave(planning, grave))
        return plan_text("a dead-letter queue cannot have one itself, and the account's %s has: "
                         "declare dead_letter = { queue = \"\"; } for it",
                         grave);
    if (source)
        return plan_text("it is the dead-letter queue of the account's %s, so it cannot have one "
                         "itself: declare dead_letter = { queue = \"\"; } for %s",
                         source, source);
    return NULL;
}

static bool same_policy(const struct resource_queue *a, const struct resource_queue *b)
{
    if (!a->dead_letter || !b->dead_letter)
        return a->dead_letter == b->dead_letter;
    return strcasecmp(a->dead_letter, b->dead_letter) == 0 && a->policy == b->policy &&
           (a->policy == 0 ? a->max_receive == b->max_receive : a->max_age_s == b->max_age_s);
}

static void compare_dead_letter(const struct planning *planning, const struct resource_queue *queue,
                                const struct resource_queue *was, struct step *step,
                                struct step *cannot)
{
    if (!(queue->given & GIVEN_DEAD_LETTER) || (was && same_policy(queue, was)))
        return;
    char *fault = grave_fault(planning, queue);
    plan_differ(fault ? cannot : step, "dead_letter", was ? plan_dead_letter(was) : NULL,
                plan_dead_letter(queue));
    if (fault) {
        free(cannot->why);
        cannot->why = fault;
        return;
    }
    step->changes |= GIVEN_DEAD_LETTER;
    step->unbinds = was && was->dead_letter && !queue->dead_letter;
    if (step->unbinds) {
        step->rank = RANK_RELEASED;
    } else if (was && was->dead_letter) {
        step->rank = RANK_MOVED;
    } else if (queue->dead_letter) {
        step->rank = RANK_BOUND;
    }
}

static void plan_queue(struct planning *planning, const struct resource_queue *queue)
{
    const struct inventory_queue *found = inventory_queue(planning->inventory, queue->name);
    const struct inventory_queue *was = found && inventory_exists(found->status) ? found : NULL;
    struct step step = {.kind = STEP_CREATE,
                        .object = STEP_QUEUE,
                        .name = was ? was->is.name : queue->name,
                        .queue = queue,
                        .arriving = was && was->status == STATUS_CREATING,
                        .rank = RANK_PLAIN};
    struct step cannot = step;
    cannot.kind = STEP_CANNOT;
    const char *fault = was ? plan_status_fault(was->status) : NULL;
    if (fault) {
        cannot.why = plan_text("%s", fault);
        plan_push(planning, &cannot);
        return;
    }
    const struct resource_queue *is = was ? &was->is : NULL;
    plan_compare(&queue_attributes, queue, queue->given, is, &step, &cannot);
    if (queue->given & GIVEN_LABELS)
        plan_compare_labels(queue->labels, queue->label_count, was, was ? was->is.labels : NULL,
                            was ? was->is.label_count : 0, &step, &cannot);
    compare_dead_letter(planning, queue, is, &step, &cannot);
    if (was) {
        plan_push_compared(planning, &step, &cannot);
        return;
    }
    /* A queue is not created without the dead-letter queue that it is to have. */
    for (size_t i = 0; cannot.why && i < step.difference_count; i++)
        free(step.differences[i].to);
    if (cannot.why)
        free(step.differences);
    planning->refused[queue - planning->resources->queues] = cannot.why;
    plan_push(planning, cannot.why ? &cannot : &step);
}

static int by_rank(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->queue != y->queue)
        return x->queue < y->queue ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

void plan_queues(struct planning *planning)
{
    const struct resources *resources = planning->resources;
    struct plan *plan = planning->plan;
    find_sources(planning);
    for (size_t i = 0; i < resources->queue_count; i++)
        plan_queue(planning, &resources->queues[i]);
    if (plan->count > 1)
        qsort(plan->steps, plan->count, sizeof *plan->steps, by_rank);
}
