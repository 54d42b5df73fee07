/*
 * credentials - an account's key in memory: read whole or not at all, wiped when it goes
 *
 * The bytes never move while they are held, so wiping them wipes the only copy. One thread.
 */
#ifndef CMQ_CREDENTIALS_H
#define CMQ_CREDENTIALS_H

#include "base/buf.h"
#include "base/err.h"

/* Appends a credential; false and err when it cannot be had. Called again when they are read again.
 */
typedef bool (*cmq_secret_fn)(void *ctx, struct buf *out, struct err *err);

struct cmq_secrets {
    cmq_secret_fn secret_id;
    cmq_secret_fn secret_key;
    cmq_secret_fn token; /* of a temporary key; NULL: none */
    void *ctx;           /* of all three */
};

struct cmq_credentials {
    struct buf secret_id, secret_key, token;
};

/*
 * Reads all. False and err, and nothing is held, when one cannot be had, is too long, or has
 * characters that no key has, or when id or key is empty; err never holds a value.
 */
MUST_CHECK bool cmq_credentials_read(struct cmq_credentials *credentials,
                                     const struct cmq_secrets *from, struct err *err);

/* Wipes and frees one of them, or another buffer that held a secret. */
void cmq_secret_wipe(struct buf *secret);

void cmq_credentials_fini(struct cmq_credentials *credentials);

#endif
