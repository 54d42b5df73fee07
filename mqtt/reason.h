/*
 * reason - what a broker's reason code means, and what to do about it
 *
 * MQTT 5.0 s. 2.4 and MQTT 3.1.1 s. 3.2.2.3. All functions are pure; any thread.
 */
#ifndef MQTT_REASON_H
#define MQTT_REASON_H

#include "base/err.h"

/* Why the broker refused the connection, from a CONNACK: "broker refused the connection: bad user
 * name or password (MQTT 5 reason 0x86): check mqtt.username and mqtt.password". */
void reason_refused(struct err *out, bool v5, int code);

/* Why the broker closed the connection, from an MQTT 5 DISCONNECT; said is its reason string, empty
 * for none. */
void reason_disconnected(struct err *out, int code, const char *said);

/* Why the broker refused a subscription, from a SUBACK. */
void reason_subscription(struct err *out, bool v5, int code);

/* Why the broker did not take a message, from a PUBACK or PUBREC; said as above. */
void reason_publish(struct err *out, int code, const char *said);

#endif
