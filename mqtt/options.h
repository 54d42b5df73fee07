/*
 * options - a link's options, checked and copied
 *
 * Not thread-safe while being made; read only afterwards.
 */
#ifndef MQTT_OPTIONS_H
#define MQTT_OPTIONS_H

#include "mqtt/link.h"

/* A copy that owns its strings; absent ones are NULL, never "". NULL and err when an option cannot
 * work. */
struct mqtt_link_options *options_copy(const struct mqtt_link_options *options, struct err *err);

/* Frees a copy. NULL is fine. */
void options_free(struct mqtt_link_options *options);

/* Whether the servers are reached over TLS (all or none of them are). Pure. */
bool options_tls(const struct mqtt_link_options *options);

#endif
