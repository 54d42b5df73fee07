/* gateway - see gateway.h. */
#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/account.h"
#include "gateway/gateway_impl.h"

#include <inttypes.h>
#include <time.h>

enum { GATEWAY_FIGURES_BYTES = 4096, GATEWAY_LOOK_MS = 5 };

/* ---- who is told what ---- */

static void on_message(void *ctx, const struct mqtt_message *message, uint64_t ticket)
{
    struct gateway *g = ctx;
    uplink_message(g->uplink, message, ticket);
}

static void on_link_state(void *ctx, enum mqtt_link_state state, bool session_present,
                          const char *why)
{
    struct gateway *g = ctx;
    health_link(g->health, state, session_present, why);
    link_log_state(&g->link_log, state, session_present, why);
    if (state != MQTT_LINK_CONNECTED) {
        uplink_settled(g->uplink, false);
        uplink_resume(g->uplink);
    }
    downlink_online(g->downlink, state == MQTT_LINK_CONNECTED);
}

/* The set was asked for and has settled; either thread may be the one to know both. */
static void look_whether_settled(struct gateway *g)
{
    if (atomic_load(&g->asked_set) == atomic_load(&g->settled_set))
        uplink_settled(g->uplink, true);
}

static void on_settled(void *ctx, uint64_t set)
{
    struct gateway *g = ctx;
    atomic_store(&g->settled_set, set);
    look_whether_settled(g);
}

void gateway_subscribe(struct gateway *g)
{
    const struct subscriptions *s = &g->subscriptions;
    uplink_settled(g->uplink, false);
    uint64_t set = mqtt_link_subscribe(g->link, s->list, s->count, s->stale, s->stale_count);
    atomic_store(&g->asked_set, set);
    look_whether_settled(g);
}

static void on_subscription_refused(void *ctx, const char *filter, const char *why)
{
    struct gateway *g = ctx;
    health_refused(g->health, filter, why);
    log_write(LOG_ERROR, "mqtt.subscription_refused", LOG_FIELDS(LOG_STR("filter", filter)),
              "the broker refused the subscription %s: %s; messages of its rules do not come",
              filter, why);
}

static void on_committed(void *ctx, struct delivery *deliveries, uint64_t through_ticket)
{
    struct gateway *g = ctx;
    uplink_committed(g->uplink, deliveries, through_ticket);
}

static void on_refilled(void *ctx, uint64_t lane, struct delivery *deliveries, bool more)
{
    struct gateway *g = ctx;
    lanes_refilled(g->lanes, lane, deliveries, more);
}

static void on_appeared(void *ctx, uint64_t lane)
{
    struct gateway *g = ctx;
    lanes_appeared(g->lanes, lane);
}

static void on_refused(void *ctx, uint64_t entries, uint64_t unticketed)
{
    struct gateway *g = ctx;
    uplink_refused(g->uplink, entries, unticketed);
}

static void on_noted(void *ctx, void *cookie, bool committed)
{
    (void)ctx;
    downlink_noted(cookie, committed);
}

static void on_spool_state(void *ctx, enum spool_state state, const char *why)
{
    struct gateway *g = ctx;
    health_spool(g->health, state, why);
    uplink_spool_state(g->uplink, state, why);
}

static bool is_set(const char *text)
{
    return text && text[0] != '\0';
}

/* ---- building ---- */

static bool build_spool(struct gateway *g, struct err *err)
{
    struct spool_options options = {.dir = g->config->gateway.state_dir,
                                    .max_bytes = g->config->spool.max_size_bytes,
                                    .sync_power = g->config->spool.sync_power};
    struct spool_callbacks callbacks = {.ctx = g,
                                        .committed = on_committed,
                                        .refilled = on_refilled,
                                        .appeared = on_appeared,
                                        .refused = on_refused,
                                        .noted = on_noted,
                                        .state = on_spool_state};
    g->spool = spool_open(&options, &callbacks, err);
    return g->spool != NULL;
}

static bool build_cmq(struct gateway *g, struct err *err)
{
    g->pump = pump_new(err);
    if (!g->pump)
        return false;
    g->sampler = sampler_new(g->pump, g->counters);
    g->client = account_client(g->config, g->pump, err);
    return g->client != NULL;
}

static bool build_link(struct gateway *g, struct err *err)
{
    g->broker = broker_new(g->config);
    struct mqtt_link_options options = broker_options(g->broker, g->config);
    struct mqtt_link_callbacks callbacks = {.ctx = g,
                                            .message = on_message,
                                            .state = on_link_state,
                                            .refused = on_subscription_refused,
                                            .settled = on_settled};
    if (!broker_fingerprint(g->config, &g->broker_fingerprint, err))
        return false;
    g->link = mqtt_link_new(&options, &callbacks, err);
    return g->link != NULL;
}

static void found_lane(void *ctx, uint64_t lane, uint64_t count)
{
    (void)count;
    struct gateway *g = ctx;
    lanes_appeared(g->lanes, lane);
}

static bool build_downlink(struct gateway *g, struct err *err)
{
    struct downlink_options options = {.config = g->config,
                                       .pump = g->pump,
                                       .client = g->client,
                                       .spool = g->spool,
                                       .link = g->link,
                                       .counters = g->counters,
                                       .health = g->health,
                                       .jq = g->jq};
    g->downlink = downlink_new(&options, err);
    return g->downlink != NULL;
}

static bool build(struct gateway *g, struct err *err)
{
    const struct config *config = g->config;
    g->desk = reload_desk_new();
    g->jq = jq_host_new(err); /* while there is no other thread; a reload may bring programs */
    if (!g->jq)
        return false;
    g->counters = counters_new();
    g->health = health_new();
    if (!build_spool(g, err) || !subscriptions_init(&g->subscriptions, config, NULL, g->spool, err))
        return false;
    g->uplink = uplink_new(config, g->subscriptions.regrouped, g->counters, g->jq);
    if (!build_cmq(g, err) || !build_link(g, err))
        return false;
    struct lanes_options options = {.connections = config->cmq.connections,
                                    .rate = config->cmq.rate};
    g->lanes = lanes_new(&options, g->pump, g->client, g->spool, g->counters, g->health);
    uplink_join(g->uplink, g->spool, g->link, g->lanes);
    gateway_subscribe(g);
    return spool_each_lane(g->spool, found_lane, g, err) && build_downlink(g, err);
}

static bool start_push(struct gateway *g, struct err *err)
{
    const struct push_options options = {.config = g->config, .downlink = g->downlink};
    if (is_set(g->config->push.listen))
        g->push = push_new(&options, err);
    return g->push || !is_set(g->config->push.listen);
}

/* Messages matter more than looking at them: without its listener the gateway runs all the same. */
static void start_admin(struct gateway *g)
{
    struct err err;
    struct admin_options options = {.view = {.config = g->config,
                                             .counters = g->counters,
                                             .health = g->health,
                                             .sampler = g->sampler,
                                             .spool = g->spool,
                                             .lanes = g->lanes},
                                    .jq = g->jq,
                                    .desk = g->desk};
    if (!is_set(g->config->admin.listen))
        return;
    g->admin = admin_new(&options, &err);
    if (!g->admin)
        log_write(LOG_ERROR, "admin.cannot_listen",
                  LOG_FIELDS(LOG_STR("listen", g->config->admin.listen)),
                  "no status, no metrics and no reload over HTTP: %s; correct admin.listen or "
                  "admin.token and start again",
                  err.text);
}

static bool start(struct gateway *g, struct err *err)
{
    g->spool_started = spool_start(g->spool, err);
    if (!g->spool_started)
        return false;
    g->pump_started = pump_start(g->pump, err);
    if (!g->pump_started)
        return false;
    start_admin(g);
    g->link_started = mqtt_link_start(g->link, err);
    return g->link_started && start_push(g, err);
}

/* Stops what runs, then frees everything: nobody is called back any more by then. */
static void teardown(struct gateway *g)
{
    if (g->push)
        push_stop(g->push);
    if (g->admin)
        admin_stop(g->admin);
    if (g->link_started)
        mqtt_link_stop(g->link, 0);
    if (g->pump_started)
        pump_stop(g->pump);
    if (g->spool_started)
        spool_stop(g->spool);
    push_free(g->push);
    reload_desk_free(g->desk);
    admin_free(g->admin);
    sampler_free(g->sampler);
    lanes_free(g->lanes);
    downlink_free(g->downlink);
    mqtt_link_free(g->link);
    broker_free(g->broker);
    cmq_client_free(g->client);
    pump_free(g->pump);
    spool_close(g->spool);
    uplink_free(g->uplink);
    counters_free(g->counters);
    health_free(g->health);
    subscriptions_fini(&g->subscriptions);
    jq_host_free(g->jq);
    config_free(g->config);
    free(g->last_figures);
    free(g);
}

struct gateway *gateway_start(const struct config *config, struct err *err)
{
    struct gateway *g = check_alloc(calloc(1, sizeof *g));
    g->config = config_hold(config);
    if (!build(g, err) || !start(g, err)) {
        teardown(g);
        return NULL;
    }
    struct spool_stat stat;
    spool_stat(g->spool, &stat);
    log_write(LOG_INFO, "gateway.started",
              LOG_FIELDS(LOG_STR("gateway", config->gateway.id),
                         LOG_NUM("forward_rules", config->rules->forward_count),
                         LOG_NUM("reverse_rules", config->rules->reverse_count),
                         LOG_NUM("spooled", stat.deliveries),
                         LOG_NUM("dead_letters", stat.dead_letters)),
              "%zu forward rules, %zu subscriptions, %zu reverse rules; %" PRIu64
              " deliveries wait in the spool",
              config->rules->forward_count, g->subscriptions.count, config->rules->reverse_count,
              stat.deliveries);
    if (!mqtt_link_withholds())
        log_write(LOG_WARN, "mqtt.no_withholding", NULL,
                  "this build cannot withhold acknowledgements: a message is acknowledged when it "
                  "is handed to the spool, before it is on disk");
    return g;
}

/* ---- stopping ---- */

static void look_again(int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_mono_ms();
    int64_t nap_ms = left_ms < GATEWAY_LOOK_MS ? left_ms : GATEWAY_LOOK_MS;
    if (nap_ms > 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)nap_ms * 1000000}, NULL);
}

void gateway_stop(struct gateway *g, int64_t grace_ms)
{
    int64_t deadline_ms = clock_mono_ms() + grace_ms;
    health_stopping(g->health);
    log_write(LOG_INFO, "gateway.stopping", LOG_FIELDS(LOG_NUM("grace_ms", grace_ms)),
              "taking nothing more; finishing what is under way");
    if (g->push)
        push_stop(g->push);
    uplink_close(g->uplink, grace_ms);
    downlink_close(g->downlink);
    while (downlink_busy(g->downlink) > 0 && clock_mono_ms() < deadline_ms)
        look_again(deadline_ms);
    int64_t left_ms = deadline_ms - clock_mono_ms();
    mqtt_link_stop(g->link, left_ms > 0 ? left_ms : 0);
    g->link_started = false;

    while (!lanes_at_rest(g->lanes) && clock_mono_ms() < deadline_ms)
        look_again(deadline_ms);
    lanes_close(g->lanes);
    while (lanes_in_flight(g->lanes) > 0 && clock_mono_ms() < deadline_ms)
        look_again(deadline_ms);
    if (g->admin)
        admin_stop(g->admin);
    pump_stop(g->pump);
    g->pump_started = false;
    spool_stop(g->spool);
    g->spool_started = false;

    gateway_log_figures(g);
    struct spool_stat stat;
    spool_stat(g->spool, &stat);
    log_write(LOG_INFO, "gateway.stopped", LOG_FIELDS(LOG_NUM("spooled", stat.deliveries)),
              "%" PRIu64 " deliveries stay in the spool for the next start", stat.deliveries);
    teardown(g);
}

int64_t gateway_silent_ms(const struct gateway *g)
{
    return status_silent_ms(&(struct status_view){.sampler = g->sampler, .spool = g->spool});
}

void gateway_tidy(struct gateway *g)
{
    struct err err;
    if (g->subscriptions.stale_count > 0 && !uplink_regrouped(g->uplink) &&
        !subscriptions_forget_stale(&g->subscriptions, g->spool, &err))
        log_write(LOG_WARN, "spool.filters", NULL,
                  "the subscriptions that are gone are still in the spool: %s", err.text);
}

void gateway_log_figures(struct gateway *g)
{
    struct buf text = BUF_INIT(GATEWAY_FIGURES_BYTES);
    struct spool_stat stat;
    counters_print(g->counters, &text);
    spool_stat(g->spool, &stat);
    buf_printf(&text, "; spool: %" PRIu64 " deliveries, %" PRIu64 " dead letters", stat.deliveries,
               stat.dead_letters);
    if (!g->last_figures || strcmp(g->last_figures, buf_str(&text)) != 0) {
        log_write(LOG_INFO, "gateway.figures", NULL, "%s", buf_str(&text));
        free(g->last_figures);
        g->last_figures = buf_take(&text);
    }
    buf_fini(&text);
}
