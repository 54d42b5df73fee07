/*
 * owner - the owner of a link, as a test plays it
 *
 * Keeps what the callbacks said, and waits for it with a deadline that fails the test.
 */
#ifndef TESTS_OWNER_H
#define TESTS_OWNER_H

#include "base/clock.h"
#include "mqtt/link.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { OWNER_WAIT_MS = 20000, OWNER_KEEPS = 64, OWNER_TICKETS = 32768 };

struct seen_message {
    char topic[64];
    char payload[64];
    uint64_t ticket;
    int qos;
};

struct owner {
    struct mqtt_link *link;
    const char *servers[4];
    struct mqtt_link_options options;
    bool leave_on_message;
    void (*look)(const struct mqtt_message *message); /* called for each message; may be NULL */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t message_count; /* all; the last OWNER_KEEPS are kept */
    struct seen_message messages[OWNER_KEEPS];
    uint64_t tickets[OWNER_TICKETS];
    size_t state_count;
    enum mqtt_link_state states[OWNER_KEEPS];
    bool present[OWNER_KEEPS];
    char why[OWNER_KEEPS][512];
    size_t settled; /* the number of the set that settled last */
    size_t refusal_count;
    char refused[OWNER_KEEPS][64];
    char refusals[OWNER_KEEPS][512];
};

static inline void owner_copy(char *to, size_t room, struct span from)
{
    size_t len = from.len < room ? from.len : room - 1;
    memcpy(to, from.len ? from.ptr : "", len);
    to[len] = '\0';
}

static inline void owner_message(void *ctx, const struct mqtt_message *message, uint64_t ticket)
{
    struct owner *o = ctx;
    if (o->look)
        o->look(message);
    if (o->leave_on_message)
        mqtt_link_leave(o->link, "the spool is full");
    pthread_mutex_lock(&o->lock);
    o->tickets[o->message_count % OWNER_TICKETS] = ticket;
    struct seen_message *seen = &o->messages[o->message_count++ % OWNER_KEEPS];
    owner_copy(seen->topic, sizeof(seen->topic), message->topic);
    owner_copy(seen->payload, sizeof(seen->payload), message->payload);
    seen->ticket = ticket;
    seen->qos = message->qos;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static inline void owner_state(void *ctx, enum mqtt_link_state state, bool present, const char *why)
{
    struct owner *o = ctx;
    pthread_mutex_lock(&o->lock);
    size_t at = o->state_count++ % OWNER_KEEPS;
    o->states[at] = state;
    o->present[at] = present;
    owner_copy(o->why[at], sizeof(o->why[at]), span_of(why));
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static inline void owner_refused(void *ctx, const char *filter, const char *why)
{
    struct owner *o = ctx;
    pthread_mutex_lock(&o->lock);
    size_t at = o->refusal_count++ % OWNER_KEEPS;
    owner_copy(o->refused[at], sizeof(o->refused[at]), span_of(filter));
    owner_copy(o->refusals[at], sizeof(o->refusals[at]), span_of(why));
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static inline void owner_settled(void *ctx, uint64_t set)
{
    struct owner *o = ctx;
    pthread_mutex_lock(&o->lock);
    o->settled = set;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/* Waits until *count is at least enough. */
static inline void owner_wait(struct owner *o, const size_t *count, size_t enough)
{
    struct timespec deadline = clock_deadline(OWNER_WAIT_MS);
    pthread_mutex_lock(&o->lock);
    int rc = 0;
    while (*count < enough && rc == 0)
        rc = pthread_cond_timedwait(&o->changed, &o->lock, &deadline);
    bool reached = *count >= enough;
    pthread_mutex_unlock(&o->lock);
    assert_true(reached);
}

static inline void owner_wait_settled(struct owner *o, size_t set)
{
    owner_wait(o, &o->settled, set);
}

static inline void owner_wait_messages(struct owner *o, size_t count)
{
    owner_wait(o, &o->message_count, count);
}

/* The n-th message, counted from 0. */
static inline struct seen_message owner_saw(struct owner *o, size_t n)
{
    owner_wait_messages(o, n + 1);
    pthread_mutex_lock(&o->lock);
    struct seen_message seen = o->messages[n % OWNER_KEEPS];
    pthread_mutex_unlock(&o->lock);
    return seen;
}

/* Waits for the n-th word of the link's state, counted from 0, and returns what it said. */
static inline const char *owner_heard(struct owner *o, size_t n, enum mqtt_link_state state)
{
    owner_wait(o, &o->state_count, n + 1);
    assert_int_equal(o->states[n % OWNER_KEEPS], state);
    return o->why[n % OWNER_KEEPS];
}

static inline const char *owner_heard_refusal(struct owner *o, size_t n, const char *filter)
{
    owner_wait(o, &o->refusal_count, n + 1);
    assert_string_equal(o->refused[n], filter);
    return o->refusals[n];
}

/* An owner with the usual options for one server; change them before owner_start. */
static inline struct owner *owner_new(const char *uri, bool v5)
{
    struct owner *o = check_alloc(calloc(1, sizeof(*o)));
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    o->servers[0] = uri;
    o->options = (struct mqtt_link_options){
        .servers = o->servers,
        .server_count = 1,
        .client_id = "gateway-edge-1",
        .v5 = v5,
        .keep_alive_s = 30,
        .session_expiry_s = 86400,
        .connect_timeout_s = 10,
        .tls.verify = true,
    };
    return o;
}

static inline void owner_start(struct owner *o)
{
    const struct mqtt_link_callbacks callbacks = {
        .ctx = o,
        .message = owner_message,
        .state = owner_state,
        .refused = owner_refused,
        .settled = owner_settled,
    };
    struct err err = {.text = ""};
    o->link = mqtt_link_new(&o->options, &callbacks, &err);
    assert_string_equal(err.text, "");
    assert_non_null(o->link);
    assert_true(mqtt_link_start(o->link, &err));
}

static inline void owner_free(struct owner *o)
{
    if (o->link)
        mqtt_link_stop(o->link, 100);
    mqtt_link_free(o->link);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

static inline void owner_subscribe(struct owner *o, const char *filter, int qos, uint32_t id)
{
    const struct mqtt_subscription sub = {
        .filter = filter, .qos = qos, .id = id, .retained_copies = true};
    mqtt_link_subscribe(o->link, &sub, 1, NULL, 0);
}

#endif
