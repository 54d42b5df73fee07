/*
 * clock - what time it is
 *
 * Unix time is for what people and peers see; monotonic time is for waiting and measuring. Both in
 * milliseconds. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { CLOCK_ISO_SIZE = 32 };

int64_t clock_unix_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* Writes "2026-11-23T14:45:09.123Z" (UTC, RFC 3339) with its NUL. */
void clock_iso(int64_t unix_ms, char out[CLOCK_ISO_SIZE]);

/* The moment timeout_ms from now as pthread_cond_clockwait and kin want it, CLOCK_MONOTONIC. */
struct timespec clock_deadline(int64_t timeout_ms);

#endif
