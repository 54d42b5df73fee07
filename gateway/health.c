/*
 * health - see health.h.
 *
 * The mutex guards everything but the atomics, which let the usual case, a good answer while there
 * is no trouble, pass without it.
 */
#include "gateway/health.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <uthash.h>

struct trouble {
    UT_hash_handle hh;
    char *name, *why;
    enum gate_health state;
    int code;
    int64_t since_ms;
};

struct health {
    pthread_mutex_t mutex;
    struct {
        enum mqtt_link_state state;
        int64_t since_ms;
        bool session_present;
        uint64_t connects;
        char why[HEALTH_WHY_BYTES];
        struct trouble *refused;
    } mqtt;
    struct {
        enum spool_state state;
        int64_t since_ms;
        char why[HEALTH_WHY_BYTES];
    } spool;
    struct {
        enum health_cmq state;
        int64_t since_ms;
        char why[HEALTH_WHY_BYTES]; /* of the last failure */
        struct trouble *troubles;
    } cmq;
    struct {
        uint64_t count, failed;
        int64_t last_ms;
        bool ok;
        char *summary, *faults;
    } reload;
    bool stopping;
    int64_t started_ms;

    atomic_bool answered; /* CMQ, ever */
    atomic_bool failed;   /* the last request */
    atomic_bool troubled; /* there are troubles */
    _Atomic int64_t success_ms;
};

static void keep_text(char out[HEALTH_WHY_BYTES], const char *text)
{
    (void)snprintf(out, HEALTH_WHY_BYTES, "%s", text ? text : "");
}

void health_explain(const struct cmq_reply *reply, struct buf *out)
{
    if (reply->http_status == 0)
        buf_add_str(out, reply->text);
    else if (reply->http_status != 200 || reply->code < 0)
        buf_printf(out, "HTTP %d: %s", reply->http_status, reply->text);
    else
        buf_printf(out, "CMQ says %d %s: %s", reply->code, reply->text,
                   cmq_advice(reply->code, reply->module));
}

/* ---- troubles, by name ---- */

static void trouble_free(struct trouble **list, struct trouble *trouble)
{
    /* The analyser does not know what uthash's list holds. */
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
    HASH_DEL(*list, trouble);
    free(trouble->name);
    free(trouble->why);
    free(trouble);
}

static void troubles_clear(struct trouble **list)
{
    struct trouble *trouble, *next;
    HASH_ITER(hh, *list, trouble, next)
    {
        trouble_free(list, trouble);
    }
}

static struct trouble *trouble_find(struct trouble *list, const char *name)
{
    struct trouble *trouble;
    HASH_FIND_STR(list, name, trouble);
    return trouble;
}

static void trouble_set(struct trouble **list, const char *name, const char *why,
                        enum gate_health state, int code)
{
    struct trouble *trouble = trouble_find(*list, name);
    if (!trouble) {
        trouble = check_alloc(calloc(1, sizeof *trouble));
        trouble->name = span_dup(span_of(name));
        trouble->since_ms = clock_unix_ms();
        HASH_ADD_KEYPTR(hh, *list, trouble->name, strlen(trouble->name), trouble);
    }
    free(trouble->why);
    trouble->why = span_dup(span_slice(span_of(why), 0, HEALTH_WHY_BYTES - 1));
    trouble->state = state;
    trouble->code = code;
}

/* Copies as many as a shot takes. Returns how many are left out. */
static size_t troubles_read(struct trouble *list, struct health_trouble **out, size_t *count)
{
    size_t all = HASH_COUNT(list);
    *out = check_alloc(calloc(HEALTH_MAX_TROUBLES, sizeof **out));
    *count = 0;
    for (const struct trouble *t = list; t && *count < HEALTH_MAX_TROUBLES; t = t->hh.next) {
        struct health_trouble *copy = &(*out)[(*count)++];
        (void)snprintf(copy->name, sizeof copy->name, "%s", t->name);
        keep_text(copy->why, t->why);
        copy->state = t->state;
        copy->code = t->code;
        copy->since_ms = t->since_ms;
    }
    return all - *count;
}

/* ---- telling ---- */

void health_link(struct health *health, enum mqtt_link_state state, bool session_present,
                 const char *why)
{
    pthread_mutex_lock(&health->mutex);
    if (state != health->mqtt.state)
        health->mqtt.since_ms = clock_unix_ms();
    health->mqtt.state = state;
    health->mqtt.connects += state == MQTT_LINK_CONNECTED;
    health->mqtt.session_present = state == MQTT_LINK_CONNECTED && session_present;
    keep_text(health->mqtt.why, why);
    if (state != MQTT_LINK_CONNECTED)
        troubles_clear(&health->mqtt.refused);
    pthread_mutex_unlock(&health->mutex);
}

void health_refused(struct health *health, const char *filter, const char *why)
{
    pthread_mutex_lock(&health->mutex);
    trouble_set(&health->mqtt.refused, filter, why, GATE_HOLDING, -1);
    pthread_mutex_unlock(&health->mutex);
}

void health_spool(struct health *health, enum spool_state state, const char *why)
{
    pthread_mutex_lock(&health->mutex);
    if (state != health->spool.state)
        health->spool.since_ms = clock_unix_ms();
    health->spool.state = state;
    keep_text(health->spool.why, why);
    pthread_mutex_unlock(&health->mutex);
}

/* What all requests and troubles together say of CMQ. */
static void judge_cmq_locked(struct health *health)
{
    enum health_cmq state = atomic_load(&health->answered) ? HEALTH_CMQ_OK : HEALTH_CMQ_UNTRIED;
    const struct trouble *worst = NULL;
    for (const struct trouble *t = health->cmq.troubles; t; t = t->hh.next) {
        if (!worst || (t->state == GATE_HOLDING && worst->state != GATE_HOLDING))
            worst = t;
    }
    if (worst && worst->state == GATE_HOLDING)
        state = HEALTH_CMQ_HELD;
    else if (worst && atomic_load(&health->failed))
        state = HEALTH_CMQ_FAILING;
    if (state != health->cmq.state)
        health->cmq.since_ms = clock_unix_ms();
    health->cmq.state = state;
    if (state == HEALTH_CMQ_HELD || state == HEALTH_CMQ_FAILING)
        (void)snprintf(health->cmq.why, sizeof health->cmq.why, "%s: %s", worst->name, worst->why);
    else
        health->cmq.why[0] = '\0';
    atomic_store(&health->troubled, worst != NULL);
}

void health_answer(struct health *health, const struct cmq_reply *reply)
{
    bool failed = reply->verdict == CMQ_RETRY || reply->verdict == CMQ_HOLD;
    if (!failed)
        atomic_store_explicit(&health->success_ms, clock_unix_ms(), memory_order_relaxed);
    if (failed == atomic_load(&health->failed) && atomic_load(&health->answered))
        return;
    pthread_mutex_lock(&health->mutex);
    atomic_store(&health->failed, failed);
    if (!failed)
        atomic_store(&health->answered, true);
    judge_cmq_locked(health);
    pthread_mutex_unlock(&health->mutex);
}

void health_destination(struct health *health, const char *destination, enum gate_health state,
                        const struct cmq_reply *reply)
{
    if (state == GATE_OPEN && !atomic_load(&health->troubled))
        return;
    struct buf why = BUF_INIT(HEALTH_WHY_BYTES * 2);
    if (reply)
        health_explain(reply, &why);
    pthread_mutex_lock(&health->mutex);
    struct trouble **list = &health->cmq.troubles;
    struct trouble *trouble = trouble_find(*list, destination);
    if (state != GATE_OPEN && reply)
        trouble_set(list, destination, buf_str(&why), state,
                    reply->http_status == 0 ? -1 : reply->code);
    else if (state == GATE_OPEN && trouble)
        trouble_free(list, trouble);
    judge_cmq_locked(health);
    pthread_mutex_unlock(&health->mutex);
    buf_fini(&why);
}

void health_stopping(struct health *health)
{
    pthread_mutex_lock(&health->mutex);
    health->stopping = true;
    pthread_mutex_unlock(&health->mutex);
}

void health_reload(struct health *health, bool ok, const char *summary, const char *faults)
{
    char *new_summary = span_dup(span_of(summary)), *new_faults = span_dup(span_of(faults));
    pthread_mutex_lock(&health->mutex);
    char *old_summary = health->reload.summary, *old_faults = health->reload.faults;
    health->reload.count++;
    health->reload.failed += !ok;
    health->reload.ok = ok;
    health->reload.last_ms = clock_unix_ms();
    health->reload.summary = new_summary;
    health->reload.faults = new_faults;
    pthread_mutex_unlock(&health->mutex);
    free(old_summary);
    free(old_faults);
}

/* ---- asking ---- */

static void add_reason(struct health_shot *shot, bool applies, const char *code, const char *text)
{
    if (!applies)
        return;
    struct health_reason *reason = &shot->reasons[shot->reason_count++];
    reason->code = code;
    keep_text(reason->text, text);
}

static void add_reasons(struct health_shot *shot, bool stopping)
{
    char refused[HEALTH_WHY_BYTES] = "";
    if (shot->mqtt.refused_count > 0)
        (void)snprintf(refused, sizeof refused, "%.200s: %.300s", shot->mqtt.refused[0].name,
                       shot->mqtt.refused[0].why);
    add_reason(shot, stopping, "stopping", "the gateway is ending");
    add_reason(shot, shot->mqtt.state != MQTT_LINK_CONNECTED, "mqtt_not_connected", shot->mqtt.why);
    add_reason(shot, shot->mqtt.refused_count > 0, "subscription_refused", refused);
    add_reason(shot, shot->cmq.state == HEALTH_CMQ_FAILING, "cmq_failing", shot->cmq.why);
    add_reason(shot, shot->cmq.state == HEALTH_CMQ_HELD, "cmq_held", shot->cmq.why);
    add_reason(shot, shot->spool.state == SPOOL_FULL, "spool_full", shot->spool.why);
    add_reason(shot, shot->spool.state == SPOOL_FAILED, "spool_failed", shot->spool.why);
}

void health_read(struct health *health, struct health_shot *shot)
{
    *shot = (struct health_shot){.started_ms = health->started_ms};
    pthread_mutex_lock(&health->mutex);
    shot->mqtt.state = health->mqtt.state;
    shot->mqtt.since_ms = health->mqtt.since_ms;
    shot->mqtt.session_present = health->mqtt.session_present;
    shot->mqtt.connects = health->mqtt.connects;
    keep_text(shot->mqtt.why, health->mqtt.why);
    shot->mqtt.refused_left_out =
        troubles_read(health->mqtt.refused, &shot->mqtt.refused, &shot->mqtt.refused_count);
    shot->spool.state = health->spool.state;
    shot->spool.since_ms = health->spool.since_ms;
    keep_text(shot->spool.why, health->spool.why);
    shot->cmq.state = health->cmq.state;
    shot->cmq.since_ms = health->cmq.since_ms;
    shot->cmq.success_ms = atomic_load_explicit(&health->success_ms, memory_order_relaxed);
    keep_text(shot->cmq.why, health->cmq.why);
    shot->cmq.left_out =
        troubles_read(health->cmq.troubles, &shot->cmq.troubles, &shot->cmq.trouble_count);
    shot->reload.count = health->reload.count;
    shot->reload.failed = health->reload.failed;
    shot->reload.last_ms = health->reload.last_ms;
    shot->reload.ok = health->reload.ok;
    if (health->reload.count > 0) {
        shot->reload.summary = span_dup(span_of(health->reload.summary));
        shot->reload.faults = span_dup(span_of(health->reload.faults));
    }
    bool stopping = health->stopping;
    pthread_mutex_unlock(&health->mutex);
    add_reasons(shot, stopping);
}

void health_shot_fini(struct health_shot *shot)
{
    free(shot->mqtt.refused);
    free(shot->cmq.troubles);
    free(shot->reload.summary);
    free(shot->reload.faults);
}

/* ---- life ---- */

struct health *health_new(void)
{
    struct health *health = check_alloc(calloc(1, sizeof *health));
    CHECK(pthread_mutex_init(&health->mutex, NULL) == 0);
    health->started_ms = clock_unix_ms();
    health->mqtt.state = MQTT_LINK_CONNECTING;
    health->mqtt.since_ms = health->spool.since_ms = health->cmq.since_ms = health->started_ms;
    keep_text(health->mqtt.why, "not connected yet");
    return health;
}

void health_free(struct health *health)
{
    if (!health)
        return;
    troubles_clear(&health->mqtt.refused);
    troubles_clear(&health->cmq.troubles);
    pthread_mutex_destroy(&health->mutex);
    free(health->reload.summary);
    free(health->reload.faults);
    free(health);
}
