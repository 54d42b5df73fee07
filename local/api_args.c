/* api_args - see api_args.h. */
#include "local/api_args.h"

#include "base/json.h"

#include <stdio.h>

/* Numbers travel as doubles in JSON; above this they are not exact. */
#define MAX_EXACT ((double)(INT64_C(1) << 53))

enum { MAX_KEY = 128 };

static bool blame(const char **code, const char *text)
{
    *code = text;
    return false;
}

/* A "\u0000" in JSON text, which would end a C string early. */
static bool has_nul(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0')
            return true;
        if (text.ptr[i] != '\\')
            continue;
        if (text.len - i >= 6 && memcmp(text.ptr + i, "\\u0000", 6) == 0)
            return true;
        i++;
    }
    return false;
}

bool api_args_parse(struct api_args *args, struct span text, const char **code, struct err *err)
{
    const char *end = NULL;
    *args = (struct api_args){0};
    if (text.len == 0)
        text = span_of("{}");
    *code = "InvalidParameter";
    if (!utf8_valid(text) || has_nul(text))
        return err_set(err, "The request body must be UTF-8 without NUL.");
    cJSON *json = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
    size_t at = json ? (size_t)(end - text.ptr) : 0;
    while (json && at < text.len && strchr(" \t\r\n", text.ptr[at]))
        at++;
    if (!cJSON_IsObject(json) || at < text.len) {
        cJSON_Delete(json);
        return err_set(err, "The request body is not a JSON object.");
    }
    args->json = json;
    return true;
}

void api_args_fini(struct api_args *args)
{
    cJSON_Delete(args->json);
    *args = (struct api_args){0};
}

/* The parameters of a form, and which of them have found their place. */
struct reading {
    const struct form *form;
    bool used[FORM_MAX_PARAMS];
};

static const struct span *take(struct reading *reading, const char *key)
{
    for (size_t i = 0; i < reading->form->count; i++) {
        const struct cmq_param *param = &reading->form->params[i];
        if (!reading->used[i] && span_eq_str(param->key, key)) {
            reading->used[i] = true;
            return &param->value;
        }
    }
    return NULL;
}

static cJSON *text_item(struct span value)
{
    char *text = span_dup(value);
    cJSON *item = check_alloc(cJSON_CreateString(text));
    free(text);
    return item;
}

/* A list from PREFIX.0, PREFIX.1, ..., or NULL when there is none. They may begin with 1. */
static cJSON *text_list(struct reading *reading, const char *prefix)
{
    cJSON *list = NULL;
    char key[MAX_KEY];
    for (unsigned n = 0; n <= FORM_MAX_PARAMS; n++) {
        (void)snprintf(key, sizeof key, "%s.%u", prefix, n);
        const struct span *value = take(reading, key);
        if (!value && n > 0)
            break;
        if (!list && value)
            list = check_alloc(cJSON_CreateArray());
        if (value)
            CHECK(cJSON_AddItemToArray(list, text_item(*value)));
    }
    return list;
}

static bool take_member(struct reading *reading, const char *prefix, const char *member, cJSON *to)
{
    char key[MAX_KEY];
    (void)snprintf(key, sizeof key, "%s.%s", prefix, member);
    const struct span *value = take(reading, key);
    if (value)
        CHECK(cJSON_AddItemToObject(to, member, text_item(*value)));
    return value != NULL;
}

/* A list of objects: tags, or filters. */
static cJSON *object_list(struct reading *reading, const char *name, enum api_type type)
{
    cJSON *list = NULL;
    char prefix[MAX_KEY / 2], key[MAX_KEY];
    for (unsigned n = 0; n <= FORM_MAX_PARAMS; n++) {
        cJSON *object = check_alloc(cJSON_CreateObject()), *values = NULL;
        (void)snprintf(prefix, sizeof prefix, "%s.%u", name, n);
        bool found = take_member(reading, prefix, type == API_TAGS ? "TagKey" : "Name", object);
        if (type == API_TAGS) { /* the Go SDK leaves out what is empty */
            if (take_member(reading, prefix, "TagValue", object)) {
                found = true;
            } else {
                CHECK(cJSON_AddItemToObject(object, "TagValue", text_item(span_of(""))));
            }
        } else {
            (void)snprintf(key, sizeof key, "%s.Values", prefix);
            values = text_list(reading, key);
        }
        if (values)
            CHECK(cJSON_AddItemToObject(object, "Values", values));
        found = found || values;
        if (found && !list)
            list = check_alloc(cJSON_CreateArray());
        if (found) {
            CHECK(cJSON_AddItemToArray(list, object));
        } else {
            cJSON_Delete(object);
        }
        if (!found && n > 0)
            break;
    }
    return list;
}

/* What a plain parameter means; what cannot be read stays text, which the check refuses. */
static cJSON *plain_item(struct span value, enum api_type type)
{
    uint64_t number;
    if (type == API_NUMBER && span_to_u64(value, INT64_C(1) << 53, &number))
        return check_alloc(cJSON_CreateNumber((double)number));
    bool yes = span_eq_str(value, "true") || span_eq_str(value, "True") || span_eq_str(value, "1");
    bool no = span_eq_str(value, "false") || span_eq_str(value, "False") || span_eq_str(value, "0");
    if (type == API_BOOL && (yes || no))
        return check_alloc(cJSON_CreateBool(yes));
    return text_item(value);
}

static cJSON *field_item(struct reading *reading, const struct api_field *field)
{
    if (field->type == API_TEXTS)
        return text_list(reading, field->name);
    if (field->type == API_TAGS || field->type == API_FILTERS)
        return object_list(reading, field->name, field->type);
    const struct span *value = take(reading, field->name);
    return value ? plain_item(*value, field->type) : NULL;
}

bool api_args_from_form(struct api_args *args, const struct form *form,
                        const struct api_field *fields, const char **code, struct err *err)
{
    static const char *const common[] = {"Action", "Version",  "Region",        "Timestamp",
                                         "Nonce",  "SecretId", "Signature",     "SignatureMethod",
                                         "Token",  "Language", "RequestClient", "TraceId"};
    struct reading reading = {.form = form};
    *args = (struct api_args){.json = check_alloc(cJSON_CreateObject())};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        (void)take(&reading, common[i]);
    for (const struct api_field *field = fields; field->name; field++) {
        cJSON *item = field_item(&reading, field);
        if (item)
            CHECK(cJSON_AddItemToObject(args->json, field->name, item));
    }
    for (size_t i = 0; i < form->count; i++) {
        if (!utf8_valid(form->params[i].value) ||
            span_find(form->params[i].value, '\0') < form->params[i].value.len) {
            (void)err_set(err, "The parameters must be UTF-8 without NUL.");
            return blame(code, "InvalidParameter");
        }
        if (!reading.used[i]) {
            (void)err_set(err, "The parameter `%.*s` is not recognized.",
                          SPAN_ARG(span_slice(form->params[i].key, 0, 64)));
            return blame(code, "UnknownParameter");
        }
    }
    return true;
}

static bool bad_type(const char *name, const char **code, struct err *err)
{
    (void)err_set(err, "The value type of parameter `%s` is not valid.", name);
    return blame(code, "InvalidParameter");
}

static bool bad_value(const char *name, const char *why, const char **code, struct err *err)
{
    (void)err_set(err, "The value of parameter `%s` is not valid: %s.", name, why);
    return blame(code, "InvalidParameterValue");
}

static bool check_number(const cJSON *item, const struct api_field *field, const char **code,
                         struct err *err)
{
    double value = item->valuedouble;
    if (!cJSON_IsNumber(item) || !(value >= -MAX_EXACT && value <= MAX_EXACT) ||
        value != (double)(int64_t)value)
        return bad_type(field->name, code, err);
    if ((int64_t)value >= field->min && (int64_t)value <= field->max)
        return true;
    char range[64];
    (void)snprintf(range, sizeof range, "it must be from %lld to %lld", (long long)field->min,
                   (long long)field->max);
    return bad_value(field->name, range, code, err);
}

static bool check_text(const cJSON *item, const struct api_field *field, const char **code,
                       struct err *err)
{
    if (!cJSON_IsString(item))
        return bad_type(field->name, code, err);
    const char *why = NULL;
    if (field->ok && !field->ok(span_of(item->valuestring), &why))
        return bad_value(field->name, why, code, err);
    if (!field->words)
        return true;
    for (const char *const *word = field->words; *word; word++) {
        if (strcmp(item->valuestring, *word) == 0)
            return true;
    }
    return bad_value(field->name, "it is none of the known words", code, err);
}

/* A member with text; *found tells whether it is there. */
static bool text_member(const cJSON *item, const char *name)
{
    return cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, name));
}

static bool check_list(const cJSON *list, const struct api_field *field, const char **code,
                       struct err *err)
{
    int64_t count = 0;
    if (!cJSON_IsArray(list))
        return bad_type(field->name, code, err);
    for (const cJSON *item = list->child; item; item = item->next) {
        if (++count > field->max)
            return bad_value(field->name, "there are too many items", code, err);
        if (field->type == API_TEXTS) {
            if (!check_text(item, field, code, err))
                return false;
            continue;
        }
        bool shape = field->type == API_TAGS
                         ? text_member(item, "TagKey") && text_member(item, "TagValue")
                         : text_member(item, "Name") &&
                               cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(item, "Values"));
        const cJSON *value = field->type == API_FILTERS && shape
                                 ? cJSON_GetObjectItemCaseSensitive(item, "Values")->child
                                 : NULL;
        for (; value; value = value->next)
            shape = shape && cJSON_IsString(value);
        if (!shape)
            return bad_type(field->name, code, err);
    }
    return true;
}

static bool check_item(const cJSON *item, const struct api_field *field, const char **code,
                       struct err *err)
{
    switch (field->type) {
    case API_TEXT:
        return check_text(item, field, code, err);
    case API_NUMBER:
        return check_number(item, field, code, err);
    case API_BOOL:
        return cJSON_IsBool(item) || bad_type(field->name, code, err);
    default:
        return check_list(item, field, code, err);
    }
}

static const struct api_field *find_field(const struct api_field *fields, const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name ? fields : NULL;
}

bool api_args_check(struct api_args *args, const struct api_field *fields, const char **code,
                    struct err *err)
{
    uint32_t seen = 0;
    args->fields = fields;
    for (const cJSON *item = args->json->child; item; item = item->next) {
        const struct api_field *field = find_field(fields, item->string);
        if (!field) {
            (void)err_set(err, "The parameter `%.64s` is not recognized.", item->string);
            return blame(code, "UnknownParameter");
        }
        if (seen & UINT32_C(1) << (field - fields)) {
            (void)err_set(err, "The parameter `%s` is there twice.", field->name);
            return blame(code, "InvalidParameter");
        }
        seen |= UINT32_C(1) << (field - fields);
        if (!cJSON_IsNull(item) && !check_item(item, field, code, err))
            return false;
    }
    for (const struct api_field *field = fields; field->name; field++) {
        if (field->required && !api_args_get(args, field->name)) {
            (void)err_set(err, "The request is missing a required parameter `%s`.", field->name);
            return blame(code, "MissingParameter");
        }
    }
    return true;
}

const cJSON *api_args_get(const struct api_args *args, const char *name)
{
    CHECK(find_field(args->fields, name)); /* or the table lacks it */
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(args->json, name);
    return cJSON_IsNull(item) ? NULL : item;
}

const char *api_args_text(const struct api_args *args, const char *name)
{
    const cJSON *item = api_args_get(args, name);
    return item ? item->valuestring : NULL;
}

int64_t api_args_number(const struct api_args *args, const char *name, int64_t otherwise)
{
    const cJSON *item = api_args_get(args, name);
    return item ? (int64_t)item->valuedouble : otherwise;
}

bool api_args_bool(const struct api_args *args, const char *name, bool otherwise)
{
    const cJSON *item = api_args_get(args, name);
    return item ? cJSON_IsTrue(item) : otherwise;
}

size_t api_args_texts(const struct api_args *args, const char *name, struct span *out, size_t max)
{
    const cJSON *list = api_args_get(args, name);
    size_t count = 0;
    for (const cJSON *item = list ? list->child : NULL; item && count < max; item = item->next)
        out[count++] = span_of(item->valuestring);
    return count;
}
