/* verify3 - see verify3.h. */
#include "local/verify3.h"

#include "base/buf.h"
#include "cmq/sign.h"
#include "cmq/tc3.h"
#include "local/api_codes.h"

#include <ctype.h>

enum {
    MAX_SIGNED_HEADERS = 32,
    MAX_HEADER_BYTES = 64 * 1024, /* of the values that are signed: all that the server reads */
    MAX_NAME_BYTES = 64,
};

struct verifier3 {
    char *secret_id;
    char *secret_key;
    int64_t tolerance_s;
    struct buf values; /* of the signed headers, as one reading has them */
};

struct verifier3 *verifier3_new(struct span secret_id, struct span secret_key, int64_t tolerance_s)
{
    struct verifier3 *verifier = check_alloc(calloc(1, sizeof *verifier));
    verifier->secret_id = span_dup(secret_id);
    verifier->secret_key = span_dup(secret_key);
    verifier->tolerance_s = tolerance_s;
    buf_init(&verifier->values, MAX_HEADER_BYTES);
    return verifier;
}

void verifier3_free(struct verifier3 *verifier)
{
    if (!verifier)
        return;
    explicit_bzero(verifier->secret_key, strlen(verifier->secret_key));
    free(verifier->secret_key);
    free(verifier->secret_id);
    buf_fini(&verifier->values);
    free(verifier);
}

/* The parts of "TC3-HMAC-SHA256 Credential=ID/DATE/SERVICE/tc3_request, SignedHeaders=..., ...". */
struct authorization {
    struct span id;
    struct span date;
    struct span service;
    struct span signed_headers;
    struct span signature;
};

static struct span trim(struct span s)
{
    while (s.len && isspace((unsigned char)s.ptr[0]))
        s = span_slice(s, 1, s.len);
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Cuts off and returns what stands before the first c, without the c. */
static struct span cut(struct span *rest, char c)
{
    size_t at = span_find(*rest, c);
    struct span head = span_slice(*rest, 0, at);
    *rest = span_slice(*rest, at + 1, rest->len);
    return head;
}

static bool parse(struct span text, struct authorization *out)
{
    static const char algorithm[] = "TC3-HMAC-SHA256 ";
    *out = (struct authorization){0};
    if (!span_starts(text, algorithm))
        return false;
    struct span rest = span_slice(text, strlen(algorithm), text.len);
    while (rest.len) {
        struct span value = trim(cut(&rest, ','));
        struct span key = cut(&value, '=');
        if (span_eq_str(key, "Credential")) {
            out->id = cut(&value, '/');
            out->date = cut(&value, '/');
            out->service = cut(&value, '/');
            if (!span_eq_str(value, "tc3_request"))
                return false;
        } else if (span_eq_str(key, "SignedHeaders")) {
            out->signed_headers = value;
        } else if (span_eq_str(key, "Signature")) {
            out->signature = value;
        }
    }
    return out->id.len && out->date.len && out->service.len && out->signed_headers.len &&
           out->signature.len;
}

/* How the values of headers are written. */
enum letters { AS_SENT, LOWER_ACTION, LOWER, LETTERS };

/* One of the ways in which a client may have made its canonical request. */
struct reading {
    enum letters letters;
    bool bare_host;   /* without the port */
    struct span body; /* or what stands for it */
};

static struct span without_port(struct span host)
{
    size_t at = host.len;
    while (at > 0 && isdigit((unsigned char)host.ptr[at - 1]))
        at--;
    return at > 1 && at < host.len && host.ptr[at - 1] == ':' ? span_slice(host, 0, at - 1) : host;
}

/* Appends a signed header's value; returns its length, or SIZE_MAX when there is no room. */
static size_t add_value(struct buf *out, const struct verify3_request *request,
                        const struct reading *reading, struct span name)
{
    char key[MAX_NAME_BYTES + 1] = "";
    if (name.len > MAX_NAME_BYTES)
        return 0;
    memcpy(key, name.ptr, name.len);
    struct span value = trim(span_of(request->header(request->ctx, key)));
    bool lower = reading->letters == LOWER ||
                 (reading->letters == LOWER_ACTION && strcmp(key, "x-tc-action") == 0);
    if (reading->bare_host && strcmp(key, "host") == 0)
        value = without_port(value);
    char *to = buf_reserve(out, value.len);
    if (!to)
        return SIZE_MAX;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        to[i] = (char)(lower ? tolower(c) : c);
    }
    out->len += value.len;
    return value.len;
}

static bool matches(struct verifier3 *verifier, const struct verify3_request *request,
                    const struct authorization *from, const struct reading *reading,
                    int64_t timestamp_s)
{
    struct tc3_header headers[MAX_SIGNED_HEADERS];
    size_t count = 0, at = 0;
    buf_clear(&verifier->values);
    for (struct span rest = from->signed_headers; rest.len; count++) {
        headers[count].name = cut(&rest, ';');
        headers[count].value.len =
            add_value(&verifier->values, request, reading, headers[count].name);
        if (headers[count].value.len == SIZE_MAX)
            return false;
    }
    for (size_t i = 0; i < count; i++) { /* the buffer is where it stays */
        headers[i].value.ptr = buf_str(&verifier->values) + at;
        at += headers[i].value.len;
    }
    const struct tc3_request signs = {.method = request->method,
                                      .query = request->query,
                                      .headers = headers,
                                      .header_count = count,
                                      .body = reading->body};
    char expected[TC3_HEX_SIZE];
    return tc3_sign(&signs, timestamp_s, from->service, span_of(verifier->secret_key), expected) &&
           cmq_signature_equal(from->signature, span_of(expected));
}

static bool authentic(struct verifier3 *verifier, const struct verify3_request *request,
                      const struct authorization *from, int64_t timestamp_s)
{
    static const char unsigned_payload[] = "UNSIGNED-PAYLOAD";
    const char *says = request->header(request->ctx, "X-TC-Content-SHA256");
    int bodies = says && strcmp(says, unsigned_payload) == 0 ? 2 : 1;
    for (int way = 0; way < LETTERS * 2 * bodies; way++) {
        const struct reading reading = {.letters = (enum letters)(way % LETTERS),
                                        .bare_host = way / LETTERS % 2,
                                        .body = way / (LETTERS * 2) ? span_of(unsigned_payload)
                                                                    : request->body};
        if (matches(verifier, request, from, &reading, timestamp_s))
            return true;
    }
    return false;
}

/* Whether a list of headers names content-type and host, and is not too long. */
static bool names_mandatory(struct span list)
{
    bool type = false, host = false;
    size_t count = 0;
    while (list.len && ++count <= MAX_SIGNED_HEADERS) {
        struct span name = cut(&list, ';');
        type = type || span_eq_str(name, "content-type");
        host = host || span_eq_str(name, "host");
    }
    return type && host && list.len == 0;
}

static bool refuse(const char **code, const char *as, struct err *err, const char *text)
{
    *code = as;
    return err_set(err, "%s", text);
}

bool verify3_request(struct verifier3 *verifier, const struct verify3_request *request,
                     int64_t now_s, const char **code, struct err *err)
{
    struct authorization from;
    uint64_t seconds;
    char date[TC3_DATE_SIZE];
    struct span header = span_of(request->header(request->ctx, "Authorization"));
    struct span timestamp = trim(span_of(request->header(request->ctx, "X-TC-Timestamp")));
    if (!parse(header, &from))
        return refuse(code, "AuthFailure.InvalidAuthorization", err,
                      "The Authorization header is missing or has another form than "
                      "TC3-HMAC-SHA256 Credential=.../DATE/SERVICE/tc3_request, "
                      "SignedHeaders=..., Signature=...");
    if (!names_mandatory(from.signed_headers))
        return refuse(code, "AuthFailure.InvalidAuthorization", err,
                      "SignedHeaders must name content-type and host.");
    if (timestamp.len == 0)
        return refuse(code, "MissingParameter", err,
                      "The request is missing a required parameter `X-TC-Timestamp`.");
    if (!span_to_u64(timestamp, UINT32_MAX, &seconds))
        return refuse(code, "InvalidParameter", err,
                      "The value type of parameter `X-TC-Timestamp` is not valid.");
    if (!span_starts(from.id, "AKID"))
        return refuse(code, "AuthFailure.InvalidSecretId", err,
                      "The SecretId is not of a cloud API key: it does not begin with AKID.");
    if (!span_eq_str(from.id, verifier->secret_id))
        return refuse(code, "AuthFailure.SecretIdNotFound", err, "The SecretId is not found.");
    tc3_date((int64_t)seconds, date);
    if (!span_eq_str(from.date, date))
        return refuse(code, API_SIGNATURE_FAILURE, err,
                      "The date in Credential is not the UTC date of X-TC-Timestamp.");
    if (!authentic(verifier, request, &from, (int64_t)seconds))
        return refuse(code, API_SIGNATURE_FAILURE, err, API_SIGNATURE_TEXT);
    int64_t off_s = (int64_t)seconds - now_s;
    if (off_s > verifier->tolerance_s || off_s < -verifier->tolerance_s)
        return refuse(code, "AuthFailure.SignatureExpire", err,
                      "The X-TC-Timestamp is too far from this server's clock.");
    return true;
}
