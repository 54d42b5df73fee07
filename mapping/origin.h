/*
 * origin - a message's topic and properties as JSON, for dead letters that were never planned
 *
 * Together with the payload it is the whole message again. Bytes that are not UTF-8 are kept as
 * base64. Pure; any thread.
 */
#ifndef MAPPING_ORIGIN_H
#define MAPPING_ORIGIN_H

#include "base/buf.h"
#include "mqtt/message.h"

/* Appends a JSON object with everything of message but its payload. */
bool origin_write(const struct mqtt_message *message, struct buf *out);

/*
 * Reads it back; the spans point into *keep, which origin_free frees. payload is put in as it is.
 * False when json is not an origin.
 */
struct origin;
bool origin_read(struct span json, struct span payload, struct mqtt_message *message,
                 struct origin **keep);
void origin_free(struct origin *origin);

#endif
