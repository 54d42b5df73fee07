/* tc3 - see tc3.h. */
#include "cmq/tc3.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

enum { MAX_SECRET_BYTES = 4096, MAX_CANONICAL_BYTES = 64 << 10, MAX_BODY_BYTES = 10 << 20 };

static void to_hex(const unsigned char bytes[TC3_KEY_BYTES], char out[TC3_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < TC3_KEY_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * TC3_KEY_BYTES] = '\0';
}

void tc3_date(int64_t timestamp_s, char out[TC3_DATE_SIZE])
{
    const int64_t year_9999 = 253402300799;
    time_t seconds = timestamp_s < 0 ? 0 : timestamp_s > year_9999 ? year_9999 : timestamp_s;
    struct tm utc;
    CHECK(gmtime_r(&seconds, &utc));
    CHECK(strftime(out, TC3_DATE_SIZE, "%Y-%m-%d", &utc) == TC3_DATE_SIZE - 1);
}

void tc3_hash(struct span bytes, char out[TC3_HEX_SIZE])
{
    unsigned char digest[TC3_KEY_BYTES];
    CHECK(EVP_Digest(bytes.len ? bytes.ptr : "", bytes.len, digest, NULL, EVP_sha256(), NULL));
    to_hex(digest, out);
}

/* The names of the signed headers, joined by ';'. */
static void add_signed_headers(const struct tc3_request *request, struct buf *out)
{
    for (size_t i = 0; i < request->header_count; i++) {
        buf_add_str(out, i ? ";" : "");
        buf_add(out, request->headers[i].name);
    }
}

bool tc3_canonical(const struct tc3_request *request, struct buf *out)
{
    char hash[TC3_HEX_SIZE];
    tc3_hash(request->body, hash);
    buf_add(out, request->method);
    buf_add_str(out, "\n/\n");
    buf_add(out, request->query);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < request->header_count; i++) {
        buf_add(out, request->headers[i].name);
        buf_add_char(out, ':');
        buf_add(out, request->headers[i].value);
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
    add_signed_headers(request, out);
    buf_add_char(out, '\n');
    buf_add_str(out, hash);
    return !out->overflow;
}

static void add_scope(const struct tc3_scope *scope, struct buf *out)
{
    buf_add_str(out, scope->date);
    buf_add_char(out, '/');
    buf_add(out, scope->service);
    buf_add_str(out, "/tc3_request");
}

bool tc3_text(int64_t timestamp_s, const struct tc3_scope *scope, struct span canonical,
              struct buf *out)
{
    char hash[TC3_HEX_SIZE];
    tc3_hash(canonical, hash);
    buf_printf(out, "TC3-HMAC-SHA256\n%lld\n", (long long)timestamp_s);
    add_scope(scope, out);
    buf_add_char(out, '\n');
    buf_add_str(out, hash);
    return !out->overflow;
}

void tc3_hmac(struct span key, struct span bytes, unsigned char out[TC3_KEY_BYTES])
{
    unsigned len = 0;
    CHECK(key.len <= INT32_MAX);
    CHECK(HMAC(EVP_sha256(), key.len ? key.ptr : "", (int)key.len,
               (const unsigned char *)(bytes.len ? bytes.ptr : ""), bytes.len, out, &len));
    CHECK(len == TC3_KEY_BYTES);
}

void tc3_signing_key(struct span secret_key, const struct tc3_scope *scope,
                     unsigned char out[TC3_KEY_BYTES])
{
    struct buf first = BUF_INIT(MAX_SECRET_BYTES);
    unsigned char date[TC3_KEY_BYTES], service[TC3_KEY_BYTES];
    CHECK(buf_reserve(&first, MAX_SECRET_BYTES)); /* it never moves, so wiping it wipes all */
    buf_add_str(&first, "TC3");
    CHECK(buf_add(&first, secret_key));
    tc3_hmac(buf_span(&first), span_of(scope->date), date);
    tc3_hmac(span_make(date, sizeof date), scope->service, service);
    tc3_hmac(span_make(service, sizeof service), span_of("tc3_request"), out);
    OPENSSL_cleanse(first.ptr, first.room);
    OPENSSL_cleanse(date, sizeof date);
    OPENSSL_cleanse(service, sizeof service);
    buf_fini(&first);
}

void tc3_signature(const unsigned char key[TC3_KEY_BYTES], struct span text, char out[TC3_HEX_SIZE])
{
    unsigned char mac[TC3_KEY_BYTES];
    tc3_hmac(span_make(key, TC3_KEY_BYTES), text, mac);
    to_hex(mac, out);
}

bool tc3_sign(const struct tc3_request *request, int64_t timestamp_s, struct span service,
              struct span secret_key, char out[TC3_HEX_SIZE])
{
    struct buf canonical = BUF_INIT(MAX_CANONICAL_BYTES);
    struct buf text = BUF_INIT(MAX_CANONICAL_BYTES);
    struct tc3_scope scope = {.service = service};
    unsigned char key[TC3_KEY_BYTES];
    tc3_date(timestamp_s, scope.date);
    bool ok = request->body.len <= MAX_BODY_BYTES && secret_key.len < MAX_SECRET_BYTES - 3 &&
              tc3_canonical(request, &canonical) &&
              tc3_text(timestamp_s, &scope, buf_span(&canonical), &text);
    if (ok) {
        tc3_signing_key(secret_key, &scope, key);
        tc3_signature(key, buf_span(&text), out);
        OPENSSL_cleanse(key, sizeof key);
    }
    buf_fini(&canonical);
    buf_fini(&text);
    return ok;
}

bool tc3_authorize(const struct tc3_request *request, int64_t timestamp_s, struct span service,
                   struct span secret_id, struct span secret_key, struct buf *out)
{
    char signature[TC3_HEX_SIZE];
    struct tc3_scope scope = {.service = service};
    if (!tc3_sign(request, timestamp_s, service, secret_key, signature))
        return false;
    tc3_date(timestamp_s, scope.date);
    buf_add_str(out, "TC3-HMAC-SHA256 Credential=");
    buf_add(out, secret_id);
    buf_add_char(out, '/');
    add_scope(&scope, out);
    buf_add_str(out, ", SignedHeaders=");
    add_signed_headers(request, out);
    buf_add_str(out, ", Signature=");
    buf_add_str(out, signature);
    return !out->overflow;
}
