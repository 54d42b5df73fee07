/*
 * spool - deliveries on disk, from before their acknowledgement until CMQ has them
 *
 * A state directory holds one SQLite database in WAL mode, locked by the one process that runs on
 * it. One writer thread takes everything that was handed in, in order, and commits it as a group:
 * appends, settlements, burials, refills. What is appended is on disk when `committed` is called
 * (with sync_power: after an fdatasync; otherwise it survives the death of the process only), and
 * what has not been committed never happened.
 *
 *     append ──► (queue, bounded) ──► commit ──► committed() ──► acknowledge, send
 *                                       ▲
 *     settle, bury, retry, refill ──────┘
 *
 * Space: appending stops being accepted at max_bytes less a sixteenth (at least 4 MiB), so that
 * what was accepted can always be settled or buried. Burying a whole full spool can take it past
 * max_bytes, because a dead letter is a little larger than its delivery; nothing is lost for that.
 * The write-ahead log beside the database takes some 16 MiB more.
 *
 * Ids grow with arrival and are never used twice, not even after a crash, once something carrying
 * them was committed. With several threads appending, or letters replayed, a group may bring an id
 * lower than one seen before.
 *
 * Threads: the functions marked "any thread" lock briefly and never wait for the disk, unless
 * said. The callbacks run on the writer's thread and must not call back into functions that wait.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/delivery.h"
#include "base/err.h"

enum {
    SPOOL_SCHEMA_VERSION = 1,
    SPOOL_MAX_PENDING_BYTES = 32 << 20, /* handed in but not yet committed */
};

struct spool_options {
    const char *dir;    /* the state directory; made when missing, mode 0700 */
    uint64_t max_bytes; /* of the database; at least 16 MiB */
    bool sync_power;    /* fdatasync each group */
};

enum spool_state {
    SPOOL_ACCEPTING,
    SPOOL_FULL,   /* above the high-water mark, until below the low-water mark */
    SPOOL_FAILED, /* the disk refuses: full, read-only, damaged; tried again by itself */
};

/* What one received message became; given to spool_append as a whole, committed all or none. */
struct spool_entry {
    struct delivery *deliveries; /* utlist, each with its id from spool_next_id */
    struct dead_letter *dead;    /* utlist; never were deliveries; ids are given by the spool */
    uint64_t ticket;             /* handed back in committed or refused; 0: nobody waits */
    const char *note;            /* to be kept until spool_forget; copied; NULL: none */
    void *cookie;                /* with a note: handed back in noted */
};

struct spool_callbacks {
    void *ctx;
    /*
     * A group is on disk. Gives the group's deliveries, in order of id, to the callee. Tickets up
     * to through_ticket (0: none in this group) are safe: everything before them is on disk too.
     */
    void (*committed)(void *ctx, struct delivery *deliveries, uint64_t through_ticket);
    /* Answer to spool_refill. Gives the deliveries. more: there are others of the lane behind. */
    void (*refilled)(void *ctx, uint64_t lane, struct delivery *deliveries, bool more);
    /*
     * Deliveries of this lane appeared on disk without passing through committed (replayed dead
     * letters): ask for them with spool_refill.
     */
    void (*appeared)(void *ctx, uint64_t lane);
    /*
     * Everything that was accepted and not yet committed was thrown away: so many entries, of which
     * unticketed carried no ticket and so are lost (QoS 0). SPOOL_FAILED was told before.
     */
    void (*refused)(void *ctx, uint64_t entries, uint64_t unticketed);
    /* An entry with a note is on disk (committed), or was thrown away after all. Instead of
     * refused; after committed. May be NULL when no entry has a note. */
    void (*noted)(void *ctx, void *cookie, bool committed);
    /*
     * A state begins; SPOOL_ACCEPTING holds from the start. Whenever spool_append returned false,
     * another state has been told or will be, after committed was told of everything before it. why
     * is one line for people: what happened and what to do.
     */
    void (*state)(void *ctx, enum spool_state state, const char *why);
};

struct spool_stat {
    uint64_t deliveries; /* on disk, waiting or in flight */
    uint64_t dead_letters;
    uint64_t used_bytes; /* of the database's pages */
    uint64_t max_bytes;
    uint64_t capacity_bytes; /* used bytes at which the spool is full */
    int64_t oldest_ms;       /* Unix time of arrival of the oldest delivery; 0: none */
    uint64_t groups;         /* committed since opening */
    uint64_t appended;       /* deliveries committed since opening */
    uint64_t settled;        /* since opening */
    uint64_t buried;         /* dead letters made since opening */
    int64_t turn_ms; /* clock_mono_ms when the writer last took a turn; idle, four a second */
    enum spool_state state;
};

struct spool;

/*
 * Opens the directory for the running gateway: locks it, checks the schema version, lets SQLite
 * recover. NULL and err when another process holds the lock, the schema is newer, or the files are
 * damaged; err says what to do.
 */
struct spool *spool_open(const struct spool_options *options,
                         const struct spool_callbacks *callbacks, struct err *err);

/* Starts the writer's thread. */
MUST_CHECK bool spool_start(struct spool *spool, struct err *err);

/*
 * Commits what was handed in, stops the writer, keeps the lock. No callback runs afterwards. With a
 * failed disk it tries once.
 */
void spool_stop(struct spool *spool);

/* Closes and unlocks a stopped spool. NULL is fine. */
void spool_close(struct spool *spool);

/* The next number. Any thread; never waits. */
uint64_t spool_next_id(struct spool *spool);

/*
 * Hands an entry over; takes its lists in either case. Waits up to a second for room when
 * SPOOL_MAX_PENDING_BYTES are pending; once somebody waited in vain, entries are refused at once
 * until the disk has caught up. False when it was refused (full, failed, still no room): nothing of
 * it was kept, and the caller leaves its ticket unacknowledged. Any thread; entries of one thread
 * are committed in their order.
 */
MUST_CHECK bool spool_append(struct spool *spool, const struct spool_entry *entry);

/* The delivery is done: forget it. Any thread. Written with the next group, or soon. */
void spool_settle(struct spool *spool, uint64_t id);

/* A try failed: remember how many did. Any thread. */
void spool_retried(struct spool *spool, uint64_t id, uint32_t attempts);

/*
 * The delivery cannot be delivered: turn it into a dead letter of the same number with this reason,
 * cut to 512 bytes. Any thread.
 */
void spool_bury(struct spool *spool, uint64_t id, uint32_t attempts, struct span reason);

/* The note is not needed any more. Any thread. */
void spool_forget(struct spool *spool, const char *note);

/*
 * Asks for the lane's deliveries with an id above after_id, oldest first, at most max_count and
 * about max_bytes (at least one). Answered by refilled from what is on disk when everything handed
 * in before is: what committed was told of before that is in it, what comes later is not. While the
 * disk has failed there is no answer. Any thread.
 */
void spool_refill(struct spool *spool, uint64_t lane, uint64_t after_id, unsigned max_count,
                  size_t max_bytes);

/* Calls fn for every lane that has deliveries. Before spool_start only. */
MUST_CHECK bool spool_each_lane(struct spool *spool,
                                void (*fn)(void *ctx, uint64_t lane, uint64_t count), void *ctx,
                                struct err *err);

/* Any thread; never waits for the disk. */
void spool_stat(struct spool *spool, struct spool_stat *out);

/*
 * The stable numbers of the filters subscribed at the broker, kept over restarts. Calls fn for each
 * known one. Before spool_start only.
 */
MUST_CHECK bool spool_each_filter(struct spool *spool,
                                  void (*fn)(void *ctx, const char *filter, uint32_t id), void *ctx,
                                  struct err *err);

/*
 * Calls fn for every note with the Unix time of its commit. Notes are texts that an entry brings
 * and that live until spool_forget: the CMQ messages that MQTT has and whose delete is not certain.
 * An entry with nothing but a note is taken even when the spool is full. Before spool_start only.
 */
MUST_CHECK bool spool_each_note(struct spool *spool,
                                void (*fn)(void *ctx, const char *note, int64_t noted_ms),
                                void *ctx, struct err *err);

/*
 * Replaces the whole set of filters, durably, before it returns. Waits for the disk; any thread but
 * the writer's, one at a time, and with no lock held that a callback takes. False and err when the
 * disk refuses: then the set before stands.
 */
MUST_CHECK bool spool_set_filters(struct spool *spool, const char *const *filters,
                                  const uint32_t *ids, size_t count, struct err *err);

#endif
