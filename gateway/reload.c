/* reload - see reload.h: the desk, the way from files to a new configuration, and the report. */
#include "gateway/reload.h"

#include "base/clock.h"
#include "base/json.h"
#include "config/changes.h"
#include "gateway/account.h"
#include "gateway/gateway_impl.h"

#include <pthread.h>
#include <signal.h>

enum {
    RELOAD_SUMMARY_BYTES = 2048, /* more than that is counted */
    RELOAD_FAULTS_BYTES = 4 << 20,
    RELOAD_LOGGED_FAULTS = 100, /* of one reload */
    RELOAD_PAUSE_MS = 2000,     /* for what was taken, before the broker is left */
};

/* ---- the desk ---- */

struct asker {
    struct asker *next;
    reload_done_fn done;
    void *ctx;
};

struct reload_desk {
    pthread_t server;
    pthread_mutex_t mutex; /* guards waiting */
    struct asker *waiting;
};

struct reload_desk *reload_desk_new(void)
{
    struct reload_desk *desk = check_alloc(calloc(1, sizeof *desk));
    CHECK(pthread_mutex_init(&desk->mutex, NULL) == 0);
    desk->server = pthread_self();
    return desk;
}

static struct asker *take_askers(struct reload_desk *desk)
{
    pthread_mutex_lock(&desk->mutex);
    struct asker *askers = desk->waiting;
    desk->waiting = NULL;
    pthread_mutex_unlock(&desk->mutex);
    return askers;
}

static void answer(struct asker *askers, bool ok, struct span json)
{
    for (struct asker *next; askers; askers = next) {
        next = askers->next;
        askers->done(askers->ctx, ok, json);
        free(askers);
    }
}

void reload_desk_free(struct reload_desk *desk)
{
    if (!desk)
        return;
    answer(take_askers(desk), false,
           span_of("{\"ok\":false,\"summary\":\"the gateway is stopping\",\"faults\":[]}"));
    pthread_mutex_destroy(&desk->mutex);
    free(desk);
}

void reload_ask(struct reload_desk *desk, reload_done_fn done, void *ctx)
{
    struct asker *asker = check_alloc(malloc(sizeof *asker));
    pthread_mutex_lock(&desk->mutex);
    *asker = (struct asker){desk->waiting, done, ctx};
    desk->waiting = asker;
    pthread_mutex_unlock(&desk->mutex);
    CHECK(pthread_kill(desk->server, SIGHUP) == 0);
}

/* ---- what is different ---- */

struct summary {
    struct buf text;
    size_t left_out; /* changes that found no room */
};

static void add_change(void *ctx, const struct config_change *change)
{
    static const char signs[] = {'+', '-', '~'};
    struct summary *summary = ctx;
    struct buf line = BUF_INIT(4096);
    buf_printf(&line, "%c %s%s%s", signs[change->kind], change->what, change->name[0] ? " " : "",
               change->name);
    if (change->before)
        buf_printf(&line, ": %s -> %s", change->before, change->after);
    if (summary->text.len + line.len + 2 <= RELOAD_SUMMARY_BYTES) {
        buf_add_str(&summary->text, summary->text.len > 0 ? "; " : "");
        buf_add(&summary->text, buf_span(&line));
    } else {
        summary->left_out++;
    }
    buf_fini(&line);
}

static void summarise(const struct config *from, const struct config *to, struct buf *out)
{
    struct summary summary = {.text = BUF_INIT(RELOAD_SUMMARY_BYTES)};
    config_changes(from, to, add_change, &summary);
    buf_add(out, buf_span(&summary.text));
    if (summary.left_out > 0)
        buf_printf(out, "; and %zu more", summary.left_out);
    else if (summary.text.len == 0)
        buf_add_str(out, "nothing is different");
    buf_fini(&summary.text);
}

/* ---- taking a configuration into use ---- */

/* What is made before the point of no return. */
struct preparation {
    const struct config *config;
    struct subscriptions subscriptions;
    struct push *push; /* a new one; NULL: none, or the old one goes on */
    uint64_t broker_fingerprint;
    bool account_changed;
};

static bool push_moves(const struct gateway *g, const struct config *next)
{
    return strcmp(g->config->push.listen, next->push.listen) != 0;
}

static bool prepare_push(struct gateway *g, struct preparation *p, struct err *err)
{
    if (!push_moves(g, p->config) || p->config->push.listen[0] == '\0')
        return true;
    const struct push_options options = {.config = p->config, .downlink = g->downlink};
    p->push = push_new(&options, err);
    return p->push != NULL;
}

struct account_errand {
    struct gateway *gateway;
    struct preparation *preparation;
    struct err *err;
    bool ok;
};

static void change_account(void *ctx)
{
    struct account_errand *errand = ctx;
    struct preparation *p = errand->preparation;
    errand->ok =
        account_configure(p->config, errand->gateway->client, &p->account_changed, errand->err);
}

static bool prepare_account(struct gateway *g, struct preparation *p, struct err *err)
{
    struct account_errand errand = {g, p, err, false};
    pump_call(g->pump, change_account, &errand);
    return errand.ok;
}

/* All that can fail, the account last: once it is changed, nothing does. */
static bool prepare(struct gateway *g, struct preparation *p, struct err *err)
{
    const struct mqtt_link_options options = broker_options(g->broker, p->config);
    if (!mqtt_link_check(&options, err) ||
        !broker_fingerprint(p->config, &p->broker_fingerprint, err) ||
        !subscriptions_init(&p->subscriptions, p->config, &g->subscriptions, g->spool, err))
        return false;
    if (prepare_push(g, p, err) && prepare_account(g, p, err))
        return true;
    push_free(p->push);
    subscriptions_fini(&p->subscriptions);
    return false;
}

struct rules_errand {
    struct gateway *gateway;
    const struct preparation *preparation;
};

static void change_rules(void *ctx)
{
    const struct rules_errand *errand = ctx;
    struct gateway *g = errand->gateway;
    const struct config *from = g->config, *to = errand->preparation->config;
    downlink_reload(g->downlink, to);
    if (errand->preparation->account_changed || from->cmq.connections != to->cmq.connections ||
        from->cmq.rate != to->cmq.rate) {
        const struct lanes_options options = {.connections = to->cmq.connections,
                                              .rate = to->cmq.rate};
        lanes_reconfigure(g->lanes, &options);
    }
}

static void change_push(struct gateway *g, struct preparation *p)
{
    if (push_moves(g, p->config)) {
        push_free(g->push);
        g->push = p->push;
    } else if (g->push) {
        push_reload(g->push, p->config);
    }
}

static void change_subscriptions(struct gateway *g, struct preparation *p)
{
    subscriptions_fini(&g->subscriptions);
    g->subscriptions = p->subscriptions;
    gateway_subscribe(g);
}

/* Leaves the broker when everything taken is acknowledged, and comes back with other settings. */
static void change_broker(struct gateway *g, struct preparation *p)
{
    broker_use(g->broker, p->config);
    if (p->broker_fingerprint == g->broker_fingerprint)
        return;
    g->broker_fingerprint = p->broker_fingerprint;
    const struct mqtt_link_options options = broker_options(g->broker, p->config);
    uplink_pause(g->uplink, RELOAD_PAUSE_MS);
    CHECK(mqtt_link_reconfigure(g->link, &options, NULL)); /* the options were checked */
}

/* False and err when it cannot be taken into use; then nothing has changed. */
static bool take_into_use(struct gateway *g, const struct config *next, struct err *err)
{
    struct preparation p = {.config = next};
    if (!prepare(g, &p, err))
        return false;
    log_setup(next->log.level, next->log.format);
    uplink_reload(g->uplink, next, p.subscriptions.regrouped);
    pump_call(g->pump, change_rules, &(struct rules_errand){g, &p});
    change_push(g, &p);
    change_subscriptions(g, &p);
    change_broker(g, &p);
    if (g->admin)
        admin_use(g->admin, next);
    config_free(g->config);
    g->config = config_hold(next);
    return true;
}

/* ---- the way, and the report ---- */

/* The configuration in the file, or NULL and its faults. */
static const struct config *load(struct gateway *g, struct faults *faults)
{
    const struct config *next = config_load(g->config->path, faults);
    if (!next)
        return NULL;
    config_check_fixed(g->config, next, faults);
    if (faults->errors == 0)
        return next;
    config_free(next);
    return NULL;
}

static void log_faults(const struct faults *faults)
{
    for (size_t i = 0; i < faults->count && i < RELOAD_LOGGED_FAULTS; i++) {
        const struct fault *fault = &faults->list[i];
        bool error = fault->level == FAULT_ERROR;
        log_write(error ? LOG_ERROR : LOG_WARN, "reload.fault",
                  LOG_FIELDS(LOG_STR("file", fault->file), LOG_NUM("line", fault->line)), "%s",
                  fault->text);
    }
    if (faults->count > RELOAD_LOGGED_FAULTS)
        log_write(LOG_ERROR, "reload.fault",
                  LOG_FIELDS(LOG_NUM("more", faults->count - RELOAD_LOGGED_FAULTS)),
                  "there are more faults: cmqgw check shows them all");
}

static void report(struct gateway *g, struct asker *askers, bool ok, struct buf *summary,
                   const struct faults *faults)
{
    struct buf list = BUF_INIT(RELOAD_FAULTS_BYTES), json = BUF_INIT(2 * RELOAD_FAULTS_BYTES);
    if (faults->count > 0)
        faults_print(faults, true, &list);
    if (list.overflow)
        buf_clear(&list);
    log_write(ok ? LOG_INFO : LOG_ERROR, ok ? "reload.done" : "reload.failed", NULL, "%s",
              buf_str(summary));
    health_reload(g->health, ok, buf_str(summary), buf_str(&list));
    buf_printf(&json, "{\"ok\":%s,\"summary\":", ok ? "true" : "false");
    json_string(&json, buf_span(summary));
    buf_add_str(&json, ",\"faults\":");
    buf_add_str(&json, list.len > 0 ? buf_str(&list) : "[]");
    buf_add_char(&json, '}');
    answer(askers, ok, buf_span(&json));
    buf_fini(&json);
    buf_fini(&list);
}

void gateway_reload(struct gateway *g)
{
    struct asker *askers = take_askers(g->desk);
    struct faults faults = {0};
    struct buf summary = BUF_INIT(2 * RELOAD_SUMMARY_BYTES);
    struct err err;
    const struct config *next = load(g, &faults);
    bool ok = next != NULL;
    if (ok) {
        summarise(g->config, next, &summary);
        ok = take_into_use(g, next, &err);
        if (!ok) {
            buf_clear(&summary);
            buf_printf(&summary, "%s; everything stays as it was", err.text);
        }
    } else {
        buf_printf(&summary, "the configuration has %zu error%s; everything stays as it was",
                   faults.errors, faults.errors == 1 ? "" : "s");
    }
    log_faults(&faults);
    report(g, askers, ok, &summary, &faults);
    config_free(next);
    faults_fini(&faults);
    buf_fini(&summary);
}
