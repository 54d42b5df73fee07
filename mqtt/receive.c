/* receive - see receive.h. */
#include "mqtt/receive.h"

static struct span span_from(const MQTTLenString *text)
{
    /* Present but empty is not absent: the pointer must not be NULL. */
    return span_make(text->data ? text->data : "", text->data ? (size_t)text->len : 0);
}

static void add_property(const MQTTProperty *property, struct received *out)
{
    struct mqtt_message *message = &out->message;
    switch (property->identifier) {
    case MQTTPROPERTY_CODE_CONTENT_TYPE:
        message->content_type = span_from(&property->value.data);
        break;
    case MQTTPROPERTY_CODE_RESPONSE_TOPIC:
        message->response_topic = span_from(&property->value.data);
        break;
    case MQTTPROPERTY_CODE_CORRELATION_DATA:
        message->correlation = span_from(&property->value.data);
        break;
    case MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL:
        message->has_expiry = true;
        message->expiry_s = property->value.integer4;
        break;
    case MQTTPROPERTY_CODE_USER_PROPERTY:
        if (message->user_count == MQTT_MAX_USER_PROPERTIES) {
            out->cut_off++;
            break;
        }
        out->user[message->user_count++] = (struct mqtt_user_property){
            .key = span_from(&property->value.data),
            .value = span_from(&property->value.value),
        };
        break;
    case MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER:
        if (message->subscription_id_count < MQTT_MAX_SUBSCRIPTION_IDS)
            out->ids[message->subscription_id_count++] = property->value.integer4;
        break;
    default: /* the payload format indicator is advice that nobody here takes */
        break;
    }
}

void receive_convert(const char *topic, int topic_len, const MQTTAsync_message *from,
                     struct received *out)
{
    out->cut_off = 0;
    out->message = (struct mqtt_message){
        .topic = topic_len > 0 ? span_make(topic, (size_t)topic_len) : span_of(topic),
        .payload = span_make(from->payload, (size_t)from->payloadlen),
        .qos = from->qos,
        .retain = from->retained != 0,
        .user = out->user,
        .subscription_ids = out->ids,
    };
    for (int i = 0; i < from->properties.count; i++)
        add_property(&from->properties.array[i], out);
}
