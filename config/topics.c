/* topics - the topics and subscriptions that should exist in CMQ (RULES 5); limits: CMQ.md 4, 8.5
 */
#include "config/checks.h"
#include "config/list.h"
#include "config/resource_rows.h"

enum { MAX_SUBSCRIPTIONS = 1000 };

static const char *const filters[] = {"tag", "route", NULL};
static const char *const retries[] = {"backoff", "exponential", NULL};
static const char *const formats[] = {"json", "simplified", NULL};

static const struct given_name subscription_names[] = {
    {"retry", GIVEN_RETRY},
    {"format", GIVEN_FORMAT},
    {NULL, 0},
};
static const struct given_name topic_names[] = {
    {"retention", GIVEN_RETENTION},
    {"max_size", GIVEN_MAX_SIZE},
    {"trace", GIVEN_TRACE},
    {"labels", GIVEN_LABELS},
    {NULL, 0},
};

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
    s->given = resource_given(setting, subscription_names);
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
    {.name = "trace",
     .kind = OPTION_BOOL,
     OPTION_AT(struct resource_topic, trace),
     .preset = "false",
     .text = "Whether the service records each message's way."},
    {.name = "labels",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct resource_topic, labels, label_count),
     .check = resource_label_ok,
     .max = MAX_LABELS,
     .text = "The account's own tags, as `KEY=VALUE`; set when the topic is created."},
    {.name = "subscriptions",
     .kind = OPTION_GROUPS,
     .group = &subscription_group,
     .read = read_subscription,
     .max = MAX_SUBSCRIPTIONS,
     .text = "See [resources.topics.subscriptions](#resourcestopicssubscriptions)."},
};
const struct option_group resource_topic_group = {"resources.topics", "Topics of the account.",
                                                  topic_options, OPTION_COUNT(topic_options),
                                                  false};

void resource_topic_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resources *resources = &((struct config *)object)->resources;
    resources->topics =
        list_grow(resources->topics, resources->topic_count, sizeof *resources->topics);
    struct resource_topic *topic = &resources->topics[resources->topic_count];
    topic->file = reader->file;
    topic->line = reader_line(setting);
    topic->given = resource_given(setting, topic_names);
    reader_group(reader, &resource_topic_group, setting, topic->line, topic);
    if (topic->name) {
        names_define(&reader->names, NAME_TOPIC, 0, topic->name, topic->file,
                     reader_member_line(setting, "name"));
    }
    resources->topic_count++;
}

void resource_topic_fini(struct resource_topic *topic)
{
    for (size_t i = 0; i < topic->subscription_count; i++) {
        struct resource_subscription *s = &topic->subscriptions[i];
        free(s->name);
        free(s->queue);
        free(s->url);
        while (s->tag_count > 0)
            free(s->tags[--s->tag_count]);
        while (s->key_count > 0)
            free(s->keys[--s->key_count]);
    }
    free(topic->subscriptions);
    option_free(&resource_topic_group, topic);
}
