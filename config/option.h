/*
 * option - a setting as a row of a table
 *
 * The tables of sections.c, forward.c, reverse.c, resources.c and cases.c are the one place that
 * knows the settings. The reader parses and bounds by them, config_free frees by them,
 * config_reference prints them. Read-only; any thread.
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include "base/span.h"

#include <libconfig.h>

enum option_kind {
    OPTION_STRING,
    OPTION_BOOL,
    OPTION_INT,
    OPTION_DURATION, /* "30s" */
    OPTION_SIZE,     /* "64KiB" */
    OPTION_WORD,     /* one of `words`; stored as its index */
    OPTION_STRINGS,  /* one string, or a list or an array of them */
    OPTION_GROUP,    /* of `group`; its members belong to the same object */
    OPTION_GROUPS,   /* one group, or a list of them; `read` takes each */
    OPTION_OTHER,    /* `read` takes the setting; `takes` says what it may be */
};

struct config;
struct reader;
struct resources;
struct option_group;

struct option {
    const char *name;
    enum option_kind kind;
    bool required;
    bool secret;              /* kept as written, never shown */
    bool hidden;              /* not a secret to resolve late, but never shown either */
    bool bytes;               /* need not be UTF-8 */
    size_t offset;            /* where in the object it goes; so do the next two */
    size_t size;              /* 1: bool; 4: int, unsigned or enum; 8: 64 bits or a pointer */
    size_t count_offset;      /* of a size_t, for OPTION_STRINGS */
    int64_t min;              /* of a number; milliseconds; bytes; bytes of a string; elements */
    int64_t max;              /* 0: no ceiling but the file's */
    int64_t unit;             /* durations: 1000 when stored in seconds */
    const char *preset;       /* the default as one would write it; NULL: none */
    const char *const *words; /* ends with NULL */
    bool (*check)(struct span value, const char **why); /* of a string that is not the preset "" */
    const struct option_group *group;                   /* of OPTION_GROUP, OPTION_GROUPS */
    void (*read)(struct reader *, const config_setting_t *, void *object);
    const char *takes; /* OPTION_OTHER */
    const char *text;  /* one sentence for the reference */
};

struct option_group {
    const char *path; /* "mqtt.tls" */
    const char *text; /* what the section is for */
    const struct option *options;
    size_t count;
    bool main; /* of the main file only: shown by config_print, not required for the local server */
};

#define OPTION_COUNT(array) (sizeof(array) / sizeof *(array))
#define OPTION_AT(type, member)                                                                    \
    .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
#define OPTION_LIST_AT(type, member, counter)                                                      \
    OPTION_AT(type, member), .count_offset = offsetof(type, counter)
#define OPTION_S(seconds) ((int64_t)(seconds)*1000)

/* What a main file and a rule file may hold. */
extern const struct option_group option_main_file;
extern const struct option_group option_rule_file;

/* The sections that both may hold; sections.c puts them together. */
extern const struct option_group option_forward;
extern const struct option_group option_reverse;
extern const struct option_group option_resources;
extern const struct option_group option_tests;

/* `read` of the rows that have them. */
void forward_read(struct reader *reader, const config_setting_t *setting, void *config);
void reverse_read(struct reader *reader, const config_setting_t *setting, void *config);
void resources_read(struct reader *reader, const config_setting_t *setting, void *config);
void case_read(struct reader *reader, const config_setting_t *setting, void *config);

/* Free what those have read. */
void resources_free(struct resources *resources);
void cases_free(struct config *config);

/* Frees the strings of an object that the group's rows (and of OPTION_GROUPs in it) point to. */
void option_free(const struct option_group *group, void *object);

#endif
