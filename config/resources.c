/* resources - what should exist in CMQ (RULES 5); limits are those of CMQ.md 4 and 8.5 */
#include "config/checks.h"
#include "config/list.h"
#include "config/reader.h"

enum { MAX_QUEUES = 10000, MAX_TOPICS = 10000, MAX_SUBSCRIPTIONS = 1000 };

static const char *const filters[] = {"tag", "route", NULL};
static const char *const retries[] = {"backoff", "exponential", NULL};
static const char *const formats[] = {"json", "simplified", NULL};

static const struct option dead_letter_options[] = {
    {.name = "queue",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct resource_queue, dead_letter),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue that dead messages go to."},
    {.name = "max_receive",
     .kind = OPTION_INT,
     OPTION_AT(struct resource_queue, max_receive),
     .min = 1,
     .max = 1000,
     .text = "Dead after so many receives; one of this and `max_age` is required."},
    {.name = "max_age",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, max_age_s),
     .min = OPTION_S(300),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "Dead after so long (policy 1); shorter than the queue's retention."},
};
static const struct option_group dead_letter_group = {
    "resources.queues.dead_letter", "When messages of the queue are dead.", dead_letter_options,
    OPTION_COUNT(dead_letter_options), false};

static void check_dead_letter(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resource_queue *queue = object;
    if (!config_setting_is_group(setting))
        return;
    bool receive = reader_given(setting, "max_receive"), age = reader_given(setting, "max_age");
    if (!receive && !age) {
        reader_fault_at(reader, reader_line(setting),
                        "resources.queues.dead_letter needs max_receive or max_age");
    }
    if (receive && age) {
        reader_fault_at(reader, reader_member_line(setting, "max_age"),
                        "resources.queues.dead_letter.max_age and max_receive exclude each other");
    }
    queue->policy = age ? 1 : 0;
    if (queue->max_age_s >= queue->retention_s) {
        reader_fault_at(reader, reader_member_line(setting, "max_age"),
                        "resources.queues.dead_letter.max_age must be shorter than the queue's "
                        "retention, %lld seconds",
                        (long long)queue->retention_s);
    }
    if (queue->dead_letter) {
        names_mention(&reader->names, MENTION_DEAD_LETTER, queue->dead_letter, reader->file,
                      reader_member_line(setting, "queue"));
    }
}

static const struct option queue_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct resource_queue, name),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "Unique, upper and lower case being the same."},
    {.name = "visibility",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, visibility_s),
     .preset = "30s",
     .min = OPTION_S(1),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "How long a received message stays hidden from others."},
    {.name = "polling_wait",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, polling_wait_s),
     .preset = "0s",
     .max = OPTION_S(CMQ_MAX_POLL_S),
     .unit = 1000,
     .text = "How long a receive waits that does not say itself."},
    {.name = "retention",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, retention_s),
     .preset = "1h",
     .min = OPTION_S(30),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "After so long CMQ drops a message that nobody deleted."},
    {.name = "max_size",
     .kind = OPTION_SIZE,
     OPTION_AT(struct resource_queue, max_size_bytes),
     .preset = "1MiB",
     .min = 1024,
     .max = CMQ_MAX_BODY_BYTES,
     .text = "The largest body."},
    {.name = "rewind",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, rewind_s),
     .preset = "0s",
     .max = OPTION_S(1296000),
     .unit = 1000,
     .text = "How far back deleted messages can be had again."},
    {.name = "dead_letter",
     .kind = OPTION_GROUP,
     .group = &dead_letter_group,
     .read = check_dead_letter,
     .text = "See [resources.queues.dead_letter](#resourcesqueuesdead_letter)."},
};
static const struct option_group queue_group = {"resources.queues", "Queues of the account.",
                                                queue_options, OPTION_COUNT(queue_options), false};

static void read_queue(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resources *resources = &((struct config *)object)->resources;
    resources->queues =
        list_grow(resources->queues, resources->queue_count, sizeof *resources->queues);
    struct resource_queue *queue = &resources->queues[resources->queue_count];
    queue->file = reader->file;
    queue->line = reader_line(setting);
    reader_group(reader, &queue_group, setting, queue->line, queue);
    if (queue->name) {
        names_define(&reader->names, NAME_QUEUE, resources->queue_count, queue->name, queue->file,
                     reader_member_line(setting, "name"));
    }
    resources->queue_count++;
}

/* A subscription while it is read. */
struct subscription_draft {
    struct resource_subscription done;
    char **tags;
    size_t tag_count;
    char **keys;
    size_t key_count;
};

static const struct option subscription_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct subscription_draft, done.name),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "Unique in its topic."},
    {.name = "queue",
     .kind = OPTION_STRING,
     OPTION_AT(struct subscription_draft, done.queue),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue that gets the messages; one of `queue` and `url` is required."},
    {.name = "url",
     .kind = OPTION_STRING,
     OPTION_AT(struct subscription_draft, done.url),
     .check = check_push_url,
     .max = CMQ_MAX_ENDPOINT_BYTES,
     .text = "The `http://` or `https://` address that they are posted to."},
    {.name = "tags",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct subscription_draft, tags, tag_count),
     .check = cmq_tag_ok,
     .max = CMQ_MAX_TAGS,
     .text = "Topics by tag: messages with one of these only. None: all messages."},
    {.name = "keys",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct subscription_draft, keys, key_count),
     .check = cmq_binding_key_ok,
     .max = CMQ_MAX_BINDING_KEYS,
     .text = "Topics by route: the binding keys."},
    {.name = "retry",
     .kind = OPTION_WORD,
     OPTION_AT(struct subscription_draft, done.exponential),
     .preset = "exponential",
     .words = retries,
     .text = "How CMQ repeats what was not taken."},
    {.name = "format",
     .kind = OPTION_WORD,
     OPTION_AT(struct subscription_draft, done.simplified),
     .words = formats,
     .text = "What is posted. Default: `json` for a `url`; a `queue` always gets `simplified`."},
};
static const struct option_group subscription_group = {
    "resources.topics.subscriptions", "Who gets what is published to a topic.",
    subscription_options, OPTION_COUNT(subscription_options), false};

static void check_subscription(struct reader *reader, const config_setting_t *setting,
                               const struct resource_topic *topic, struct resource_subscription *s)
{
    bool queue = reader_given(setting, "queue"), url = reader_given(setting, "url");
    if (!queue && !url) {
        reader_fault_at(reader, reader_line(setting),
                        "resources.topics.subscriptions needs a queue or a url");
    }
    if (queue && url) {
        reader_fault_at(reader, reader_member_line(setting, "url"),
                        "resources.topics.subscriptions.url and queue exclude each other");
    }
    if (queue && reader_given(setting, "format") && !s->simplified) {
        reader_fault_at(reader, reader_member_line(setting, "format"),
                        "resources.topics.subscriptions.format must be \"simplified\" for a queue");
    }
    if (topic->by_route && reader_given(setting, "tags")) {
        reader_fault_at(reader, reader_member_line(setting, "tags"),
                        "resources.topics.subscriptions.tags have no effect: the topic filters by "
                        "route");
    }
    if (!topic->by_route && reader_given(setting, "keys")) {
        reader_fault_at(reader, reader_member_line(setting, "keys"),
                        "resources.topics.subscriptions.keys have no effect: the topic filters by "
                        "tag");
    }
    if (s->queue) {
        names_mention(&reader->names, MENTION_SUBSCRIBED_QUEUE, s->queue, reader->file,
                      reader_member_line(setting, "queue"));
    }
}

static void read_subscription(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resource_topic *topic = object;
    struct subscription_draft draft = {0};
    struct resource_subscription *s = &draft.done;
    s->file = reader->file;
    s->line = reader_line(setting);
    s->simplified = reader_given(setting, "queue");
    reader_group(reader, &subscription_group, setting, s->line, &draft);
    check_subscription(reader, setting, topic, s);
    for (; s->tag_count < draft.tag_count; s->tag_count++)
        s->tags[s->tag_count] = draft.tags[s->tag_count];
    for (; s->key_count < draft.key_count; s->key_count++)
        s->keys[s->key_count] = draft.keys[s->key_count];
    free(draft.tags);
    free(draft.keys);
    if (s->name) {
        names_define(&reader->names, NAME_SUBSCRIPTION, reader->config->resources.topic_count,
                     s->name, s->file, reader_member_line(setting, "name"));
    }
    topic->subscriptions =
        list_grow(topic->subscriptions, topic->subscription_count, sizeof *topic->subscriptions);
    topic->subscriptions[topic->subscription_count++] = *s;
}

static const struct option topic_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct resource_topic, name),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "Unique, upper and lower case being the same."},
    {.name = "filter",
     .kind = OPTION_WORD,
     OPTION_AT(struct resource_topic, by_route),
     .preset = "tag",
     .words = filters,
     .text = "What its subscriptions choose by."},
    {.name = "retention",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_topic, retention_s),
     .preset = "24h",
     .min = OPTION_S(60),
     .max = OPTION_S(86400),
     .unit = 1000,
     .text = "How long CMQ tries to deliver a message."},
    {.name = "max_size",
     .kind = OPTION_SIZE,
     OPTION_AT(struct resource_topic, max_size_bytes),
     .preset = "64KiB",
     .min = 1024,
     .max = CMQ_MAX_BODY_BYTES,
     .text = "The largest body."},
    {.name = "subscriptions",
     .kind = OPTION_GROUPS,
     .group = &subscription_group,
     .read = read_subscription,
     .max = MAX_SUBSCRIPTIONS,
     .text = "See [resources.topics.subscriptions](#resourcestopicssubscriptions)."},
};
static const struct option_group topic_group = {"resources.topics", "Topics of the account.",
                                                topic_options, OPTION_COUNT(topic_options), false};

static void read_topic(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resources *resources = &((struct config *)object)->resources;
    resources->topics =
        list_grow(resources->topics, resources->topic_count, sizeof *resources->topics);
    struct resource_topic *topic = &resources->topics[resources->topic_count];
    topic->file = reader->file;
    topic->line = reader_line(setting);
    reader_group(reader, &topic_group, setting, topic->line, topic);
    if (topic->name) {
        names_define(&reader->names, NAME_TOPIC, 0, topic->name, topic->file,
                     reader_member_line(setting, "name"));
    }
    resources->topic_count++;
}

static const struct option resources_options[] = {
    {.name = "queues",
     .kind = OPTION_GROUPS,
     .group = &queue_group,
     .read = read_queue,
     .max = MAX_QUEUES,
     .text = "See [resources.queues](#resourcesqueues)."},
    {.name = "topics",
     .kind = OPTION_GROUPS,
     .group = &topic_group,
     .read = read_topic,
     .max = MAX_TOPICS,
     .text = "See [resources.topics](#resourcestopics)."},
};
const struct option_group option_resources = {
    "resources", "What should exist in CMQ; `cmqgw provision` makes it so.", resources_options,
    OPTION_COUNT(resources_options), false};

void resources_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    (void)reader;
    (void)setting;
    ((struct config *)object)->resources.declared = true;
}

void resources_free(struct resources *resources)
{
    for (size_t i = 0; i < resources->queue_count; i++)
        option_free(&queue_group, &resources->queues[i]);
    for (size_t i = 0; i < resources->topic_count; i++) {
        struct resource_topic *topic = &resources->topics[i];
        for (size_t j = 0; j < topic->subscription_count; j++) {
            struct resource_subscription *s = &topic->subscriptions[j];
            free(s->name);
            free(s->queue);
            free(s->url);
            while (s->tag_count > 0)
                free(s->tags[--s->tag_count]);
            while (s->key_count > 0)
                free(s->keys[--s->key_count]);
        }
        free(topic->subscriptions);
        option_free(&topic_group, topic);
    }
    free(resources->queues);
    free(resources->topics);
}
