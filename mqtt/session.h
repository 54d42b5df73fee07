/*
 * session - one Paho client: its connections, subscriptions and messages
 *
 * Turns Paho's callbacks into a few events with plain meanings. Every event runs on one of Paho's
 * threads under Paho's process-wide mutex, so it may not wait for anything, and no function here
 * may be called with a lock held that an event takes. The functions are for the link's own thread
 * unless they say otherwise.
 *
 * At most one connection at a time: session_connect, then either `down` (it could not be made), or
 * `up`, messages, and in the end `down`. `down` comes exactly once for each session_connect that
 * returned true.
 */
#ifndef MQTT_SESSION_H
#define MQTT_SESSION_H

#include "mqtt/link.h"
#include "mqtt/publish.h"
#include "mqtt/subs.h"

/* What the broker said of a new connection. */
struct session_facts {
    enum subs_memory memory; /* what it still knows of us */
    bool identifiers;        /* it takes subscription identifiers */
    bool shared;             /* it takes shared subscriptions */
    bool wildcards;          /* it takes filters with + and # */
    int64_t expiry_s;        /* how long it will keep the session; -1: as asked */
};

struct session_events {
    void *ctx;
    void (*up)(void *ctx, const struct session_facts *facts);
    /* unreachable: the network or TLS failed, so that a probe may tell more than why does. */
    void (*down)(void *ctx, const char *why, bool unreachable);
    void (*message)(void *ctx, const struct mqtt_message *message, uint64_t ticket);
    /* The answer to a request, or that there will be none (refusal "" then); NULL: agreed. */
    void (*answered)(void *ctx, const char *filter, uint64_t revision, const char *refusal);
    /* An acknowledgement is owed that needs no release: session_flush. */
    void (*owed)(void *ctx);
};

struct session;

/* options must outlive the session. NULL and err when Paho refuses. */
struct session *session_new(const struct mqtt_link_options *options,
                            const struct session_events *events, struct err *err);

/* Ends the connection, if any, and frees. Waits for Paho's threads. NULL is fine. */
void session_free(struct session *session);

/*
 * Whoever gave the options has changed what they point to, while there is no connection.
 * same_servers: what a server knew of us is still true.
 */
void session_reconfigured(struct session *session, bool same_servers);

/* Begins to connect to options->servers[server]. False and err when that is not even begun. */
MUST_CHECK bool session_connect(struct session *session, size_t server, struct err *err);

/* Ends the connection, the session kept; `down` follows. Nothing when there is none. */
void session_disconnect(struct session *session);

/* Puts a request to the broker; `answered` follows. False and err when Paho does not take it. */
MUST_CHECK bool session_request(struct session *session, const struct subs_request *request,
                                struct err *err);

/* Whether messages are handed over or left to the broker, which sends them again on the next
 * connection; while they are left to it, none is published either. Any thread, Paho's included. */
void session_ignore(struct session *session, bool ignore);

/* For good: no event comes after this has returned, whatever Paho still does. */
void session_silence(struct session *session);

/* Publishing: see publish.h. */
MUST_CHECK enum publish_taken session_publish(struct session *session,
                                              const struct mqtt_message *message,
                                              mqtt_published_fn done, void *ctx);
unsigned session_publish_room(struct session *session);
void session_publish_tell_hopeless(struct session *session);
void session_publish_end(struct session *session);

/* Acknowledgements: see ack.h. Any thread but Paho's; session_forget any. */
MUST_CHECK bool session_release(struct session *session, uint64_t ticket);
MUST_CHECK bool session_flush(struct session *session);
void session_forget(struct session *session);

#endif
