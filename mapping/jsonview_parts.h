/* jsonview_parts - what jsonview.c and jsonview_check.c share */
#ifndef MAPPING_JSONVIEW_PARTS_H
#define MAPPING_JSONVIEW_PARTS_H

#include "mapping/jsonview.h"

/* Whether text is one JSON value; *value is that without the white space around it. */
bool jsonview_check(struct span text, int max_depth, struct span *value);

static inline bool jsonview_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* -1 when c is no hexadecimal digit. */
static inline int jsonview_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
