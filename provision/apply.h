/*
 * apply - carries a plan out, step by step
 *
 * Nothing is kept but in the account itself, so it may be ended at any moment and begun again with
 * a new plan. What was created without the answer coming back is looked for; what is still being
 * created is waited for before something is built on it; a name that was deleted less than 30
 * seconds ago is waited for, too. One thread; every call waits.
 */
#ifndef PROVISION_APPLY_H
#define PROVISION_APPLY_H

#include "provision/plan.h"

struct apply_options {
    /* Told before each step: the number of this one, of the steps that do something. */
    void (*begin)(void *ctx, const struct step *step, size_t number, size_t total);
    /* Told in a sentence why it takes longer. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
    int64_t patience_ms; /* at most so long for each thing that is waited for; 0: a minute */
    int64_t pause_ms;    /* between two looks; 0: a second */
};

/*
 * Does what the plan's steps say, up to the first that cannot be done; then false, and err names
 * it. *done: how many were.
 */
MUST_CHECK bool plan_apply(const struct plan *plan, struct api *api,
                           const struct apply_options *options, size_t *done, struct err *err);

#endif
