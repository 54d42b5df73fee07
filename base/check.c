/* check - see check.h. */
#include "base/check.h"

#include <stdio.h>

void check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
    abort();
}

void *check_alloc(void *ptr)
{
    if (!ptr)
        check_failed("memory could be had", __FILE__, __LINE__);
    return ptr;
}
