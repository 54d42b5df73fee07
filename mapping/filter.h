/*
 * filter - a topic filter whose wildcards may have names ("fleet/+product/#rest", RULES 2)
 *
 * Parsed once at load, immutable, shared by all threads.
 */
#ifndef MAPPING_FILTER_H
#define MAPPING_FILTER_H

#include "base/err.h"
#include "mapping/topic.h"

struct filter_wildcard {
    struct span name;  /* empty: plain */
    struct span label; /* what templates call it: its name, or "1", "2", ... among the plain ones */
    bool multi;        /* '#' */
    char number[4];    /* holds the label of a plain one */
};

struct filter {
    char *text;  /* as written */
    char *plain; /* as MQTT wants it: "fleet/+/#" */
    struct filter_wildcard wildcards[TOPIC_MAX_CAPTURES];
    size_t wildcard_count;
};

/*
 * Parses text. Names are letters, digits and '_', not beginning with a digit, each once. A shared
 * subscription ("$share/...") is refused. NULL and err when it is not a filter. The caller frees it
 * with filter_free.
 */
struct filter *filter_new(struct span text, struct err *err);
void filter_free(struct filter *filter); /* NULL is fine */

/*
 * Index of the wildcard with this label; -1 when there is none. Plain wildcards are numbered among
 * themselves, left to right: in "a/+x/+" the second one is {1}.
 */
int filter_wildcard_index(const struct filter *filter, struct span label);

/* Whether two filters define the same names for the same kinds of wildcard. Plain ones are free. */
bool filter_same_names(const struct filter *a, const struct filter *b);

#endif
