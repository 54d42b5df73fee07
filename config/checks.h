/*
 * checks - whether a string may be the value of an option
 *
 * Each tells whether value is fine; *why gets a constant text when it is not. Pure; any thread.
 */
#ifndef CONFIG_CHECKS_H
#define CONFIG_CHECKS_H

#include "base/span.h"

bool check_gateway_id(struct span value, const char **why);
bool check_mqtt_server(struct span value, const char **why);  /* tcp://HOST:PORT, ssl://... */
bool check_shared_group(struct span value, const char **why); /* MQTT 5.0 s. 4.8.2 */
bool check_http_url(struct span value, const char **why);     /* http(s)://HOST[:PORT][/PATH] */
bool check_http_origin(struct span value, const char **why);  /* the same without a path */
bool check_push_url(struct span value, const char **why);     /* of a subscription: CMQ.md 6 */
bool check_region(struct span value, const char **why);
bool check_listen(struct span value, const char **why); /* ADDRESS:PORT */
bool check_rule_name(struct span value, const char **why);
bool check_replace(struct span value, const char **why);
bool check_push_path(struct span value, const char **why); /* at least 128 bits, RULES 4 */

/* Whether a checked listen address is reached from this machine only. */
bool listen_is_loopback(struct span value);

#endif
