/*
 * check - invariants that hold or end the program, in release builds too
 *
 * CHECK states what the program's own code guarantees; it is never for input from outside. What
 * was acknowledged is in the spool, so ending the program loses nothing, and going on with a broken
 * invariant could. Memory that cannot be had is treated the same way: every growth is bounded
 * before it is asked for, so running out means the machine is out, not that a peer asked for much.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdlib.h>

/* A result that must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

/* Prints what failed and where on stderr, then aborts. Any thread. */
__attribute__((noreturn)) void check_failed(const char *condition, const char *file, int line);

/* Returns ptr; ends the program when it is NULL. For check_alloc(malloc(n)). */
void *check_alloc(void *ptr);

#endif
