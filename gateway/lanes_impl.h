/*
 * lanes_impl - what lanes.c, window.c, outlet.c and batch.c share; nobody else includes it
 *
 * All of it belongs to the pump's thread, but for the mailbox and the atomics of struct lanes.
 *
 * An outlet is one queue or topic of CMQ as a destination, with its door in the gate, its lanes,
 * and those of them that are ready to send, in turn. It is `parked` while it waits for a timer, for
 * one of its requests to end or for the spool; otherwise, with ready lanes, it is in the run list.
 * It is `shut` while its destination takes nothing for longer than a moment: then its lanes keep
 * nothing in memory but what the next try needs.
 */
#ifndef GATEWAY_LANES_IMPL_H
#define GATEWAY_LANES_IMPL_H

#include "base/clock.h"
#include "base/log.h"
#include "cmq/gate.h"
#include "gateway/health.h"
#include "gateway/lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>
#include <utlist.h>

enum {
    LANES_MEMORY = 16 << 20,     /* default for deliveries in memory, in all */
    LANE_MAX_QUEUED = 256,       /* deliveries in memory, a lane */
    LANE_MAX_BYTES = 2 << 20,    /* the same in bytes */
    LANE_LOW = 64,               /* read on when fewer are in memory */
    LANE_LOAD_COUNT = 128,       /* read at a time */
    LANE_LOAD_BYTES = 256 << 10, /* about */
    LANES_MAX_LOADING = 16,      /* refills asked for and not answered */
    OUTLET_SHUT_MS = 1000,       /* a wait this long shuts an outlet */
    LANES_REPEAT_MS = 60 * 1000, /* repeated failures are logged this often */
};

struct item {
    struct item *prev, *next;
    struct delivery *delivery; /* owned */
    uint32_t cut;              /* not 0: only items with the same number share a request */
};

/* A request under way. */
struct batch {
    struct batch *prev, *next;
    struct lane *lane;
    struct item *items;
    size_t count;
    int64_t sent_us; /* clock_mono_us */
};

struct lane {
    UT_hash_handle hh;
    uint64_t id;
    struct lanes *lanes;
    struct outlet *outlet;                    /* NULL until a delivery of it was seen */
    struct lane *sibling_prev, *sibling_next; /* of the same outlet */

    struct item *queue; /* in the order they go */
    size_t queued;
    size_t queued_bytes;
    struct batch *batches; /* in flight */
    unsigned requests;
    bool strict;

    bool on_disk;        /* there are deliveries in the spool that are not in memory */
    uint64_t disk_after; /* they have ids above this */
    uint64_t max_seen;   /* the highest id that was ever in memory */
    bool loading;        /* a refill was asked for and not answered */
    bool load_again;     /* its answer will be out of date: ask once more */
    uint64_t *settled;   /* ids that were settled since it was asked for */
    size_t settled_count, settled_room;

    bool is_ready, is_wanting; /* in outlet->ready, in lanes->wanting */
    struct lane *ready_prev, *ready_next;
    struct lane *want_prev, *want_next;
};

struct outlet {
    UT_hash_handle hh;
    char *key; /* "queue NAME", "topic NAME" */
    struct lanes *lanes;
    struct gate_door *door;
    struct lane *all;
    struct lane *ready;
    bool parked, shut, is_runnable;
    struct outlet *run_prev, *run_next;
    struct pump_timer timer;
    struct log_repeat trouble;
};

enum mail_kind { MAIL_ADD, MAIL_APPEARED, MAIL_REFILLED };

struct mail {
    struct mail *next;
    enum mail_kind kind;
    uint64_t lane;
    uint64_t from_id; /* MAIL_APPEARED: the lowest id that appeared; 0: unknown */
    struct delivery *deliveries;
    bool more;
};

struct lanes {
    struct lanes_options options;
    struct pump *pump;
    struct cmq_client *client;
    struct spool *spool;
    struct counters *counters;
    struct health *health;
    struct gate *gate;

    pthread_mutex_t mutex; /* guards the mailbox: mail, mail_tail, posted */
    struct mail *mail, **mail_tail;
    bool posted;

    atomic_size_t memory; /* bytes of deliveries, the mailbox's included */
    atomic_bool closed;
    atomic_bool at_rest;
    atomic_uint in_flight;

    struct lane *by_id;
    struct outlet *by_key;
    struct outlet *runnable; /* in turn */
    struct lane *wanting;    /* to be loaded, in turn */
    unsigned loading;
    uint32_t next_cut;
    struct log_repeat network_trouble, account_trouble, dead_letters;
    struct {
        char *name;
        struct figures *figures;
    } last_rule; /* of the delivery that was counted last */
};

/* lanes.c */
struct lane *lane_enter(struct lanes *lanes, uint64_t id); /* the lane; made when new */
void lane_update(struct lane *lane); /* puts the lane where its state says; may free it */
void lanes_run(struct lanes *lanes); /* sends and loads what can be */
void lane_forget(struct lane *lane, struct item *item); /* frees an item that left the lane */

/* window.c */
void lane_mark_on_disk(struct lane *lane, uint64_t id); /* this delivery is in the spool only */
void lane_note_settled(struct lane *lane, uint64_t id);
bool lane_load(struct lane *lane); /* asks the spool; false when enough is under way */

/* outlet.c */
struct outlet *outlet_enter(struct lanes *lanes, struct span key);
void outlet_leave(struct outlet *outlet); /* frees it when it has no lane */
void outlet_wake(struct outlet *outlet);  /* no longer parked */
void outlet_make_runnable(struct outlet *outlet);
void outlet_shut(struct outlet *outlet);
void outlet_open(struct outlet *outlet);
void outlet_report(struct outlet *outlet, const struct cmq_reply *reply, bool changed);

/* batch.c: sends what the lane's head allows; the door has admitted one request. */
void batch_send(struct lane *lane);

#endif
