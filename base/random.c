/* random - see random.h. */
#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

uint64_t random_u64(void)
{
    uint64_t n;
    ssize_t got;
    do {
        got = getrandom(&n, sizeof n, 0);
    } while (got < 0 && errno == EINTR);
    CHECK(got == sizeof n);
    return n;
}

uint64_t random_below(uint64_t limit)
{
    if (limit == 0)
        return 0;
    uint64_t skew = -limit % limit; /* so many values at the bottom would be too frequent */
    uint64_t n;
    do {
        n = random_u64();
    } while (n < skew);
    return n % limit;
}
