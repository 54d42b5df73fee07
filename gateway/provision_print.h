/*
 * provision_print - a plan for people, in 80 columns, and for machines
 *
 * Names and texts of the account come from outside, so what cannot be printed is shown escaped. One
 * thread.
 */
#ifndef GATEWAY_PROVISION_PRINT_H
#define GATEWAY_PROVISION_PRINT_H

#include "base/emit.h"
#include "provision/plan.h"

#include <stdio.h>

/* Prints all steps, what differs below each, and a summary. */
void provision_print_plan(FILE *out, const struct plan *plan);

/* Prints "[12/200] create queue NAME". */
void provision_print_progress(FILE *out, const struct step *step, size_t number, size_t total);

/* Writes the members "steps", "summary" and "undeclared" of the object that emit is in. */
void provision_emit_plan(struct emit *emit, const struct plan *plan);

#endif
