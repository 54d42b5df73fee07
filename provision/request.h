/*
 * request - the bodies of the calls that carry a step out (CMQ.md 8.5)
 *
 * Pure; any thread. The caller deletes what it gets.
 */
#ifndef PROVISION_REQUEST_H
#define PROVISION_REQUEST_H

#include "provision/plan.h"

/* Create...: what is declared, and where nothing is, the setting's default. */
struct cJSON *request_create(const struct step *step);

/* Modify...: the name and what differs. NULL: all that differs is for another action. */
struct cJSON *request_change(const struct step *step);

/* Delete..., Unbind... and Clear...: the names. */
struct cJSON *request_delete(const struct step *step);
struct cJSON *request_unbind(const struct step *step);
struct cJSON *request_clear_tags(const struct step *step);

#endif
