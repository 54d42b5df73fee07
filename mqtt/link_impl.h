/*
 * link_impl - what link.c and link_run.c share; nobody else includes it
 *
 * A link is a small state machine that its own thread turns (link_run.c); everybody else only
 * leaves word under the lock and wakes it (link.c). Paho's callbacks (the events of session.h) do
 * no more than that, so the lock may be taken there; the thread lets go of it before it calls Paho
 * or the owner.
 *
 *          session_connect         up     leave, renew, stop        answered
 *     DOWN ───────────────► TRYING ────► UP ───────────────► PARTING ────────► CLOSING
 *      ▲                      │           │                     │                 │
 *      └──────────────────────┴───────────┴─────────────────────┴─────────────────┘  down
 */
#ifndef MQTT_LINK_IMPL_H
#define MQTT_LINK_IMPL_H

#include "base/backoff.h"
#include "mqtt/link.h"
#include "mqtt/session.h"
#include "mqtt/subs.h"

#include <pthread.h>

enum phase { PHASE_DOWN, PHASE_TRYING, PHASE_UP, PHASE_PARTING, PHASE_CLOSING };

struct mqtt_link {
    struct mqtt_link_options *options; /* the thread changes what is in it, between connections */
    struct mqtt_link_callbacks callbacks;
    struct session *session;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum phase phase;
    bool stopping;
    bool away; /* mqtt_link_leave, not yet mqtt_link_return */
    bool drop; /* the present connection must end */
    bool told_away;
    bool told_up;
    bool told_down; /* nothing to tell of the last connection */
    bool told_settled;
    bool down_unreachable;
    bool hopeless;    /* publishes that can never go: to be told */
    bool acks_wait;   /* released acknowledgements found the socket busy */
    bool overlapping; /* a SUBSCRIBE went out, and not everything is answered since */
    struct err away_why;
    struct err down_why;
    int64_t stop_by_ms;
    struct session_facts facts;
    struct mqtt_link_options *next; /* to go on with; NULL: none */
    struct subs subs;
    uint64_t set;         /* the number of what is in subs */
    int64_t drop_at_ms;   /* what is not wanted may go from then on, if not overlapping */
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

/* The thread's function; arg is the link. */
void *link_run(void *arg);

#endif
