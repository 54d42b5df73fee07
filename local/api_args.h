/*
 * api_args - the parameters of a call of API 3.0, checked against a table
 *
 * They come as a JSON object, or as a form (CMQ.md 8.1: "Tags.0.TagKey=a"), which is made into the
 * same object. A parameter that is null counts as not given. One thread.
 */
#ifndef LOCAL_API_ARGS_H
#define LOCAL_API_ARGS_H

#include "base/err.h"
#include "local/form.h"

#include <cjson/cJSON.h>

enum api_type {
    API_TEXT,
    API_NUMBER,  /* whole */
    API_BOOL,    /* in a form true, false, 1 or 0 */
    API_TEXTS,   /* a list of texts */
    API_TAGS,    /* a list of {"TagKey":text,"TagValue":text} */
    API_FILTERS, /* a list of {"Name":text,"Values":[text, ...]} */
};

struct api_field {
    const char *name; /* NULL ends a table */
    enum api_type type;
    bool required;
    int64_t min;              /* API_NUMBER */
    int64_t max;              /* API_NUMBER; lists: how many items */
    const char *const *words; /* API_TEXT: the only values, NULL at the end; NULL: any */
    bool (*ok)(struct span text, const char **why); /* API_TEXT, API_TEXTS: of each; or NULL */
};

struct api_args {
    const struct api_field *fields; /* what the action takes */
    cJSON *json;                    /* an object */
};

/* An object from JSON text (nothing is an empty one). False, with *code and err, if it is not. */
MUST_CHECK bool api_args_parse(struct api_args *args, struct span text, const char **code,
                               struct err *err);

/*
 * An object from those parameters of a form that are not common ones. Sorts nothing out yet but the
 * shape. False, with *code and err, when a list has gaps or a parameter is not in the table.
 */
MUST_CHECK bool api_args_from_form(struct api_args *args, const struct form *form,
                                   const struct api_field *fields, const char **code,
                                   struct err *err);

/* Checks the object against a table. False, with *code and err, at the first fault. */
MUST_CHECK bool api_args_check(struct api_args *args, const struct api_field *fields,
                               const char **code, struct err *err);

void api_args_fini(struct api_args *args);

/* What was given, after the check: NULL, or otherwise, when it was not. */
const cJSON *api_args_get(const struct api_args *args, const char *name);
const char *api_args_text(const struct api_args *args, const char *name);
int64_t api_args_number(const struct api_args *args, const char *name, int64_t otherwise);
bool api_args_bool(const struct api_args *args, const char *name, bool otherwise);

/* The texts of a list, at most max of them; 0 when it was not given. */
size_t api_args_texts(const struct api_args *args, const char *name, struct span *out, size_t max);

#endif
