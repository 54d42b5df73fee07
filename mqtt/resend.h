/*
 * resend - what goes out again on a new connection, once
 *
 * On a connection where the broker still has our session, Paho sends every PUBLISH and PUBREL again
 * that is not answered (MQTT 5.0 s. 4.4). Paho 1.3.12 stops when the socket is full and forgets the
 * rest, or sends again what it has already sent on this connection, depending on counters that are
 * never set back. Here functions of ours stand in front of Paho's (--wrap, see CMakeLists.txt),
 * which let each packet through once a connection, and let Paho try again until all have gone.
 */
#ifndef MQTT_RESEND_H
#define MQTT_RESEND_H

/* A connection of the client with these network handles begins: before Paho sends anything again.
 * Paho's process-wide mutex is held. */
void resend_begins(void *net);

#endif
