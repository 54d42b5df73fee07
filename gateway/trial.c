/* trial - see trial.h. */
#include "gateway/trial.h"

#include "gateway/explain_reverse.h"
#include "gateway/outcome.h"

#define NOBODY SIZE_MAX

/* What came of a test's message, and which expectation has which of it. */
struct findings {
    const struct config_test *test;
    struct explanation *forward;         /* of a test that publishes */
    struct reverse_explanation *reverse; /* of one that receives */
    struct outcome *outcomes;
    size_t *held_by; /* of each outcome: the expectation that it meets, or NOBODY */
    size_t outcome_count;
};

/* ---- what comes ---- */

static void add_outcome(struct findings *f, struct outcome outcome)
{
    f->outcomes = check_alloc(reallocarray(f->outcomes, f->outcome_count + 1, sizeof *f->outcomes));
    f->held_by = check_alloc(reallocarray(f->held_by, f->outcome_count + 1, sizeof *f->held_by));
    f->held_by[f->outcome_count] = NOBODY;
    f->outcomes[f->outcome_count++] = outcome;
}

static void find_forward(struct findings *f, bool resources_declared)
{
    for (size_t i = 0; i < f->forward->match_count; i++) {
        const struct explain_match *match = &f->forward->matches[i];
        const char *rule = match->rule->name;
        for (size_t k = 0; k < match->delivery_count; k++) {
            const struct explain_delivery *d = &match->deliveries[k];
            bool nowhere = resources_declared && !d->declared;
            add_outcome(f, (struct outcome){.rule = rule, .delivery = d, .nowhere = nowhere});
        }
        if (match->error)
            add_outcome(f, (struct outcome){.rule = rule, .error = match->error});
    }
}

static void find_reverse(struct findings *f)
{
    for (size_t i = 0; i < f->reverse->taking_count; i++) {
        const struct explain_taking *taking = &f->reverse->takings[i];
        struct outcome outcome = {.rule = taking->rule->name};
        if (taking->result == REVERSE_PUBLISH)
            outcome.message = &taking->draft.message;
        else
            outcome.error = taking->err.text;
        add_outcome(f, outcome);
    }
}

/* Why the rule has no outcome, if that is known. */
static const char *why_not(const struct findings *f, const char *rule)
{
    for (size_t i = 0; f->forward && i < f->forward->skipped_count; i++) {
        if (strcmp(f->forward->skipped[i].rule->name, rule) == 0)
            return f->forward->skipped[i].reason;
    }
    for (size_t i = 0; f->reverse && i < f->reverse->other_count; i++) {
        if (strcmp(f->reverse->others[i].rule->name, rule) == 0)
            return f->reverse->others[i].reason;
    }
    return NULL;
}

/* ---- who meets what ---- */

/* Finds expectation x an outcome of its own, asking others to move; `asked` are those in vain. */
static bool find_place(struct findings *f, size_t x, bool *asked)
{
    for (size_t i = 0; i < f->outcome_count; i++) {
        if (asked[i] || !outcome_meets(&f->outcomes[i], &f->test->expect[x]))
            continue;
        asked[i] = true;
        if (f->held_by[i] == NOBODY || find_place(f, f->held_by[i], asked)) {
            f->held_by[i] = x;
            return true;
        }
    }
    return false;
}

/* The outcome that nobody has and that holds the most of expectation x; NOBODY: all are held. */
static size_t nearest(const struct findings *f, size_t x)
{
    size_t best = NOBODY;
    unsigned most = 0;
    for (size_t i = 0; i < f->outcome_count; i++) {
        if (f->held_by[i] != NOBODY)
            continue;
        unsigned held = outcome_compare(&f->outcomes[i], &f->test->expect[x]).held;
        if (best == NOBODY || held > most) {
            best = i;
            most = held;
        }
    }
    return best;
}

static void add_difference(struct trial *trial, struct trial_difference difference)
{
    size_t count = trial->difference_count;
    trial->differences =
        check_alloc(reallocarray(trial->differences, count + 1, sizeof *trial->differences));
    trial->differences[trial->difference_count++] = difference;
}

/* Expectation x is not met: puts it beside what came nearest. */
static void add_unmet(struct trial *trial, struct findings *f, size_t x)
{
    const struct config_test_expect *expect = &f->test->expect[x];
    const char *why = expect->rule ? why_not(f, expect->rule) : NULL;
    size_t i = nearest(f, x);
    if (i != NOBODY && f->outcomes[i].nowhere && expect->has_reaches)
        why = "its queue or topic is not declared in resources";
    struct trial_difference difference = {.expect = expect,
                                          .expected = outcome_expected_json(expect),
                                          .why = why ? span_dup(span_of(why)) : NULL};
    if (i != NOBODY) {
        f->held_by[i] = x;
        difference.actual = outcome_json(&f->outcomes[i]);
    }
    add_difference(trial, difference);
}

static void compare(struct trial *trial, struct findings *f)
{
    size_t count = trial->test->expect_count;
    bool *unmet = check_alloc(calloc(count + 1, sizeof *unmet));
    bool *asked = check_alloc(calloc(f->outcome_count + 1, sizeof *asked));
    for (size_t x = 0; x < count; x++) {
        memset(asked, 0, f->outcome_count * sizeof *asked);
        unmet[x] = !find_place(f, x, asked);
    }
    for (size_t x = 0; x < count; x++) {
        if (unmet[x])
            add_unmet(trial, f, x);
    }
    for (size_t i = 0; i < f->outcome_count; i++) {
        if (f->held_by[i] == NOBODY) {
            add_difference(trial,
                           (struct trial_difference){.actual = outcome_json(&f->outcomes[i])});
        }
    }
    free(asked);
    free(unmet);
}

static struct span text_or_none(const char *text)
{
    return text ? span_of(text) : (struct span){NULL, 0};
}

/* The message that a test publishes; user is room for its user properties. */
static struct mqtt_message message_of(const struct config_test *test,
                                      struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES])
{
    for (size_t i = 0; i < test->user_count; i++) {
        struct span text = span_of(test->user[i]);
        size_t at = span_find(text, '=');
        user[i] = (struct mqtt_user_property){span_slice(text, 0, at),
                                              span_slice(text, at + 1, text.len)};
    }
    return (struct mqtt_message){.topic = span_of(test->topic),
                                 .payload = span_of(test->payload),
                                 .qos = test->qos,
                                 .retain = test->retain,
                                 .content_type = text_or_none(test->content_type),
                                 .response_topic = text_or_none(test->response_topic),
                                 .user = user,
                                 .user_count = test->user_count};
}

struct trial *trial_new(const struct config *config, const struct config_test *test,
                        struct jq_worker *jq)
{
    struct trial *trial = check_alloc(calloc(1, sizeof *trial));
    trial->test = test;
    struct findings f = {.test = test};
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    struct mqtt_message message;
    if (test->is_receive) {
        f.reverse = reverse_explanation_new(config, span_of(test->queue), span_of(test->body), jq);
        find_reverse(&f);
    } else {
        message = message_of(test, user);
        f.forward = explanation_new(config, &message, jq);
        find_forward(&f, config->resources.declared);
    }
    compare(trial, &f);
    free(f.outcomes);
    free(f.held_by);
    explanation_free(f.forward);
    reverse_explanation_free(f.reverse);
    return trial;
}

void trial_free(struct trial *trial)
{
    if (!trial)
        return;
    for (size_t i = 0; i < trial->difference_count; i++) {
        free(trial->differences[i].expected);
        free(trial->differences[i].actual);
        free(trial->differences[i].why);
    }
    free(trial->differences);
    free(trial);
}
