/*
 * admin - the HTTP endpoint for operators of a running gateway (docs/admin.md)
 *
 * What only reads is answered on the listener's thread; what runs jq programs or reads the disk is
 * done by a worker, one request at a time. Neither holds up a message.
 *
 * One thread makes, stops and frees it; admin_use may be called by any.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "gateway/reload.h"
#include "gateway/status.h"

struct admin;

struct admin_options {
    struct status_view view; /* its config is the one to begin with */
    struct jq_host *jq;      /* NULL: no rule has a program */
    struct reload_desk *desk;
};

/*
 * Listens on admin.listen of the configuration. NULL and err when it cannot, or admin.token cannot
 * be had. What the options point to must outlive it.
 */
struct admin *admin_new(const struct admin_options *options, struct err *err);

uint16_t admin_port(const struct admin *admin);

/*
 * This configuration runs from now on; admin holds it. Its token replaces the old one, if it can be
 * had; whether one is wanted, and where admin listens, stays as it is.
 */
void admin_use(struct admin *admin, const struct config *config);

/* Answers nothing more. Then the parts that it reads may be stopped. */
void admin_stop(struct admin *admin);
void admin_free(struct admin *admin); /* NULL is fine */

#endif
