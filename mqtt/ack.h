/*
 * ack - acknowledgements withheld until a store has the message
 *
 * The only place with Paho's internals. Paho sends a PUBACK as soon as the message callback has
 * returned, whatever that returned. Linked statically, it can be made to call functions of ours
 * instead (--wrap, see CMakeLists.txt). They send nothing; acks_take, called from the message
 * callback, notes what is owed; acks_release sends it, in arrival order (MQTT 5.0 s. 4.6).
 *
 * QoS 2. Paho remembers each packet identifier from the PUBLISH to the PUBREL and hands a PUBLISH
 * over only once, before its PUBREC under MQTT 5, only at its PUBREL under 3.1.1. A message that we
 * refused, or whose connection went before its PUBREC, would then never come again. So a QoS 2
 * PUBLISH is shown to Paho as one of QoS 1: it remembers nothing, hands over every time, and the
 * PUBREC is owed instead of the PUBACK. What MQTT asks of a receiver (MQTT 5.0 s. 4.3.3) is done
 * here: an identifier whose message was released is remembered until its PUBREL, and a PUBLISH that
 * repeats it is answered and not handed over. A PUBLISH without the DUP flag is always new: after a
 * broker was restored from an old state, a duplicate is better than a loss.
 *
 * What is owed belongs to one connection. acks_forget drops it: the broker sends those messages
 * again. Tickets are never used twice, so a late release of a forgotten one does no harm.
 *
 * Locks: Paho's process-wide mutex, then its socket mutex, then ours, each only where needed. So
 * none of these functions may be called with a lock held that a message callback takes.
 */
#ifndef MQTT_ACK_H
#define MQTT_ACK_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct acks;

/* What acks_take found out about a message. */
struct ack_taken {
    uint64_t ticket; /* 0: a duplicate of a released QoS 2 message, not to be handed over */
    int qos;         /* 1 or 2, as the broker sent it */
};

/* Whether acknowledgements are withheld: false when Paho's archive lacks what it takes; then Paho
 * sends them itself and acks_release does nothing. */
bool acks_withhold(void);

struct acks *acks_new(void);

/* Frees; NULL is fine. The client must be gone. */
void acks_free(struct acks *acks);

/*
 * Notes that the message with this packet identifier and this QoS, as Paho has them, is owed an
 * acknowledgement. Only in Paho's message callback.
 */
struct ack_taken acks_take(struct acks *acks, int id, int qos, bool dup);

/*
 * Sends what is owed up to and including ticket. Any thread but Paho's; never waits. False when the
 * socket is busy with an earlier write or Paho is busy: then acks_flush must be tried shortly, by a
 * thread that may wait for Paho. (The spool's writer may not: the message callback, which runs with
 * Paho's mutex held, may be waiting for the writer to make room.)
 */
MUST_CHECK bool acks_release(struct acks *acks, uint64_t ticket);

/* Sends what was released and not sent yet; waits for Paho's mutex. False when the socket is busy.
 * Any thread but Paho's. */
MUST_CHECK bool acks_flush(struct acks *acks);

/* Drops everything owed. Any thread, Paho's included. Call it before a new connection begins. */
void acks_forget(struct acks *acks);

/* The broker has no session of ours any more, so identifiers mean nothing. Any thread. */
void acks_forget_session(struct acks *acks);

#endif
