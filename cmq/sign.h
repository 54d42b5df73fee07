/*
 * sign - signature v1 of the CMQ data plane (CMQ.md 2)
 *
 * The text to sign is METHOD HOST PATH ? sorted parameters with raw values; the signature is the
 * base64 of its HMAC. Clock and nonce are parameters of the request, so this is pure and proven by
 * golden vectors A to E of CMQ.md 2.7. A signer is keyed once and used by one thread; the rest is
 * for any.
 */
#ifndef CMQ_SIGN_H
#define CMQ_SIGN_H

#include "base/buf.h"
#include "base/err.h"

enum cmq_signature { CMQ_HMAC_SHA1, CMQ_HMAC_SHA256 };

/* One request parameter, value raw. */
struct cmq_param {
    struct span key;
    struct span value;
};

struct cmq_signer;

/* A keyed context. NULL only when OpenSSL lacks the algorithm. Free with cmq_signer_free. */
struct cmq_signer *cmq_signer_new(enum cmq_signature kind, struct span secret_key, struct err *err);
void cmq_signer_free(struct cmq_signer *signer); /* wipes the key */

/*
 * Appends the text to sign (CMQ.md 2.2) to out. Sorts params in place, byte-wise by key as given;
 * '_' in a key is written '.'; "Signature" is left out. skip_at leaves out values that begin with
 * '@' (rule 7's other reading). False when out's ceiling is in the way.
 */
MUST_CHECK bool cmq_sign_text(struct span method, struct span host, struct span path,
                              struct cmq_param *params, size_t count, bool skip_at,
                              struct buf *out);

/* Appends the base64 signature of text: 28 or 44 characters. False when out's ceiling is in the
 * way.
 */
MUST_CHECK bool cmq_sign(struct cmq_signer *signer, struct span text, struct buf *out);

/*
 * Both in one, with the text in the signer's own memory: what a request needs. False also when the
 * text would be larger than any request.
 */
MUST_CHECK bool cmq_sign_params(struct cmq_signer *signer, struct span method, struct span host,
                                struct span path, struct cmq_param *params, size_t count,
                                struct buf *out);

/* Whether given equals the expected signature, compared in constant time. */
bool cmq_signature_equal(struct span given, struct span expected);

#endif
