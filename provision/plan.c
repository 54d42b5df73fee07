/* plan - what all comparisons share, and the whole; see plan.h. */
#include "provision/plan_impl.h"

#include "base/quantity.h"
#include "config/list.h"

#include <stdarg.h>
#include <stdio.h>

const char *step_object_name(enum step_object object)
{
    static const char *const names[] = {"queue", "topic", "subscription"};
    return names[object];
}

void plan_push(struct planning *planning, const struct step *step)
{
    struct plan *plan = planning->plan;
    plan->steps = list_grow(plan->steps, plan->count, sizeof *plan->steps);
    plan->steps[plan->count++] = *step;
    plan->counts[step->kind]++;
}

void plan_differ(struct step *step, const char *setting, char *from, char *to)
{
    step->differences =
        list_grow(step->differences, step->difference_count, sizeof *step->differences);
    step->differences[step->difference_count++] = (struct difference){setting, from, to};
}

char *plan_text(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    CHECK(vasprintf(&text, format, args) >= 0);
    va_end(args);
    return text;
}

char *plan_dead_letter(const struct resource_queue *queue)
{
    if (!queue->dead_letter)
        return plan_text("none");
    if (queue->policy == 0)
        return plan_text("%s after %lld receives", queue->dead_letter,
                         (long long)queue->max_receive);
    struct buf age = BUF_INIT(64);
    duration_format(&age, queue->max_age_s * 1000);
    char *text = plan_text("%s after %s", queue->dead_letter, buf_str(&age));
    buf_fini(&age);
    return text;
}

char *plan_list(char *const *texts, size_t count, const char *none)
{
    struct buf out = BUF_INIT(1 << 20);
    if (count == 0)
        buf_add_str(&out, none);
    for (size_t i = 0; i < count; i++)
        CHECK(buf_printf(&out, "%s%s", i ? ", " : "", texts[i]));
    return buf_take(&out);
}

static bool has_text(char *const *texts, size_t count, const char *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], wanted) == 0)
            return true;
    }
    return false;
}

bool plan_same_texts(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++) {
        if (!has_text(b, b_count, a[i]))
            return false;
    }
    for (size_t i = 0; i < b_count; i++) {
        if (!has_text(a, a_count, b[i]))
            return false;
    }
    return true;
}

static char *value_text(const struct attribute *attribute, const void *resource)
{
    struct buf out = BUF_INIT(64);
    attribute_text(attribute, attribute_get(attribute, resource), &out);
    return buf_take(&out);
}

void plan_compare(const struct attribute_table *table, const void *declared, unsigned given,
                  const void *was, struct step *step, struct step *cannot)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct attribute *row = &table->rows[i];
        if (!(given & row->bit) || (was && attribute_get(row, was) == attribute_get(row, declared)))
            continue;
        bool fixed = was && row->fixed;
        plan_differ(fixed ? cannot : step, row->setting, was ? value_text(row, was) : NULL,
                    value_text(row, declared));
        if (!fixed) {
            step->changes |= row->bit;
        } else if (!cannot->why) {
            cannot->why = plan_text("%s", row->instead);
        }
    }
}

void plan_compare_labels(char *const *declared, size_t count, bool exists, char *const *was,
                         size_t was_count, struct step *step, struct step *cannot)
{
    if (exists && plan_same_texts(declared, count, was, was_count))
        return;
    char *to = plan_list(declared, count, "none");
    if (!exists) {
        plan_differ(step, "labels", NULL, to);
        return;
    }
    plan_differ(cannot, "labels", plan_list(was, was_count, "none"), to);
    if (!cannot->why)
        cannot->why = plan_text("the labels of what exists are changed in Tencent Cloud's tag "
                                "console: change them there, or here");
}

void plan_push_compared(struct planning *planning, struct step *step, struct step *cannot)
{
    step->kind = step->difference_count > 0 ? STEP_CHANGE : STEP_SAME;
    if (step->kind == STEP_CHANGE || !cannot->why)
        plan_push(planning, step);
    if (cannot->why)
        plan_push(planning, cannot);
}

const char *plan_status_fault(int status)
{
    switch (status) {
    case STATUS_ISOLATED:
        return "the service has isolated it, as it does when an account is in arrears: settle that "
               "first";
    case STATUS_NOT_CREATED:
        return "the service could not create it: delete it in the console, then run this again";
    case STATUS_NOT_DELETED:
        return "the service could not delete it: delete it in the console, then run this again";
    default:
        return NULL;
    }
}

size_t plan_work(const struct plan *plan)
{
    return plan->counts[STEP_CREATE] + plan->counts[STEP_CHANGE] + plan->counts[STEP_DELETE];
}

void plan_make(struct plan *plan, const struct resources *resources, const struct ruleset *rules,
               const struct inventory *inventory, bool prune)
{
    *plan = (struct plan){0};
    struct planning planning = {
        .plan = plan, .resources = resources, .rules = rules, .inventory = inventory};
    size_t queues = resources->queue_count + 1;
    declared_init(&planning.declared, resources);
    planning.sources = check_alloc(calloc(queues, sizeof *planning.sources));
    planning.refused = check_alloc(calloc(queues, sizeof *planning.refused));
    plan_queues(&planning);
    plan_topics(&planning);
    plan_deletes(&planning, prune);
    free(planning.sources);
    free(planning.refused);
    declared_fini(&planning.declared);
}

void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct step *step = &plan->steps[i];
        for (size_t d = 0; d < step->difference_count; d++) {
            free(step->differences[d].from);
            free(step->differences[d].to);
        }
        free(step->differences);
        free(step->why);
    }
    free(plan->steps);
    *plan = (struct plan){0};
}
