/*
 * proof - what can be said of a whole configuration before a message comes (RULES 5,
 * docs/checks.md)
 *
 * All take a configuration that was read without errors and whose rules are sealed, and note what
 * they find at the rule it is about. They read nothing but the configuration. One thread.
 */
#ifndef CONFIG_PROOF_H
#define CONFIG_PROOF_H

#include "config/config.h"

/* What rules mean to each other, and templates that are always too long. */
void proof_rules(const struct config *config, struct faults *faults);

/* What reverse rules mean to each other, to the MQTT version and to the queues they take from. */
void proof_reverse(const struct config *config, struct faults *faults);

/* What may become of some messages: hints. */
void proof_hints(const struct config *config, struct faults *faults);

/* Names, routes, tags and delays of rules against resources; nothing unless they are declared. */
void proof_paths(const struct config *config, struct faults *faults);

/* Reverse rules whose messages, with resources declared, or dead letters can come back to them. */
void proof_loops(const struct config *config, struct faults *faults);

#endif
