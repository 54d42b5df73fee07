/*
 * err - the text of one fault, filled in once where the fault is known
 *
 * A function that can fail returns false (or an enum) and fills the struct err it was given; every
 * caller above passes it on or logs it once. Texts are for people: what is wrong and what to do,
 * never a secret and never a payload.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/check.h"

#include <stdbool.h>

struct err {
    char text[512]; /* NUL-terminated; cut when longer */
};

/* Fills err when it is not NULL. Always returns false, so that "return err_set(...)" reads well. */
bool err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
