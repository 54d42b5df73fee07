/*
 * account - the configured CMQ account as a client of either plane. The one of the data plane lives
 * on the pump's thread, as cmq/client.h says.
 */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

#include "cmq/api.h"
#include "cmq/client.h"
#include "config/config.h"

/*
 * A client for config's cmq section; resolves its secrets now and again when CMQ refuses them.
 * config must outlive the client. NULL and err as cmq_client_new.
 */
struct cmq_client *account_client(const struct config *config, struct pump *pump, struct err *err);

/* The same account's management plane, for a command; note as in cmq/api.h. NULL and err as
 * api_open. */
struct api *account_api(const struct config *config, void (*note)(void *ctx, const char *text),
                        void *note_ctx, struct err *err);

/* Has the client go on with config's cmq section, which must outlive it then; as
 * cmq_client_configure. */
MUST_CHECK bool account_configure(const struct config *config, struct cmq_client *client,
                                  bool *changed, struct err *err);

#endif
