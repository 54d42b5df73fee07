/* listen - the TCP socket that a server listens on. Any thread. */
#ifndef ADMIN_LISTEN_H
#define ADMIN_LISTEN_H

#include "base/err.h"

#include <stdint.h>

/*
 * Listens on "ADDRESS:PORT", "[IPv6]:PORT" or "localhost:PORT" and tells the port, which the system
 * chose if it was 0. Returns the socket, non-blocking, which the caller closes; -1 and err when the
 * text is none of these or the system refuses.
 */
int listen_open(const char *text, uint16_t *port, struct err *err);

#endif
