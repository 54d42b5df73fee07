/*
 * verify3 - who sent a call of API 3.0, by TC3-HMAC-SHA256 (CMQ.md 8.2)
 *
 * The account has one id and one key. One thread.
 */
#ifndef LOCAL_VERIFY3_H
#define LOCAL_VERIFY3_H

#include "base/err.h"
#include "base/span.h"

struct verifier3;

struct verifier3 *verifier3_new(struct span secret_id, struct span secret_key, int64_t tolerance_s);
void verifier3_free(struct verifier3 *verifier); /* wipes the key; NULL is fine */

struct verify3_request { /* as requested; all borrowed */
    struct span method;
    struct span query;
    struct span body;
    void *ctx;
    const char *(*header)(void *ctx, const char *name); /* whatever its case; or NULL */
};

/*
 * Judges a request. Which headers are signed is the client's choice, but content-type and host are
 * among them. Clients differ, so a value counts as sent, in lower case, and with only x-tc-action's
 * in lower case; the host also without its port; and "UNSIGNED-PAYLOAD" in the place of the body
 * when the client says so. False, with *code and err, when the request is not authentic.
 */
MUST_CHECK bool verify3_request(struct verifier3 *verifier, const struct verify3_request *request,
                                int64_t now_s, const char **code, struct err *err);

#endif
