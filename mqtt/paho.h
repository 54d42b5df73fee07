/*
 * paho - what must be done to Paho once in a process
 *
 * Debian's build of Paho writes a trace entry for each function it enters and leaves, and keeps
 * every allocation in a tree behind a mutex. The linker puts empty functions in the place of the
 * first and malloc in that of the second (--wrap, see CMakeLists.txt): 16 us of CPU a message
 * become 7. Nothing else of Paho relies on either.
 *
 * Paho's receiving thread looks for writes that can go on, and for connections that are made, only
 * between two waits of up to a second for something to read; and its sending thread waits for up to
 * a second when a write cannot go on. Where nothing can be read before that write or that CONNECT,
 * each of them costs whole seconds. While one is under way, the threads are made to wait less.
 */
#ifndef MQTT_PAHO_H
#define MQTT_PAHO_H

#include <stdbool.h>

/* Prepares Paho. Any thread; cheap after the first time. Call before any other function of Paho. */
void paho_prepare(void);

/* One more thing is under way that Paho's receiving thread must look after soon, or one less. Any
 * thread, Paho's included. */
void paho_hurry(bool begins);

/* Makes Paho's freeing of a packet wait until the next call: when the broker refuses a message,
 * Paho looks into the packet once more after it has freed it. Paho's process-wide mutex is held. */
void paho_keep(void *packet);

#endif
