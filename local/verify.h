/*
 * verify - who sent a request, by signature v1 (CMQ.md 2)
 *
 * The account has one id and one key. Repeated nonces are fine: the vendor's own SDK repeats them
 * (CMQ.md 2.1). One thread.
 */
#ifndef LOCAL_VERIFY_H
#define LOCAL_VERIFY_H

#include "base/err.h"
#include "local/form.h"

struct verify_options { /* copied */
    struct span secret_id;
    struct span secret_key;
    int64_t tolerance_s; /* how far a Timestamp may be off */
    bool at_fallback;    /* accept signatures that leave out values beginning with '@' (2.2.7) */
};

struct verifier;

struct verifier *verifier_new(const struct verify_options *options, struct err *err);
void verifier_free(struct verifier *verifier); /* NULL is fine */

struct verify_target {  /* as requested; spans are borrowed */
    struct span method; /* "GET" or "POST" */
    struct span host;   /* the Host header, verbatim */
    struct span path;   /* without the query */
};

struct verify_result {
    int code; /* 0: authentic; else the answer's pair */
    int module;
    const char *name; /* of the parameter that is missing or bad, or NULL */
    const char *why;  /* for the log: what is wrong, or NULL */
    bool expired;     /* authentic, but for its Timestamp */
    bool at_left_out; /* authentic only by the '@' fallback: such values are not authenticated */
};

/*
 * Judges a form that calls API 3.0 (CMQ.md 8.1). Its text to sign differs only for names with '_',
 * which that API does not have. Sorts the form's parameters. False, with *code and err, when it is
 * not authentic.
 */
MUST_CHECK bool verify_api3(struct verifier *verifier, const struct verify_target *target,
                            struct form *form, int64_t now_s, int64_t tolerance_s,
                            const char **code, struct err *err);

/* Judges a request. Sorts the form's parameters. */
struct verify_result verify_request(struct verifier *verifier, const struct verify_target *target,
                                    struct form *form, int64_t now_s);

#endif
