/*
 * control - the tool's own end points under /local/ (RULES 8): faults, state, log, reset
 *
 * They need no signature. One thread.
 */
#ifndef LOCAL_CONTROL_H
#define LOCAL_CONTROL_H

#include "local/journal.h"
#include "local/sabotage.h"
#include "local/store.h"

struct control {
    struct store *store;
    struct sabotage *sabotage;
    struct journal *journal;
};

struct control_request {
    struct span method;
    struct span path;  /* "/local/..." */
    struct span query; /* without the '?' */
    struct span body;
};

/* Serves a request: appends a JSON answer to out and returns the HTTP status. */
int control_serve(const struct control *control, const struct control_request *request,
                  int64_t now_ms, struct buf *out);

#endif
