/*
 * paho - what must be done to Paho once in a process
 *
 * Debian's build of Paho writes a trace entry for each function it enters and leaves, and keeps
 * every allocation in a tree behind a mutex. The linker puts empty functions in the place of the
 * first and malloc in that of the second (--wrap, see CMakeLists.txt): 16 us of CPU a message
 * become 7. Nothing else of Paho relies on either.
 */
#ifndef MQTT_PAHO_H
#define MQTT_PAHO_H

/* Prepares Paho. Any thread; cheap after the first time. Call before any other function of Paho. */
void paho_prepare(void);

#endif
