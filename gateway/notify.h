/*
 * notify - tells the service manager how the gateway is (sd_notify(3), Type=notify)
 *
 * The protocol is lines of text in one datagram to the socket that NOTIFY_SOCKET names: a path, or
 * an abstract address written with '@'. Where the variable is not set nobody listens, and telling
 * does nothing. A datagram that cannot be sent is logged, the first of a run of failures only, and
 * otherwise lost: the manager then acts as its unit says.
 *
 * One thread. notify_open belongs before other threads, because it changes the environment.
 */
#ifndef GATEWAY_NOTIFY_H
#define GATEWAY_NOTIFY_H

#include "base/err.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ms; /* the manager ends us when notify_alive is not heard so long; 0: never */
    bool failing;
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
 * speaks in our name. False, nobody listens, and err when the address cannot be used.
 */
MUST_CHECK bool notify_open(struct notify *notify, struct err *err);
void notify_close(struct notify *notify);

/* Started, or reloaded, and at work. status is for people, here and below; one line. */
void notify_ready(struct notify *notify, const char *status);
/* Reloading begins; it ends with notify_ready. */
void notify_reloading(struct notify *notify);
/* Stopping begins. */
void notify_stopping(struct notify *notify);
/* All is well: says so to the watchdog. */
void notify_alive(struct notify *notify);
void notify_status(struct notify *notify, const char *status);

#endif
