/* link - see link.h: what the owner calls, and the word that Paho's threads leave (link_impl.h). */
#include "base/clock.h"
#include "mqtt/ack.h"
#include "mqtt/link_impl.h"
#include "mqtt/options.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_WAIT_MS = 200, LONGEST_WAIT_MS = 30000 };

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
    int rc = pthread_create(&link->thread, NULL, link_run, link);
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
    options_free(link->next);
    options_free(link->options);
    free(link);
}

uint64_t mqtt_link_subscribe(struct mqtt_link *link, const struct mqtt_subscription *subs,
                             size_t count, const char *const *stale, size_t stale_count)
{
    pthread_mutex_lock(&link->lock);
    subs_set(&link->subs, subs, count, stale, stale_count);
    uint64_t set = ++link->set;
    link->told_settled = false;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    return set;
}

bool mqtt_link_reconfigure(struct mqtt_link *link, const struct mqtt_link_options *options,
                           struct err *err)
{
    struct mqtt_link_options *copy = options_copy(options, err);
    if (!copy)
        return false;
    CHECK(copy->v5 == link->options->v5);
    session_ignore(link->session, true);
    pthread_mutex_lock(&link->lock);
    options_free(link->next);
    link->next = copy;
    link->next_try_ms = 0;
    if (!link->away)
        err_set(&link->away_why, "left the broker to connect with changed settings");
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->lock);
    return true;
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
