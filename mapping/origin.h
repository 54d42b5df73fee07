/*
 * origin - a message's topic and properties as JSON, for dead letters that were never planned
 *
 * Together with the payload it is the whole message again:
 *     {"topic":"a/b","qos":1,"retain":false,"received_ms":1795438171000,"content_type":"...",
 *      "response_topic":"...","correlation_base64":"...","expiry_s":60,
 *      "user":[{"key":"...","value":"..."}],"subscription_ids":[1]}
 * What is absent in the message is absent here. A text that is not UTF-8 has its name end in
 * "_base64" and is base64. Pure; any thread.
 */
#ifndef MAPPING_ORIGIN_H
#define MAPPING_ORIGIN_H

#include "base/buf.h"
#include "mqtt/message.h"

/* Appends a JSON object with everything of message but its payload; false when out is full. */
bool origin_write(const struct mqtt_message *message, struct buf *out);

/*
 * Reads it back; the spans point into *keep, which origin_free frees. payload is put in as it is.
 * False when json is not an origin; then *keep is NULL.
 */
struct origin;
bool origin_read(struct span json, struct span payload, struct mqtt_message *message,
                 struct origin **keep);
void origin_free(struct origin *origin); /* NULL is fine */

#endif
