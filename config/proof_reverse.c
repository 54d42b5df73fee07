/* proof_reverse - see proof.h. */
#include "config/declared.h"
#include "config/proof.h"

#include <ctype.h>
#include <uthash.h>

enum { MANY_POLLS = 1000 };

/* A queue that some reverse rule takes from, and the first one that does. */
struct taken {
    char name[CMQ_MAX_NAME_BYTES + 1]; /* in lower case */
    const struct reverse_rule *rule;
    UT_hash_handle hh;
};

/* Enters the rule's queue as *entry, unless it is there already. */
static void check_shared(struct taken **taken, struct taken *entry, const struct reverse_rule *rule,
                         struct faults *faults)
{
    struct taken *first;
    for (size_t i = 0; rule->queue[i] && i < CMQ_MAX_NAME_BYTES; i++)
        entry->name[i] = (char)tolower((unsigned char)rule->queue[i]);
    entry->rule = rule;
    HASH_FIND_STR(*taken, entry->name, first);
    if (!first) {
        HASH_ADD_STR(*taken, name, entry);
        return;
    }
    faults_add(faults, FAULT_WARNING, rule->file, rule->line,
               "the reverse rule \"%s\" at %s:%d takes from the queue \"%s\" too: each message "
               "goes to one of the two, whichever asks first",
               first->rule->name, first->rule->file, first->rule->line, rule->queue);
}

static void check_queues(const struct ruleset *set, struct faults *faults)
{
    struct taken *taken = NULL;
    struct taken *entries = check_alloc(calloc(set->reverse_count + 1, sizeof *entries));
    int64_t polls = 0;
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        if (!rule->queue)
            continue;
        check_shared(&taken, &entries[i], rule, faults);
        if (polls <= MANY_POLLS && polls + rule->pollers > MANY_POLLS) {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "with this rule the pollers of all reverse rules are more than %d: each "
                       "holds a connection to CMQ, and the limit of open files must allow that",
                       (int)MANY_POLLS);
        }
        polls += rule->pollers;
    }
    HASH_CLEAR(hh, taken);
    free(entries);
}

/* What CMQ's own dead letters leave to the rule's. */
static void check_attempts(const struct declared *declared, const struct reverse_rule *rule,
                           struct faults *faults)
{
    const struct resource_queue *queue = rule->queue ? declared_queue(declared, rule->queue) : NULL;
    if (!queue || !queue->dead_letter || queue->policy != 0 || !*rule->dead_letter ||
        queue->max_receive >= rule->attempts)
        return;
    faults_add(faults, FAULT_WARNING, rule->file, rule->line,
               "reverse.attempts of %d is never reached: after %lld receives CMQ moves the message "
               "to \"%s\", by dead_letter.max_receive of the queue \"%s\" at %s:%d",
               rule->attempts, (long long)queue->max_receive, queue->dead_letter, queue->name,
               queue->file, queue->line);
}

static bool is_posted_to(const struct resources *resources, const char *path)
{
    for (size_t i = 0; i < resources->topic_count; i++) {
        for (size_t k = 0; k < resources->topics[i].subscription_count; k++) {
            const char *url = resources->topics[i].subscriptions[k].url;
            if (url && span_eq_str(declared_path(url), path))
                return true;
        }
    }
    return false;
}

static void check_declared(const struct config *config, struct faults *faults)
{
    const struct ruleset *set = config->rules;
    struct declared declared;
    declared_init(&declared, &config->resources);
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        check_attempts(&declared, rule, faults);
        if (rule->push_path && !is_posted_to(&config->resources, rule->push_path)) {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "no declared subscription has a url with the path of reverse.from.push: "
                       "nothing posts to this rule");
        }
    }
    declared_fini(&declared);
}

static void check_expiry(const struct ruleset *set, struct faults *faults)
{
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        if (rule->expiry_s > 0) {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "reverse.expiry has no effect with mqtt.version = \"3.1.1\"");
        }
    }
}

void proof_reverse(const struct config *config, struct faults *faults)
{
    check_queues(config->rules, faults);
    if (config->resources.declared)
        check_declared(config, faults);
    if (!config->mqtt.v5)
        check_expiry(config->rules, faults);
}
