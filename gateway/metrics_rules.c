/*
 * metrics_rules - the figures of each rule for Prometheus (metrics.h)
 *
 * A family's samples stand together, so the rows are gone through for each family. A rule has its
 * samples from when it first did something, or, where there are not many, from the start.
 */
#include "gateway/metrics_impl.h"

#include "admin/prom.h"

static const struct {
    enum figure which;
    enum figures_direction direction;
    const char *name, *help;
} families[] = {
    {FIGURE_MATCHED, FIGURES_FORWARD, "cmqgw_rule_messages_matched_total",
     "Messages that a forward rule applied to."},
    {FIGURE_PLANNED, FIGURES_FORWARD, "cmqgw_rule_deliveries_planned_total",
     "Deliveries that a forward rule made of them."},
    {FIGURE_DELIVERED, FIGURES_FORWARD, "cmqgw_rule_deliveries_delivered_total",
     "Deliveries of a forward rule that CMQ has."},
    {FIGURE_RETRIED, FIGURES_FORWARD, "cmqgw_rule_deliveries_retried_total",
     "Failed tries of deliveries of a forward rule: CMQ away, slow or throttling."},
    {FIGURE_HELD, FIGURES_FORWARD, "cmqgw_rule_deliveries_held_total",
     "Failed tries of deliveries of a forward rule: the account or a name is wrong."},
    {FIGURE_TAKEN, FIGURES_REVERSE, "cmqgw_rule_commands_taken_total",
     "CMQ messages that a reverse rule read or was pushed."},
    {FIGURE_PUBLISHED, FIGURES_REVERSE, "cmqgw_rule_commands_published_total",
     "CMQ messages of a reverse rule that the broker has acknowledged."},
    {FIGURE_REFUSED, FIGURES_REVERSE, "cmqgw_rule_commands_refused_total",
     "Publishes of a reverse rule that the broker refused."},
    {FIGURE_PARKED, FIGURES_REVERSE, "cmqgw_rule_commands_parked_total",
     "CMQ messages of a reverse rule that were set aside."},
    {FIGURE_RECOGNISED, FIGURES_REVERSE, "cmqgw_rule_commands_recognised_total",
     "Redelivered CMQ messages of a reverse rule that had been published."},
    {FIGURE_DELETED, FIGURES_REVERSE, "cmqgw_rule_commands_deleted_total",
     "CMQ messages of a reverse rule that were deleted from their queue."},
};

/* What is written of each row. */
struct pass {
    struct buf *out;
    const char *name;
    enum figure which;
    enum figures_direction direction;
    bool of_errors;
};

static void write_figure(void *ctx, const struct figures_shot *shot)
{
    const struct pass *pass = ctx;
    if (shot->direction == pass->direction)
        prom_u64(pass->out, pass->name, PROM_LABELS({"rule", span_of(shot->rule)}),
                 shot->values[pass->which]);
}

static struct span direction_of(const struct figures_shot *shot)
{
    return span_of(shot->direction == FIGURES_FORWARD ? "forward" : "reverse");
}

static void write_reasons(void *ctx, const struct figures_shot *shot)
{
    const struct pass *pass = ctx;
    for (size_t i = 0; i < shot->reason_count; i++)
        prom_u64(pass->out, pass->name,
                 PROM_LABELS({"direction", direction_of(shot)}, {"rule", span_of(shot->rule)},
                             {"reason", span_of(shot->reasons[i].code)}),
                 shot->reasons[i].count);
}

static void write_time(void *ctx, const struct figures_shot *shot)
{
    const struct pass *pass = ctx;
    int64_t ms = pass->of_errors ? shot->error_ms : shot->message_ms;
    if (ms > 0)
        prom_double(pass->out, pass->name,
                    PROM_LABELS({"direction", direction_of(shot)}, {"rule", span_of(shot->rule)}),
                    (double)ms / 1000);
}

void metrics_rules(const struct status_view *view, struct buf *out)
{
    struct figures_book *book = counters_book(view->counters);
    struct pass pass = {.out = out};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        pass.name = families[i].name;
        pass.which = families[i].which;
        pass.direction = families[i].direction;
        prom_family(out, pass.name, PROM_COUNTER, families[i].help);
        figures_each(book, write_figure, &pass);
    }
    pass.name = "cmqgw_rule_dead_letters_total";
    prom_family(out, pass.name, PROM_COUNTER, "Dead letters of a rule, by their reason's code.");
    figures_each(book, write_reasons, &pass);
    pass.name = "cmqgw_rule_last_message_timestamp_seconds";
    prom_family(out, pass.name, PROM_GAUGE, "When a rule last had a message.");
    figures_each(book, write_time, &pass);
    pass.name = "cmqgw_rule_last_error_timestamp_seconds";
    pass.of_errors = true;
    prom_family(out, pass.name, PROM_GAUGE, "When something of a rule last went wrong.");
    figures_each(book, write_time, &pass);
}
