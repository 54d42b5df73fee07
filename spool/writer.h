/*
 * writer - the spool's only thread, and what it shares with those who hand work in
 *
 * Private to spool/. spool.c is the side of the callers, writer.c that of the thread. The mutex is
 * never held over a callback or a call of SQLite's.
 */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include "base/backoff.h"
#include "spool/batch.h"
#include "spool/request.h"
#include "spool/space.h"
#include "spool/spool.h"

#include <pthread.h>

enum {
    WRITER_GROUP_ENTRIES = 4096,  /* in one transaction at most; bounds the wait of the first */
    WRITER_GROUP_BYTES = 4 << 20, /* likewise */
    WRITER_FINISHES_DUE = 1000,   /* so many are written without waiting for company */
    WRITER_FINISHES_MS = 20,      /* so long they wait for entries to share a transaction with */
    WRITER_WATCH_MS = 250,        /* how often an idle writer looks for requests */
    WRITER_WATCH_BUSY_MS = 2,     /* the same while requests are coming in */
    WRITER_WATCH_BUSY_FOR_MS = 1000,
};

/* A set of filters that somebody waits for, who owns it. */
struct writer_filters {
    const char *const *filters;
    const uint32_t *ids;
    size_t count;
    bool done, ok;
    struct err *err;
};

struct spool {
    struct spool_callbacks callbacks;
    int lock_fd;
    _Atomic uint64_t next_id;
    pthread_t thread;
    bool running;

    pthread_mutex_t mutex;          /* guards everything down to the next empty line */
    pthread_cond_t work;            /* the writer waits here */
    pthread_cond_t room;            /* those wait here whose entries do not fit */
    pthread_cond_t filed;           /* who waits for its filters */
    struct writer_filters *filters; /* to be written; NULL: none */
    struct batch pending;
    size_t pending_bytes;      /* of memory, entries being written included */
    uint64_t pending_estimate; /* of disk, likewise */
    size_t pending_tickets;    /* entries that somebody waits for, likewise */
    int64_t finishes_since_ms; /* when the first of pending's finishes came */
    bool writer_waits;
    bool stopping;
    struct spool_stat stat; /* stat.state decides over accepting */

    /* The writer's own, and before it starts and after it stopped the owner's. */
    struct store *store;
    struct batch taken;
    uint64_t id_limit;           /* ids below may be in use; as written on disk */
    enum spool_state reported;   /* what the state callback was told last */
    struct backoff backoff;      /* of tries after a failure */
    int64_t retry_at_ms;         /* when failed */
    int64_t watch_at_ms;         /* when to look for requests next */
    int64_t watch_busy_until_ms; /* until when to look often */
    int64_t data_version;        /* changes when another process wrote */
    int64_t oldest_at_ms;        /* when stat.oldest_ms was looked up */
    bool oldest_stale;
};

/* Writes them, in a transaction of their own; fills ok and err. */
void writer_write_filters(struct spool *spool, struct writer_filters *filters);

/* The thread's function; arg is the spool. */
void *writer_run(void *arg);

#endif
