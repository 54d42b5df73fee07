/* attribute - see attribute.h. */
#include "provision/attribute.h"

#include "base/quantity.h"

#include <cjson/cJSON.h>
#include <stddef.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define QUEUE_AT(member) .offset = offsetof(struct resource_queue, member)
#define TOPIC_AT(member) .offset = offsetof(struct resource_topic, member)

static const struct attribute queue_rows[] = {
    {"visibility", "VisibilityTimeout", NULL, ATTRIBUTE_SECONDS, GIVEN_VISIBILITY,
     QUEUE_AT(visibility_s), .min = 1, .max = 43200},
    {"polling_wait", "PollingWaitSeconds", NULL, ATTRIBUTE_SECONDS, GIVEN_POLLING_WAIT,
     QUEUE_AT(polling_wait_s), .min = 0, .max = 30},
    {"retention", "MsgRetentionSeconds", NULL, ATTRIBUTE_SECONDS, GIVEN_RETENTION,
     QUEUE_AT(retention_s), .min = 30, .max = 43200},
    {"max_size", "MaxMsgSize", NULL, ATTRIBUTE_BYTES, GIVEN_MAX_SIZE, QUEUE_AT(max_size_bytes),
     .min = 1024, .max = MIB, .fixed = true,
     .instead = "CMQ keeps the max_size that a queue was created with: declare that, or declare a "
                "queue with another name and move to it"},
    {"max_messages", "MaxMsgHeapNum", NULL, ATTRIBUTE_COUNT, GIVEN_MAX_MESSAGES,
     QUEUE_AT(max_messages), .min = 1000000, .max = 1000000000},
    {"rewind", "RewindSeconds", NULL, ATTRIBUTE_SECONDS, GIVEN_REWIND, QUEUE_AT(rewind_s), .min = 0,
     .max = 1296000},
    {"rewind_size", "RetentionSizeInMB", NULL, ATTRIBUTE_MEBIBYTES, GIVEN_REWIND_SIZE,
     QUEUE_AT(rewind_size_bytes), .min = 10 * GIB, .max = 500 * GIB},
    {"trace", "Trace", NULL, ATTRIBUTE_BOOL, GIVEN_TRACE, QUEUE_AT(trace), .min = 0, .max = 1},
    {"transaction", "Transaction", NULL, ATTRIBUTE_SWITCH, GIVEN_TRANSACTION, QUEUE_AT(transaction),
     .min = 0, .max = 1},
    {"check_back_after", "FirstQueryInterval", "TransactionPolicy", ATTRIBUTE_SECONDS,
     GIVEN_CHECK_BACK_AFTER, QUEUE_AT(check_back_after_s), .min = 1, .max = 43200},
    {"check_backs", "MaxQueryCount", "TransactionPolicy", ATTRIBUTE_COUNT, GIVEN_CHECK_BACKS,
     QUEUE_AT(check_backs), .min = 1, .max = 1000},
};

static const struct attribute topic_rows[] = {
    {"retention", "MsgRetentionSeconds", NULL, ATTRIBUTE_SECONDS, GIVEN_RETENTION,
     TOPIC_AT(retention_s), .min = 60, .max = 86400},
    {"max_size", "MaxMsgSize", NULL, ATTRIBUTE_BYTES, GIVEN_MAX_SIZE, TOPIC_AT(max_size_bytes),
     .min = 1024, .max = MIB},
    {"trace", "Trace", NULL, ATTRIBUTE_BOOL, GIVEN_TRACE, TOPIC_AT(trace), .min = 0, .max = 1},
};

const struct attribute_table queue_attributes = {queue_rows,
                                                 sizeof queue_rows / sizeof *queue_rows};
const struct attribute_table topic_attributes = {topic_rows,
                                                 sizeof topic_rows / sizeof *topic_rows};

static bool is_bool(const struct attribute *attribute)
{
    return attribute->kind == ATTRIBUTE_BOOL || attribute->kind == ATTRIBUTE_SWITCH;
}

int64_t attribute_get(const struct attribute *attribute, const void *resource)
{
    const char *at = (const char *)resource + attribute->offset;
    if (is_bool(attribute))
        return *(const bool *)at;
    int64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

void attribute_set(const struct attribute *attribute, void *resource, int64_t value)
{
    char *at = (char *)resource + attribute->offset;
    if (is_bool(attribute)) {
        *(bool *)at = value != 0;
    } else {
        memcpy(at, &value, sizeof value);
    }
}

void attribute_text(const struct attribute *attribute, int64_t value, struct buf *out)
{
    switch (attribute->kind) {
    case ATTRIBUTE_SECONDS:
        duration_format(out, value * 1000);
        break;
    case ATTRIBUTE_BYTES:
    case ATTRIBUTE_MEBIBYTES:
        size_format(out, (uint64_t)value);
        break;
    case ATTRIBUTE_COUNT:
        buf_add_u64(out, (uint64_t)value);
        break;
    case ATTRIBUTE_BOOL:
    case ATTRIBUTE_SWITCH:
        buf_add_str(out, value ? "true" : "false");
        break;
    }
}

bool attribute_is_quoted(const struct attribute *attribute)
{
    return attribute->kind != ATTRIBUTE_COUNT && !is_bool(attribute);
}

bool attribute_read(const struct attribute *attribute, const cJSON *description, int64_t *value,
                    bool *found)
{
    const cJSON *item = description;
    if (attribute->within)
        item = cJSON_GetObjectItemCaseSensitive(item, attribute->within);
    item = cJSON_GetObjectItemCaseSensitive(item, attribute->field);
    *found = item && !cJSON_IsNull(item);
    if (!*found)
        return true;
    if (is_bool(attribute) && cJSON_IsBool(item)) {
        *value = cJSON_IsTrue(item);
        return true;
    }
    const double max = (double)(INT64_C(1) << 40); /* so that no unit makes it overflow */
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= max))
        return false;
    *value = (int64_t)item->valuedouble;
    if (attribute->kind == ATTRIBUTE_MEBIBYTES)
        *value *= MIB;
    return true;
}

void attribute_write(const struct attribute *attribute, int64_t value, cJSON *request)
{
    bool ok =
        attribute->kind == ATTRIBUTE_BOOL
            ? cJSON_AddBoolToObject(request, attribute->field, value != 0) != NULL
            : cJSON_AddNumberToObject(
                  request, attribute->field,
                  (double)(attribute->kind == ATTRIBUTE_MEBIBYTES ? value / MIB : value)) != NULL;
    CHECK(ok);
}
