/* random - unpredictable numbers from getrandom(2). Any thread. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(void);

/* Evenly from [0, limit); 0 when limit is 0. */
uint64_t random_below(uint64_t limit);

#endif
