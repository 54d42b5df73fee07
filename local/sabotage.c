/* sabotage - see sabotage.h. */
#include "local/sabotage.h"

#include "base/json.h"
#include "base/nearest.h"
#include "base/random.h"
#include "local/api_codes.h"
#include "local/codes.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <strings.h>

static const char *const mode_names[] = {"http_500", "drop",    "late_drop",
                                         "delay",    "garbage", "code"};
enum { MODE_COUNT = sizeof mode_names / sizeof *mode_names };

static const char *const known_fields[] = {"action", "queue",   "topic", "mode",  "code",
                                           "module", "seconds", "rate",  "count", "hits"};
enum { FIELD_COUNT = sizeof known_fields / sizeof *known_fields };

static bool check_fields(const cJSON *entry, struct err *err)
{
    for (const cJSON *field = entry->child; field; field = field->next) {
        size_t i = 0;
        while (i < FIELD_COUNT && strcmp(field->string, known_fields[i]) != 0)
            i++;
        if (i < FIELD_COUNT)
            continue;
        const char *nearest = nearest_word(field->string, known_fields, FIELD_COUNT);
        return err_set(err, "unknown field \"%.64s\"%s%s%s", field->string,
                       nearest ? ", did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "");
    }
    return true;
}

/* A field with text; to stays as it is when the field is not there. */
static bool read_text(const cJSON *entry, const char *key, char *to, struct err *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(entry, key);
    if (!field)
        return true;
    if (!cJSON_IsString(field) || !*field->valuestring ||
        strlen(field->valuestring) > SABOTAGE_MAX_TEXT_BYTES)
        return err_set(err, "\"%s\" must be a text of 1 to %d bytes", key, SABOTAGE_MAX_TEXT_BYTES);
    memcpy(to, field->valuestring, strlen(field->valuestring) + 1);
    return true;
}

/* A field with a number from min to max, whole unless it may have a fraction. */
static bool read_number(const cJSON *entry, const char *key, double min, double max, bool whole,
                        double *out, struct err *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(entry, key);
    if (!field)
        return true;
    double number = cJSON_IsNumber(field) ? field->valuedouble : NAN;
    if (!(number >= min && number <= max) || (whole && number != (double)(int64_t)number)) {
        return err_set(err, "\"%s\" must be a %snumber from %g to %g", key, whole ? "whole " : "",
                       min, max);
    }
    *out = number;
    return true;
}

static bool read_mode(const cJSON *entry, enum sabotage_mode *mode, struct err *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(entry, "mode");
    for (size_t i = 0; cJSON_IsString(field) && i < MODE_COUNT; i++) {
        if (strcmp(field->valuestring, mode_names[i]) == 0) {
            *mode = (enum sabotage_mode)i;
            return true;
        }
    }
    return err_set(err, "\"mode\" must be one of http_500, drop, late_drop, delay, garbage, code");
}

/* Reads the answer that mode "code" gives: a number of CMQ's, or a text of API 3.0's. */
static bool read_code(const cJSON *entry, struct sabotage_rule *rule, struct err *err)
{
    double code = 0, module = 0;
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(entry, "code");
    if (cJSON_IsString(field)) {
        rule->api_code = api_code_find(field->valuestring);
        return rule->api_code || err_set(err, "\"code\" is a text that is none of API 3.0's codes");
    }
    if (!read_number(entry, "code", 1, 99999, true, &code, err) ||
        !read_number(entry, "module", 1, 99999, true, &module, err))
        return false;
    const struct code *found = code_find((int)code, (int)module);
    if (rule->mode == SABOTAGE_CODE && !found) {
        return err_set(err, "mode \"code\" wants a \"code\" that CMQ has, and if a \"module\" "
                            "is given, one that goes with it");
    }
    if (found && strstr(rule->action, "Cmq")) {
        return err_set(err, "an action of API 3.0 wants a \"code\" such as "
                            "\"RequestLimitExceeded\"");
    }
    rule->code = found ? found->code : 0;
    rule->module = found ? found->module : 0;
    return true;
}

static bool read_rule(const cJSON *entry, struct sabotage_rule *rule, struct err *err)
{
    double seconds = 0, rate = 1, count = -1;
    *rule = (struct sabotage_rule){.action = "*"};
    if (!cJSON_IsObject(entry))
        return err_set(err, "must be an object");
    if (!check_fields(entry, err) || !read_text(entry, "action", rule->action, err) ||
        !read_text(entry, "queue", rule->name, err) ||
        !read_text(entry, "topic", rule->name, err) || !read_mode(entry, &rule->mode, err) ||
        !read_code(entry, rule, err) ||
        !read_number(entry, "seconds", 0, 3600, false, &seconds, err) ||
        !read_number(entry, "rate", 0, 1, false, &rate, err) ||
        !read_number(entry, "count", 0, 1e9, true, &count, err))
        return false;
    if (rule->mode == SABOTAGE_DELAY && seconds == 0)
        return err_set(err, "mode \"delay\" wants \"seconds\"");
    rule->delay_ms = (int64_t)(seconds * 1000);
    rule->rate = rate;
    rule->left = (int64_t)count;
    return true;
}

bool sabotage_set(struct sabotage *sabotage, struct span text, struct err *err)
{
    cJSON *list = cJSON_ParseWithLength(text.len ? text.ptr : "", text.len);
    struct sabotage_rule *rules = NULL;
    size_t count = 0;
    bool ok = false;
    if (!cJSON_IsArray(list)) {
        (void)err_set(err, "the body must be a JSON list of faults, such as "
                           "[{\"action\":\"SendMessage\",\"mode\":\"http_500\",\"count\":1}]");
        goto out;
    }
    if (cJSON_GetArraySize(list) > SABOTAGE_MAX_RULES) {
        (void)err_set(err, "at most %d faults", SABOTAGE_MAX_RULES);
        goto out;
    }
    rules = check_alloc(calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *rules));
    for (const cJSON *entry = list->child; entry; entry = entry->next) {
        struct err why;
        if (!read_rule(entry, &rules[count], &why)) {
            (void)err_set(err, "fault %zu: %s", count + 1, why.text);
            goto out;
        }
        count++;
    }
    sabotage_clear(sabotage);
    *sabotage = (struct sabotage){.rules = rules, .count = count};
    rules = NULL;
    ok = true;
out:
    free(rules);
    cJSON_Delete(list);
    return ok;
}

void sabotage_clear(struct sabotage *sabotage)
{
    free(sabotage->rules);
    *sabotage = (struct sabotage){0};
}

static bool fits(const struct sabotage_rule *rule, struct span action, struct span name,
                 bool is_api3)
{
    if (rule->mode == SABOTAGE_CODE && is_api3 != (rule->api_code != NULL))
        return false;
    if (strcmp(rule->action, "*") != 0 && !span_eq_str(action, rule->action))
        return false;
    return !*rule->name || (strlen(rule->name) == name.len &&
                            strncasecmp(rule->name, name.len ? name.ptr : "", name.len) == 0);
}

const struct sabotage_rule *sabotage_pick(struct sabotage *sabotage, struct span action,
                                          struct span name, bool is_api3)
{
    for (size_t i = 0; i < sabotage->count; i++) {
        struct sabotage_rule *rule = &sabotage->rules[i];
        if (rule->left == 0 || !fits(rule, action, name, is_api3))
            continue;
        if (rule->rate < 1 && (double)random_below(1u << 30) >= rule->rate * (double)(1u << 30))
            continue;
        rule->hits++;
        if (rule->left > 0)
            rule->left--;
        return rule;
    }
    return NULL;
}

void sabotage_print(const struct sabotage *sabotage, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < sabotage->count; i++) {
        const struct sabotage_rule *rule = &sabotage->rules[i];
        buf_add_str(out, i > 0 ? ",{\"action\":" : "{\"action\":");
        json_string(out, span_of(rule->action));
        if (*rule->name) {
            buf_add_str(out, ",\"queue\":");
            json_string(out, span_of(rule->name));
        }
        buf_printf(out, ",\"mode\":\"%s\"", mode_names[rule->mode]);
        if (rule->mode == SABOTAGE_CODE && rule->api_code)
            buf_printf(out, ",\"code\":\"%s\"", rule->api_code);
        if (rule->mode == SABOTAGE_CODE && !rule->api_code)
            buf_printf(out, ",\"code\":%d,\"module\":%d", rule->code, rule->module);
        if (rule->mode == SABOTAGE_DELAY)
            buf_printf(out, ",\"seconds\":%g", (double)rule->delay_ms / 1000);
        if (rule->rate < 1)
            buf_printf(out, ",\"rate\":%g", rule->rate);
        if (rule->left >= 0)
            buf_printf(out, ",\"count\":%lld", (long long)rule->left);
        buf_printf(out, ",\"hits\":%llu}", (unsigned long long)rule->hits);
    }
    buf_add_char(out, ']');
}
