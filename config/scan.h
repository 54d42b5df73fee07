/*
 * scan - what libconfig 1.5 does not tell about a text
 *
 * libconfig 1.5 gives an element of a list the line of whatever token follows it, wraps numbers
 * that are too large, drops "\x00" from strings, takes an unclosed comment for the end of the file,
 * and follows @include even out of a string in memory. So the text is gone over once by a small
 * lexer with the same tokens; its list of values is then laid over libconfig's tree, which has the
 * same values in the same order. One thread.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "config/faults.h"

#include <libconfig.h>

enum scan_flag {
    SCAN_TOO_BIG = 1, /* a number that libconfig has wrapped */
    SCAN_NUL = 2,     /* a string that libconfig has dropped a NUL from */
};

struct scan_value {
    int line; /* where the value begins */
    int flags;
};

struct scan {
    struct scan_value *values; /* scalar values in the order of the text */
    size_t count;
};

/*
 * Goes over a NUL-terminated text. An @include is a fault and made a comment; a string that is not
 * closed is cut off, which is a syntax error to libconfig. False when libconfig must not see the
 * text; the fault says why.
 */
bool scan_text(struct scan *scan, char *text, const char *file, struct faults *faults);

/*
 * Corrects the lines of list elements in the tree that libconfig made of the text, and leaves each
 * scalar's flags for scan_flags. False, and nothing is changed, when the two do not have the same
 * number of values: a defect of this lexer, which costs exact lines and nothing else.
 */
bool scan_apply(const struct scan *scan, config_setting_t *root);

int scan_flags(const config_setting_t *setting); /* of enum scan_flag */

void scan_fini(struct scan *scan);

#endif
