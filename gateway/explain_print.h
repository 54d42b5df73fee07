/* explain_print - an explanation for people, 80 columns wide, and for machines (RULES 7) */
#ifndef GATEWAY_EXPLAIN_PRINT_H
#define GATEWAY_EXPLAIN_PRINT_H

#include "gateway/explain.h"

#include <stdio.h>

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

#endif
