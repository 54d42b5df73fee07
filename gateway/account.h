/* account - the configured CMQ account as a client. On the pump's thread, as cmq/client.h is. */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

#include "cmq/client.h"
#include "config/config.h"

/*
 * A client for config's cmq section; resolves its secrets now and again when CMQ refuses them.
 * config must outlive the client. NULL and err as cmq_client_new.
 */
struct cmq_client *account_client(const struct config *config, struct pump *pump, struct err *err);

#endif
