/*
 * attribute - what queues and topics have that is a number or a switch, each as a row of a table
 *
 * A row joins a setting of `resources`, the API's field of the same meaning (CMQ.md 8.5), and where
 * struct resource_queue or resource_topic keeps it. Reading an account, comparing, creating,
 * changing and exporting go by these rows. Read-only; any thread.
 */
#ifndef PROVISION_ATTRIBUTE_H
#define PROVISION_ATTRIBUTE_H

#include "base/buf.h"
#include "config/resources.h"

struct cJSON;

enum attribute_kind {
    ATTRIBUTE_SECONDS,
    ATTRIBUTE_BYTES,
    ATTRIBUTE_MEBIBYTES, /* of the API; in bytes here */
    ATTRIBUTE_COUNT,
    ATTRIBUTE_BOOL,
    ATTRIBUTE_SWITCH, /* a bool that requests carry as 0 or 1 */
};

struct attribute {
    const char *setting; /* "visibility" */
    const char *field;   /* "VisibilityTimeout" */
    const char *within;  /* the object of a description that has it; NULL: the description itself */
    enum attribute_kind kind;
    unsigned bit;        /* of enum resource_given */
    size_t offset;       /* of a bool, or of an int64_t */
    int64_t min, max;    /* what can be declared */
    bool fixed;          /* cannot be changed once it exists */
    const char *instead; /* of a fixed one: what to do */
};

struct attribute_table {
    const struct attribute *rows;
    size_t count;
};

extern const struct attribute_table queue_attributes; /* of struct resource_queue */
extern const struct attribute_table topic_attributes; /* of struct resource_topic */

int64_t attribute_get(const struct attribute *attribute, const void *resource);
void attribute_set(const struct attribute *attribute, void *resource, int64_t value);

/* Appends the value as a setting has it, without quotes: "30s", "64KiB", "true", "1000000". */
void attribute_text(const struct attribute *attribute, int64_t value, struct buf *out);

/* Whether a setting with this value is written in quotes. */
bool attribute_is_quoted(const struct attribute *attribute);

/*
 * Takes the value out of a description. False when it is there and is no such value. *found: it is
 * there, and not null.
 */
MUST_CHECK bool attribute_read(const struct attribute *attribute, const struct cJSON *description,
                               int64_t *value, bool *found);

/* Adds the value to a request. */
void attribute_write(const struct attribute *attribute, int64_t value, struct cJSON *request);

#endif
