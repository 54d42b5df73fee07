/* api_actions - the actions of the management plane and their parameters (CMQ.md 8.5). */
#include "local/api_impl.h"

#include "base/json.h"

#define NAME(field)                                                                                \
    {                                                                                              \
        .name = (field), .type = API_TEXT, .required = true                                        \
    }
#define NEW_NAME(field)                                                                            \
    {                                                                                              \
        .name = (field), .type = API_TEXT, .required = true, .ok = cmq_name_ok                     \
    }
#define TEXT(field)                                                                                \
    {                                                                                              \
        .name = (field), .type = API_TEXT                                                          \
    }
#define NUMBER(field, from, to)                                                                    \
    {                                                                                              \
        .name = (field), .type = API_NUMBER, .min = (from), .max = (to)                            \
    }
#define BOOL(field)                                                                                \
    {                                                                                              \
        .name = (field), .type = API_BOOL                                                          \
    }
#define WORDS(field, list)                                                                         \
    {                                                                                              \
        .name = (field), .type = API_TEXT, .words = (list)                                         \
    }
#define TEXTS(field, most, check)                                                                  \
    {                                                                                              \
        .name = (field), .type = API_TEXTS, .max = (most), .ok = (check)                           \
    }
#define LIST(field, kind, most)                                                                    \
    {                                                                                              \
        .name = (field), .type = (kind), .max = (most)                                             \
    }
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

enum {
    MAX_TAGS = 50, /* of a queue or topic */
    MAX_NAMES = 100,
    MAX_FILTERS = 10,
    MAX_MSG_TAG_BYTES = 64, /* of PublishCmqMsg */
    MAX_OFFSET = INT32_MAX,
    MAX_QUERY_S = 43200, /* of a transaction: not documented, and without effect */
    MAX_LIMIT = 50,
};

static const char *const protocols[] = {"http", "queue", NULL};
static const char *const strategies[] = {"BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY", NULL};
static const char *const formats[] = {"JSON", "SIMPLIFIED", NULL};
static const char *const query_types[] = {"topic", "queue", NULL};

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool content_ok(struct span text, const char **why)
{
    return text.len > 0 || refuse(why, "a message must not be empty");
}

static bool msg_tag_ok(struct span text, const char **why)
{
    return (text.len > 0 && text.len <= MAX_MSG_TAG_BYTES) ||
           refuse(why, "a tag or routing key has 1 to 64 bytes");
}

/* What a queue can be created with and what can be modified. */
#define QUEUE_FIELDS                                                                               \
    NUMBER("MaxMsgHeapNum", 1000000, 1000000000), NUMBER("PollingWaitSeconds", 0, CMQ_MAX_POLL_S), \
        NUMBER("VisibilityTimeout", 1, 43200), NUMBER("MaxMsgSize", 1024, CMQ_MAX_BODY_BYTES),     \
        NUMBER("MsgRetentionSeconds", 30, 43200), NUMBER("RewindSeconds", 0, 1296000),             \
        NUMBER("Transaction", 0, 1), NUMBER("FirstQueryInterval", 0, MAX_QUERY_S),                 \
        NUMBER("MaxQueryCount", 0, MAX_QUERY_S), TEXT("DeadLetterQueueName"),                      \
        NUMBER("Policy", 0, 1), NUMBER("MaxReceiveCount", 1, 1000),                                \
        NUMBER("MaxTimeToLive", 300, 43200), BOOL("Trace"), NUMBER("RetentionSizeInMB", 0, 512000)

static const struct api_field create_queue[] = {NEW_NAME("QueueName"), QUEUE_FIELDS,
                                                LIST("Tags", API_TAGS, MAX_TAGS), END};
static const struct api_field modify_queue[] = {NAME("QueueName"), QUEUE_FIELDS, END};
static const struct api_field queue_only[] = {NAME("QueueName"), END};
static const struct api_field source_queue[] = {NAME("SourceQueueName"), END};
static const struct api_field rewind_queue[] = {
    NAME("QueueName"),
    {.name = "StartConsumeTime", .type = API_NUMBER, .required = true, .max = INT64_C(1) << 53},
    END};

#define PAGE NUMBER("Offset", 0, MAX_OFFSET), NUMBER("Limit", 1, MAX_LIMIT)

static const struct api_field describe_queues[] = {PAGE,
                                                   TEXT("QueueName"),
                                                   TEXTS("QueueNameList", MAX_NAMES, NULL),
                                                   BOOL("IsTagFilter"),
                                                   LIST("Filters", API_FILTERS, MAX_FILTERS),
                                                   END};

#define TOPIC_FIELDS                                                                               \
    NUMBER("MaxMsgSize", 1024, CMQ_MAX_BODY_BYTES), NUMBER("MsgRetentionSeconds", 60, 86400),      \
        BOOL("Trace")

static const struct api_field create_topic[] = {NEW_NAME("TopicName"), TOPIC_FIELDS,
                                                NUMBER("FilterType", 1, 2),
                                                LIST("Tags", API_TAGS, MAX_TAGS), END};
static const struct api_field modify_topic[] = {NAME("TopicName"), TOPIC_FIELDS, END};
static const struct api_field topic_only[] = {NAME("TopicName"), END};
static const struct api_field describe_topic[] = {TEXT("TopicName"), END}; /* sic: CMQ.md 8.5 */
static const struct api_field describe_topics[] = {PAGE,
                                                   TEXT("TopicName"),
                                                   TEXTS("TopicNameList", MAX_NAMES, NULL),
                                                   BOOL("IsTagFilter"),
                                                   LIST("Filters", API_FILTERS, MAX_FILTERS),
                                                   END};

static const struct api_field create_subscription[] = {
    NAME("TopicName"),
    NEW_NAME("SubscriptionName"),
    {.name = "Protocol", .type = API_TEXT, .required = true, .words = protocols},
    NAME("Endpoint"),
    WORDS("NotifyStrategy", strategies),
    TEXTS("FilterTag", CMQ_MAX_TAGS, cmq_tag_ok),
    TEXTS("BindingKey", CMQ_MAX_BINDING_KEYS, cmq_binding_key_ok),
    WORDS("NotifyContentFormat", formats),
    END};
static const struct api_field modify_subscription[] = {
    NAME("TopicName"),
    NAME("SubscriptionName"),
    WORDS("NotifyStrategy", strategies),
    TEXTS("FilterTags", CMQ_MAX_TAGS, cmq_tag_ok),
    TEXTS("BindingKey", CMQ_MAX_BINDING_KEYS, cmq_binding_key_ok),
    WORDS("NotifyContentFormat", formats),
    END};
static const struct api_field subscription_only[] = {NAME("TopicName"), NAME("SubscriptionName"),
                                                     END};
static const struct api_field describe_subscriptions[] = {TEXT("TopicName"),
                                                          PAGE,
                                                          TEXT("SubscriptionName"),
                                                          TEXT("QueueName"),
                                                          WORDS("QueryType", query_types),
                                                          END};

static const struct api_field send_message[] = {
    NAME("QueueName"),
    {.name = "MsgContent", .type = API_TEXT, .required = true, .ok = content_ok},
    NUMBER("DelaySeconds", 0, 43200),
    END};
static const struct api_field publish_message[] = {
    NAME("TopicName"),
    {.name = "MsgContent", .type = API_TEXT, .required = true, .ok = content_ok},
    TEXTS("MsgTag", CMQ_MAX_TAGS, msg_tag_ok),
    END};

const struct api_action api_actions[] = {
    {"CreateCmqQueue", create_queue, api_create_queue},
    {"ModifyCmqQueueAttribute", modify_queue, api_modify_queue},
    {"DeleteCmqQueue", queue_only, api_delete_queue},
    {"DescribeCmqQueueDetail", queue_only, api_describe_queue},
    {"DescribeCmqQueues", describe_queues, api_describe_queues},
    {"ClearCmqQueue", queue_only, api_clear_queue},
    {"RewindCmqQueue", rewind_queue, api_rewind_queue},
    {"UnbindCmqDeadLetter", source_queue, api_unbind_dead_letter},
    {"CreateCmqTopic", create_topic, api_create_topic},
    {"ModifyCmqTopicAttribute", modify_topic, api_modify_topic},
    {"DeleteCmqTopic", topic_only, api_delete_topic},
    {"DescribeCmqTopicDetail", describe_topic, api_describe_topic},
    {"DescribeCmqTopics", describe_topics, api_describe_topics},
    {"CreateCmqSubscribe", create_subscription, api_subscribe},
    {"ModifyCmqSubscriptionAttribute", modify_subscription, api_modify_subscription},
    {"DescribeCmqSubscriptionDetail", describe_subscriptions, api_describe_subscriptions},
    {"DeleteCmqSubscribe", subscription_only, api_unsubscribe},
    {"ClearCmqSubscriptionFilterTags", subscription_only, api_clear_filter_tags},
    {"SendCmqMsg", send_message, api_send},
    {"PublishCmqMsg", publish_message, api_publish},
    {NULL, NULL, NULL},
};
