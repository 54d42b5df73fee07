/* status_rules - each rule with its figures and its last error (status.h). */
#include "base/emit.h"
#include "gateway/status.h"

#include <stdlib.h>

static const enum figure forward_figures[] = {FIGURE_MATCHED, FIGURE_PLANNED, FIGURE_DELIVERED,
                                              FIGURE_RETRIED, FIGURE_HELD,    FIGURE_DEAD};
static const enum figure reverse_figures[] = {FIGURE_TAKEN,  FIGURE_PUBLISHED,  FIGURE_REFUSED,
                                              FIGURE_PARKED, FIGURE_RECOGNISED, FIGURE_DELETED,
                                              FIGURE_DEAD};

struct listing {
    struct emit emit;
    const struct status_view *view;
    const char **names[2]; /* of the rules that run, sorted */
    size_t counts[2];
};

/* ---- what the rules say ---- */

static void emit_target(struct emit *e, const struct rule_target *target)
{
    struct buf text = BUF_INIT(8192);
    buf_add_str(&text, target->is_topic ? "topic " : "queue ");
    buf_add(&text, template_text(target->name));
    emit_span(e, NULL, buf_span(&text));
    buf_fini(&text);
}

static void emit_forward_ends(struct emit *e, const struct forward_rule *rule)
{
    emit_array(e, "from");
    for (size_t i = 0; i < rule->from_count; i++)
        emit_text(e, NULL, rule->from[i].filter->text);
    emit_array_end(e);
    emit_array(e, "to");
    for (size_t i = 0; i < rule->target_count; i++)
        emit_target(e, &rule->targets[i]);
    emit_array_end(e);
}

static void emit_reverse_ends(struct emit *e, const struct reverse_rule *rule)
{
    struct buf from = BUF_INIT(512);
    buf_printf(&from, rule->queue ? "queue %s" : "push", rule->queue);
    emit_array(e, "from");
    emit_span(e, NULL, buf_span(&from));
    emit_array_end(e);
    emit_array(e, "to");
    emit_span(e, NULL, template_text(rule->to));
    emit_array_end(e);
    buf_fini(&from);
}

/* ---- what they did ---- */

static void emit_figures(struct emit *e, const struct figures_shot *shot)
{
    bool forward = shot->direction == FIGURES_FORWARD;
    const enum figure *list = forward ? forward_figures : reverse_figures;
    size_t count = forward ? sizeof forward_figures / sizeof *forward_figures
                           : sizeof reverse_figures / sizeof *reverse_figures;
    emit_object(e, "figures");
    for (size_t i = 0; i < count; i++)
        emit_u64(e, figure_name(list[i]), shot->values[list[i]]);
    emit_object_end(e);
    emit_object(e, "dead_letters_by_reason");
    for (size_t i = 0; i < shot->reason_count; i++)
        emit_u64(e, shot->reasons[i].code, shot->reasons[i].count);
    emit_object_end(e);
    emit_time(e, "last_message", shot->message_ms);
    if (shot->error_ms == 0) {
        emit_null(e, "last_error");
        return;
    }
    emit_object(e, "last_error");
    emit_time(e, "time", shot->error_ms);
    emit_text(e, "text", shot->error);
    emit_object_end(e);
}

static void emit_head(struct emit *e, enum figures_direction direction, const char *name,
                      const char *file, int line)
{
    emit_object(e, NULL);
    emit_text(e, "direction", direction == FIGURES_FORWARD ? "forward" : "reverse");
    emit_text(e, "name", name);
    emit_bool(e, "active", file != NULL);
    emit_text(e, "file", file);
    if (file)
        emit_i64(e, "line", line);
    else
        emit_null(e, "line");
}

static void emit_row(struct listing *l, enum figures_direction direction, const char *name)
{
    struct figures_shot shot;
    if (!figures_read(counters_book(l->view->counters), direction, span_of(name), &shot))
        shot = (struct figures_shot){.direction = direction, .rule = name};
    emit_figures(&l->emit, &shot);
    emit_object_end(&l->emit);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A rule that a reload took away, if it did something. */
static void emit_gone(void *ctx, const struct figures_shot *shot)
{
    struct listing *l = ctx;
    const char *name = shot->rule;
    bool idle = shot->error_ms == 0 && shot->message_ms == 0 && shot->values[FIGURE_DELIVERED] == 0;
    if (idle ||
        bsearch(&name, l->names[shot->direction], l->counts[shot->direction], sizeof name, by_name))
        return;
    emit_head(&l->emit, shot->direction, name, NULL, 0);
    emit_array(&l->emit, "from");
    emit_array_end(&l->emit);
    emit_array(&l->emit, "to");
    emit_array_end(&l->emit);
    emit_figures(&l->emit, shot);
    emit_object_end(&l->emit);
}

static void sort_names(struct listing *l, const struct ruleset *rules)
{
    l->counts[FIGURES_FORWARD] = rules->forward_count;
    l->counts[FIGURES_REVERSE] = rules->reverse_count;
    for (int d = 0; d < 2; d++)
        l->names[d] = check_alloc(calloc(l->counts[d] + 1, sizeof *l->names[d]));
    for (size_t i = 0; i < rules->forward_count; i++)
        l->names[FIGURES_FORWARD][i] = rules->forward[i].name;
    for (size_t i = 0; i < rules->reverse_count; i++)
        l->names[FIGURES_REVERSE][i] = rules->reverse[i].name;
    for (int d = 0; d < 2; d++)
        qsort(l->names[d], l->counts[d], sizeof *l->names[d], by_name);
}

void status_rules_json(const struct status_view *view, struct buf *out)
{
    const struct ruleset *rules = view->config->rules;
    struct listing l = {.emit = {.out = out}, .view = view};
    sort_names(&l, rules);
    emit_object(&l.emit, NULL);
    emit_array(&l.emit, "rules");
    for (size_t i = 0; i < rules->forward_count; i++) {
        const struct forward_rule *rule = &rules->forward[i];
        emit_head(&l.emit, FIGURES_FORWARD, rule->name, rule->file, rule->line);
        emit_forward_ends(&l.emit, rule);
        emit_row(&l, FIGURES_FORWARD, rule->name);
    }
    for (size_t i = 0; i < rules->reverse_count; i++) {
        const struct reverse_rule *rule = &rules->reverse[i];
        emit_head(&l.emit, FIGURES_REVERSE, rule->name, rule->file, rule->line);
        emit_reverse_ends(&l.emit, rule);
        emit_row(&l, FIGURES_REVERSE, rule->name);
    }
    figures_each(counters_book(view->counters), emit_gone, &l);
    emit_array_end(&l.emit);
    emit_object_end(&l.emit);
    free(l.names[0]);
    free(l.names[1]);
}
