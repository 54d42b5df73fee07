/* build - for tests: declared resources out of settings, and an account out of descriptions. */
#ifndef TESTS_PROVISION_BUILD_H
#define TESTS_PROVISION_BUILD_H

#include "config/config.h"
#include "provision/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

/* A configuration whose resources section is text. */
static inline struct config *build_config(const char *resources)
{
    struct buf text = BUF_INIT(1 << 20);
    CHECK(buf_printf(&text,
                     "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
                     "mqtt = { servers = \"tcp://h:1\"; };\n%s\n",
                     resources));
    struct faults faults = {0};
    struct config *config = config_load_text("t.cfg", buf_span(&text), &faults);
    if (!config)
        fail_msg("%s:\n%s", faults.list[0].text, buf_str(&text));
    faults_fini(&faults);
    buf_fini(&text);
    return config;
}

/* The same of the inside of resources, with ' for ". */
static inline struct config *build_resources(const char *inside)
{
    struct buf text = BUF_INIT(1 << 20);
    CHECK(buf_printf(&text, "resources = { %s };", inside));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            text.ptr[i] = '"';
    }
    struct config *config = build_config(buf_str(&text));
    buf_fini(&text);
    return config;
}

/*
 * Takes in what an account has: {"queues": [CmqQueue], "topics": [CmqTopic with "Subscriptions"]},
 * with ' for ". False and err as inventory_take_queue and its kin.
 */
static inline bool build_inventory_try(struct inventory *inventory, const char *json,
                                       struct err *err)
{
    char *text = span_dup(span_of(json));
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cJSON *all = cJSON_Parse(text);
    if (!all)
        fail_msg("%s", text);
    free(text);
    *inventory = (struct inventory){0};
    const cJSON *item, *s;
    bool ok = true;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(all, "queues"))
    {
        ok = ok && inventory_take_queue(inventory, item, err);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(all, "topics"))
    {
        ok = ok && inventory_take_topic(inventory, item, err);
        cJSON_ArrayForEach(s, cJSON_GetObjectItem(item, "Subscriptions"))
        {
            ok = ok && inventory_take_subscription(
                           &inventory->topics[inventory->topic_count - 1].is, s, err);
        }
    }
    cJSON_Delete(all);
    inventory_sort(inventory);
    return ok;
}

static inline void build_inventory(struct inventory *inventory, const char *json)
{
    struct err err;
    if (!build_inventory_try(inventory, json, &err))
        fail_msg("%s", err.text);
}

/* A plan as text: a line for each step, "~ queue q: visibility 30s -> 1m; ...". */
static inline char *build_text(const struct plan *plan)
{
    static const char marks[] = "=+~!-";
    struct buf out = BUF_INIT(1 << 20);
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        CHECK(buf_printf(&out, "%c %s %s%s%s", marks[step->kind], step_object_name(step->object),
                         step->of ? step->of : "", step->of ? "/" : "", step->name));
        for (size_t d = 0; d < step->difference_count; d++) {
            const struct difference *difference = &step->differences[d];
            CHECK(buf_printf(&out, "%s %s %s%s%s", d ? ";" : ":", difference->setting,
                             difference->from ? difference->from : "",
                             difference->from ? " -> " : "", difference->to));
        }
        CHECK(buf_printf(&out, "%s%s\n", step->why ? " | " : "", step->why ? step->why : ""));
    }
    return buf_take(&out);
}

/* Fails unless the plan of both is as expected, with what `why` says cut after 40 characters. */
static inline void expect_plan(const char *resources, const char *account, bool prune,
                               const char *expected)
{
    struct config *config = build_resources(resources);
    struct inventory inventory;
    struct plan plan;
    build_inventory(&inventory, account);
    plan_make(&plan, &config->resources, config->rules, &inventory, prune);
    char *text = build_text(&plan);
    if (strcmp(text, expected) != 0)
        fail_msg("expected:\n%splanned:\n%s", expected, text);
    free(text);
    plan_fini(&plan);
    inventory_fini(&inventory);
    config_free(config);
}

#endif
