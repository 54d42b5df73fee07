/*
 * link - the gateway's session with the MQTT broker
 *
 * The only place that knows Paho. A link keeps one persistent session: it connects, tries several
 * servers in order, comes back by itself with a capped full-jitter backoff that resets only after
 * the connection has lasted, and makes the broker's subscriptions what mqtt_link_subscribe said.
 *
 * Received messages are acknowledged (PUBACK, PUBREC) only when the owner says that a store has
 * them: the message callback gets a ticket, and mqtt_link_release(ticket) lets go the
 * acknowledgements of that message and of all before it, in arrival order (MQTT 5.0 s. 4.6). An
 * acknowledgement of a connection that is gone is never sent; the broker sends that message again.
 *
 * QoS 2 works the same way under both versions of MQTT: the PUBREC waits for the release, and a
 * message whose PUBREC was let go is not handed over again by this process (see ack.h).
 *
 * Threads: `message` runs on Paho's receiving thread, `state` and `refused` on the link's own, each
 * one at a time; none may block on CMQ or on Paho. The link's thread connects, subscribes and
 * disconnects; it sleeps when there is nothing to do.
 */
#ifndef MQTT_LINK_H
#define MQTT_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "mqtt/message.h"

enum mqtt_link_state {
    MQTT_LINK_CONNECTING, /* not connected; trying or waiting to try */
    MQTT_LINK_CONNECTED,  /* connected, every subscription made or on its way */
    MQTT_LINK_AWAY,       /* left on purpose: mqtt_link_leave */
};

/* Fills a credential just before each connection attempt, so that a changed file is read again. */
typedef bool (*mqtt_secret_fn)(void *ctx, struct buf *out, struct err *err);

struct mqtt_link_options {      /* copied by mqtt_link_new; strings may be NULL or "" for none */
    const char *const *servers; /* "tcp://host:port" or "ssl://host:port", tried in order */
    size_t server_count;
    const char *client_id;
    bool v5; /* false: 3.1.1 */
    const char *username;
    mqtt_secret_fn password; /* NULL: none */
    void *password_ctx;
    int keep_alive_s;
    int64_t session_expiry_s; /* MQTT 5 only; 3.1.1 sessions last as long as the broker likes */
    int connect_timeout_s;
    unsigned receive_maximum; /* MQTT 5: unacknowledged messages the broker may send; 0: 1024 */
    struct {
        const char *ca; /* PEM file; empty: the system's */
        const char *cert;
        const char *key;
        mqtt_secret_fn key_password;
        void *key_password_ctx;
        bool verify; /* the chain and the host name */
    } tls;
};

/* A subscription the broker should hold. */
struct mqtt_subscription {
    const char *filter; /* as sent: "$share/GROUP/FILTER" for shared ones */
    int qos;
    uint32_t id;          /* 1 to 268435455: comes back in subscription_ids; unique in the set */
    bool retained_copies; /* false: never wants retained copies (MQTT 5 retain handling 2) */
};

struct mqtt_link_callbacks {
    void *ctx;
    /*
     * A message came. ticket is 0 when nothing is to be acknowledged (QoS 0); otherwise tickets
     * grow with arrival and the acknowledgement waits for mqtt_link_release. Runs under Paho's
     * process-wide mutex: plan, hand over, return.
     */
    void (*message)(void *ctx, const struct mqtt_message *message, uint64_t ticket);
    /*
     * The state changed; why is one line for people, with what to do about it. session_present
     * tells, for CONNECTED, whether the broker still had our session.
     */
    void (*state)(void *ctx, enum mqtt_link_state state, bool session_present, const char *why);
    /* The broker refused a subscription. The link stays connected. May be NULL. */
    void (*refused)(void *ctx, const char *filter, const char *why);
    /*
     * The broker has answered everything about the set of this number (mqtt_link_subscribe), and
     * what it should not hold any more is gone. Told again after a new connection. May be NULL.
     */
    void (*settled)(void *ctx, uint64_t set);
};

struct mqtt_link;

/* Whether the options can work: what mqtt_link_new and mqtt_link_reconfigure would refuse. Pure. */
MUST_CHECK bool mqtt_link_check(const struct mqtt_link_options *options, struct err *err);

/* Builds a link that does nothing yet. NULL and err when an option cannot work. */
struct mqtt_link *mqtt_link_new(const struct mqtt_link_options *options,
                                const struct mqtt_link_callbacks *callbacks, struct err *err);

/* Starts connecting; returns at once. False and err when the thread cannot be started. */
MUST_CHECK bool mqtt_link_start(struct mqtt_link *link, struct err *err);

/*
 * Disconnects with the session kept and joins the link's thread. Acknowledgements released before
 * the call are sent first, waiting at most grace_ms; publishes not answered by then are lost
 * (MQTT_PUBLISH_LOST). No callback runs after it returns.
 */
void mqtt_link_stop(struct mqtt_link *link, int64_t grace_ms);

/* Frees a link that was never started or is stopped. NULL is fine. */
void mqtt_link_free(struct mqtt_link *link);

/*
 * Makes subs the set of subscriptions: new and changed ones are subscribed first; when all are
 * answered and MQTT_LINK_OVERLAP_MS later, those in stale (filters that an earlier run may have
 * left in the session) and those of the earlier set that are gone are unsubscribed. In between a
 * message may come once for the old and once for the new one. Takes copies. Any thread, any time;
 * carried out now or at the next connection. Never blocks on the broker. Returns the set's number,
 * for `settled`.
 */
enum { MQTT_LINK_OVERLAP_MS = 3000 };
uint64_t mqtt_link_subscribe(struct mqtt_link *link, const struct mqtt_subscription *subs,
                             size_t count, const char *const *stale, size_t stale_count);

/*
 * Goes on with these options: leaves the broker as mqtt_link_stop does, acknowledgements released
 * before the call being sent first, and connects again. Between the two `state` tells that there is
 * no connection. client_id and v5 must be those of before. Publishes that are not answered go the
 * way of a lost connection. Any thread; returns at once.
 * False and err when an option cannot work; then nothing changes.
 */
MUST_CHECK bool mqtt_link_reconfigure(struct mqtt_link *link,
                                      const struct mqtt_link_options *options, struct err *err);

/* Lets go the acknowledgements up to and including ticket. Any thread but Paho's. */
void mqtt_link_release(struct mqtt_link *link, uint64_t ticket);

/*
 * Leaves the broker with the session kept, so that the broker queues; every acknowledgement still
 * withheld is forgotten. Any thread, Paho's callbacks included; returns at once. why is for the
 * log.
 */
void mqtt_link_leave(struct mqtt_link *link, const char *why);

/* Ends what mqtt_link_leave began: connects again. Any thread; returns at once. */
void mqtt_link_return(struct mqtt_link *link);

enum mqtt_publish_result {
    MQTT_PUBLISHED,       /* PUBACK at QoS 1, PUBCOMP at QoS 2, handed to the connection at QoS 0 */
    MQTT_PUBLISH_REFUSED, /* the broker said no, or the message is such that it would: it does not
                             have it */
    MQTT_PUBLISH_LOST,    /* the session ended without an answer: unknown */
};

/* why is one line for people when refused or lost, else NULL. It may not block; it may not call the
 * link. */
typedef void (*mqtt_published_fn)(void *ctx, enum mqtt_publish_result result, const char *why);

/*
 * Publishes a copy of message: topic, payload, qos, retain, and under MQTT 5 content type, response
 * topic, correlation data, expiry and user properties (3.1.1 has none of these: they are left out).
 * False when not connected, leaving, or the window is full: then nothing happens. Otherwise done is
 * called exactly once, on Paho's thread or the link's, never on the caller's. A publish that is not
 * answered when the connection is lost waits for the next one, where it is sent again if the broker
 * still has our session. Any thread but Paho's.
 */
MUST_CHECK bool mqtt_link_publish(struct mqtt_link *link, const struct mqtt_message *message,
                                  mqtt_published_fn done, void *ctx);

/* How many more publishes would be taken now; 0 when not connected. Any thread. */
unsigned mqtt_link_publish_room(struct mqtt_link *link);

/* Whether acknowledgements are withheld until release (true) or, for want of the needed symbols in
 * Paho's archive, sent by Paho when the message callback returns (false; said at start). */
bool mqtt_link_withholds(void);

#endif
