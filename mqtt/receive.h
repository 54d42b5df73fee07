/* receive - a message as Paho hands it over, as a struct mqtt_message. Pure; any thread. */
#ifndef MQTT_RECEIVE_H
#define MQTT_RECEIVE_H

#include "mqtt/message.h"

#include <MQTTAsync.h>

/* The message and what its spans and arrays point into, besides Paho's own memory. */
struct received {
    struct mqtt_message message;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    uint32_t ids[MQTT_MAX_SUBSCRIPTION_IDS];
    size_t cut_off; /* user properties that did not fit */
};

/* Fills out, except message.received_ms; valid as long as Paho's message. topic_len 0: topic is a
 * C string. */
void receive_convert(const char *topic, int topic_len, const MQTTAsync_message *from,
                     struct received *out);

#endif
