/* clock - see clock.h. */
#include "base/clock.h"

#include "base/check.h"

#include <stdio.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec ts;
    CHECK(clock_gettime(id, &ts) == 0);
    return ts;
}

int64_t clock_unix_ms(void)
{
    struct timespec ts = read_clock(CLOCK_REALTIME);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_mono_us(void)
{
    struct timespec ts = read_clock(CLOCK_MONOTONIC);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void clock_iso(int64_t unix_ms, char out[CLOCK_ISO_SIZE])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    int millis = (int)(unix_ms % 1000);
    if (millis < 0) {
        millis += 1000;
        seconds--;
    }
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        (void)snprintf(out, CLOCK_ISO_SIZE, "invalid-time");
        return;
    }
    size_t n = strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, CLOCK_ISO_SIZE - n, ".%03dZ", millis);
}

struct timespec clock_deadline(int64_t timeout_ms)
{
    int64_t at_us = clock_mono_us() + timeout_ms * 1000;
    return (struct timespec){.tv_sec = (time_t)(at_us / 1000000),
                             .tv_nsec = (long)(at_us % 1000000) * 1000};
}
