/*
 * metrics - see metrics.h: the figures of the whole gateway. Those of rules are metrics_rules.c's.
 */
#include "gateway/metrics.h"

#include "admin/prom.h"
#include "base/clock.h"
#include "gateway/metrics_impl.h"
#include "gateway/process.h"

/* Counters that stand for themselves. */
static const struct {
    enum counter which;
    const char *name, *help;
} counters[] = {
    {COUNTER_RECEIVED, "cmqgw_mqtt_messages_received_total", "Messages taken from the broker."},
    {COUNTER_COPIES, "cmqgw_mqtt_copies_total",
     "Further copies of messages, sent for other subscriptions."},
    {COUNTER_REFUSED, "cmqgw_mqtt_messages_refused_total",
     "Messages of QoS 1 and 2 left with the broker while the spool could not take them."},
    {COUNTER_MATCHED, "cmqgw_messages_matched_total", "Rules that applied to messages."},
    {COUNTER_PLANNED, "cmqgw_deliveries_planned_total", "Deliveries handed to the spool."},
    {COUNTER_PLANNED_BYTES, "cmqgw_deliveries_planned_bytes_total",
     "About how many bytes of the spool they take."},
    {COUNTER_DELIVERED, "cmqgw_deliveries_delivered_total", "Deliveries that CMQ has."},
    {COUNTER_UNROUTED_ACCEPTED, "cmqgw_deliveries_unrouted_accepted_total",
     "Of those: no subscription wanted them, and the rule accepts that."},
    {COUNTER_RETRIED, "cmqgw_deliveries_retried_total",
     "Failed tries of deliveries: CMQ away, slow or throttling."},
    {COUNTER_HELD, "cmqgw_deliveries_held_total",
     "Failed tries of deliveries: the account or a name is wrong."},
    {COUNTER_REQUESTS, "cmqgw_cmq_send_requests_total", "Requests that carried deliveries."},
    {COUNTER_CUT, "cmqgw_cmq_batches_cut_total", "Rejected batches cut in two."},
    {COUNTER_POLLS, "cmqgw_cmq_polls_total", "Requests for messages of CMQ queues."},
    {COUNTER_TAKEN, "cmqgw_commands_taken_total", "CMQ messages read, or pushed to us."},
    {COUNTER_PUBLISHED, "cmqgw_commands_published_total",
     "CMQ messages that the broker has acknowledged."},
    {COUNTER_PARKED, "cmqgw_commands_parked_total",
     "CMQ messages set aside, in a dead-letter queue or here."},
    {COUNTER_RECOGNISED, "cmqgw_commands_recognised_total",
     "Redelivered CMQ messages that had been published: deleted, not published again."},
    {COUNTER_TOO_LATE, "cmqgw_commands_too_late_total",
     "CMQ messages left to CMQ because they were about to become visible again."},
    {COUNTER_DELETED, "cmqgw_commands_deleted_total", "CMQ messages deleted from their queue."},
};

static const struct {
    enum counter which;
    const char *reason;
} drops[] = {{COUNTER_DROPPED_NO_RULE, "no_rule"},
             {COUNTER_DROPPED_RETAINED, "retained"},
             {COUNTER_DROPPED_LOOP, "loop"},
             {COUNTER_DROPPED_QOS0, "qos0"}};

static const struct {
    enum spread which;
    double unit;
    const char *name, *help;
} spreads[] = {
    {SPREAD_BATCH, 1, "cmqgw_cmq_batch_deliveries", "Deliveries in a request."},
    {SPREAD_REQUEST, 1e6, "cmqgw_cmq_request_duration_seconds",
     "From a request that carries deliveries to its answer."},
    {SPREAD_DELIVERY, 1e6, "cmqgw_delivery_duration_seconds",
     "From a message's arrival until CMQ has it."},
    {SPREAD_PUBLISH, 1e6, "cmqgw_publish_duration_seconds",
     "From handing a CMQ message to the broker until its acknowledgement."},
};

void metrics_gauge(struct buf *out, const char *name, const char *help, double value)
{
    prom_family(out, name, PROM_GAUGE, help);
    prom_double(out, name, NULL, value);
}

static void write_counters(const struct status_view *view, struct buf *out)
{
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        prom_family(out, counters[i].name, PROM_COUNTER, counters[i].help);
        prom_u64(out, counters[i].name, NULL, counters_get(view->counters, counters[i].which));
    }
    const char *name = "cmqgw_messages_dropped_total";
    prom_family(out, name, PROM_COUNTER, "Messages that went nowhere, by why.");
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++)
        prom_u64(out, name, PROM_LABELS({"reason", span_of(drops[i].reason)}),
                 counters_get(view->counters, drops[i].which));
}

static void write_spreads(const struct status_view *view, struct buf *out)
{
    for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
        struct histogram_shot shot;
        double bounds[HISTOGRAM_MAX_BOUNDS];
        histogram_read(counters_spread(view->counters, spreads[i].which), &shot);
        for (size_t k = 0; k < shot.scale->count; k++)
            bounds[k] = (double)shot.scale->bounds[k] / spreads[i].unit;
        prom_family(out, spreads[i].name, PROM_HISTOGRAM, spreads[i].help);
        prom_histogram(out, spreads[i].name, bounds, shot.buckets, shot.scale->count,
                       (double)shot.sum / spreads[i].unit);
    }
}

static void write_spool(const struct status_view *view, struct buf *out)
{
    struct spool_stat stat;
    spool_stat(view->spool, &stat);
    int64_t age_ms = stat.oldest_ms ? clock_unix_ms() - stat.oldest_ms : 0;
    metrics_gauge(out, "cmqgw_spool_deliveries", "Deliveries on disk, waiting or in flight.",
                  (double)stat.deliveries);
    metrics_gauge(out, "cmqgw_spool_dead_letters", "Dead letters on disk.",
                  (double)stat.dead_letters);
    metrics_gauge(out, "cmqgw_spool_used_bytes", "Bytes of the spool that are in use.",
                  (double)stat.used_bytes);
    metrics_gauge(out, "cmqgw_spool_capacity_bytes", "Used bytes at which the spool is full.",
                  (double)stat.capacity_bytes);
    metrics_gauge(out, "cmqgw_spool_oldest_delivery_age_seconds",
                  "Age of the delivery that waits longest; 0: none waits.",
                  age_ms > 0 ? (double)age_ms / 1000 : 0);
    prom_family(out, "cmqgw_spool_groups_total", PROM_COUNTER, "Groups committed to disk.");
    prom_u64(out, "cmqgw_spool_groups_total", NULL, stat.groups);
}

/* One state of several: 1 for the one that holds, 0 for the others. */
static void write_states(struct buf *out, const char *name, const char *help,
                         const char *const *words, size_t count, size_t now)
{
    prom_family(out, name, PROM_GAUGE, help);
    for (size_t i = 0; i < count; i++)
        prom_u64(out, name, PROM_LABELS({"state", span_of(words[i])}), i == now);
}

static void write_destinations(const struct health_shot *shot, struct buf *out)
{
    const char *name = "cmqgw_cmq_destination_in_trouble";
    prom_family(out, name, PROM_GAUGE,
                "1 for each queue or topic of CMQ that takes or gives nothing now.");
    for (size_t i = 0; i < shot->cmq.trouble_count; i++) {
        const struct health_trouble *trouble = &shot->cmq.troubles[i];
        const char *state = trouble->state == GATE_HOLDING ? "held" : "backing_off";
        prom_u64(out, name,
                 PROM_LABELS({"destination", span_of(trouble->name)}, {"state", span_of(state)}),
                 1);
    }
}

static void write_health(const struct status_view *view, struct buf *out)
{
    static const char *const links[] = {"connecting", "connected", "away"};
    static const char *const cmqs[] = {"untried", "ok", "failing", "held"};
    static const char *const spools[] = {"accepting", "full", "failed"};
    struct health_shot shot;
    health_read(view->health, &shot);
    metrics_gauge(out, "cmqgw_ready", "Whether messages go both ways: what /readyz says.",
                  shot.reason_count == 0);
    write_states(out, "cmqgw_mqtt_state", "The session with the broker.", links, 3,
                 (size_t)shot.mqtt.state);
    prom_family(out, "cmqgw_mqtt_connects_total", PROM_COUNTER, "Connections to the broker made.");
    prom_u64(out, "cmqgw_mqtt_connects_total", NULL, shot.mqtt.connects);
    metrics_gauge(out, "cmqgw_mqtt_subscriptions_refused", "Filters that the broker refused.",
                  (double)(shot.mqtt.refused_count + shot.mqtt.refused_left_out));
    write_states(out, "cmqgw_cmq_state", "What the last requests to CMQ say of it.", cmqs, 4,
                 (size_t)shot.cmq.state);
    metrics_gauge(out, "cmqgw_cmq_last_success_timestamp_seconds",
                  "When CMQ last gave a good answer; 0: never.",
                  (double)shot.cmq.success_ms / 1000);
    metrics_gauge(out, "cmqgw_cmq_requests_in_flight", "Requests with deliveries under way.",
                  lanes_in_flight(view->lanes));
    write_destinations(&shot, out);
    write_states(out, "cmqgw_spool_state", "What the spool takes.", spools, 3,
                 (size_t)shot.spool.state);
    const char *name = "cmqgw_reloads_total";
    prom_family(out, name, PROM_COUNTER, "Reloads of the configuration.");
    prom_u64(out, name, PROM_LABELS({"result", SPAN_LIT("ok")}),
             shot.reload.count - shot.reload.failed);
    prom_u64(out, name, PROM_LABELS({"result", SPAN_LIT("failed")}), shot.reload.failed);
    metrics_gauge(out, "cmqgw_reload_successful",
                  "Whether the last reload was good; 1 also when there was none.",
                  shot.reload.count == 0 || shot.reload.ok);
    metrics_gauge(out, "cmqgw_reload_timestamp_seconds",
                  "When the configuration was last reloaded, or tried to be; 0: never.",
                  (double)shot.reload.last_ms / 1000);
    health_shot_fini(&shot);
}

static void write_process(const struct status_view *view, struct buf *out)
{
    struct process_figures p;
    process_read(&p);
    prom_family(out, "cmqgw_build_info", PROM_GAUGE, "Always 1.");
    prom_u64(out, "cmqgw_build_info",
             PROM_LABELS({"version", SPAN_LIT(CMQGW_VERSION)},
                         {"gateway", span_of(view->config->gateway.id)}),
             1);
    metrics_gauge(out, "cmqgw_silent_seconds",
                  "How long one of the threads that do the work has not taken its turn.",
                  (double)status_silent_ms(view) / 1000);
    prom_family(out, "process_cpu_seconds_total", PROM_COUNTER, "Processor time, user and system.");
    prom_double(out, "process_cpu_seconds_total", NULL, p.cpu_s);
    metrics_gauge(out, "process_resident_memory_bytes", "Memory in use.", (double)p.rss_bytes);
    metrics_gauge(out, "process_virtual_memory_bytes", "Address space.", (double)p.virtual_bytes);
    metrics_gauge(out, "process_open_fds", "Open files.", (double)p.open_files);
    metrics_gauge(out, "process_max_fds", "Open files at most.", (double)p.max_open_files);
    metrics_gauge(out, "process_threads", "Threads.", (double)p.threads);
    metrics_gauge(out, "process_start_time_seconds", "Unix time of the start.", p.start_s);
}

void metrics_write(const struct status_view *view, struct buf *out)
{
    write_health(view, out);
    write_counters(view, out);
    write_spreads(view, out);
    write_spool(view, out);
    metrics_rules(view, out);
    write_process(view, out);
}
