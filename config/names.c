/* names - see names.h. */
#include "config/names.h"

#include "base/nearest.h"
#include "config/list.h"
#include "config/resources.h"

#include <strings.h>

enum { MAX_SOURCES = 6 }; /* queues with the same dead-letter queue: CMQ.md 5 */

void names_define(struct names *names, enum name_kind kind, size_t owner, const char *text,
                  const char *file, int line)
{
    names->list = list_grow(names->list, names->count, sizeof *names->list);
    names->list[names->count] = (struct name){kind, owner, text, file, line, names->count};
    names->count++;
}

void names_mention(struct names *names, enum mention_kind kind, const char *text, const char *file,
                   int line)
{
    names->mentions = list_grow(names->mentions, names->mention_count, sizeof *names->mentions);
    names->mentions[names->mention_count++] = (struct mention){kind, text, file, line};
}

/* Whether two names are the same thing; 0, or an order. */
static int compare_keys(const struct name *a, const struct name *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == NAME_SUBSCRIPTION && a->owner != b->owner)
        return a->owner < b->owner ? -1 : 1;
    return a->kind >= NAME_QUEUE ? strcasecmp(a->text, b->text) : strcmp(a->text, b->text);
}

static int compare_names(const void *a, const void *b)
{
    const struct name *x = *(const struct name *const *)a, *y = *(const struct name *const *)b;
    int order = compare_keys(x, y);
    if (order != 0)
        return order;
    return (x->order > y->order) - (x->order < y->order);
}

struct index {
    const struct name **sorted;
    size_t count;
};

/* The first definition of the name; NULL: none. */
static const struct name *find(const struct index *index, enum name_kind kind, size_t owner,
                               const char *text)
{
    struct name wanted = {.kind = kind, .owner = owner, .text = text};
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(index->sorted[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < index->count && compare_keys(index->sorted[low], &wanted) == 0;
    return found ? index->sorted[low] : NULL;
}

static void check_twice(const struct names *names, const struct index *index, struct faults *faults)
{
    static const char *const kinds[] = {[NAME_RULE] = "rule",
                                        [NAME_QUEUE] = "queue",
                                        [NAME_TOPIC] = "topic",
                                        [NAME_SUBSCRIPTION] = "subscription of the topic"};
    for (size_t i = 0; i < names->count; i++) {
        const struct name *name = &names->list[i];
        const struct name *first = find(index, name->kind, name->owner, name->text);
        if (first == name)
            continue;
        if (name->kind == NAME_PUSH) {
            faults_add(faults, FAULT_ERROR, name->file, name->line,
                       "reverse.from.push is the path of another rule already, at %s:%d",
                       first->file, first->line);
        } else {
            faults_add(faults, FAULT_ERROR, name->file, name->line,
                       "a %s named \"%s\" stands at %s:%d already", kinds[name->kind], name->text,
                       first->file, first->line);
        }
    }
}

static void check_rule(const struct names *names, const struct index *index,
                       const struct mention *mention, struct faults *faults)
{
    bool reverse = mention->kind == MENTION_REVERSE_RULE;
    const char *kind = reverse ? "reverse" : "forward";
    const struct name *rule = find(index, NAME_RULE, 0, mention->text);
    if (rule && (rule->owner == 1) == reverse)
        return;
    const char **known = check_alloc(calloc(names->count + 1, sizeof *known));
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (names->list[i].kind == NAME_RULE && (names->list[i].owner == 1) == reverse)
            known[count++] = names->list[i].text;
    }
    const char *nearest = nearest_word(mention->text, known, count);
    faults_add(faults, FAULT_ERROR, mention->file, mention->line,
               "tests.expect.rule: there is no %s rule named \"%s\"%s%s%s", kind, mention->text,
               nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    free(known);
}

static void check_dead_letter(const struct index *index, const struct resources *resources,
                              const struct mention *mention, size_t *sources, struct faults *faults)
{
    const struct name *queue = find(index, NAME_QUEUE, 0, mention->text);
    if (!queue) {
        faults_add(faults, FAULT_WARNING, mention->file, mention->line,
                   "the dead-letter queue \"%s\" is not declared in resources", mention->text);
        return;
    }
    if (resources->queues[queue->owner].dead_letter) {
        faults_add(faults, FAULT_ERROR, mention->file, mention->line,
                   "\"%s\" cannot be a dead-letter queue: it has one itself, at %s:%d",
                   mention->text, queue->file, queue->line);
    }
    if (++sources[queue->owner] > MAX_SOURCES) {
        faults_add(faults, FAULT_ERROR, mention->file, mention->line,
                   "\"%s\" is the dead-letter queue of more than %d queues", mention->text,
                   MAX_SOURCES);
    }
}

static void check_mentions(const struct names *names, const struct index *index,
                           const struct resources *resources, struct faults *faults)
{
    size_t *sources = check_alloc(calloc(resources->queue_count + 1, sizeof *sources));
    for (size_t i = 0; i < names->mention_count; i++) {
        const struct mention *mention = &names->mentions[i];
        switch (mention->kind) {
        case MENTION_FORWARD_RULE:
        case MENTION_REVERSE_RULE:
            check_rule(names, index, mention, faults);
            break;
        case MENTION_DEAD_LETTER:
            check_dead_letter(index, resources, mention, sources, faults);
            break;
        case MENTION_SUBSCRIBED_QUEUE:
            if (!find(index, NAME_QUEUE, 0, mention->text)) {
                faults_add(faults, FAULT_WARNING, mention->file, mention->line,
                           "the subscription's queue \"%s\" is not declared in resources",
                           mention->text);
            }
            break;
        }
    }
    free(sources);
}

void names_check(struct names *names, const struct resources *resources, bool incomplete,
                 struct faults *faults)
{
    struct index index = {check_alloc(calloc(names->count + 1, sizeof(void *))), names->count};
    for (size_t i = 0; i < names->count; i++)
        index.sorted[i] = &names->list[i];
    qsort(index.sorted, index.count, sizeof(void *), compare_names);
    check_twice(names, &index, faults);
    if (!incomplete)
        check_mentions(names, &index, resources, faults);
    free(index.sorted);
}

void names_fini(struct names *names)
{
    free(names->list);
    free(names->mentions);
    *names = (struct names){0};
}
