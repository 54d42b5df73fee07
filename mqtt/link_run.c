/* link_run - the thread of a link: what it does in each phase (link_impl.h). */
#include "base/clock.h"
#include "base/log.h"
#include "mqtt/link_impl.h"
#include "mqtt/options.h"
#include "mqtt/probe.h"

#include <stdlib.h>
#include <string.h>

enum {
    STABLE_MS = 10000,  /* a connection that lasted so long was a good one */
    ASKED_AT_ONCE = 64, /* SUBSCRIBEs and UNSUBSCRIBEs under way */
    BUSY_WAIT_MS = 5,   /* until a busy socket is tried again */
    PROBE_MS = 1000,    /* for finding out why a connection failed */
    GOODBYE_MS = 2000,  /* for Paho to send the DISCONNECT */
    FOREVER = -1,
};

/* A filter that nobody holds: see part. */
static const char farewell[] = "cmqgw/farewell";

/* Each step is called with the lock held and returns with it held. */

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
    if (link->stopping || link->away || link->next) {
        backoff_reset(&link->backoff);
        link->up_since_ms = 0;
        link->server = 0;
        return; /* the next step tells, if there is anything to tell */
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

static bool same_servers(const struct mqtt_link_options *a, const struct mqtt_link_options *b)
{
    bool same = a->server_count == b->server_count;
    for (size_t i = 0; same && i < a->server_count; i++)
        same = strcmp(a->servers[i], b->servers[i]) == 0;
    return same;
}

/* Between two connections: takes the options that mqtt_link_reconfigure left. The struct stays
 * where it is, because the session looks there. */
static void adopt_options(struct mqtt_link *link)
{
    struct mqtt_link_options *next = link->next, old = *link->options;
    bool same = same_servers(&old, next);
    *link->options = *next;
    *next = old;
    options_free(next);
    link->next = NULL;
    link->server = 0;
    link->next_try_ms = 0;
    backoff_reset(&link->backoff);
    session_reconfigured(link->session, same);
    tell(link, link->away ? MQTT_LINK_AWAY : MQTT_LINK_CONNECTING, false,
         "connecting with changed settings");
}

static void step_down(struct mqtt_link *link)
{
    if (!link->told_down) {
        tell_down(link);
    } else if (link->next) {
        adopt_options(link);
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
    link->told_settled = false;
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
    link->overlapping |= !request->unsubscribe;
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

static void tell_settled(struct mqtt_link *link)
{
    uint64_t set = link->set;
    link->told_settled = true;
    pthread_mutex_unlock(&link->lock);
    if (link->callbacks.settled)
        link->callbacks.settled(link->callbacks.ctx, set);
    pthread_mutex_lock(&link->lock);
}

/* Asks the broker for what is due, or waits until something is. */
static void bring_about_subscriptions(struct mqtt_link *link)
{
    struct subs_request request;
    int64_t now_ms = clock_mono_ms();
    if (link->overlapping && link->asked == 0) {
        link->overlapping = false;
        link->drop_at_ms = now_ms + MQTT_LINK_OVERLAP_MS;
    }
    bool drop = !link->overlapping && now_ms >= link->drop_at_ms;
    if (link->asked < ASKED_AT_ONCE && subs_next(&link->subs, drop, &request))
        ask(link, &request);
    else if (!link->told_settled && subs_settled(&link->subs))
        tell_settled(link);
    else if (!link->overlapping && !drop && subs_has_unwanted(&link->subs))
        wait_locked(link, link->drop_at_ms);
    else
        wait_locked(link, FOREVER);
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
    if (!link->told_up && !link->drop) {
        tell_up(link);
    } else if (link->acks_wait && !link->drop) {
        flush(link);
        if (link->acks_wait)
            wait_locked(link, clock_mono_ms() + BUSY_WAIT_MS);
        if (link->stopping && clock_mono_ms() >= link->stop_by_ms)
            link->acks_wait = false;
    } else if (link->stopping || link->drop || link->next) {
        part(link);
    } else if (!tell_refusal(link)) {
        bring_about_subscriptions(link);
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

void *link_run(void *ctx)
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
