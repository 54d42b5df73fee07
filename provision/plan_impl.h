/* plan_impl - what plan*.c share; nobody else's. */
#ifndef PROVISION_PLAN_IMPL_H
#define PROVISION_PLAN_IMPL_H

#include "config/declared.h"
#include "provision/attribute.h"
#include "provision/plan.h"

struct planning {
    struct plan *plan;
    const struct resources *resources;
    const struct ruleset *rules;
    const struct inventory *inventory;
    struct declared declared;
    /* By the number of a declared queue: a queue of the account that uses it for its dead letters
     * and goes on doing so; NULL: none. */
    const char **sources;
    bool *refused; /* by the same number: the account does not have it and will not */
};

/* Appends a step with all that it owns. */
void plan_push(struct planning *planning, const struct step *step);

/* Takes from and to, which may be NULL. */
void plan_differ(struct step *step, const char *setting, char *from, char *to);

/* A text for why, to, from. */
char *plan_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "fleet-dead after 16 receives", "none". */
char *plan_dead_letter(const struct resource_queue *queue);

/* "a, b"; `none` when there are none. */
char *plan_list(char *const *texts, size_t count, const char *none);

/* Whether both have the same texts, in whatever order. */
bool plan_same_texts(char *const *a, size_t a_count, char *const *b, size_t b_count);

/*
 * Adds to step what differs between the declared resource and the account's by the table's rows; to
 * cannot, what differs and is fixed. With was NULL: what is declared, to step.
 */
void plan_compare(const struct attribute_table *table, const void *declared, unsigned given,
                  const void *was, struct step *step, struct step *cannot);

/* The same for labels, which are fixed. was_count is 0 with was NULL: it is created. */
void plan_compare_labels(char *const *declared, size_t count, bool exists, char *const *was,
                         size_t was_count, struct step *step, struct step *cannot);

/* Pushes both: the step as a change, or as the same when nothing differs, and cannot if it has a
 * reason. */
void plan_push_compared(struct planning *planning, struct step *step, struct step *cannot);

/* The dead-letter queue that a queue of this name will have; NULL: none. */
const char *plan_effective_grave(const struct planning *planning, const char *name);

/* Why nothing can be done with what has this status; NULL: something can. */
const char *plan_status_fault(int status);

void plan_queues(struct planning *planning);
void plan_topics(struct planning *planning);
void plan_deletes(struct planning *planning, bool prune);

#endif
