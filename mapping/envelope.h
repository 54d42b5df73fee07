/*
 * envelope - how a payload becomes a CMQ body: raw, base64, CloudEvents (RULES 2)
 *
 * CloudEvents are version 1.0, JSON, structured mode. What unwraps them (unwrap.h) gives back every
 * byte, so the payload goes
 *     no member              when it is empty
 *     data, as it is         when it is JSON and the content type says JSON or there is none; white
 *                            space around the value goes along
 *     data, as a string      when it is other UTF-8 text without NUL and the content type does not
 *                            say JSON
 *     data_base64            otherwise
 * datacontenttype is the message's content type. Where it has none, it is application/json,
 * text/plain or application/octet-stream after the above, and "mqttuntyped":true says so. User
 * properties are one JSON object in the string mqttuser: {"key":"value"}, and {"key":["a","b"]} for
 * a key that comes more than once (values in order). The user property cmqgwvia, which names the
 * gateways a message came through, becomes the attribute of that name, with this one added; so do
 * traceparent and tracestate when they are a trace context (trace.h).
 *
 * Pure; any thread.
 */
#ifndef MAPPING_ENVELOPE_H
#define MAPPING_ENVELOPE_H

#include "base/buf.h"
#include "base/err.h"
#include "mapping/jsonview.h"
#include "mqtt/message.h"

enum envelope_kind { ENVELOPE_RAW, ENVELOPE_BASE64, ENVELOPE_CLOUDEVENTS };

/* What CloudEvents say beside the message. */
struct envelope_context {
    struct span gateway;
    uint64_t id;                /* the delivery's spool number: the event id is "GATEWAY-ID" */
    struct jsonview_once *json; /* the payload's, shared with templates; NULL: none */
};

/*
 * Appends the body for CMQ. False and err ("raw_not_utf8: ...", "raw_nul: ...", "raw_empty: ...",
 * "raw_at: ...", "base64_empty: ...", "too_large: ...", "property_not_utf8: ...") when CMQ cannot
 * carry it unchanged; then out's content is of no use. out's ceiling is the size limit; besides, a
 * body whose URL-encoded form cannot fit a POST (CMQ.md 1.2) is too large.
 */
MUST_CHECK bool envelope_write(enum envelope_kind kind, const struct mqtt_message *message,
                               const struct envelope_context *context, struct buf *out,
                               struct err *err);

/*
 * Whether the body that out holds from start on did fit there and fits a POST, as envelope_write
 * asks of those it makes. False and err ("too_large: ...").
 */
MUST_CHECK bool envelope_fits(const struct buf *out, size_t start, struct err *err);

/* Whether a content type says JSON: "application/json", "text/json; ...", "x/y+json". */
bool envelope_type_is_json(struct span content_type);

/*
 * The MQTT 5 user property, and CloudEvents extension, that tells through which gateways a message
 * came: their ids, separated by commas. Whether such a value names this gateway.
 */
#define ENVELOPE_VIA "cmqgwvia"
bool envelope_via_names(struct span via, struct span gateway);

/* Whether the message's user properties name this gateway as one that it came through (RULES 5). */
bool envelope_came_through(const struct mqtt_message *message, struct span gateway);

#endif
