/*
 * tc3 - signature TC3-HMAC-SHA256 of the management plane, cloud API 3.0 (CMQ.md 8.2)
 *
 * The steps of the specification, each a function: what was asked becomes a canonical request, its
 * hash with time and scope the text to sign, and a key derived for one day and one service signs
 * that. The clock is an argument, so all is pure and proven by the vendor's own example (CMQ.md
 * 8.3) and a captured request (8.1). Any thread.
 */
#ifndef CMQ_TC3_H
#define CMQ_TC3_H

#include "base/buf.h"

enum {
    TC3_DATE_SIZE = 11, /* "2019-02-25" and its NUL */
    TC3_HEX_SIZE = 65,  /* a SHA-256 in lower-case hex and its NUL */
    TC3_KEY_BYTES = 32,
};

struct tc3_header {
    struct span name;  /* lower case */
    struct span value; /* without blanks around it; x-tc-action's in lower case */
};

struct tc3_request {
    struct span method;               /* "POST" */
    struct span query;                /* of a GET, as it was sent; empty for a POST */
    const struct tc3_header *headers; /* those that are signed, in order of name */
    size_t header_count;
    struct span body;
};

struct tc3_scope {
    char date[TC3_DATE_SIZE]; /* UTC */
    struct span service;      /* "tdmq" */
};

/* The UTC date of a time in Unix seconds; times before 1970 count as 0. */
void tc3_date(int64_t timestamp_s, char out[TC3_DATE_SIZE]);

/* SHA-256 in lower-case hex. */
void tc3_hash(struct span bytes, char out[TC3_HEX_SIZE]);

/* Step 1: appends the canonical request. False when out's ceiling is in the way, as below. */
MUST_CHECK bool tc3_canonical(const struct tc3_request *request, struct buf *out);

/* Step 2: appends the text to sign. */
MUST_CHECK bool tc3_text(int64_t timestamp_s, const struct tc3_scope *scope, struct span canonical,
                         struct buf *out);

/* Step 3: HMAC-SHA256, of which kDate, kService and kSigning are made. */
void tc3_hmac(struct span key, struct span bytes, unsigned char out[TC3_KEY_BYTES]);

/* Step 3, whole: the key for a day and a service. The caller wipes it. */
void tc3_signing_key(struct span secret_key, const struct tc3_scope *scope,
                     unsigned char out[TC3_KEY_BYTES]);

/* Step 3's end: the signature of the text. */
void tc3_signature(const unsigned char key[TC3_KEY_BYTES], struct span text,
                   char out[TC3_HEX_SIZE]);

/*
 * All of it: the signature of a request. False when the request is larger than 10 MiB, which the
 * service does not take.
 */
MUST_CHECK bool tc3_sign(const struct tc3_request *request, int64_t timestamp_s,
                         struct span service, struct span secret_key, char out[TC3_HEX_SIZE]);

/* Step 4: signs and appends the value of the Authorization header. */
MUST_CHECK bool tc3_authorize(const struct tc3_request *request, int64_t timestamp_s,
                              struct span service, struct span secret_id, struct span secret_key,
                              struct buf *out);

#endif
