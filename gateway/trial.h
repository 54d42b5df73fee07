/*
 * trial - a test inside a rule file, carried out (RULES 6)
 *
 * The message is planned by the same code as in the gateway and nothing is connected to. A test
 * holds when each expectation is met by an outcome of its own and no outcome is left over: the
 * list is complete. A rule that fails, so that the message would be a dead letter or parked, meets
 * only an expectation that names its reason. What comes is as of the year 1970, number 0, so that a
 * CloudEvents body can be expected to the byte.
 */
#ifndef GATEWAY_TRIAL_H
#define GATEWAY_TRIAL_H

#include "config/config.h"
#include "mapping/jq.h"

/* What was expected and what came instead, as JSON objects. */
struct trial_difference {
    const struct config_test_expect *expect; /* NULL: it was not expected */
    char *expected;                          /* NULL with it */
    char *actual;                            /* NULL: nothing came */
    char *why; /* why the expected rule did not apply or reaches nobody; NULL: not known */
};

struct trial {
    const struct config_test *test;
    struct trial_difference *differences; /* in the order of the expectations; none: it holds */
    size_t difference_count;
};

/*
 * Carries out a test of config, which must outlive the trial. jq may be NULL when no rule has a
 * program. Blocks while programs run. The caller frees it.
 */
struct trial *trial_new(const struct config *config, const struct config_test *test,
                        struct jq_worker *jq);
void trial_free(struct trial *trial); /* NULL is fine */

#endif
