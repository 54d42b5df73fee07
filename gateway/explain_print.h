/* explain_print - an explanation for people, 80 columns wide, and for machines (RULES 7) */
#ifndef GATEWAY_EXPLAIN_PRINT_H
#define GATEWAY_EXPLAIN_PRINT_H

#include "gateway/explain.h"
#include "gateway/explain_reverse.h"

#include <stdio.h>

enum { EXPLAIN_SHOWN_BYTES = 1024, EXPLAIN_COLUMNS = 80 };

/* Bytes from outside are made safe to look at; long bodies are cut, with a count. */
void explain_print_text(FILE *out, const struct explanation *explanation);

/*
 * One object in one line: {"topic", "matches":[{"rule", "captures":{}, "deliveries":[{"queue"} or
 * {"topic", "route" or "tags"}, each with "delay_s" when there is one, "body", "body_bytes",
 * "reaches":[{"subscription", "queue"}]]}], "skipped":[{"rule", "reason"}],
 * "errors":[{"rule", "reason"}]}. What reaches its queue without a subscription has null for it, a
 * subscription that pushes has null for its queue and "url". Where reverse rules take what arrives,
 * the place has "reverse":[{"rule", "to"}], `to` being the template.
 */
void explain_print_json(FILE *out, const struct explanation *explanation);

/* The same of what comes from CMQ. */
void explain_print_reverse_text(FILE *out, const struct reverse_explanation *explanation);

/*
 * One object in one line: {"queue", "matches":[{"rule", "topic", "payload", "payload_base64",
 * "payload_bytes", "qos", "retain", "expiry_s" (null: none), "content_type", "response_topic" and
 * "correlation_base64" when there are such, "user":[{"key", "value"}], "forward":[{"rule",
 * "dropped"}]}], "skipped":[{"rule", "reason"}], "errors":[{"rule", "reason", "parked"}]}: parked
 * is a queue, "" for the local store, or null when the message is dropped or left where it is.
 */
void explain_print_reverse_json(FILE *out, const struct reverse_explanation *explanation);

/* A line with a rule's name and, to the right, its place. */
void explain_print_rule(FILE *out, const char *name, const char *file, int line);

/* "RULE: REASON", indented, in as many lines as it takes. */
void explain_print_reason(FILE *out, const char *rule, const char *reason);

#endif
