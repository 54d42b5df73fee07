/*
 * sign - see sign.h
 *
 * The HMAC context is keyed once; each message re-initialises it with no key, which keeps the
 * padded key's hash and so costs half of a one-shot HMAC.
 */
#include "cmq/sign.h"

#include "base/base64.h"
#include "cmq/limits.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { SIGN_MAX_TEXT_BYTES = 2 * CMQ_MAX_POST_BYTES }; /* raw values are no longer than encoded */

struct cmq_signer {
    EVP_MAC_CTX *mac;
    struct buf text; /* of cmq_sign_params; kept for its memory */
};

struct cmq_signer *cmq_signer_new(enum cmq_signature kind, struct span secret_key, struct err *err)
{
    char digest[] = "SHA256";
    if (kind == CMQ_HMAC_SHA1)
        memcpy(digest, "SHA1", sizeof "SHA1");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds its own reference */
    const char *key = secret_key.len ? secret_key.ptr : "";
    if (!mac || !EVP_MAC_init(mac, (const unsigned char *)key, secret_key.len, params)) {
        EVP_MAC_CTX_free(mac);
        (void)err_set(err, "OpenSSL offers no HMAC with %s here: check its configuration", digest);
        return NULL;
    }
    struct cmq_signer *signer = check_alloc(calloc(1, sizeof *signer));
    signer->mac = mac;
    buf_init(&signer->text, SIGN_MAX_TEXT_BYTES);
    return signer;
}

void cmq_signer_free(struct cmq_signer *signer)
{
    if (!signer)
        return;
    EVP_MAC_CTX_free(signer->mac); /* cleanses the key */
    if (signer->text.ptr)
        OPENSSL_cleanse(signer->text.ptr, signer->text.room);
    buf_fini(&signer->text);
    free(signer);
}

static int by_key(const void *a, const void *b)
{
    return span_cmp(((const struct cmq_param *)a)->key, ((const struct cmq_param *)b)->key);
}

/* Requests bring their parameters in order, so looking first saves the sorting. */
static void sort_params(struct cmq_param *params, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (by_key(&params[i - 1], &params[i]) > 0) {
            qsort(params, count, sizeof *params, by_key);
            return;
        }
    }
}

static bool is_signed(const struct cmq_param *param, bool skip_at)
{
    return !span_eq_str(param->key, "Signature") && !(skip_at && span_starts(param->value, "@"));
}

static char *put(char *to, struct span bytes)
{
    if (bytes.len)
        memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

static char *put_key(char *to, struct span key)
{
    for (size_t i = 0; i < key.len; i++)
        *to++ = key.ptr[i] == '_' ? '.' : key.ptr[i];
    return to;
}

bool cmq_sign_text(struct span method, struct span host, struct span path, struct cmq_param *params,
                   size_t count, bool skip_at, struct buf *out)
{
    sort_params(params, count);
    size_t len = method.len + host.len + path.len + 1;
    for (size_t i = 0; i < count; i++)
        len += params[i].key.len + params[i].value.len + 2;
    char *start = buf_reserve(out, len);
    if (!start)
        return false;
    char *to = put(put(put(start, method), host), path);
    char separator = '?';
    for (size_t i = 0; i < count; i++) {
        if (!is_signed(&params[i], skip_at))
            continue;
        *to++ = separator;
        to = put_key(to, params[i].key);
        *to++ = '=';
        to = put(to, params[i].value);
        separator = '&';
    }
    if (separator == '?')
        *to++ = '?'; /* no parameter was written */
    *to = '\0';
    out->len += (size_t)(to - start);
    return true;
}

bool cmq_sign(struct cmq_signer *signer, struct span text, struct buf *out)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    CHECK(EVP_MAC_init(signer->mac, NULL, 0, NULL));
    CHECK(EVP_MAC_update(signer->mac, (const unsigned char *)text.ptr, text.len));
    CHECK(EVP_MAC_final(signer->mac, mac, &len, sizeof mac));
    return base64_encode(out, span_make(mac, len));
}

bool cmq_sign_params(struct cmq_signer *signer, struct span method, struct span host,
                     struct span path, struct cmq_param *params, size_t count, struct buf *out)
{
    buf_clear(&signer->text);
    return cmq_sign_text(method, host, path, params, count, false, &signer->text) &&
           cmq_sign(signer, buf_span(&signer->text), out);
}

bool cmq_signature_equal(struct span given, struct span expected)
{
    return given.len == expected.len &&
           (given.len == 0 || CRYPTO_memcmp(given.ptr, expected.ptr, given.len) == 0);
}
