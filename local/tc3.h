/*
 * tc3 - who sent a call of API 3.0, by TC3-HMAC-SHA256 (CMQ.md 8.2)
 *
 * Written apart from the gateway's own signer, so that each is the other's witness. The account has
 * one id and one key. One thread.
 */
#ifndef LOCAL_TC3_H
#define LOCAL_TC3_H

#include "base/err.h"
#include "base/span.h"

struct tc3;

struct tc3 *tc3_new(struct span secret_id, struct span secret_key, int64_t tolerance_s);
void tc3_free(struct tc3 *tc3); /* wipes the key; NULL is fine */

struct tc3_request { /* as requested; all borrowed */
    struct span method;
    struct span path;
    struct span query;
    struct span body;
    void *ctx;
    const char *(*header)(void *ctx, const char *name); /* whatever its case; or NULL */
};

/*
 * Judges a request. The headers that are signed are the client's choice, but content-type and host
 * are among them; the host counts with and without its port, and a header's value as sent, in lower
 * case, and with only x-tc-action's in lower case, because clients differ. False, with *code and
 * err, when it is not authentic.
 */
MUST_CHECK bool tc3_verify(struct tc3 *tc3, const struct tc3_request *request, int64_t now_s,
                           const char **code, struct err *err);

#endif
