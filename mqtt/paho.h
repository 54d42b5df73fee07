/*
 * paho - what must be done to Paho once in a process
 *
 * Debian's build of Paho writes a trace entry for each function it enters and leaves, and keeps
 * every allocation in a tree behind a mutex. The linker puts empty functions in the place of the
 * first and malloc in that of the second (--wrap, see CMakeLists.txt): 16 us of CPU a message
 * become 7. Nothing else of Paho relies on either.
 *
 * While a TCP connection is being made, Paho's receiving thread asks once whether it is there and
 * then waits a second for something to read, which cannot come before its own CONNECT: so every
 * connection takes a second. It is made to wait less while there is one in the making.
 *
 * When the broker refuses a message, Paho looks into the packet once more after it has freed it.
 */
#ifndef MQTT_PAHO_H
#define MQTT_PAHO_H

#include <stdbool.h>

/* Prepares Paho. Any thread; cheap after the first time. Call before any other function of Paho. */
void paho_prepare(void);

/* One more connection is being made, or one less. Any thread, Paho's included. */
void paho_connecting(bool begins);

/* Makes Paho's freeing of a packet wait until the next call. Paho's process-wide mutex is held. */
void paho_keep(void *packet);

#endif
