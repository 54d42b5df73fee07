/*
 * downlink_impl - what downlink.c, inbound.c and deletes.c share; nobody else includes it
 *
 * All of it belongs to the pump's thread, but for the mailbox and the atomics.
 */
#ifndef GATEWAY_DOWNLINK_IMPL_H
#define GATEWAY_DOWNLINK_IMPL_H

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/downlink.h"
#include "mapping/reverse.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>
#include <utlist.h>

enum {
    DOWNLINK_MIN_TAKEN = 64,    /* messages taken and not yet noted, at most: at the beginning */
    DOWNLINK_MAX_TAKEN = 4096,  /* and however fast the broker is */
    DOWNLINK_MARGIN_MS = 1000,  /* not published when it becomes visible again sooner */
    DOWNLINK_REPEAT_MS = 60000, /* repeated failures are logged this often */
    DOWNLINK_TICK_MS = 1000,
    DOWNLINK_PUSH_MS = 14000,         /* CMQ waits 15 s for the answer to a push (CMQ.md 6) */
    DOWNLINK_SWEEP_MS = 600 * 1000,   /* how often what is too old is forgotten */
    DOWNLINK_FAILED_MS = 3600 * 1000, /* failures in a row are counted over this long */
};
/* The longest that CMQ may give a message again: 15 days in a queue (CMQ.md 4), a day of pushes. */
#define DOWNLINK_LIFE_MS (INT64_C(15) * 24 * 3600 * 1000)

enum inbound_state {
    INBOUND_WAITING,    /* taken, for room in the publish window */
    INBOUND_PUBLISHING, /* the broker has not answered yet */
    INBOUND_NOTING,     /* the broker has it, or it is parked; the note is not on disk yet */
    INBOUND_DELETING,   /* noted; its delete is queued or under way */
    INBOUND_DONE,       /* noted; not known to be deleted, and no handle that works */
    INBOUND_FAILED,     /* the broker refused it; it comes again when it is visible again */
};

/* What the mailbox says of one. */
enum inbound_mail { INBOUND_PUBLISHED, INBOUND_NOTED, INBOUND_NOT_NOTED };

/* A CMQ message on its way to MQTT, known by where it came from and its msgId. */
struct inbound {
    UT_hash_handle hh;
    struct inbound *prev, *next; /* in the source's waiting or deletes */
    struct source *source;
    char *key; /* "SOURCE MSGID"; also the text of its note */
    size_t key_len;
    enum inbound_state state;
    char *handle; /* the newest */
    int64_t next_visible_ms;
    int64_t since_ms; /* Unix: of the note, or of the last failure */
    struct span body; /* a copy, while WAITING or PUBLISHING */
    int failures;
    bool stored; /* its note is worth nothing without what is committed with it: it is parked */
    downlink_pushed_fn pushed; /* who waits for the answer to a push; NULL: nobody */
    void *pushed_ctx;

    struct inbound *mail_next; /* in the mailbox */
    enum inbound_mail mail;
    enum mqtt_publish_result result;
    char why[256];
};

/*
 * Where a reverse rule's messages come from: a queue that it reads, or pushes to its path. One that
 * no rule has any more is gone: nothing is taken from it, what is under way ends as it would, and
 * what was done is remembered, for the case that a rule has it again.
 */
struct source {
    struct source *prev, *next;
    struct downlink *downlink;
    const struct config *config; /* of the rule; held */
    const struct reverse_rule
        *rule; /* the last one's when gone; NULL: there was none in this run */
    bool gone;
    bool kept;               /* by the reload that is going on */
    char *name;              /* the queue, or "push/RULE": no name of a queue has a slash */
    struct poller **pollers; /* none for pushes */
    int poller_room; /* there are so many; those behind poller_count are not started again */
    int poller_count;
    struct inbound *waiting; /* in order of arrival */
    struct inbound *deletes;
    size_t delete_count;
    unsigned delete_requests;
    struct backoff delete_backoff;
    struct pump_timer delete_timer;
    bool delete_pausing;
    struct log_repeat trouble;
    struct figures *figures; /* the rule's */
};

struct poller {
    struct source *source;
    struct cmq_call *call; /* NULL: none under way */
    size_t batch;          /* what it may bring */
    int64_t started_ms;    /* Unix */
    struct backoff backoff;
    struct pump_timer timer;
    bool pausing;
};

struct downlink {
    struct downlink_options options;
    struct source *sources;
    struct inbound *known; /* by key */
    struct reverse_draft draft;
    struct jq_worker *jq;

    bool online, closed;
    size_t taken; /* WAITING, PUBLISHING and NOTING */
    size_t max_taken;
    size_t polling; /* messages that polls under way may bring */
    unsigned noted_in_tick;
    int64_t visibility_ms; /* as seen last */
    struct pump_timer tick, sweep;
    bool ticking;
    atomic_size_t busy;

    pthread_mutex_t mutex; /* guards the mailbox */
    struct inbound *mail, **mail_tail;
    bool posted;
    bool mail_online, mail_online_changed;
    struct log_repeat refused_trouble, parked_trouble, loop_trouble, jq_trouble;
};

/* inbound.c */
void inbound_take(struct source *source, const struct cmq_message *message);
void inbound_take_push(struct source *source, struct span msg_id, struct span body,
                       downlink_pushed_fn done, void *ctx);
void inbound_publish_waiting(struct source *source);
void inbound_published(struct inbound *in);
void inbound_noted(struct inbound *in, bool committed);
struct inbound *inbound_remember(struct source *source, struct span msg_id);
void inbound_free(struct inbound *in); /* a push that waits is answered: to be pushed again */

/* deletes.c */
void deletes_add(struct inbound *in);
void deletes_run(struct source *source);

/* sources.c */
void sources_keep(struct downlink *d, const struct config *config); /* those of its rules: kept */
void sources_drop(struct downlink *d); /* frees those that are gone and have nothing to remember */
void sources_free(struct downlink *d);
struct source *source_of_name(struct downlink *d, struct span name);   /* made when new, and gone */
struct source *source_of_pushes(struct downlink *d, const char *rule); /* NULL: it has none now */

/* downlink.c */
void downlink_run(struct downlink *downlink);
void downlink_mail(struct inbound *in, enum inbound_mail what);

#endif
