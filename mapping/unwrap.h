/*
 * unwrap - the message inside a CloudEvent (envelope.h), for the way back
 *
 * What envelope_write wrapped comes out as it was: payload, topic, content type, response topic,
 * correlation data, expiry, user properties (in order for each key); a trace context becomes user
 * properties wherever the event is from. Other CloudEvents 1.0 in JSON
 * are taken too: data whose datacontenttype is JSON or missing is the payload as the JSON text it
 * is, a string under any other type is the payload itself, data_base64 its bytes.
 *
 * A body is outside input. What is refused would be a malformed MQTT packet or would not be what
 * the sender meant. Any thread, an object each.
 */
#ifndef MAPPING_UNWRAP_H
#define MAPPING_UNWRAP_H

#include "base/buf.h"
#include "base/err.h"
#include "mapping/jsonview.h"
#include "mqtt/message.h"

struct unwrapped {
    struct mqtt_message message; /* topic: the subject, ptr NULL when there is none; qos 0 unless
                                    mqttqos says more; received_ms 0 */
    struct span via;             /* gateways it came through: "edge-1,edge-2"; may be empty */
    struct jsonview event;       /* for {ce:...} */

    struct buf store; /* decoded text */
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
};

/*
 * Reads body, which must outlive *out: spans point into both. False and err ("event_invalid: ...")
 * when it is no such event. unwrapped_fini after, in either case.
 */
MUST_CHECK bool envelope_unwrap(struct span body, struct unwrapped *out, struct err *err);
void unwrapped_fini(struct unwrapped *u);

#endif
