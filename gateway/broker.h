/*
 * broker - the configured MQTT broker as a link's options
 *
 * Secrets are resolved when the link asks for them, from the configuration that is in use then. The
 * link's thread asks; everything else is for the thread that runs the gateway.
 */
#ifndef GATEWAY_BROKER_H
#define GATEWAY_BROKER_H

#include "config/config.h"
#include "mqtt/link.h"

struct broker;

struct broker *broker_new(const struct config *config); /* holds it */
void broker_free(struct broker *broker);                /* with the link stopped; NULL is fine */

/* Resolves secrets from this configuration from now on, which it holds. */
void broker_use(struct broker *broker, const struct config *config);

/* The options for this configuration; they borrow its strings, and refer to broker. */
struct mqtt_link_options broker_options(struct broker *broker, const struct config *config);

/*
 * A number that differs when a connection would be made in another way: by a setting, or by a
 * secret's value. False and err when a secret cannot be had.
 */
MUST_CHECK bool broker_fingerprint(const struct config *config, uint64_t *out, struct err *err);

#endif
