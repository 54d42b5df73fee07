/*
 * verify - see verify.h.
 *
 * A signature is tried as the documents say; when it fails, with the Host header's port left out
 * (port forwarding, proxies) and a doubled path halved, and then, if allowed, without values that
 * begin with '@'.
 */
#include "local/verify.h"

#include "base/base64.h"
#include "local/api_codes.h"

#include <strings.h>

/* A form of the largest body, and the request line. */
enum { MAX_TEXT_BYTES = 2 * CMQ_MAX_POST_BYTES };

struct verifier {
    char *secret_id;
    int64_t tolerance_s;
    bool at_fallback;
    struct cmq_signer *signers[2]; /* by enum cmq_signature */
    struct buf text;
    struct buf expected;
};

struct verifier *verifier_new(const struct verify_options *options, struct err *err)
{
    struct verifier *v = check_alloc(calloc(1, sizeof *v));
    v->secret_id = span_dup(options->secret_id);
    v->tolerance_s = options->tolerance_s;
    v->at_fallback = options->at_fallback;
    buf_init(&v->text, MAX_TEXT_BYTES);
    buf_init(&v->expected, BASE64_LEN(64));
    for (int kind = CMQ_HMAC_SHA1; kind <= CMQ_HMAC_SHA256; kind++) {
        v->signers[kind] = cmq_signer_new((enum cmq_signature)kind, options->secret_key, err);
        if (!v->signers[kind]) {
            verifier_free(v);
            return NULL;
        }
    }
    return v;
}

void verifier_free(struct verifier *verifier)
{
    if (!verifier)
        return;
    cmq_signer_free(verifier->signers[CMQ_HMAC_SHA1]);
    cmq_signer_free(verifier->signers[CMQ_HMAC_SHA256]);
    buf_fini(&verifier->text);
    buf_fini(&verifier->expected);
    free(verifier->secret_id);
    free(verifier);
}

/* HmacSHA256 alone selects SHA-256 (CMQ.md 2.1); one SDK says "sha256" (CMQ.md 9.8). */
static enum cmq_signature kind_of(const struct span *method)
{
    bool sha256 = method && (span_eq_str(*method, "HmacSHA256") ||
                             (method->len == 6 && strncasecmp(method->ptr, "sha256", 6) == 0));
    return sha256 ? CMQ_HMAC_SHA256 : CMQ_HMAC_SHA1;
}

static bool matches(struct verifier *v, struct cmq_signer *signer,
                    const struct verify_target *target, struct form *form, bool skip_at,
                    struct span given)
{
    buf_clear(&v->text);
    buf_clear(&v->expected);
    return cmq_sign_text(target->method, target->host, target->path, form->params, form->count,
                         skip_at, &v->text) &&
           cmq_sign(signer, buf_span(&v->text), &v->expected) &&
           cmq_signature_equal(given, buf_span(&v->expected));
}

/* The host with its port left out, or the host itself when it has none. */
static struct span without_port(struct span host)
{
    size_t at = host.len;
    while (at > 0 && host.ptr[at - 1] >= '0' && host.ptr[at - 1] <= '9')
        at--;
    bool has_port = at > 1 && at < host.len && host.ptr[at - 1] == ':';
    return has_port ? span_slice(host, 0, at - 1) : host;
}

static bool any_at(const struct form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        if (form->params[i].value.len && form->params[i].value.ptr[0] == '@')
            return true;
    }
    return false;
}

/* Half of a path that is twice the same, as the PHP SDK's GET makes it (CMQ.md 9.16); or path. */
static struct span undoubled(struct span path)
{
    struct span half = span_slice(path, 0, path.len / 2);
    bool doubled = path.len % 2 == 0 && span_eq(half, span_slice(path, path.len / 2, path.len));
    return doubled ? half : path;
}

/* Tries all targets that the client may have meant. */
static bool any_matches(struct verifier *v, struct cmq_signer *signer,
                        const struct verify_target *target, struct form *form, bool skip_at,
                        struct span given)
{
    const struct span hosts[] = {target->host, without_port(target->host)};
    const struct span paths[] = {target->path, undoubled(target->path)};
    for (size_t i = 0; i < 4; i++) {
        const struct verify_target meant = {target->method, hosts[i % 2], paths[i / 2]};
        bool tried =
            (i % 2 && hosts[0].len == hosts[1].len) || (i / 2 && paths[0].len == paths[1].len);
        if (!tried && matches(v, signer, &meant, form, skip_at, given))
            return true;
    }
    return false;
}

static struct verify_result signature_of(struct verifier *v, const struct verify_target *target,
                                         struct form *form, struct span given)
{
    struct cmq_signer *signer = v->signers[kind_of(form_get(form, "SignatureMethod"))];
    if (any_matches(v, signer, target, form, false, given))
        return (struct verify_result){0};
    if (v->at_fallback && span_eq_str(target->method, "POST") && any_at(form) &&
        any_matches(v, signer, target, form, true, given))
        return (struct verify_result){.at_left_out = true};
    return (struct verify_result){.code = 4100, .module = 10030, .why = "the signature differs"};
}

/* Puts back the '+' of a base64 text that was sent unencoded and so became a space. */
static struct span repair(struct span signature, char *room, size_t size)
{
    if (signature.len > size)
        return signature;
    for (size_t i = 0; i < signature.len; i++)
        room[i] = signature.ptr[i] == ' ' ? '+' : signature.ptr[i];
    return span_make(room, signature.len);
}

static struct verify_result judge(struct verifier *verifier, const struct verify_target *target,
                                  struct form *form, int64_t now_s, int64_t tolerance_s)
{
    static const char *const required[] = {"Action", "Timestamp", "Nonce", "SecretId", "Signature"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        if (!form_get(form, required[i]))
            return (struct verify_result){.code = 4000, .module = 10390, .name = required[i]};
    }
    struct span id = *form_get(form, "SecretId");
    if (!span_starts(id, "AKID"))
        return (struct verify_result){.code = 4000, .module = 10450};
    uint64_t timestamp, nonce;
    if (!span_to_u64(*form_get(form, "Timestamp"), INT64_MAX, &timestamp))
        return (struct verify_result){.code = 4000, .module = 10360, .name = "Timestamp"};
    if (!span_to_u64(*form_get(form, "Nonce"), UINT64_MAX, &nonce))
        return (struct verify_result){.code = 4000, .module = 10360, .name = "Nonce"};
    if (!span_eq_str(id, verifier->secret_id))
        return (struct verify_result){4100, 10270, .why = "the SecretId is not this server's"};

    char room[BASE64_LEN(64)];
    struct span given = repair(*form_get(form, "Signature"), room, sizeof room);
    struct verify_result result = signature_of(verifier, target, form, given);
    int64_t off_s = (int64_t)timestamp - now_s;
    if (result.code == 0 && (off_s > tolerance_s || off_s < -tolerance_s)) {
        return (struct verify_result){.code = 4100,
                                      .module = 10030,
                                      .expired = true,
                                      .why = "the Timestamp is too far from this clock"};
    }
    return result;
}

struct verify_result verify_request(struct verifier *verifier, const struct verify_target *target,
                                    struct form *form, int64_t now_s)
{
    return judge(verifier, target, form, now_s, verifier->tolerance_s);
}

static bool api3_fault(const char **code, const char *as, struct err *err, const char *text)
{
    *code = as;
    return err_set(err, "%s", text);
}

bool verify_api3(struct verifier *verifier, const struct verify_target *target, struct form *form,
                 int64_t now_s, int64_t tolerance_s, const char **code, struct err *err)
{
    struct verify_result result = judge(verifier, target, form, now_s, tolerance_s);
    switch (result.module) {
    case 0:
        return true;
    case 10390:
        *code = "MissingParameter";
        return err_set(err, "The request is missing a required parameter `%s`.", result.name);
    case 10360:
        *code = "InvalidParameter";
        return err_set(err, "The value type of parameter `%s` is not valid.", result.name);
    case 10450:
        return api3_fault(code, "AuthFailure.InvalidSecretId", err,
                          "The SecretId is not of a cloud API key: it does not begin with AKID.");
    case 10270:
        return api3_fault(code, "AuthFailure.SecretIdNotFound", err, "The SecretId is not found.");
    default:
        if (!result.expired)
            return api3_fault(code, API_SIGNATURE_FAILURE, err, API_SIGNATURE_TEXT);
        return api3_fault(code, "AuthFailure.SignatureExpire", err,
                          "The Timestamp is too far from this server's clock.");
    }
}
