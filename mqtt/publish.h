/*
 * publish - messages on their way to the broker
 *
 * Keeps, for one Paho client, what was given to it and is not answered yet, and calls each owner's
 * `done` exactly once. What becomes of a publish when the connection is lost:
 *
 *   QoS 1, 2  Paho keeps it. On the next connection it goes out again (marked DUP if it had begun
 *             to go out) and `done` comes with the answer there, unless the broker has no session
 *             of ours any more: then MQTT_PUBLISH_LOST.
 *   QoS 0     MQTT_PUBLISH_LOST: nobody can know.
 *
 * The window leaves one place of the broker's Receive Maximum free: Paho holds back SUBSCRIBE and
 * UNSUBSCRIBE too when there is none, and looks again only after a second.
 *
 * Locks: none of these functions may be called with a lock held that `done` takes, except where it
 * says "Paho's callbacks", which run under Paho's process-wide mutex.
 */
#ifndef MQTT_PUBLISH_H
#define MQTT_PUBLISH_H

#include "mqtt/link.h"

#include <MQTTAsync.h>

struct publishes;

/* What the broker takes, as its CONNACK says (MQTT 5.0 s. 3.2.2.3). */
struct publish_limits {
    unsigned receive_maximum;
    int64_t packet_size;
    int qos;
    bool retain;
};

/* For a client of this protocol version, which must outlive it. */
struct publishes *publishes_new(MQTTAsync client, bool v5);

/* Frees; NULL is fine. The client must be gone. */
void publishes_free(struct publishes *p);

/* Connected. Paho's callbacks. */
void publishes_up(struct publishes *p, const struct publish_limits *limits);

/* Not connected any more. Paho's callbacks. */
void publishes_down(struct publishes *p);

enum publish_taken {
    PUBLISH_NOT_TAKEN,
    PUBLISH_TAKEN,
    PUBLISH_HOPELESS, /* taken, but it can never go: publishes_tell_hopeless must be called soon */
};

/* As mqtt_link_publish. Any thread but Paho's. */
MUST_CHECK enum publish_taken publishes_give(struct publishes *p,
                                             const struct mqtt_message *message,
                                             mqtt_published_fn done, void *ctx);

/* As mqtt_link_publish_room. Any thread. */
unsigned publishes_room(struct publishes *p);

/* Calls `done` of those that can never go. The link's thread. */
void publishes_tell_hopeless(struct publishes *p);

/* For good: takes nothing more, and MQTT_PUBLISH_LOST for all that is left. The link's thread. */
void publishes_end(struct publishes *p);

#endif
