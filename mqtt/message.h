/*
 * message - an application message as the MQTT broker gave it, or as it is given to the broker
 *
 * Names and limits are those of MQTT 5.0 s. 3.3. Under 3.1.1 everything from content_type down is
 * empty. Spans point into somebody else's bytes: a message passed to a callback is valid until the
 * callback returns.
 */
#ifndef MQTT_MESSAGE_H
#define MQTT_MESSAGE_H

#include "base/span.h"

enum {
    MQTT_MAX_USER_PROPERTIES = 64,  /* more than that are cut off, and counted */
    MQTT_MAX_SUBSCRIPTION_IDS = 32, /* identifiers that one copy of a message may carry */
};

struct mqtt_user_property {
    struct span key;
    struct span value;
};

struct mqtt_message {
    struct span topic;
    struct span payload;
    int qos;             /* 0, 1, 2 */
    bool retain;         /* received: a retained copy, sent on subscribing; given: please retain */
    int64_t received_ms; /* Unix time of arrival */

    struct span content_type;   /* ptr NULL: absent */
    struct span response_topic; /* ptr NULL: absent */
    struct span correlation;    /* ptr NULL: absent */
    bool has_expiry;
    uint32_t expiry_s;
    const struct mqtt_user_property *user; /* in the order they came */
    size_t user_count;

    /* Which of our subscriptions this copy was sent for (MQTT 5.0 s. 3.3.2.3.8); none: unknown. */
    const uint32_t *subscription_ids;
    size_t subscription_id_count;
};

#endif
