/*
 * Any bytes as an account: {"queues": [...], "topics": [...with "Subscriptions"]}. What is taken
 * from it can be exported; what is exported can be read again, and then there is nothing to do.
 */
#include "config/config.h"
#include "provision/export.h"
#include "provision/plan.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct inventory *inventory, const cJSON *all)
{
    struct err err;
    const cJSON *item, *s;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(all, "queues"))
    {
        if (!inventory_take_queue(inventory, item, &err))
            CHECK(err.text[0]);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(all, "topics"))
    {
        if (!inventory_take_topic(inventory, item, &err))
            continue;
        struct resource_topic *topic = &inventory->topics[inventory->topic_count - 1].is;
        cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(item, "Subscriptions"))
        {
            if (!inventory_take_subscription(topic, s, &err))
                CHECK(err.text[0]);
        }
    }
    inventory_sort(inventory);
}

/* What the service itself does not allow of dead-letter queues, but a fuzzer does. */
static bool is_impossible(const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->list[i].level == FAULT_ERROR && !strstr(faults->list[i].text, "dead"))
            return false;
    }
    return true;
}

static void read_again(const struct inventory *inventory, const struct buf *section)
{
    struct buf text = BUF_INIT(2 << 20);
    struct faults faults = {0};
    CHECK(buf_add_str(&text, "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
                             "mqtt = { servers = \"tcp://h:1\"; };\n"));
    CHECK(buf_add(&text, buf_span(section)));
    struct config *config = config_load_text("t", buf_span(&text), &faults);
    CHECK(config || is_impossible(&faults));
    if (config) {
        struct plan plan;
        plan_make(&plan, &config->resources, config->rules, inventory, false);
        CHECK(plan_work(&plan) == 0);
        plan_fini(&plan);
    }
    config_free(config);
    faults_fini(&faults);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *all = cJSON_ParseWithLength((const char *)data, size);
    struct inventory inventory = {0};
    struct buf out = BUF_INIT(1 << 20);
    take(&inventory, all);
    cJSON_Delete(all);
    if (export_write(&inventory, &out))
        read_again(&inventory, &out);
    inventory_fini(&inventory);
    buf_fini(&out);
    return 0;
}
