/*
 * probe - why a server cannot be reached
 *
 * Paho only says that connecting failed. After that has happened, this tries the TCP connection
 * once more and says what the system says.
 */
#ifndef MQTT_PROBE_H
#define MQTT_PROBE_H

#include "base/err.h"

/*
 * Fills why with the reason ("Connection refused", "Name or service not known") and returns true;
 * false when the TCP connection can be made. Blocks on the name service and then at most
 * timeout_ms.
 */
bool probe_unreachable(const char *uri, int timeout_ms, struct err *why);

#endif
