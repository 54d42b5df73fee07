/* resources - what should exist in CMQ (RULES 5): the section; its rows are in queues.c, topics.c
 */
#include "config/digest.h"
#include "config/resource_rows.h"

enum {
    MAX_QUEUES = 10000,
    MAX_TOPICS = 10000,
    MAX_LABEL_KEY_BYTES = 127,
    MAX_LABEL_VALUE_BYTES = 255,
};

unsigned resource_given(const config_setting_t *setting, const struct given_name *names)
{
    unsigned given = 0;
    for (; names->name; names++)
        given |= reader_given(setting, names->name) ? names->bit : 0;
    return given;
}

bool resource_label_ok(struct span label, const char **why)
{
    size_t key = span_find(label, '=');
    *why = "it must be KEY=VALUE with a key of 1 to 127 bytes and a value of at most 255";
    return key >= 1 && key <= MAX_LABEL_KEY_BYTES && key < label.len &&
           label.len - key - 1 <= MAX_LABEL_VALUE_BYTES;
}

static const struct option resources_options[] = {
    {.name = "queues",
     .kind = OPTION_GROUPS,
     .group = &resource_queue_group,
     .read = resource_queue_read,
     .max = MAX_QUEUES,
     .text = "See [resources.queues](#resourcesqueues)."},
    {.name = "topics",
     .kind = OPTION_GROUPS,
     .group = &resource_topic_group,
     .read = resource_topic_read,
     .max = MAX_TOPICS,
     .text = "See [resources.topics](#resourcestopics)."},
};
const struct option_group option_resources = {
    "resources", "What should exist in CMQ; `cmqgw provision` makes it so.", resources_options,
    OPTION_COUNT(resources_options), false};

void resources_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    (void)reader;
    struct resources *resources = &((struct config *)object)->resources;
    resources->declared = true;
    resources->digest = digest_setting(resources->digest, setting);
}

void resources_free(struct resources *resources)
{
    for (size_t i = 0; i < resources->queue_count; i++)
        option_free(&resource_queue_group, &resources->queues[i]);
    for (size_t i = 0; i < resources->topic_count; i++)
        resource_topic_fini(&resources->topics[i]);
    free(resources->queues);
    free(resources->topics);
}
