/* listener - the socket that a server listens on. One thread. */
#ifndef LOCAL_LISTENER_H
#define LOCAL_LISTENER_H

#include "base/err.h"

enum { LISTENER_ADDRESS_SIZE = 80 };

struct event_base;
struct evconnlistener;

/*
 * Listens on "HOST:PORT" ("127.0.0.1:8280", "[::1]:0") and writes the address in numbers, with the
 * port that the system chose if it was 0. When no connection can be accepted, most likely for want
 * of file descriptors, it says so and tries again after a short pause. NULL and err on failure.
 */
struct evconnlistener *listener_open(struct event_base *base, const char *listen,
                                     char address[LISTENER_ADDRESS_SIZE], struct err *err);

#endif
