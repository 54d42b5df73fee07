/* subs - see subs.h. */
#include "mqtt/subs.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum sub_state { SUB_NEEDED, SUB_ASKED, SUB_HELD, SUB_REFUSED };

struct sub {
    UT_hash_handle hh;
    char *filter;
    bool wanted;
    bool was_wanted; /* by the set before */
    int qos;
    uint32_t id;
    bool retained_copies;
    enum sub_state state;
    uint64_t revision; /* of the last request */
    char *refusal;     /* not told yet; or NULL */
};

void subs_init(struct subs *subs)
{
    *subs = (struct subs){0};
}

static void sub_remove(struct subs *subs, struct sub *sub)
{
    /* The analyser does not know that neighbours in the table point at each other. */
    HASH_DEL(subs->by_filter, sub); // NOLINT(clang-analyzer-unix.Malloc)
    free(sub->filter);
    free(sub->refusal);
    free(sub);
}

void subs_fini(struct subs *subs)
{
    struct sub *sub;
    struct sub *next;
    HASH_ITER(hh, subs->by_filter, sub, next)
    sub_remove(subs, sub);
}

static struct sub *sub_find(const struct subs *subs, const char *filter)
{
    struct sub *sub = NULL;
    HASH_FIND_STR(subs->by_filter, filter, sub);
    return sub;
}

static struct sub *sub_add(struct subs *subs, const char *filter)
{
    struct sub *sub = check_alloc(calloc(1, sizeof(*sub)));
    sub->filter = check_alloc(strdup(filter));
    HASH_ADD_KEYPTR(hh, subs->by_filter, sub->filter, strlen(sub->filter), sub);
    return sub;
}

static int by_id(const struct sub *a, const struct sub *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

void subs_set(struct subs *subs, const struct mqtt_subscription *list, size_t count,
              const char *const *stale, size_t stale_count)
{
    for (struct sub *sub = subs->by_filter; sub; sub = sub->hh.next) {
        sub->was_wanted = sub->wanted;
        sub->wanted = false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct mqtt_subscription *want = &list[i];
        struct sub *sub = sub_find(subs, want->filter);
        if (!sub)
            sub = sub_add(subs, want->filter);
        bool there = sub->was_wanted ? sub->state != SUB_REFUSED : sub->state == SUB_HELD;
        bool same = there && sub->qos == want->qos && sub->id == want->id &&
                    sub->retained_copies == want->retained_copies;
        if (!same)
            sub->state = SUB_NEEDED;
        sub->wanted = true;
        sub->qos = want->qos;
        sub->id = want->id;
        sub->retained_copies = want->retained_copies;
    }
    for (size_t i = 0; i < stale_count; i++)
        if (!sub_find(subs, stale[i]))
            sub_add(subs, stale[i]);
    for (struct sub *sub = subs->by_filter; sub; sub = sub->hh.next)
        if (sub->was_wanted && !sub->wanted && sub->state != SUB_HELD)
            sub->state = SUB_NEEDED;
    HASH_SORT(subs->by_filter, by_id);
}

void subs_connected(struct subs *subs, enum subs_memory memory)
{
    struct sub *sub;
    struct sub *next;
    HASH_ITER(hh, subs->by_filter, sub, next)
    {
        if (memory == SUBS_LOST && !sub->wanted)
            sub_remove(subs, sub);
        else if (memory != SUBS_TRUSTED || sub->state != SUB_HELD)
            sub->state = SUB_NEEDED;
    }
}

bool subs_next(struct subs *subs, bool drop, struct subs_request *request)
{
    struct sub *found = NULL;
    bool subscribing = false;
    for (struct sub *sub = subs->by_filter; sub; sub = sub->hh.next) {
        subscribing |= sub->wanted && sub->state == SUB_ASKED;
        bool due = sub->wanted ? sub->state == SUB_NEEDED
                               : drop && (sub->state == SUB_NEEDED || sub->state == SUB_HELD);
        if (!due)
            continue;
        if (!found || (sub->wanted && !found->wanted))
            found = sub;
        if (sub->wanted)
            break;
    }
    if (!found || (!found->wanted && subscribing))
        return false;
    found->state = SUB_ASKED;
    found->revision = ++subs->revision;
    *request = (struct subs_request){
        .filter = found->filter,
        .revision = found->revision,
        .unsubscribe = !found->wanted,
        .qos = found->qos,
        .id = found->id,
        .retained_copies = found->retained_copies,
    };
    return true;
}

bool subs_has_unwanted(const struct subs *subs)
{
    for (const struct sub *sub = subs->by_filter; sub; sub = sub->hh.next)
        if (!sub->wanted)
            return true;
    return false;
}

bool subs_settled(const struct subs *subs)
{
    for (const struct sub *sub = subs->by_filter; sub; sub = sub->hh.next)
        if (!sub->wanted || sub->state == SUB_NEEDED || sub->state == SUB_ASKED)
            return false;
    return true;
}

/* The entry that still waits for the answer to this request; NULL when things have moved on. */
static struct sub *asked(const struct subs *subs, const char *filter, uint64_t revision)
{
    struct sub *sub = sub_find(subs, filter);
    return sub && sub->state == SUB_ASKED && sub->revision == revision ? sub : NULL;
}

void subs_answered(struct subs *subs, const char *filter, uint64_t revision, const char *refusal)
{
    struct sub *sub = asked(subs, filter, revision);
    if (!sub)
        return;
    if (!sub->wanted) { /* refused or not, there is nothing more to try */
        sub_remove(subs, sub);
        return;
    }
    sub->state = refusal ? SUB_REFUSED : SUB_HELD;
    free(sub->refusal);
    sub->refusal = refusal ? check_alloc(strdup(refusal)) : NULL;
}

void subs_unasked(struct subs *subs, const char *filter, uint64_t revision)
{
    struct sub *sub = asked(subs, filter, revision);
    if (sub)
        sub->state = SUB_NEEDED;
}

bool subs_take_refusal(struct subs *subs, char **filter, char **why)
{
    for (struct sub *sub = subs->by_filter; sub; sub = sub->hh.next) {
        if (!sub->refusal)
            continue;
        *filter = check_alloc(strdup(sub->filter));
        *why = sub->refusal;
        sub->refusal = NULL;
        return true;
    }
    return false;
}
