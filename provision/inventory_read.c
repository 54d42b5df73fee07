/* inventory_read - asks the management plane for what an account has; see inventory.h. */
#include "provision/inventory.h"

#include <cjson/cJSON.h>
#include <strings.h>

static bool read_subscriptions(struct resource_topic *topic, struct api *api, const char *name,
                               struct err *err)
{
    cJSON *body = check_alloc(cJSON_CreateObject());
    CHECK(cJSON_AddStringToObject(body, "TopicName", topic->name));
    CHECK(!name || cJSON_AddStringToObject(body, "SubscriptionName", name));
    bool ok = api_list(api, API_DESCRIBE_SUBSCRIPTIONS, body, "SubscriptionSet",
                       inventory_take_subscription, topic, err);
    cJSON_Delete(body);
    return ok;
}

bool inventory_read(struct inventory *inventory, struct api *api,
                    const struct inventory_options *options, struct err *err)
{
    cJSON *body = check_alloc(cJSON_CreateObject());
    *inventory = (struct inventory){0};
    bool ok =
        api_list(api, API_DESCRIBE_QUEUES, body, "QueueList", inventory_take_queue, inventory,
                 err) &&
        api_list(api, API_DESCRIBE_TOPICS, body, "TopicList", inventory_take_topic, inventory, err);
    cJSON_Delete(body);
    inventory_sort(inventory);
    for (size_t i = 0; ok && i < inventory->topic_count; i++) {
        struct resource_topic *topic = &inventory->topics[i].is;
        if (options->wants && !options->wants(options->ctx, topic->name))
            continue;
        ok = read_subscriptions(topic, api, NULL, err);
        if (options->progress)
            options->progress(options->ctx, i + 1, inventory->topic_count);
    }
    inventory_sort(inventory);
    return ok;
}

/* A list that has one thing by its exact name. */
static bool look(struct inventory *inventory, struct api *api, enum api_action action,
                 const char *parameter, const char *list, api_item_fn take, const char *name,
                 struct err *err)
{
    cJSON *body = check_alloc(cJSON_CreateObject());
    cJSON *names = check_alloc(cJSON_AddArrayToObject(body, parameter));
    CHECK(cJSON_AddItemToArray(names, cJSON_CreateString(name)));
    *inventory = (struct inventory){0};
    bool ok = api_list(api, action, body, list, take, inventory, err);
    cJSON_Delete(body);
    inventory_sort(inventory);
    return ok;
}

bool inventory_look_queue(struct inventory *inventory, struct api *api, const char *name,
                          struct err *err)
{
    return look(inventory, api, API_DESCRIBE_QUEUES, "QueueNameList", "QueueList",
                inventory_take_queue, name, err);
}

bool inventory_look_topic(struct inventory *inventory, struct api *api, const char *name,
                          struct err *err)
{
    return look(inventory, api, API_DESCRIBE_TOPICS, "TopicNameList", "TopicList",
                inventory_take_topic, name, err);
}

bool inventory_look_subscription(struct inventory *inventory, struct api *api, const char *topic,
                                 const char *name, struct err *err)
{
    if (!inventory_look_topic(inventory, api, topic, err))
        return false;
    for (size_t i = 0; i < inventory->topic_count; i++) {
        struct resource_topic *one = &inventory->topics[i].is;
        if (strcasecmp(one->name, topic) == 0 && !read_subscriptions(one, api, name, err))
            return false;
    }
    inventory_sort(inventory);
    return true;
}
