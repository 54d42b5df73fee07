/*
 * store - see store.h
 *
 * WAL: readers beside the writer, one sequential write and at most one fdatasync a transaction. A
 * checkpoint is ours to time, after a group's acknowledgements instead of inside its commit. The
 * log keeps its blocks between checkpoints, so that on a full disk there is still room to settle.
 */
#include "spool/store.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct store *store = ctx;
    (void)db;
    (void)name;
    store->wal_pages = pages;
    if (pages < store->wal_checkpointed) /* the log began anew */
        store->wal_checkpointed = 0;
    return SQLITE_OK;
}

/* What SQLite was doing when input or output failed. */
static const char *io_verb(int code)
{
    switch (code) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
        return "reading";
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_TRUNCATE:
        return "writing";
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return "syncing";
    default:
        return "using";
    }
}

/* Remembers why code came back, in words for people. */
static void note_fault(struct store *store, int code)
{
    const char *dir = store->dir;
    int os_error = sqlite3_system_errno(store->db); /* SQLite forgets it when a commit fails */
    switch (code & 0xff) {
    case SQLITE_FULL:
        err_set(&store->fault, "no space left in %s: make room on that file system", dir);
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        err_set(&store->fault,
                "%s %s/spool.db failed%s%s: look at the disk, the limits and the permissions",
                io_verb(code), dir, os_error ? ": " : "", os_error ? strerror(os_error) : "");
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        err_set(&store->fault, "%s/spool.db cannot be written: it or its file system is read-only",
                dir);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        err_set(&store->fault, "%s/spool.db is held by another process for over %d seconds", dir,
                STORE_BUSY_MS / 1000);
        break;
    case SQLITE_CORRUPT:
        err_set(&store->fault,
                "%s/spool.db is damaged (%s): stop the gateway, keep a copy of the directory, and "
                "look with `cmqgw spool verify`",
                dir, sqlite3_errmsg(store->db));
        break;
    case SQLITE_NOTADB:
        err_set(&store->fault, "%s/spool.db is not a spool: move it away", dir);
        break;
    default:
        err_set(&store->fault, "%s/spool.db: %s", dir, sqlite3_errmsg(store->db));
    }
}

bool store_fault(const struct store *store, struct err *err)
{
    return err_set(err, "%s", store->fault.text);
}

/* Runs SQL that is not kept. */
static bool execute(struct store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        note_fault(store, code);
    return code == SQLITE_OK;
}

/* The first column of the first row as a number. */
static bool ask(struct store *store, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        bool ok = store_number(store, statement, out);
        sqlite3_finalize(statement);
        return ok;
    }
    note_fault(store, code);
    return false;
}

sqlite3_stmt *store_use(struct store *store, enum sql which)
{
    return store->statements[which];
}

void store_bind_u64(sqlite3_stmt *statement, int at, uint64_t value)
{
    CHECK(sqlite3_bind_int64(statement, at, (sqlite3_int64)value) == SQLITE_OK);
}

void store_bind_text(sqlite3_stmt *statement, int at, struct span text)
{
    CHECK(sqlite3_bind_text64(statement, at, text.len ? text.ptr : "", text.len, SQLITE_STATIC,
                              SQLITE_UTF8) == SQLITE_OK);
}

void store_bind_blob(sqlite3_stmt *statement, int at, struct span bytes)
{
    CHECK(sqlite3_bind_blob64(statement, at, bytes.len ? bytes.ptr : "", bytes.len,
                              SQLITE_STATIC) == SQLITE_OK);
}

struct span store_column(sqlite3_stmt *statement, int at)
{
    const void *bytes = sqlite3_column_blob(statement, at);
    return span_make(bytes, bytes ? (size_t)sqlite3_column_bytes(statement, at) : 0);
}

enum store_step store_step(struct store *store, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return STORE_ROW;
    if (code != SQLITE_DONE)
        note_fault(store, code);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? STORE_DONE : STORE_FAULT;
}

bool store_run(struct store *store, sqlite3_stmt *statement)
{
    return store_step(store, statement) == STORE_DONE;
}

bool store_number(struct store *store, sqlite3_stmt *statement, int64_t *out)
{
    *out = 0;
    enum store_step step = store_step(store, statement);
    if (step == STORE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return step != STORE_FAULT;
}

bool store_begin(struct store *store)
{
    return store_run(store, store_use(store, SQL_BEGIN));
}

bool store_commit(struct store *store)
{
    return store_run(store, store_use(store, SQL_COMMIT));
}

void store_rollback(struct store *store)
{
    /* A full disk makes SQLite roll back by itself; then there is nothing left to do here. */
    if (!sqlite3_get_autocommit(store->db)) {
        sqlite3_step(store_use(store, SQL_ROLLBACK));
        sqlite3_reset(store_use(store, SQL_ROLLBACK));
    }
}

bool store_meta_set(struct store *store, const char *key, uint64_t value)
{
    sqlite3_stmt *statement = store_use(store, SQL_META_SET);
    store_bind_text(statement, 1, span_of(key));
    store_bind_u64(statement, 2, value);
    return store_run(store, statement);
}

bool store_meta_get(struct store *store, const char *key, uint64_t *out)
{
    sqlite3_stmt *statement = store_use(store, SQL_META_GET);
    store_bind_text(statement, 1, span_of(key));
    int64_t value;
    if (!store_number(store, statement, &value))
        return false;
    *out = (uint64_t)value;
    return true;
}

bool store_used_bytes(struct store *store, uint64_t *out)
{
    int64_t pages;
    int64_t unused;
    if (!store_number(store, store_use(store, SQL_PAGE_COUNT), &pages) ||
        !store_number(store, store_use(store, SQL_FREELIST_COUNT), &unused))
        return false;
    *out = (uint64_t)(pages - unused) * store->page_bytes;
    return true;
}

bool store_checkpoint(struct store *store)
{
    if (store->wal_pages - store->wal_checkpointed < STORE_CHECKPOINT_PAGES)
        return true;
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* Busy: another process is at it, or reads what is old; a later one gets further. */
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        note_fault(store, code);
        return false;
    }
    store->wal_checkpointed = store->wal_pages;
    return true;
}

bool store_probe(struct store *store)
{
    return store_meta_set(store, "probed_ms", (uint64_t)clock_unix_ms());
}

/* Write-ahead logging, which needs shared memory and so a local file system. */
static bool use_wal(struct store *store, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    bool wal = code == SQLITE_ROW && span_eq_str(store_column(statement, 0), "wal");
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW) {
        note_fault(store, code);
        return store_fault(store, err);
    }
    return wal || err_set(err,
                          "%s: its file system cannot share memory between processes; choose "
                          "a state_dir on a local disk",
                          store->dir);
}

static bool make_schema(struct store *store)
{
    char pragmas[96];
    (void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   SQL_APPLICATION_ID, SPOOL_SCHEMA_VERSION);
    /* Not prepared statements: those need the schema to be there. */
    if (!execute(store, "BEGIN IMMEDIATE"))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < sql_schema_count; i++)
        ok = execute(store, sql_schema[i].definition);
    ok = ok && execute(store, "INSERT INTO meta(key, value) VALUES('next_id', 1)") &&
         execute(store, pragmas) && execute(store, "COMMIT");
    if (!ok)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

/* Whether the file is a spool that this version understands; makes one of an empty file. */
static bool check_schema(struct store *store, bool make, struct err *err)
{
    int64_t objects;
    int64_t application;
    int64_t version;
    if (!ask(store, "SELECT count(*) FROM sqlite_schema", &objects) ||
        !ask(store, "PRAGMA application_id", &application) ||
        !ask(store, "PRAGMA user_version", &version))
        return store_fault(store, err);
    if (objects == 0 && application == 0 && version == 0) {
        if (!make)
            return err_set(err, "%s holds no spool yet: no gateway has run on it", store->dir);
        return use_wal(store, err) && (make_schema(store) || store_fault(store, err));
    }
    if (application != SQL_APPLICATION_ID) {
        return err_set(err, "%s/spool.db is a database of another program: move it away",
                       store->dir);
    }
    if (version > SPOOL_SCHEMA_VERSION) {
        return err_set(err,
                       "%s/spool.db was written by a newer cmqgw (schema %lld; this one knows up "
                       "to %d): run that version, or choose another state_dir",
                       store->dir, (long long)version, SPOOL_SCHEMA_VERSION);
    }
    return use_wal(store, err);
}

static bool prepare_all(struct store *store)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        int code = sqlite3_prepare_v3(store->db, sql_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &store->statements[i], NULL);
        if (code != SQLITE_OK) {
            note_fault(store, code);
            return false;
        }
    }
    return true;
}

/* Makes the file if it is not there, for its owner's eyes only; SQLite gives its log that mode. */
static bool make_file(const char *dir, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, "cannot make %s: %s", path, strerror(errno));
    close(fd);
    /* SQLite syncs the file; that its name survives a power cut is for the directory. */
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir_fd >= 0 && fsync(dir_fd) == 0;
    if (!ok)
        err_set(err, "cannot sync %s: %s", dir, strerror(errno));
    if (dir_fd >= 0)
        close(dir_fd);
    return ok;
}

static bool open_database(struct store *store, const char *path, bool make, struct err *err)
{
    int code =
        sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    CHECK(store->db);
    if (code != SQLITE_OK) {
        note_fault(store, code);
        return store_fault(store, err);
    }
    /* A damaged file may hold anything: believe nothing of its schema that could run. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    char pragmas[320];
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA page_size = %d; PRAGMA cell_size_check = ON; "
                   "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; "
                   "PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %d; "
                   "PRAGMA synchronous = FULL",
                   STORE_PAGE_BYTES, STORE_CACHE_KIB, STORE_WAL_BYTES);
    if (!execute(store, pragmas))
        return store_fault(store, err);
    if (!check_schema(store, make, err))
        return false;
    int64_t page_bytes;
    if (!ask(store, "PRAGMA page_size", &page_bytes) || !prepare_all(store))
        return store_fault(store, err);
    store->page_bytes = (uint64_t)page_bytes;
    return true;
}

struct store *store_open(const char *dir, bool make, struct err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/spool.db", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        err_set(err, "the name of the state_dir is too long");
        return NULL;
    }
    struct stat found;
    if (stat(path, &found) != 0 && errno == ENOENT) {
        if (!make) {
            err_set(err, "%s holds no spool: no gateway has run on it", dir);
            return NULL;
        }
        if (!make_file(dir, path, err))
            return NULL;
    }
    struct store *store = check_alloc(calloc(1, sizeof *store));
    store->dir = span_dup(span_of(dir));
    if (!open_database(store, path, make, err)) {
        store_close(store);
        return NULL;
    }
    return store;
}

bool store_tune(struct store *store, bool sync_power, uint64_t max_bytes, struct err *err)
{
    /* Setting aside may go past max_bytes; twice that means the books are wrong. */
    char pragmas[192];
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA synchronous = %s; PRAGMA max_page_count = %llu; "
                   "PRAGMA wal_autocheckpoint = 0",
                   sync_power ? "FULL" : "NORMAL",
                   (unsigned long long)(2 * max_bytes / store->page_bytes));
    if (!execute(store, pragmas))
        return store_fault(store, err);
    sqlite3_wal_hook(store->db, on_wal, store);
    return true;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    CHECK(sqlite3_close(store->db) == SQLITE_OK);
    free(store->dir);
    free(store);
}
