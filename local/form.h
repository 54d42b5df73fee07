/*
 * form - the parameters of a request, URL-decoded (CMQ.md 2.3, 2.4)
 *
 * Decoding is done in place in the caller's bytes, and the parameters point into them. What is not
 * a valid %XX stays as it is: some clients do not encode their values. One thread.
 */
#ifndef LOCAL_FORM_H
#define LOCAL_FORM_H

#include "cmq/limits.h"
#include "cmq/sign.h"

enum { FORM_MAX_PARAMS = 256 };

struct form {
    struct cmq_param params[FORM_MAX_PARAMS];
    size_t count;
};

/*
 * Reads "a=b&c=d": '+' and %20 are a space, a name without '=' has an empty value, empty pieces are
 * skipped. False when there are more than FORM_MAX_PARAMS.
 */
MUST_CHECK bool form_parse(struct form *form, char *text, size_t len);

/* The value of a parameter, or NULL when it was not sent. */
const struct span *form_get(const struct form *form, const char *key);

/* A name that was sent twice, or NULL. The parameters must be sorted, as cmq_sign_text does. */
const struct span *form_repeated(const struct form *form);

enum form_list {
    FORM_LIST_OK,
    FORM_LIST_BAD_KEY,  /* NAME.x, NAME.01 */
    FORM_LIST_TOO_MANY, /* more than max items */
    FORM_LIST_GAP,      /* numbers that do not start at 0 or 1, or are not consecutive */
};

/*
 * The values of NAME.0, NAME.1, ... or NAME.1, NAME.2, ... in the order of their numbers; none at
 * all is fine. *count is 0 unless the result is FORM_LIST_OK. max is at most CMQ_MAX_BATCH. No name
 * may be there twice.
 */
enum form_list form_list(const struct form *form, const char *name, size_t max, struct span *items,
                         size_t *count);

#endif
