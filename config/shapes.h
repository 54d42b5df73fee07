/*
 * shapes - what a text is known to be, word by word, before there is a message to make it
 *
 * Routes, binding keys, MQTT topics and filters are words with separators between. A shape says of
 * each word whether it is known, some one word, or any number of words; two shapes meet when some
 * text has both. What cannot be known counts as possible. All functions are pure; shapes borrow the
 * bytes of what they are made from.
 */
#ifndef CONFIG_SHAPES_H
#define CONFIG_SHAPES_H

#include "mapping/rule.h"

enum {
    SHAPE_MAX_WORDS = 260, /* a filter's levels (TOPIC_MAX_LEVELS); what is beyond is SHAPE_MANY */
    SHAPE_MAX_MANY = 3,    /* of a template; what follows the last is part of it */
};

enum shape_kind {
    SHAPE_WORD, /* exactly head */
    SHAPE_ONE,  /* one word that begins with head and ends with tail */
    SHAPE_MANY, /* no word or more */
};

struct shape_word {
    enum shape_kind kind;
    bool filled; /* SHAPE_ONE: not empty */
    struct span head, tail;
};

struct shape {
    bool mqtt; /* '/' between words, and wildcards in front keep off '$' (MQTT 5.0 s. 4.7.2) */
    size_t count;
    struct shape_word words[SHAPE_MAX_WORDS];
};

void shape_of_filter(struct shape *shape, struct span filter); /* a plain MQTT filter */
void shape_of_key(struct shape *shape, struct span key);       /* a binding key: CMQ.md 4.1 */

/* What a template of a route becomes in a rule with these filters. */
void shape_of_route(struct shape *shape, const struct template *route, const struct rule_from *from,
                    size_t from_count);

/* What a reverse rule's `to` becomes. */
void shape_of_topic(struct shape *shape, const struct template *to);

/* Whether some text has both shapes; both are of MQTT, or both are not. */
bool shapes_meet(const struct shape *a, const struct shape *b);

/* Whether one word can be both. */
bool shape_words_meet(const struct shape_word *a, const struct shape_word *b);

/* Whether shape is of texts that begin with '$'. */
bool shape_begins_with_dollar(const struct shape *shape);

/* Whether a template of a queue's or topic's name can become this name, upper or lower case. */
bool shape_name_can_be(const struct template *name, const char *wanted);

#endif
