/*
 * link - see link.h.
 *
 * A link is a small state machine that its own thread turns; everybody else only leaves word under
 * the lock and wakes it. Paho's callbacks (the events of session.h) do no more than that, so the
 * lock may be taken there; the thread lets go of it before it calls Paho or the owner.
 *
 *          session_connect         up        leave, stop           answered
 *     DOWN ───────────────► TRYING ────► UP ───────────────► PARTING ────────► CLOSING
 *      ▲                      │           │                     │                 │
 *      └──────────────────────┴───────────┴─────────────────────┴─────────────────┘  down
 */
#include "mqtt/link.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "mqtt/ack.h"
#include "mqtt/options.h"
#include "mqtt/probe.h"
#include "mqtt/session.h"
#include "mqtt/subs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_WAIT_MS = 200,
    LONGEST_WAIT_MS = 30000,
    STABLE_MS = 10000,  /* a connection that lasted so long was a good one */
    ASKED_AT_ONCE = 64, /* SUBSCRIBEs and UNSUBSCRIBEs under way */
    BUSY_WAIT_MS = 5,   /* until a busy socket is tried again */
    PROBE_MS = 1000,    /* for finding out why a connection failed */
    GOODBYE_MS = 2000,  /* for Paho to send the DISCONNECT */
    FOREVER = -1,
};

enum phase { PHASE_DOWN, PHASE_TRYING, PHASE_UP, PHASE_PARTING, PHASE_CLOSING };

/* A filter that nobody holds: see part. */
static const char farewell[] = "cmqgw/farewell";

struct mqtt_link {
    struct mqtt_link_options *options;
    struct mqtt_link_callbacks callbacks;
    struct session *session;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum phase phase;
    bool stopping;
    int64_t stop_by_ms;
    bool away; /* mqtt_link_leave, not yet mqtt_link_return */
    bool drop; /* the present connection must end */
    struct err away_why;
    bool told_away;
    bool told_up;
    bool told_down; /* nothing to tell of the last connection */
    struct session_facts facts;
    struct err down_why;
    bool down_unreachable;
    bool hopeless;  /* publishes that can never go: to be told */
    bool acks_wait; /* released acknowledgements found the socket busy */
    struct subs subs;
    unsigned asked;       /* requests under way on this connection */
    uint64_t asked_since; /* revisions above this are this connection's */
    uint64_t parting;     /* the revision of the last request of this connection */
    int64_t part_by_ms;
    int64_t next_try_ms;

    /* The thread's own. */
    size_t server;
    struct backoff backoff;
    int64_t last_wait_ms;
    int64_t up_since_ms;
    bool disconnecting;
};

/* ---- Word from Paho's threads */

static void on_up(void *ctx, const struct session_facts *facts)
{
    struct mqtt_link *link = ctx;
    pthread_mutex_lock(&link->lock);
    link->phase = PHASE_UP;
    link->facts = *facts;
    link->told_up = false;
    link->told_down = false;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

static void on_down(void *ctx, const char *why, bool unreachable)
{
    struct mqtt_link *link = ctx;
    pthread_mutex_lock(&link->lock);
    if (link->phase >= PHASE_PARTING && !link->stopping)
        link->down_why = link->away_why;
    else
        err_set(&link->down_why, "%s", why);
    link->down_unreachable = unreachable;
    link->phase = PHASE_DOWN;
    link->told_down = false;
    link->drop = false;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

static void on_message(void *ctx, const struct mqtt_message *message, uint64_t ticket)
{
    struct mqtt_link *link = ctx;
    link->callbacks.message(link->callbacks.ctx, message, ticket);
}

static void on_answered(void *ctx, const char *filter, uint64_t revision, const char *refusal)
{
    struct mqtt_link *link = ctx;
    pthread_mutex_lock(&link->lock);
    if (link->phase == PHASE_PARTING && revision == link->parting) {
        link->phase = PHASE_CLOSING;
        pthread_cond_broadcast(&link->changed);
    } else if (revision > link->asked_since) {
        link->asked--;
        if (refusal && !refusal[0])
            subs_unasked(&link->subs, filter, revision);
        else
            subs_answered(&link->subs, filter, revision, refusal);
        pthread_cond_broadcast(&link->changed);
    }
    pthread_mutex_unlock(&link->lock);
}

static void on_owed(void *ctx)
{
    struct mqtt_link *link = ctx;
    pthread_mutex_lock(&link->lock);
    link->acks_wait = true;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

/* ---- The thread. Each step is called with the lock held and returns with it held. */

static void wait_locked(struct mqtt_link *link, int64_t until_ms)
{
    if (until_ms == FOREVER) {
        pthread_cond_wait(&link->changed, &link->lock);
        return;
    }
    int64_t left = until_ms - clock_mono_ms();
    if (left <= 0)
        return;
    struct timespec deadline = clock_deadline(left);
    pthread_cond_timedwait(&link->changed, &link->lock, &deadline);
}

/* Tells the owner, without the lock. */
static void tell(struct mqtt_link *link, enum mqtt_link_state state, bool session_present,
                 const char *why)
{
    pthread_mutex_unlock(&link->lock);
    link->callbacks.state(link->callbacks.ctx, state, session_present, why);
    pthread_mutex_lock(&link->lock);
}

/* Decides when to try next, and where; returns the wait. */
static int64_t plan_next_try(struct mqtt_link *link)
{
    int64_t now = clock_mono_ms();
    int64_t wait = 0;
    if (link->up_since_ms) {
        int64_t lasted = now - link->up_since_ms;
        if (lasted >= STABLE_MS && lasted >= link->last_wait_ms)
            backoff_reset(&link->backoff);
        link->up_since_ms = 0;
        link->server = 0;
        wait = backoff_next(&link->backoff);
    } else if (++link->server == link->options->server_count) {
        link->server = 0;
        wait = backoff_next(&link->backoff);
    }
    if (wait)
        link->last_wait_ms = wait;
    link->next_try_ms = now + wait;
    return wait;
}

/* The last connection, or attempt, has ended: tells so. */
static void tell_down(struct mqtt_link *link)
{
    const char *uri = link->options->servers[link->server];
    struct err why = link->down_why;
    bool unreachable = link->down_unreachable;
    link->told_down = true;
    if (link->stopping || link->away) {
        backoff_reset(&link->backoff);
        link->up_since_ms = 0;
        link->server = 0;
        return;
    }
    int64_t wait = plan_next_try(link);
    if (unreachable) {
        pthread_mutex_unlock(&link->lock);
        struct err cause;
        bool known = probe_unreachable(uri, PROBE_MS, &cause);
        if (!known && options_tls(link->options))
            err_set(&cause, "the TLS handshake failed: check that the broker's certificate has the "
                            "name in mqtt.servers, and mqtt.tls.cert if the broker wants one");
        else if (!known)
            err_set(&cause, "the connection was broken off");
        struct err base = why;
        err_set(&why, "%.250s: %.200s", base.text, cause.text);
        pthread_mutex_lock(&link->lock);
    }
    struct err line;
    if (wait)
        err_set(&line, "%.400s; trying again in %.1f s", why.text, (double)wait / 1000);
    else
        err_set(&line, "%.400s; trying the next server", why.text);
    tell(link, MQTT_LINK_CONNECTING, false, line.text);
}

static void step_down(struct mqtt_link *link)
{
    if (!link->told_down) {
        tell_down(link);
    } else if (link->away) {
        if (!link->told_away) {
            link->told_away = true;
            struct err why = link->away_why;
            tell(link, MQTT_LINK_AWAY, false, why.text);
        } else {
            wait_locked(link, FOREVER);
        }
    } else if (clock_mono_ms() < link->next_try_ms) {
        wait_locked(link, link->next_try_ms);
    } else {
        struct err err;
        link->phase = PHASE_TRYING;
        link->disconnecting = false;
        session_ignore(link->session, false);
        pthread_mutex_unlock(&link->lock);
        bool begun = session_connect(link->session, link->server, &err);
        pthread_mutex_lock(&link->lock);
        if (!begun) {
            link->phase = PHASE_DOWN;
            link->down_why = err;
            link->down_unreachable = false;
            link->told_down = false;
            link->drop = false;
        }
    }
}

static void tell_up(struct mqtt_link *link)
{
    const struct session_facts facts = link->facts;
    const char *uri = link->options->servers[link->server];
    link->told_up = true;
    link->up_since_ms = clock_mono_ms();
    link->asked = 0;
    link->asked_since = link->subs.revision;
    subs_connected(&link->subs, facts.memory);
    if (!facts.identifiers)
        log_write(LOG_WARN, "mqtt.broker", LOG_FIELDS(LOG_STR("server", uri)),
                  "the broker takes no subscription identifiers: each message is matched against "
                  "every rule, and overlapping filters bring it more than once");
    if (facts.expiry_s >= 0 && facts.expiry_s < link->options->session_expiry_s)
        log_write(LOG_WARN, "mqtt.broker",
                  LOG_FIELDS(LOG_STR("server", uri),
                             LOG_NUM("asked_s", link->options->session_expiry_s),
                             LOG_NUM("granted_s", facts.expiry_s)),
                  "the broker keeps the session for less than mqtt.session_expiry: messages are "
                  "lost when the gateway is away for longer");
    struct err why;
    bool present = facts.memory != SUBS_LOST;
    err_set(&why, "connected to %s, %s", uri,
            present ? "the broker kept our session" : "a new session");
    tell(link, MQTT_LINK_CONNECTED, present, why.text);
}

/* What need not be asked, because the broker said that it cannot; NULL: ask. */
static const char *hopeless(const struct session_facts *facts, const struct subs_request *request)
{
    if (request->unsubscribe)
        return NULL;
    if (!facts->shared && strncmp(request->filter, "$share/", 7) == 0)
        return "the broker does not support shared subscriptions: leave mqtt.shared_group empty";
    if (!facts->wildcards && strpbrk(request->filter, "+#"))
        return "the broker does not support wildcard subscriptions: use filters without + and #";
    return NULL;
}

static void ask(struct mqtt_link *link, struct subs_request *request)
{
    const char *impossible = hopeless(&link->facts, request);
    if (impossible) {
        subs_answered(&link->subs, request->filter, request->revision, impossible);
        return;
    }
    if (!link->facts.identifiers)
        request->id = 0;
    if (!link->options->v5 && request->qos == 2 && !mqtt_link_withholds()) {
        request->qos = 1;
        log_write(LOG_INFO, "mqtt.qos", LOG_FIELDS(LOG_STR("filter", request->filter)),
                  "subscribed at QoS 1 instead of 2: under MQTT 3.1.1 this Paho would answer for "
                  "messages that are not stored yet");
    }
    char *filter = check_alloc(strdup(request->filter));
    request->filter = filter;
    link->asked++;
    pthread_mutex_unlock(&link->lock);
    struct err err;
    bool taken = session_request(link->session, request, &err);
    pthread_mutex_lock(&link->lock);
    if (!taken) {
        link->asked--;
        subs_answered(&link->subs, filter, request->revision, err.text);
    }
    free(filter);
}

static bool tell_refusal(struct mqtt_link *link)
{
    char *filter;
    char *why;
    if (!subs_take_refusal(&link->subs, &filter, &why))
        return false;
    pthread_mutex_unlock(&link->lock);
    if (link->callbacks.refused)
        link->callbacks.refused(link->callbacks.ctx, filter, why);
    free(filter);
    free(why);
    pthread_mutex_lock(&link->lock);
    return true;
}

static void flush(struct mqtt_link *link)
{
    link->acks_wait = false;
    pthread_mutex_unlock(&link->lock);
    bool done = session_flush(link->session);
    pthread_mutex_lock(&link->lock);
    link->acks_wait |= !done;
}

/*
 * Begins to leave. Closing a socket that still has messages to be read resets the connection, and
 * the broker may then throw away the acknowledgements it has not read yet. So a last request goes
 * behind them, and only its answer, or the deadline, lets the connection be closed.
 */
static void part(struct mqtt_link *link)
{
    link->parting = ++link->subs.revision;
    link->part_by_ms = link->stopping ? link->stop_by_ms : clock_mono_ms() + GOODBYE_MS;
    link->phase = PHASE_PARTING;
    const struct subs_request request = {
        .filter = farewell, .revision = link->parting, .unsubscribe = true};
    pthread_mutex_unlock(&link->lock);
    bool taken = session_request(link->session, &request, NULL);
    pthread_mutex_lock(&link->lock);
    if (!taken)
        link->part_by_ms = 0;
}

static void step_parting(struct mqtt_link *link)
{
    if (clock_mono_ms() < link->part_by_ms)
        wait_locked(link, link->part_by_ms);
    else
        link->phase = PHASE_CLOSING;
}

static void step_closing(struct mqtt_link *link)
{
    if (!link->disconnecting) {
        link->disconnecting = true;
        pthread_mutex_unlock(&link->lock);
        session_disconnect(link->session);
        pthread_mutex_lock(&link->lock);
    } else {
        wait_locked(link, link->stopping ? link->stop_by_ms + GOODBYE_MS : FOREVER);
    }
}

static void step_up(struct mqtt_link *link)
{
    struct subs_request request;
    if (!link->told_up && !link->drop) {
        tell_up(link);
    } else if (link->acks_wait && !link->drop) {
        flush(link);
        if (link->acks_wait)
            wait_locked(link, clock_mono_ms() + BUSY_WAIT_MS);
        if (link->stopping && clock_mono_ms() >= link->stop_by_ms)
            link->acks_wait = false;
    } else if (link->stopping || link->drop) {
        part(link);
    } else if (tell_refusal(link)) {
        return;
    } else if (link->asked < ASKED_AT_ONCE && subs_next(&link->subs, &request)) {
        ask(link, &request);
    } else {
        wait_locked(link, FOREVER);
    }
}

/* Whether stopping is complete, as far as it can be. */
static bool stopped(const struct mqtt_link *link)
{
    if (!link->stopping)
        return false;
    if (link->phase == PHASE_CLOSING)
        return clock_mono_ms() >= link->stop_by_ms + GOODBYE_MS;
    return link->phase == PHASE_DOWN || link->phase == PHASE_TRYING;
}

static void tell_hopeless(struct mqtt_link *link)
{
    if (!link->hopeless)
        return;
    link->hopeless = false;
    pthread_mutex_unlock(&link->lock);
    session_publish_tell_hopeless(link->session);
    pthread_mutex_lock(&link->lock);
}

static void *run(void *ctx)
{
    struct mqtt_link *link = ctx;
    pthread_setname_np(pthread_self(), "mqtt-link");
    pthread_mutex_lock(&link->lock);
    while (!stopped(link)) {
        tell_hopeless(link);
        switch (link->phase) {
        case PHASE_DOWN:
            step_down(link);
            break;
        case PHASE_UP:
            step_up(link);
            break;
        case PHASE_TRYING:
            wait_locked(link, FOREVER);
            break;
        case PHASE_PARTING:
            step_parting(link);
            break;
        case PHASE_CLOSING:
            step_closing(link);
            break;
        }
    }
    pthread_mutex_unlock(&link->lock);
    session_publish_end(link->session);
    return NULL;
}

/* ---- What the owner calls */

struct mqtt_link *mqtt_link_new(const struct mqtt_link_options *options,
                                const struct mqtt_link_callbacks *callbacks, struct err *err)
{
    struct mqtt_link_options *copy = options_copy(options, err);
    if (!copy)
        return NULL;
    struct mqtt_link *link = check_alloc(calloc(1, sizeof(*link)));
    link->options = copy;
    link->callbacks = *callbacks;
    pthread_mutex_init(&link->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&link->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    subs_init(&link->subs);
    link->told_down = true;
    link->backoff = (struct backoff){.first_ms = FIRST_WAIT_MS, .cap_ms = LONGEST_WAIT_MS};
    const struct session_events events = {
        .ctx = link,
        .up = on_up,
        .down = on_down,
        .message = on_message,
        .answered = on_answered,
        .owed = on_owed,
    };
    link->session = session_new(copy, &events, err);
    if (link->session)
        return link;
    mqtt_link_free(link);
    return NULL;
}

bool mqtt_link_start(struct mqtt_link *link, struct err *err)
{
    CHECK(!link->started);
    int rc = pthread_create(&link->thread, NULL, run, link);
    if (rc != 0)
        return err_set(err, "cannot start the MQTT thread: %s", strerror(rc));
    link->started = true;
    return true;
}

void mqtt_link_stop(struct mqtt_link *link, int64_t grace_ms)
{
    if (!link->started)
        return;
    session_ignore(link->session, true);
    pthread_mutex_lock(&link->lock);
    link->stopping = true;
    link->stop_by_ms = clock_mono_ms() + grace_ms;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    pthread_join(link->thread, NULL);
    link->started = false;
    session_silence(link->session);
}

void mqtt_link_free(struct mqtt_link *link)
{
    if (!link)
        return;
    CHECK(!link->started);
    session_free(link->session);
    subs_fini(&link->subs);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->lock);
    options_free(link->options);
    free(link);
}

void mqtt_link_subscribe(struct mqtt_link *link, const struct mqtt_subscription *subs, size_t count,
                         const char *const *stale, size_t stale_count)
{
    pthread_mutex_lock(&link->lock);
    subs_set(&link->subs, subs, count, stale, stale_count);
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

void mqtt_link_release(struct mqtt_link *link, uint64_t ticket)
{
    if (!session_release(link->session, ticket))
        on_owed(link);
}

bool mqtt_link_publish(struct mqtt_link *link, const struct mqtt_message *message,
                       mqtt_published_fn done, void *ctx)
{
    enum publish_taken taken = session_publish(link->session, message, done, ctx);
    if (taken == PUBLISH_HOPELESS) {
        pthread_mutex_lock(&link->lock);
        link->hopeless = true;
        pthread_cond_broadcast(&link->changed);
        pthread_mutex_unlock(&link->lock);
    }
    return taken != PUBLISH_NOT_TAKEN;
}

unsigned mqtt_link_publish_room(struct mqtt_link *link)
{
    return session_publish_room(link->session);
}

void mqtt_link_leave(struct mqtt_link *link, const char *why)
{
    session_ignore(link->session, true);
    session_forget(link->session);
    pthread_mutex_lock(&link->lock);
    link->away = true;
    link->told_away = false;
    link->drop = link->phase != PHASE_DOWN;
    err_set(&link->away_why, "left the broker: %s", why);
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

void mqtt_link_return(struct mqtt_link *link)
{
    pthread_mutex_lock(&link->lock);
    link->away = false;
    link->next_try_ms = 0;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
}

bool mqtt_link_withholds(void)
{
    return acks_withhold();
}
