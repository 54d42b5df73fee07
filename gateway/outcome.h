/*
 * outcome - one thing that became of a message, and what a test expects of it (RULES 6)
 *
 * An outcome is a delivery to CMQ, a message to the broker, or a rule's failure to make one. Only
 * what an expectation says is asked. Pure; any thread.
 */
#ifndef GATEWAY_OUTCOME_H
#define GATEWAY_OUTCOME_H

#include "gateway/explain.h"

struct outcome {
    const char *rule;
    const char *error;                       /* why the rule failed; then nothing else is set */
    const struct explain_delivery *delivery; /* of a message from MQTT */
    bool nowhere; /* it names a queue that is not among the declared resources: it reaches nobody */
    const struct mqtt_message *message; /* of one from CMQ */
};

/* How many settings of the expectation were asked, and how many of them hold. */
struct outcome_fit {
    unsigned asked, held;
};
struct outcome_fit outcome_compare(const struct outcome *outcome,
                                   const struct config_test_expect *expect);

/* Whether all of it holds, and the rule failed only if that is expected. */
bool outcome_meets(const struct outcome *outcome, const struct config_test_expect *expect);

/* A JSON object that the caller frees: all that is known, or all that is asked. */
char *outcome_json(const struct outcome *outcome);
char *outcome_expected_json(const struct config_test_expect *expect);

#endif
