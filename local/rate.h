/* rate - how many calls there were in the present second. Pure; zero-initialise. */
#ifndef LOCAL_RATE_H
#define LOCAL_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t second;
    uint32_t calls;
};

/* Counts a call; false when there were most already in this second. most 0: no limit. */
static inline bool rate_take(struct rate *rate, uint32_t most, int64_t now_ms)
{
    if (most == 0)
        return true;
    int64_t second = now_ms / 1000;
    if (rate->second != second)
        *rate = (struct rate){.second = second};
    return rate->calls < most && ++rate->calls;
}

#endif
