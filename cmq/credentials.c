/* credentials - see credentials.h. */
#include "cmq/credentials.h"

#include <openssl/crypto.h>

enum { MAX_SECRET_BYTES = 4096 }; /* a temporary key's token is the longest */

void cmq_secret_wipe(struct buf *secret)
{
    if (secret->ptr)
        OPENSSL_cleanse(secret->ptr, secret->room);
    buf_fini(secret);
}

void cmq_credentials_fini(struct cmq_credentials *credentials)
{
    cmq_secret_wipe(&credentials->secret_id);
    cmq_secret_wipe(&credentials->secret_key);
    cmq_secret_wipe(&credentials->token);
}

static bool read_one(cmq_secret_fn get, void *ctx, const char *name, struct buf *out,
                     struct err *err)
{
    buf_init(out, MAX_SECRET_BYTES);
    CHECK(buf_reserve(out, MAX_SECRET_BYTES));
    if (!get)
        return true;
    if (!get(ctx, out, err))
        return false;
    if (out->overflow)
        return err_set(err, "cmq.%s has more than the %d bytes possible", name, MAX_SECRET_BYTES);
    for (size_t i = 0; i < out->len; i++) {
        if (out->ptr[i] <= ' ' || out->ptr[i] > '~')
            return err_set(err, "cmq.%s contains characters that a key cannot have", name);
    }
    return true;
}

bool cmq_credentials_read(struct cmq_credentials *credentials, const struct cmq_secrets *from,
                          struct err *err)
{
    *credentials = (struct cmq_credentials){0};
    struct buf *id = &credentials->secret_id, *key = &credentials->secret_key;
    bool ok = read_one(from->secret_id, from->ctx, "secret_id", id, err) &&
              read_one(from->secret_key, from->ctx, "secret_key", key, err) &&
              read_one(from->token, from->ctx, "token", &credentials->token, err);
    if (ok && (id->len == 0 || key->len == 0))
        ok = err_set(err, "cmq.%s is empty", id->len ? "secret_key" : "secret_id");
    if (!ok)
        cmq_credentials_fini(credentials);
    return ok;
}
