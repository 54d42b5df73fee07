/*
 * tc3 - see tc3.h. The steps and their names are those of CMQ.md 8.2.
 */
#include "local/tc3.h"

#include "base/buf.h"
#include "local/api_codes.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

enum {
    HASH_BYTES = 32,
    HEX_SIZE = 2 * HASH_BYTES + 1,
    MAX_CANONICAL_BYTES = 256 * 1024, /* above what the server's headers may hold */
    MAX_SIGNED_HEADERS = 32,
};

struct tc3 {
    char *secret_id;
    struct buf key; /* "TC3" and the secret key */
    int64_t tolerance_s;
    struct buf canonical;
};

struct tc3 *tc3_new(struct span secret_id, struct span secret_key, int64_t tolerance_s)
{
    struct tc3 *tc3 = check_alloc(calloc(1, sizeof *tc3));
    tc3->secret_id = span_dup(secret_id);
    tc3->tolerance_s = tolerance_s;
    buf_init(&tc3->key, secret_key.len + 3);
    buf_add_str(&tc3->key, "TC3");
    buf_add(&tc3->key, secret_key);
    buf_init(&tc3->canonical, MAX_CANONICAL_BYTES);
    return tc3;
}

void tc3_free(struct tc3 *tc3)
{
    if (!tc3)
        return;
    OPENSSL_cleanse(tc3->key.ptr, tc3->key.len);
    buf_fini(&tc3->key);
    buf_fini(&tc3->canonical);
    free(tc3->secret_id);
    free(tc3);
}

/* The parts of "TC3-HMAC-SHA256 Credential=ID/DATE/SERVICE/tc3_request, SignedHeaders=..., ...". */
struct authorization {
    struct span id;
    struct span date;
    struct span service;
    struct span scope; /* DATE/SERVICE/tc3_request */
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
            out->scope = value;
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

static void to_hex(const unsigned char hash[HASH_BYTES], char out[HEX_SIZE])
{
    for (size_t i = 0; i < HASH_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void hash_hex(struct span text, char out[HEX_SIZE])
{
    unsigned char hash[HASH_BYTES];
    CHECK(EVP_Digest(text.len ? text.ptr : "", text.len, hash, NULL, EVP_sha256(), NULL));
    to_hex(hash, out);
}

static void hmac(struct span key, struct span text, unsigned char out[HASH_BYTES])
{
    unsigned len = HASH_BYTES;
    CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len, out,
               &len));
}

/* How the values of signed headers are written. */
enum values { AS_SENT, LOWER_ACTION, LOWER, VALUES };

/* One of the ways in which a client may have made its canonical request. */
struct reading {
    const struct tc3_request *request;
    const struct authorization *from;
    enum values values;
    bool bare_host;           /* without the port */
    const char *payload_hash; /* or what stands for it */
};

static struct span without_port(struct span host)
{
    size_t at = host.len;
    while (at > 0 && isdigit((unsigned char)host.ptr[at - 1]))
        at--;
    return at > 1 && at < host.len && host.ptr[at - 1] == ':' ? span_slice(host, 0, at - 1) : host;
}

static void add_header(struct buf *out, const struct reading *reading, struct span name)
{
    char key[64];
    bool fits = name.len < sizeof key;
    (void)snprintf(key, sizeof key, "%.*s", SPAN_ARG(span_slice(name, 0, sizeof key - 1)));
    const struct tc3_request *request = reading->request;
    struct span value = trim(span_of(fits ? request->header(request->ctx, key) : NULL));
    bool lower = reading->values == LOWER ||
                 (reading->values == LOWER_ACTION && strcmp(key, "x-tc-action") == 0);
    if (reading->bare_host && strcmp(key, "host") == 0)
        value = without_port(value);
    buf_add(out, name);
    buf_add_char(out, ':');
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        buf_add_char(out, (char)(lower ? tolower(c) : c));
    }
    buf_add_char(out, '\n');
}

static bool build_canonical(struct buf *out, const struct reading *reading)
{
    const struct tc3_request *request = reading->request;
    buf_clear(out);
    buf_add(out, request->method);
    buf_add_char(out, '\n');
    buf_add(out, request->path);
    buf_add_char(out, '\n');
    buf_add(out, request->query);
    buf_add_char(out, '\n');
    struct span rest = reading->from->signed_headers;
    while (rest.len)
        add_header(out, reading, cut(&rest, ';'));
    buf_add_char(out, '\n');
    buf_add(out, reading->from->signed_headers);
    buf_add_char(out, '\n');
    buf_add_str(out, reading->payload_hash);
    return !out->overflow;
}

static bool matches(struct tc3 *tc3, const struct reading *reading, struct span timestamp)
{
    const struct authorization *from = reading->from;
    char request_hash[HEX_SIZE], expected[HEX_SIZE], text[512];
    if (!build_canonical(&tc3->canonical, reading))
        return false;
    hash_hex(buf_span(&tc3->canonical), request_hash);
    int len = snprintf(text, sizeof text, "TC3-HMAC-SHA256\n%.*s\n%.*s\n%s", SPAN_ARG(timestamp),
                       SPAN_ARG(from->scope), request_hash);
    if (len < 0 || (size_t)len >= sizeof text)
        return false;
    unsigned char hash[HASH_BYTES];
    const struct span key = {(const char *)hash, sizeof hash};
    hmac(buf_span(&tc3->key), from->date, hash);
    hmac(key, from->service, hash);
    hmac(key, span_of("tc3_request"), hash);
    hmac(key, span_make(text, (size_t)len), hash);
    to_hex(hash, expected);
    return from->signature.len == HEX_SIZE - 1 &&
           CRYPTO_memcmp(from->signature.ptr, expected, HEX_SIZE - 1) == 0;
}

static bool authentic(struct tc3 *tc3, const struct tc3_request *request,
                      const struct authorization *from, struct span timestamp)
{
    static const char unsigned_payload[] = "UNSIGNED-PAYLOAD";
    char payload[HEX_SIZE], replaced[HEX_SIZE];
    hash_hex(request->body, payload);
    hash_hex(span_of(unsigned_payload), replaced);
    const char *hashes[] = {payload, replaced, unsigned_payload};
    const char *says = request->header(request->ctx, "X-TC-Content-SHA256");
    size_t hash_count = says && strcmp(says, unsigned_payload) == 0 ? 3 : 1;
    for (size_t hash = 0; hash < hash_count; hash++) {
        for (int way = 0; way < VALUES * 2; way++) {
            const struct reading reading = {.request = request,
                                            .from = from,
                                            .values = (enum values)(way / 2),
                                            .bare_host = way % 2,
                                            .payload_hash = hashes[hash]};
            if (matches(tc3, &reading, timestamp))
                return true;
        }
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

static bool is_date_of(struct span date, int64_t timestamp)
{
    time_t seconds = (time_t)timestamp;
    struct tm day;
    char text[64] = "";
    if (gmtime_r(&seconds, &day))
        (void)strftime(text, sizeof text, "%Y-%m-%d", &day);
    return span_eq_str(date, text);
}

static bool refuse(const char **code, const char *as, struct err *err, const char *text)
{
    *code = as;
    return err_set(err, "%s", text);
}

bool tc3_verify(struct tc3 *tc3, const struct tc3_request *request, int64_t now_s,
                const char **code, struct err *err)
{
    struct authorization from;
    uint64_t seconds;
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
    if (!span_eq_str(from.id, tc3->secret_id))
        return refuse(code, "AuthFailure.SecretIdNotFound", err, "The SecretId is not found.");
    if (!is_date_of(from.date, (int64_t)seconds))
        return refuse(code, API_SIGNATURE_FAILURE, err,
                      "The date in Credential is not the UTC date of X-TC-Timestamp.");
    if (!authentic(tc3, request, &from, timestamp))
        return refuse(code, API_SIGNATURE_FAILURE, err, API_SIGNATURE_TEXT);
    int64_t off_s = (int64_t)seconds - now_s;
    if (off_s > tc3->tolerance_s || off_s < -tc3->tolerance_s)
        return refuse(code, "AuthFailure.SignatureExpire", err,
                      "The X-TC-Timestamp is too far from this server's clock.");
    return true;
}
