/*
 * store - the database file of a state directory: opening, transactions, statements
 *
 * Private to spool/. A step that fails is remembered with its cause before anything else can
 * overwrite it, so that whoever began the transaction rolls back and asks store_fault once. One
 * thread at a time.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include "base/err.h"
#include "base/span.h"
#include "spool/spool.h"
#include "spool/sql.h"

#include <sqlite3.h>

enum {
    STORE_PAGE_BYTES = 4096,      /* of a new file */
    STORE_CACHE_KIB = 8192,       /* of pages in memory */
    STORE_BUSY_MS = 5000,         /* how long to wait for another process's transaction */
    STORE_WAL_BYTES = 16 << 20,   /* what the write-ahead log is cut back to */
    STORE_CHECKPOINT_PAGES = 2000 /* pages in it that make a checkpoint due */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
    char *dir;
    uint64_t page_bytes;
    int wal_pages;        /* in the write-ahead log after the last commit */
    int wal_checkpointed; /* how many there were at the last checkpoint */
    struct err fault;     /* why the last step failed */
};

/*
 * Opens DIR/spool.db. make: create it when it is not there or empty. NULL and err when it is not a
 * spool, has a newer schema, or cannot be read; then nothing in it was changed.
 */
struct store *store_open(const char *dir, bool make, struct err *err);
void store_close(struct store *store); /* NULL is fine */

/* Sets what only the running gateway needs. */
MUST_CHECK bool store_tune(struct store *store, bool sync_power, uint64_t max_bytes,
                           struct err *err);

/* A statement, reset and ready to be bound. */
sqlite3_stmt *store_use(struct store *store, enum sql which);

/* Binding; the bytes must live until the statement has run. */
void store_bind_u64(sqlite3_stmt *statement, int at, uint64_t value);
void store_bind_text(sqlite3_stmt *statement, int at, struct span text);
void store_bind_blob(sqlite3_stmt *statement, int at, struct span bytes);

/* The bytes of a result's column, valid until the next step. */
struct span store_column(sqlite3_stmt *statement, int at);

enum store_step { STORE_ROW, STORE_DONE, STORE_FAULT };

/* One step; at the end and on a fault the statement is reset. */
enum store_step store_step(struct store *store, sqlite3_stmt *statement);

/* Runs a statement that gives no rows. False on a fault. */
MUST_CHECK bool store_run(struct store *store, sqlite3_stmt *statement);

/* Runs one that gives a number; 0 when it gives no row. False on a fault. */
MUST_CHECK bool store_number(struct store *store, sqlite3_stmt *statement, int64_t *out);

/* Rows that the last INSERT, UPDATE or DELETE changed. */
static inline uint64_t store_changes(const struct store *store)
{
    return (uint64_t)sqlite3_changes64(store->db);
}

MUST_CHECK bool store_begin(struct store *store);
MUST_CHECK bool store_commit(struct store *store);
void store_rollback(struct store *store); /* fine without a transaction; keeps the fault */

/* Fills err with the last fault, in words for people. Returns false. */
bool store_fault(const struct store *store, struct err *err);

MUST_CHECK bool store_meta_set(struct store *store, const char *key, uint64_t value);
MUST_CHECK bool store_meta_get(struct store *store, const char *key, uint64_t *out);

/* Bytes of the pages that hold something. */
MUST_CHECK bool store_used_bytes(struct store *store, uint64_t *out);

/* Moves the log's pages into the database when enough have gathered. False on a fault: the log
 * would grow without end. */
MUST_CHECK bool store_checkpoint(struct store *store);

/* Writes what a failed disk would refuse, inside the caller's transaction. */
MUST_CHECK bool store_probe(struct store *store);

#endif
