/* explain_reverse: a body mapped by each reverse rule of its queue, and what that would set off. */
#include "gateway/explain_reverse.h"

#include "gateway/explain.h"

static void add_other(struct reverse_explanation *e, const struct reverse_rule *rule)
{
    struct buf reason = BUF_INIT(256);
    if (rule->queue) {
        buf_printf(&reason, "it reads the queue %s", rule->queue);
    } else {
        buf_add_str(&reason, "it takes what CMQ pushes, and reads no queue");
    }
    e->others[e->other_count++] = (struct explain_other){rule, buf_take(&reason)};
}

static void find_forward(struct explain_taking *taking, const struct config *config,
                         struct jq_worker *jq)
{
    struct mqtt_message m = taking->draft.message;
    m.retain = false; /* what a subscriber gets as it is published is no retained copy */
    m.user_count = 0; /* which rules would match, were it not known as a loop */
    struct explanation *there = explanation_new(config, &m, jq);
    taking->forward = check_alloc(calloc(there->match_count + 1, sizeof(const void *)));
    for (size_t i = 0; i < there->match_count; i++)
        taking->forward[taking->forward_count++] = there->matches[i].rule;
    explanation_free(there);
}

static void add_taking(struct reverse_explanation *e, const struct reverse_rule *rule,
                       struct jq_worker *jq)
{
    struct explain_taking *taking = &e->takings[e->taking_count++];
    taking->rule = rule;
    reverse_draft_init(&taking->draft);
    taking->result = reverse_plan(rule, span_of(e->config->rules->gateway), e->body, jq,
                                  &taking->draft, &taking->err);
    if (taking->result == REVERSE_PUBLISH) {
        e->publish_count++;
        find_forward(taking, e->config, jq);
    } else if (taking->result == REVERSE_LOOP) {
        (void)err_set(&taking->err, "loop: it came through this gateway before, and the rule does "
                                    "not say allow_loop = true");
    }
}

static bool reads(const struct reverse_rule *rule, struct span queue)
{
    return rule->queue && explain_same_name(queue, span_of(rule->queue));
}

struct reverse_explanation *reverse_explanation_new(const struct config *config, struct span queue,
                                                    struct span body, struct jq_worker *jq)
{
    const struct ruleset *rules = config->rules;
    struct reverse_explanation *e = check_alloc(calloc(1, sizeof *e));
    *e = (struct reverse_explanation){.config = config, .queue = queue, .body = body};
    e->takings = check_alloc(calloc(rules->reverse_count + 1, sizeof *e->takings));
    e->others = check_alloc(calloc(rules->reverse_count + 1, sizeof *e->others));
    for (size_t i = 0; i < rules->reverse_count; i++) {
        if (reads(&rules->reverse[i], queue)) {
            add_taking(e, &rules->reverse[i], jq);
        } else {
            add_other(e, &rules->reverse[i]);
        }
    }
    return e;
}

void reverse_explanation_free(struct reverse_explanation *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->taking_count; i++) {
        reverse_draft_fini(&e->takings[i].draft);
        free(e->takings[i].forward);
    }
    for (size_t i = 0; i < e->other_count; i++)
        free(e->others[i].reason);
    free(e->takings);
    free(e->others);
    free(e);
}
