/* template_parts - what a compiled template is made of, for the files of template alone */
#ifndef MAPPING_TEMPLATE_PARTS_H
#define MAPPING_TEMPLATE_PARTS_H

#include "mapping/template.h"

enum { TEMPLATE_MAX_STEPS = 8 };

enum step_kind { STEP_LOWER, STEP_UPPER, STEP_DEFAULT, STEP_SLICE, STEP_SHARD };

/* A function behind a '|'. */
struct step {
    enum step_kind kind;
    struct span text;     /* default */
    uint64_t from, count; /* slice */
    uint64_t modulo;      /* shard */
};

enum part_kind {
    PART_LITERAL,
    PART_CAPTURE,
    PART_TOPIC,
    PART_QOS,
    PART_RETAIN,
    PART_GATEWAY,
    PART_RULE,
    PART_JSON,
    PART_USER,
    PART_CONTENT_TYPE,
    PART_CE,
};

struct part {
    enum part_kind kind;
    struct span text;    /* the literal bytes, or the capture's label, pointer, key, attribute */
    struct span written; /* "{json:/t|lower}", for errors */
    struct step steps[TEMPLATE_MAX_STEPS];
    size_t step_count;
    bool levels;     /* TEMPLATE_TOPIC: may bring '/' */
    bool whole_word; /* TEMPLATE_ROUTE: between dots, or a dot and an end */
};

struct template
{
    enum template_use use;
    char *text;     /* as written */
    char *literals; /* the bytes that literal parts point into, NUL-terminated */
    struct part *parts;
    size_t part_count;
};

/* Whether s may stand where the use says; else err has the reason with its code. */
bool template_whole_ok(enum template_use use, struct span s, struct err *err);

#endif
