/*
 * trace - the W3C trace context of a message (Trace Context, levels 1 and 2)
 *
 * An MQTT 5 user property of these names and a CloudEvents extension of the same (Distributed
 * Tracing) hold it. What is not well-formed is no trace context, and then an ordinary user
 * property. Pure; any thread.
 */
#ifndef MAPPING_TRACE_H
#define MAPPING_TRACE_H

#include "mqtt/message.h"

#define TRACE_PARENT "traceparent"
#define TRACE_STATE "tracestate"

/* "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", or one of a later version (s. 3.2). */
bool trace_parent_ok(struct span text);

/* "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7": at most 32 members (s. 3.3). */
bool trace_state_ok(struct span text);

/* A message's; NULL: none. */
struct trace {
    const struct mqtt_user_property *parent;
    const struct mqtt_user_property *state; /* only beside a parent */
};

/* Of each key there must be exactly one property, and its value well-formed. */
struct trace trace_of(const struct mqtt_message *message);

#endif
