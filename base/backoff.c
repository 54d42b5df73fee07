/* backoff - see backoff.h. */
#include "base/backoff.h"

#include "base/random.h"

int64_t backoff_next(struct backoff *backoff)
{
    int64_t ceiling = backoff->first_ms;
    for (unsigned i = 0; i < backoff->failures && ceiling < backoff->cap_ms; i++)
        ceiling *= 2;
    if (ceiling > backoff->cap_ms)
        ceiling = backoff->cap_ms;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return 1 + (int64_t)random_below((uint64_t)ceiling);
}
