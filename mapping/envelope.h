/*
 * envelope - how a payload becomes a CMQ body: raw, base64, CloudEvents (RULES 2)
 *
 * Pure; any thread.
 */
#ifndef MAPPING_ENVELOPE_H
#define MAPPING_ENVELOPE_H

#include "base/buf.h"
#include "base/err.h"
#include "mqtt/message.h"

enum envelope_kind { ENVELOPE_RAW, ENVELOPE_BASE64, ENVELOPE_CLOUDEVENTS };

/* What CloudEvents say beside the message. */
struct envelope_context {
    struct span gateway;
    uint64_t id; /* the delivery's spool number: the event id is "GATEWAY-ID" */
};

/*
 * Appends the body for CMQ. False and err ("raw_not_utf8: ...", "raw_nul: ...", "raw_empty: ...",
 * "raw_at: ...", "too_large: ...") when CMQ cannot carry it unchanged; out's ceiling is the size
 * limit. CloudEvents 1.0 JSON, structured mode: `data` holds JSON payloads as JSON, byte for byte
 * as they came, other UTF-8 text as a string; everything else goes as data_base64.
 */
MUST_CHECK bool envelope_write(enum envelope_kind kind, const struct mqtt_message *message,
                               const struct envelope_context *context, struct buf *out,
                               struct err *err);

#endif
