/* letter_json - a dead letter as JSON, as in RULES 7. Any thread. */
#ifndef GATEWAY_LETTER_JSON_H
#define GATEWAY_LETTER_JSON_H

#include "base/delivery.h"
#include "base/emit.h"

/* What a whole letter may take: its body twice, escaped and in base64. */
enum { LETTER_JSON_MAX_BYTES = 64 << 20 };

/*
 * {"id", "rule", "direction", "reason", "destination", "received", "attempts", "body_bytes"};
 * whole: also "died", "origin" unless it is damaged or there is none, "body" when it is UTF-8, and
 * "body_base64".
 */
void letter_json(struct emit *emit, const struct dead_letter *letter, bool whole);

#endif
