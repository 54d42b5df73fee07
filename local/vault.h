/*
 * vault - the data file: all that cmqlocal knows, for a run after this one
 *
 * An SQLite database, of one process at a time. vault_open fills the store from it; from then on
 * the store notes its changes, and vault_commit writes those of a turn in one transaction. What was
 * committed survives kill -9 at any instant; a power cut may take the last seconds, as nothing is
 * forced onto the disk. Times go on over restarts, so delays, visibilities, lives and the rests of
 * pushes end when they would have. A push that was under way is tried again. One thread.
 */
#ifndef LOCAL_VAULT_H
#define LOCAL_VAULT_H

#include "base/err.h"
#include "local/store.h"

struct vault;

/*
 * Opens the file at path, or makes it, and fills the store, which must be empty. NULL and err when
 * another process has it, or it cannot be read or written, is damaged, something else's or of a
 * later version; the store is then of no use.
 */
struct vault *vault_open(const char *path, struct store *store, struct err *err);

/* Has begun called at the first change after each commit; it must only take note of that. NULL
 * ends it. */
void vault_notify(struct vault *vault, void (*begun)(void *ctx), void *ctx);

/*
 * Writes what has changed. False and err when that cannot be: the file stays as it was at the last
 * commit, and the vault can only be closed.
 */
MUST_CHECK bool vault_commit(struct vault *vault, struct err *err);

/* Closes the file without writing; the store is on its own then. NULL is fine. */
void vault_close(struct vault *vault);

#endif
