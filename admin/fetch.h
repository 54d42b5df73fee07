/*
 * fetch - asks a listener of operators on this machine, for the command line
 *
 * One request a connection, HTTP/1.1, no TLS. Any thread; blocks for the time that it is given.
 */
#ifndef ADMIN_FETCH_H
#define ADMIN_FETCH_H

#include "base/buf.h"
#include "base/err.h"

struct fetch {
    const char
        *listen;       /* as of listen_open: "0.0.0.0:9780" and "[::]:9780" are asked at loopback */
    struct span token; /* empty: none is shown */
    const char *method; /* "GET", "POST" */
    const char *path;   /* with its query */
    struct span body;   /* JSON; empty: none */
    int64_t timeout_ms; /* for all of it */
};

/*
 * Appends the answer's body to out, whose ceiling is its bound, and tells its status. False and err
 * when there is no whole answer: nobody listens, it took too long, it is no HTTP. With
 * refused not NULL it tells whether nobody listens there.
 */
MUST_CHECK bool fetch(const struct fetch *what, unsigned *status, struct buf *out, bool *refused,
                      struct err *err);

#endif
