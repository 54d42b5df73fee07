/* verify - everything that can be wrong with a store, told line by line. Private to spool/. */
#ifndef SPOOL_VERIFY_H
#define SPOOL_VERIFY_H

#include "spool/store.h"

/* See morgue_verify. */
MUST_CHECK bool verify_store(struct store *store, void (*fault)(void *ctx, const char *line),
                             void *ctx, struct err *err);

#endif
