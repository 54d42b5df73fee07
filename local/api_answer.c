/* api_answer - what the actions of the management plane share: names, ids, pages, tags. */
#include "local/api_impl.h"

#include "base/hash.h"
#include "base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

struct queue *api_find_queue(struct api_task *task, const char *parameter)
{
    struct queue *queue = store_queue(task->store, span_of(api_args_text(&task->args, parameter)));
    if (!queue)
        (void)api_refuse(task, "ResourceNotFound", "queue is not existed, or deleted");
    return queue;
}

struct topic *api_find_topic(struct api_task *task, const char *code)
{
    const char *name = api_args_text(&task->args, "TopicName");
    struct topic *topic = name ? store_topic(task->store, span_of(name)) : NULL;
    if (!topic)
        (void)api_refuse(task, code, "topic is not existed, or deleted");
    return topic;
}

void api_add_text(struct buf *out, const char *field, struct span text)
{
    buf_printf(out, "\"%s\":", field);
    json_string(out, text);
    buf_add_char(out, ',');
}

void api_add_number(struct buf *out, const char *field, int64_t number)
{
    buf_printf(out, "\"%s\":%lld,", field, (long long)number);
}

void api_end(struct buf *out, char bracket)
{
    if (out->len && out->ptr[out->len - 1] == ',')
        out->len--;
    buf_add_char(out, bracket);
    buf_add_char(out, ',');
}

void api_add_id(struct api_task *task, const char *field, const char *prefix, const char *name,
                int64_t created_ms)
{
    enum { ID_CHARS = 9 };
    char id[ID_CHARS + 1] = "";
    uint64_t hash = hash_add(HASH_SEED, span_make(&created_ms, sizeof created_ms));
    hash = hash_add(hash_add(hash, span_of(name)), span_of(prefix));
    for (size_t i = 0; i < ID_CHARS; i++) {
        id[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 36];
        hash /= 36;
    }
    buf_printf(task->out, "\"%s\":\"%s-%s\",", field, prefix, id);
}

bool api_read_page(struct api_task *task, struct api_page *page)
{
    const struct api_args *args = &task->args;
    if (api_args_get(args, "Offset") && !api_args_get(args, "Limit")) {
        return api_refuse(task, "MissingParameter",
                          "The request is missing a required parameter `Limit`, which `Offset` "
                          "needs.");
    }
    *page = (struct api_page){.offset = api_args_number(args, "Offset", 0),
                              .limit = api_args_number(args, "Limit", 20)};
    return true;
}

bool api_page_takes(struct api_page *page)
{
    int64_t number = page->seen++;
    return number >= page->offset && number - page->offset < page->limit;
}

bool api_name_holds(const struct api_task *task, const char *parameter, const char *name)
{
    const char *wanted = api_args_text(&task->args, parameter);
    return !wanted || strcasestr(name, wanted);
}

bool api_name_listed(const struct api_task *task, const char *parameter, const char *name)
{
    const cJSON *list = api_args_get(&task->args, parameter);
    if (!list || !list->child)
        return true;
    for (const cJSON *item = list->child; item; item = item->next) {
        if (strcasecmp(item->valuestring, name) == 0)
            return true;
    }
    return false;
}

/* Whether tags have the key, with one of the values if there are any. */
static bool has_tag(const cJSON *tags, const char *key, const cJSON *values)
{
    for (const cJSON *tag = tags ? tags->child : NULL; tag; tag = tag->next) {
        if (strcmp(cJSON_GetObjectItemCaseSensitive(tag, "TagKey")->valuestring, key) != 0)
            continue;
        const char *is = cJSON_GetObjectItemCaseSensitive(tag, "TagValue")->valuestring;
        const cJSON *value = values->child;
        while (value && strcmp(value->valuestring, is) != 0)
            value = value->next;
        if (value || !values->child)
            return true;
    }
    return false;
}

bool api_tags_fit(const struct api_task *task, const char *tags)
{
    const cJSON *filters = api_args_get(&task->args, "Filters");
    if (!filters || !api_args_bool(&task->args, "IsTagFilter", true))
        return true;
    cJSON *json = cJSON_Parse(tags ? tags : "[]");
    bool fit = true;
    for (const cJSON *filter = filters->child; fit && filter; filter = filter->next) {
        const char *key = cJSON_GetObjectItemCaseSensitive(filter, "Name")->valuestring;
        if (strncmp(key, "tag:", 4) == 0)
            key += 4;
        while (isspace((unsigned char)*key)) /* the vendor's page writes "tag: owner" */
            key++;
        fit = has_tag(json, key, cJSON_GetObjectItemCaseSensitive(filter, "Values"));
    }
    cJSON_Delete(json);
    return fit;
}

char *api_read_tags(const struct api_task *task)
{
    const cJSON *list = api_args_get(&task->args, "Tags");
    if (!list || !list->child)
        return NULL;
    struct buf out = BUF_INIT(API_MAX_BODY_BYTES * 2);
    buf_add_char(&out, '[');
    for (const cJSON *tag = list->child; tag; tag = tag->next) {
        buf_add_str(&out, "{\"TagKey\":");
        json_string(&out, span_of(cJSON_GetObjectItemCaseSensitive(tag, "TagKey")->valuestring));
        buf_add_str(&out, ",\"TagValue\":");
        json_string(&out, span_of(cJSON_GetObjectItemCaseSensitive(tag, "TagValue")->valuestring));
        buf_add_str(&out, tag->next ? "}," : "}]");
    }
    return buf_take(&out);
}

void api_add_tags(struct buf *out, const char *tags)
{
    buf_add_str(out, "\"Tags\":");
    buf_add_str(out, tags ? tags : "[]");
    buf_add_char(out, ',');
}
