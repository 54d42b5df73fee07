/*
 * names - what is defined where, over all files, and who refers to it
 *
 * Filled while files are read, checked once all are. Texts and file names are borrowed. One thread.
 */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "config/faults.h"

struct resources;

enum name_kind {
    NAME_RULE,
    NAME_PUSH,  /* the path of a push; never shown */
    NAME_QUEUE, /* case-insensitively unique, as the next two (CMQ.md 4) */
    NAME_TOPIC,
    NAME_SUBSCRIPTION, /* in its topic */
};

enum mention_kind {
    MENTION_FORWARD_RULE,
    MENTION_REVERSE_RULE,
    MENTION_DEAD_LETTER,
    MENTION_SUBSCRIBED_QUEUE,
};

struct name {
    enum name_kind kind;
    size_t owner; /* a queue's number; a subscription's topic; 1 for a reverse rule */
    const char *text;
    const char *file;
    int line;
    size_t order;
};

struct mention {
    enum mention_kind kind;
    const char *text;
    const char *file;
    int line;
};

struct names {
    struct name *list;
    size_t count;
    struct mention *mentions;
    size_t mention_count;
};

void names_define(struct names *names, enum name_kind kind, size_t owner, const char *text,
                  const char *file, int line);
void names_mention(struct names *names, enum mention_kind kind, const char *text, const char *file,
                   int line);

/*
 * Notes names that are defined twice. Unless incomplete, also mentions of rules that do not exist,
 * dead-letter queues and subscribed queues that are not declared (warnings), and what CMQ refuses
 * of dead-letter queues (CMQ.md 5).
 */
void names_check(struct names *names, const struct resources *resources, bool incomplete,
                 struct faults *faults);

void names_fini(struct names *names);

#endif
