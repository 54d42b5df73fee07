/* space - how much of the spool may be used for what. Private to spool/; pure. */
#ifndef SPOOL_SPACE_H
#define SPOOL_SPACE_H

#include <stdint.h>

/* Where appending stops, in used bytes: the rest is for finishing what was accepted. */
static inline uint64_t space_high_water(uint64_t max_bytes)
{
    uint64_t reserve = max_bytes / 16;
    const uint64_t least = UINT64_C(4) << 20;
    return max_bytes - (reserve > least ? reserve : least);
}

/*
 * Where it starts again. When no deliveries are left, waiting longer frees nothing more: what is
 * there are dead letters, and a little room has to do.
 */
static inline uint64_t space_low_water(uint64_t max_bytes, uint64_t deliveries)
{
    uint64_t high = space_high_water(max_bytes);
    return deliveries ? high / 4 * 3 : high / 16 * 15;
}

#endif
