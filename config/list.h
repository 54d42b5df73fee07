/* list - arrays that grow by doubling. Any thread, an array each. */
#ifndef CONFIG_LIST_H
#define CONFIG_LIST_H

#include "base/check.h"

#include <stddef.h>
#include <string.h>

/*
 * Returns the array (NULL when count is 0) with room for one element of size bytes after count, and
 * that element zeroed. Only for arrays that grow by this function alone.
 */
static inline void *list_grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) /* 0, or full: a power of two */
        array = check_alloc(reallocarray(array, count ? count * 2 : 1, size));
    memset((char *)array + count * size, 0, size);
    return array;
}

#endif
