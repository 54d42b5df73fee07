/*
 * lock - one running gateway a state directory
 *
 * An open-file-description lock (fcntl(2)) on DIR/lock, held for life: it goes with the process,
 * however that ends, and asking whether it is held does not take it. The file holds the holder's
 * process id, for people. Any thread.
 */
#ifndef SPOOL_LOCK_H
#define SPOOL_LOCK_H

#include "base/err.h"

/* Locks dir and returns the descriptor that holds the lock; close it to unlock. -1 and err when
 * another process, or another spool of this one, holds it. */
MUST_CHECK int lock_take(const char *dir, struct err *err);

/* Whether anybody holds the lock of dir. */
bool lock_is_held(const char *dir);

#endif
