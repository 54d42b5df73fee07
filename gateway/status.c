/* status - see status.h: the gateway as a whole. The rules are status_rules.c's. */
#include "gateway/status.h"

#include "base/clock.h"
#include "base/emit.h"
#include "gateway/process.h"

#include <math.h>
#include <unistd.h>

static const char *link_word(enum mqtt_link_state state)
{
    static const char *const words[] = {"connecting", "connected", "away"};
    return words[state];
}

static const char *cmq_word(enum health_cmq state)
{
    static const char *const words[] = {"untried", "ok", "failing", "held"};
    return words[state];
}

static const char *spool_word(enum spool_state state)
{
    static const char *const words[] = {"accepting", "full", "failed"};
    return words[state];
}

/* ---- ready ---- */

static void emit_ready(struct emit *e, const struct health_shot *shot, bool with_text)
{
    emit_bool(e, "ready", shot->reason_count == 0);
    emit_array(e, "reasons");
    for (size_t i = 0; i < shot->reason_count; i++) {
        emit_object(e, NULL);
        emit_text(e, "code", shot->reasons[i].code);
        emit_text(e, "text", with_text ? shot->reasons[i].text : NULL);
        emit_object_end(e);
    }
    emit_array_end(e);
}

bool status_ready(const struct status_view *view, bool with_text, struct buf *out)
{
    struct health_shot shot;
    struct emit e = {.out = out};
    health_read(view->health, &shot);
    emit_object(&e, NULL);
    emit_ready(&e, &shot, with_text);
    emit_object_end(&e);
    bool ready = shot.reason_count == 0;
    health_shot_fini(&shot);
    return ready;
}

/* ---- the sections of the status ---- */

static double seconds(int64_t ms)
{
    return ms > 0 ? (double)ms / 1000 : 0;
}

static void emit_gateway(struct emit *e, const struct status_view *view, int64_t started_ms)
{
    int64_t now_ms = clock_unix_ms();
    emit_object(e, "gateway");
    emit_text(e, "id", view->config->gateway.id);
    emit_text(e, "version", CMQGW_VERSION);
    emit_text(e, "config", view->config->path);
    emit_i64(e, "pid", getpid());
    emit_time(e, "started", started_ms);
    emit_time(e, "now", now_ms);
    emit_number(e, "uptime_s", seconds(now_ms - started_ms));
    emit_object_end(e);
}

static void emit_mqtt(struct emit *e, const struct status_view *view,
                      const struct health_shot *shot)
{
    emit_object(e, "mqtt");
    emit_text(e, "state", link_word(shot->mqtt.state));
    emit_time(e, "since", shot->mqtt.since_ms);
    emit_text(e, "why", shot->mqtt.why);
    emit_u64(e, "connects", shot->mqtt.connects);
    emit_bool(e, "session_present", shot->mqtt.session_present);
    emit_u64(e, "subscriptions", view->config->rules->subscription_count);
    emit_array(e, "refused");
    for (size_t i = 0; i < shot->mqtt.refused_count; i++) {
        emit_object(e, NULL);
        emit_text(e, "filter", shot->mqtt.refused[i].name);
        emit_text(e, "why", shot->mqtt.refused[i].why);
        emit_object_end(e);
    }
    emit_array_end(e);
    if (shot->mqtt.refused_left_out > 0)
        emit_u64(e, "refused_left_out", shot->mqtt.refused_left_out);
    emit_object_end(e);
}

static void emit_trouble(struct emit *e, const struct health_trouble *trouble)
{
    emit_object(e, NULL);
    emit_text(e, "destination", trouble->name);
    emit_text(e, "state", trouble->state == GATE_HOLDING ? "held" : "backing_off");
    emit_time(e, "since", trouble->since_ms);
    emit_text(e, "why", trouble->why);
    if (trouble->code >= 0)
        emit_i64(e, "code", trouble->code);
    else
        emit_null(e, "code");
    emit_object_end(e);
}

static void emit_cmq(struct emit *e, const struct status_view *view, const struct health_shot *shot)
{
    emit_object(e, "cmq");
    emit_text(e, "state", cmq_word(shot->cmq.state));
    emit_time(e, "since", shot->cmq.since_ms);
    emit_text(e, "why", shot->cmq.why);
    emit_u64(e, "in_flight", lanes_in_flight(view->lanes));
    emit_u64(e, "connections", view->config->cmq.connections);
    emit_time(e, "last_success", shot->cmq.success_ms);
    emit_array(e, "troubles");
    for (size_t i = 0; i < shot->cmq.trouble_count; i++)
        emit_trouble(e, &shot->cmq.troubles[i]);
    emit_array_end(e);
    if (shot->cmq.left_out > 0)
        emit_u64(e, "troubles_left_out", shot->cmq.left_out);
    emit_object_end(e);
}

/* How long an outage of CMQ could last from now on; NaN: nothing comes, so nobody knows. */
static double absorbs_s(const struct spool_stat *stat, const struct sampler_rates *rates)
{
    double bytes_a_second = rates->per_s[COUNTER_PLANNED_BYTES];
    double room = stat->capacity_bytes > stat->used_bytes
                      ? (double)(stat->capacity_bytes - stat->used_bytes)
                      : 0;
    return bytes_a_second > 0 ? room / bytes_a_second : NAN;
}

static void emit_spool(struct emit *e, const struct status_view *view,
                       const struct health_shot *shot, const struct sampler_rates *rates)
{
    struct spool_stat stat;
    spool_stat(view->spool, &stat);
    emit_object(e, "spool");
    emit_text(e, "state", spool_word(shot->spool.state));
    emit_time(e, "since", shot->spool.since_ms);
    emit_text(e, "why", shot->spool.why);
    emit_u64(e, "deliveries", stat.deliveries);
    emit_u64(e, "dead_letters", stat.dead_letters);
    emit_u64(e, "used_bytes", stat.used_bytes);
    emit_u64(e, "capacity_bytes", stat.capacity_bytes);
    emit_u64(e, "max_bytes", stat.max_bytes);
    emit_time(e, "oldest", stat.oldest_ms);
    emit_number(e, "oldest_age_s",
                stat.oldest_ms ? seconds(clock_unix_ms() - stat.oldest_ms) : NAN);
    emit_number(e, "absorbs_s", absorbs_s(&stat, rates));
    emit_object_end(e);
}

static void emit_rates(struct emit *e, const struct sampler_rates *rates)
{
    static const struct {
        const char *key;
        enum counter which;
    } rows[] = {{"received", COUNTER_RECEIVED},
                {"delivered", COUNTER_DELIVERED},
                {"retried", COUNTER_RETRIED},
                {"dead_letters", COUNTER_DEAD},
                {"taken", COUNTER_TAKEN},
                {"published", COUNTER_PUBLISHED},
                {"planned_bytes", COUNTER_PLANNED_BYTES}};
    emit_object(e, "rates");
    emit_number(e, "window_s", rates->window_s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        emit_number(e, rows[i].key, rates->per_s[rows[i].which]);
    emit_object_end(e);
}

static void emit_reason_count(void *ctx, const char *code, uint64_t count)
{
    emit_u64(ctx, code, count);
}

static void emit_totals(struct emit *e, const struct status_view *view)
{
    emit_object(e, "totals");
    for (int i = 0; i < COUNTER_COUNT; i++)
        emit_u64(e, counter_name((enum counter)i), counters_get(view->counters, (enum counter)i));
    emit_object_end(e);
    emit_object(e, "dead_letters_by_reason");
    counters_each_reason(view->counters, emit_reason_count, e);
    emit_object_end(e);
}

static void emit_latency(struct emit *e, const struct status_view *view, const char *key,
                         enum spread which)
{
    struct histogram_shot shot;
    histogram_read(counters_spread(view->counters, which), &shot);
    emit_object(e, key);
    emit_u64(e, "count", shot.count);
    emit_number(e, "mean_s", histogram_mean(&shot) / 1e6);
    emit_number(e, "p50_s", histogram_quantile(&shot, 0.5) / 1e6);
    emit_number(e, "p99_s", histogram_quantile(&shot, 0.99) / 1e6);
    emit_object_end(e);
}

static void emit_spreads(struct emit *e, const struct status_view *view)
{
    struct histogram_shot batches;
    histogram_read(counters_spread(view->counters, SPREAD_BATCH), &batches);
    emit_object(e, "latency");
    emit_latency(e, view, "request", SPREAD_REQUEST);
    emit_latency(e, view, "end_to_end", SPREAD_DELIVERY);
    emit_latency(e, view, "publish", SPREAD_PUBLISH);
    emit_object_end(e);
    emit_object(e, "batch");
    emit_u64(e, "requests", batches.count);
    emit_number(e, "mean", histogram_mean(&batches));
    emit_object_end(e);
}

static void count_error(void *ctx, const struct figures_shot *shot)
{
    uint64_t *count = ctx;
    *count += shot->error_ms > 0;
}

static void emit_rules(struct emit *e, const struct status_view *view)
{
    uint64_t with_errors = 0;
    figures_each(counters_book(view->counters), count_error, &with_errors);
    emit_object(e, "rules");
    emit_u64(e, "forward", view->config->rules->forward_count);
    emit_u64(e, "reverse", view->config->rules->reverse_count);
    emit_u64(e, "with_errors", with_errors);
    emit_object_end(e);
}

static void emit_reload(struct emit *e, const struct health_shot *shot)
{
    emit_object(e, "reload");
    emit_u64(e, "count", shot->reload.count);
    emit_u64(e, "failed", shot->reload.failed);
    if (shot->reload.count == 0) {
        emit_null(e, "last");
    } else {
        emit_object(e, "last");
        emit_time(e, "time", shot->reload.last_ms);
        emit_bool(e, "ok", shot->reload.ok);
        emit_text(e, "summary", shot->reload.summary);
        const char *faults = shot->reload.faults;
        emit_raw(e, "faults", span_of(faults[0] ? faults : "[]"));
        emit_object_end(e);
    }
    emit_object_end(e);
}

static void emit_process(struct emit *e)
{
    struct process_figures process;
    process_read(&process);
    emit_object(e, "process");
    emit_number(e, "cpu_s", process.cpu_s);
    emit_u64(e, "rss_bytes", process.rss_bytes);
    emit_u64(e, "open_files", process.open_files);
    emit_u64(e, "max_open_files", process.max_open_files);
    emit_u64(e, "threads", process.threads);
    emit_object_end(e);
}

int64_t status_silent_ms(const struct status_view *view)
{
    struct spool_stat stat;
    spool_stat(view->spool, &stat);
    int64_t writer_ms = clock_mono_ms() - stat.turn_ms;
    int64_t pump_ms = sampler_silent_ms(view->sampler);
    return writer_ms > pump_ms ? writer_ms : pump_ms;
}

void status_json(const struct status_view *view, struct buf *out)
{
    struct health_shot shot;
    struct sampler_rates rates;
    struct emit e = {.out = out};
    health_read(view->health, &shot);
    sampler_read(view->sampler, &rates);
    emit_object(&e, NULL);
    emit_gateway(&e, view, shot.started_ms);
    emit_ready(&e, &shot, true);
    emit_mqtt(&e, view, &shot);
    emit_cmq(&e, view, &shot);
    emit_spool(&e, view, &shot, &rates);
    emit_rates(&e, &rates);
    emit_totals(&e, view);
    emit_spreads(&e, view);
    emit_rules(&e, view);
    emit_reload(&e, &shot);
    emit_process(&e);
    emit_object_end(&e);
    health_shot_fini(&shot);
}
