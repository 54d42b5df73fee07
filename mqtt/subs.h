/*
 * subs - which subscriptions the broker should hold, and what is still to be done about that
 *
 * Bookkeeping only: who calls it talks to the broker. The caller serialises calls.
 *
 *            subs_set            subs_next             subs_answered
 *   (new) ───────────► NEEDED ───────────► ASKED ───────────► HELD, or REFUSED until told
 *                         ▲    subs_connected: asked in vain    │
 *                         └─────────────────────────────────────┘
 * An entry that is not wanted any more goes the same way with an UNSUBSCRIBE, and then disappears;
 * that begins only when every SUBSCRIBE is answered, so that no message falls between old and new,
 * and when the caller allows it. Until then it is still held, and may be wanted again for nothing.
 */
#ifndef MQTT_SUBS_H
#define MQTT_SUBS_H

#include "mqtt/link.h"

struct sub;

struct subs {
    struct sub *by_filter; /* uthash */
    uint64_t revision;     /* tells the answer to a question from the answer to an earlier one */
};

/* Something to ask of the broker. filter lives until the next call to any function here. */
struct subs_request {
    const char *filter;
    uint64_t revision;
    bool unsubscribe;
    int qos;
    uint32_t id;
    bool retained_copies;
};

void subs_init(struct subs *subs);
void subs_fini(struct subs *subs);

/*
 * The set is now these; stale ones and those of the set before that are not in it must go. They are
 * asked for in the order of their identifiers, so that a lower one is an older subscription.
 */
void subs_set(struct subs *subs, const struct mqtt_subscription *list, size_t count,
              const char *const *stale, size_t stale_count);

enum subs_memory {
    SUBS_LOST,    /* a new session: the broker holds nothing */
    SUBS_UNSURE,  /* a session of which this process has confirmed nothing */
    SUBS_TRUSTED, /* the session in which this process was answered before */
};

/* A connection was made: what was asked but not answered, or refused, is to be asked again. */
void subs_connected(struct subs *subs, enum subs_memory memory);

/*
 * The next thing to ask, which now counts as asked. False when there is none at the moment. drop:
 * subscriptions that are not wanted may go now.
 */
bool subs_next(struct subs *subs, bool drop, struct subs_request *request);

/* Whether some subscription has still to go. */
bool subs_has_unwanted(const struct subs *subs);

/* Whether everything was asked and answered, and what is not wanted is gone. */
bool subs_settled(const struct subs *subs);

/* The answer to a request: refusal is NULL when the broker agreed. */
void subs_answered(struct subs *subs, const char *filter, uint64_t revision, const char *refusal);

/* The request could not be put to the broker: it is to be asked again. */
void subs_unasked(struct subs *subs, const char *filter, uint64_t revision);

/* Gives a refusal that was not told yet; both texts are the caller's to free. False when none. */
bool subs_take_refusal(struct subs *subs, char **filter, char **why);

#endif
