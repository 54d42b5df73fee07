/* gateway - see gateway.h. */
#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/secret.h"
#include "gateway/account.h"
#include "gateway/admin.h"
#include "gateway/downlink.h"
#include "gateway/lanes.h"
#include "gateway/push.h"
#include "gateway/subscriptions.h"
#include "gateway/uplink.h"

#include <inttypes.h>
#include <time.h>

enum { GATEWAY_FIGURES_BYTES = 4096, GATEWAY_LOOK_MS = 5 };

struct gateway {
    const struct config *config;
    struct counters *counters;
    struct health *health;
    struct uplink *uplink;
    struct spool *spool;
    struct pump *pump;
    struct cmq_client *client;
    struct lanes *lanes;
    struct downlink *downlink;
    struct push *push;   /* NULL: push.listen is not set */
    struct admin *admin; /* NULL: admin.listen is not set */
    struct sampler *sampler;
    struct jq_host *jq; /* NULL: no rule has a program */
    struct mqtt_link *link;
    struct subscriptions subscriptions;
    bool spool_started, pump_started, link_started;
    char *last_figures;
};

/* ---- who is told what ---- */

static void on_message(void *ctx, const struct mqtt_message *message, uint64_t ticket)
{
    struct gateway *g = ctx;
    uplink_message(g->uplink, message, ticket);
}

static void on_link_state(void *ctx, enum mqtt_link_state state, bool session_present,
                          const char *why)
{
    static const char *const events[] = {"mqtt.connecting", "mqtt.connected", "mqtt.away"};
    struct gateway *g = ctx;
    health_link(g->health, state, session_present, why);
    log_write(state == MQTT_LINK_CONNECTED ? LOG_INFO : LOG_WARN, events[state],
              LOG_FIELDS(LOG_NUM("session_present", session_present)), "%s", why);
    downlink_online(g->downlink, state == MQTT_LINK_CONNECTED);
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

/* ---- secrets: resolved each time they are asked for ---- */

static bool mqtt_password(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = ctx;
    return secret_resolve(span_of(config->mqtt.password), out, err);
}

static bool mqtt_key_password(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = ctx;
    return secret_resolve(span_of(config->mqtt.tls.key_password), out, err);
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
    const struct config *config = g->config;
    void *secrets = (void *)(uintptr_t)config;
    struct mqtt_link_options options = {
        .servers = (const char *const *)config->mqtt.servers,
        .server_count = config->mqtt.server_count,
        .client_id = config->gateway.id,
        .v5 = config->mqtt.v5,
        .username = config->mqtt.username,
        .password = is_set(config->mqtt.password) ? mqtt_password : NULL,
        .password_ctx = secrets,
        .keep_alive_s = (int)config->mqtt.keep_alive_s,
        .session_expiry_s = config->mqtt.session_expiry_s,
        .connect_timeout_s = (int)config->mqtt.connect_timeout_s,
        .tls = {.ca = config->mqtt.tls.ca,
                .cert = config->mqtt.tls.cert,
                .key = config->mqtt.tls.key,
                .key_password = is_set(config->mqtt.tls.key_password) ? mqtt_key_password : NULL,
                .key_password_ctx = secrets,
                .verify = config->mqtt.tls.verify},
    };
    struct mqtt_link_callbacks callbacks = {.ctx = g,
                                            .message = on_message,
                                            .state = on_link_state,
                                            .refused = on_subscription_refused};
    g->link = mqtt_link_new(&options, &callbacks, err);
    return g->link != NULL;
}

static void found_lane(void *ctx, uint64_t lane, uint64_t count)
{
    (void)count;
    struct gateway *g = ctx;
    lanes_appeared(g->lanes, lane);
}

/* The process for jq programs, while there is no other thread, if any rule has one. */
static bool build_jq(struct gateway *g, struct err *err)
{
    if (g->config->rules->program_count == 0)
        return true;
    g->jq = jq_host_new(err);
    return g->jq;
}

static bool build_downlink(struct gateway *g, struct err *err)
{
    struct downlink_options options = {.rules = g->config->rules,
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
    if (!build_jq(g, err))
        return false;
    g->counters = counters_new();
    g->health = health_new();
    g->uplink = uplink_new(config->rules, g->counters, g->jq);
    if (!build_spool(g, err) || !subscriptions_init(&g->subscriptions, config, g->spool, err) ||
        !build_cmq(g, err) || !build_link(g, err))
        return false;
    struct lanes_options options = {.connections = config->cmq.connections,
                                    .rate = config->cmq.rate};
    g->lanes = lanes_new(&options, g->pump, g->client, g->spool, g->counters, g->health);
    uplink_join(g->uplink, g->spool, g->link, g->lanes);
    mqtt_link_subscribe(g->link, g->subscriptions.list, g->subscriptions.count,
                        (const char *const *)g->subscriptions.stale, g->subscriptions.stale_count);
    return spool_each_lane(g->spool, found_lane, g, err) && build_downlink(g, err);
}

static bool start_push(struct gateway *g, struct err *err)
{
    struct push_options options = {
        .listen = g->config->push.listen, .rules = g->config->rules, .downlink = g->downlink};
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
                                    .gateway = g};
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
    admin_free(g->admin);
    sampler_free(g->sampler);
    lanes_free(g->lanes);
    downlink_free(g->downlink);
    mqtt_link_free(g->link);
    cmq_client_free(g->client);
    pump_free(g->pump);
    spool_close(g->spool);
    uplink_free(g->uplink);
    counters_free(g->counters);
    health_free(g->health);
    subscriptions_fini(&g->subscriptions);
    jq_host_free(g->jq);
    free(g->last_figures);
    free(g);
}

struct gateway *gateway_start(const struct config *config, struct err *err)
{
    struct gateway *g = check_alloc(calloc(1, sizeof *g));
    g->config = config;
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
    struct spool_stat stat;
    spool_stat(g->spool, &stat);
    int64_t writer_ms = clock_mono_ms() - stat.turn_ms;
    int64_t pump_ms = sampler_silent_ms(g->sampler);
    return writer_ms > pump_ms ? writer_ms : pump_ms;
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
