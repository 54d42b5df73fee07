/*
 * vault - see vault.h.
 *
 * The write-ahead log with synchronous off: a commit is a few write(2) calls, after which the
 * kernel has the data, so that the death of this process alone cannot take it back. Exclusive
 * locking keeps others out and makes shared memory unnecessary.
 */
#include "local/vault_impl.h"

#include "base/check.h"

enum { APPLICATION_ID = 0x636d716c /* "cmql" */, VERSION = 1 };

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE queue(id INTEGER PRIMARY KEY, definition TEXT NOT NULL) STRICT;"
    "CREATE TABLE topic(id INTEGER PRIMARY KEY, definition TEXT NOT NULL) STRICT;"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, slot INTEGER NOT NULL, "
    "receipt INTEGER NOT NULL, state INTEGER NOT NULL, due_ms INTEGER NOT NULL, "
    "enqueued_ms INTEGER NOT NULL, entered_ms INTEGER NOT NULL, first_dequeue_ms INTEGER NOT NULL, "
    "dequeue_count INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE push(id INTEGER PRIMARY KEY, subscription INTEGER NOT NULL, "
    "message INTEGER NOT NULL, born_ms INTEGER NOT NULL, failures INTEGER NOT NULL, "
    "due_ms INTEGER NOT NULL, tags BLOB NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE bar(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, "
    "until_ms INTEGER NOT NULL) STRICT;";

static const char *const texts[VAULT_SQL_COUNT] = {
    [VAULT_BEGIN] = "BEGIN IMMEDIATE",
    [VAULT_COMMIT] = "COMMIT",
    [VAULT_META] = "SELECT value FROM meta WHERE key = ?1",
    [VAULT_META_SET] = "INSERT INTO meta(key, value) VALUES(?1, ?2) "
                       "ON CONFLICT(key) DO UPDATE SET value = ?2",

    [VAULT_QUEUES] = "SELECT id, definition FROM queue ORDER BY id",
    [VAULT_TOPICS] = "SELECT id, definition FROM topic ORDER BY id",
    [VAULT_MESSAGES] = "SELECT id FROM message ORDER BY entered_ms, id",
    [VAULT_MESSAGE] = "SELECT queue, slot, receipt, state, due_ms, enqueued_ms, entered_ms, "
                      "first_dequeue_ms, dequeue_count, body FROM message WHERE id = ?1",
    [VAULT_PUSHES] = "SELECT id, subscription, message, born_ms, failures, due_ms, tags, body "
                     "FROM push ORDER BY id",
    [VAULT_BARS] = "SELECT id, kind, name, until_ms FROM bar ORDER BY id",

    [VAULT_QUEUE_SAVE] = "INSERT OR REPLACE INTO queue(id, definition) VALUES(?1, ?2)",
    [VAULT_TOPIC_SAVE] = "INSERT OR REPLACE INTO topic(id, definition) VALUES(?1, ?2)",
    [VAULT_MESSAGE_ADD] =
        "INSERT INTO message(id, queue, slot, receipt, state, due_ms, enqueued_ms, entered_ms, "
        "first_dequeue_ms, dequeue_count, body) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [VAULT_MESSAGE_CHANGE] =
        "UPDATE message SET queue = ?2, slot = ?3, receipt = ?4, state = ?5, due_ms = ?6, "
        "enqueued_ms = ?7, entered_ms = ?8, first_dequeue_ms = ?9, dequeue_count = ?10 "
        "WHERE id = ?1",
    [VAULT_PUSH_ADD] = "INSERT INTO push(id, subscription, message, born_ms, failures, due_ms, "
                       "tags, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [VAULT_PUSH_CHANGE] = "UPDATE push SET failures = ?2, due_ms = ?3 WHERE id = ?1",
    [VAULT_BAR_ADD] = "INSERT INTO bar(id, kind, name, until_ms) VALUES(?1, ?2, ?3, ?4)",
    [VAULT_QUEUE_DELETE] = "DELETE FROM queue WHERE id = ?1",
    [VAULT_TOPIC_DELETE] = "DELETE FROM topic WHERE id = ?1",
    [VAULT_MESSAGE_DELETE] = "DELETE FROM message WHERE id = ?1",
    [VAULT_PUSH_DELETE] = "DELETE FROM push WHERE id = ?1",
    [VAULT_BAR_DELETE] = "DELETE FROM bar WHERE id = ?1",
};

bool vault_run(struct vault *vault, enum vault_sql which)
{
    sqlite3_stmt *statement = vault->statements[which];
    int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

/* What is wrong with the file, said so that one knows what to do. */
static bool blame(const struct vault *vault, const char *path, struct err *err)
{
    switch (sqlite3_errcode(vault->db)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, "%s: another process has this data file open", path);
    case SQLITE_NOTADB:
        return err_set(err, "%s: not a data file of cmqlocal", path);
    case SQLITE_CORRUPT:
        return err_set(err, "%s: the data file is damaged (%s)", path, sqlite3_errmsg(vault->db));
    default:
        return err_set(err, "%s: %s", path, sqlite3_errmsg(vault->db));
    }
}

/* Runs a statement and gives its first column: a number, or a text into *text. */
static bool ask(struct vault *vault, const char *sql, int64_t *number, struct buf *text)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(vault->db, sql, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok && number)
        *number = sqlite3_column_int64(statement, 0);
    if (ok && text)
        (void)buf_add_str(text, (const char *)sqlite3_column_text(statement, 0));
    return sqlite3_finalize(statement) == SQLITE_OK && ok;
}

static bool execute(struct vault *vault, const char *sql)
{
    return sqlite3_exec(vault->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Takes the file for this process alone. Only of a file that is ours the mode is changed. */
static bool take(struct vault *vault)
{
    return execute(vault, "PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = OFF;"
                          "PRAGMA cell_size_check = ON;"
                          "PRAGMA cache_size = -65536;"
                          "BEGIN IMMEDIATE; COMMIT");
}

static bool make_schema(struct vault *vault)
{
    char id[80];
    (void)sqlite3_snprintf(sizeof id, id, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                           APPLICATION_ID, VERSION);
    return take(vault) && vault_run(vault, VAULT_BEGIN) && execute(vault, schema) &&
           execute(vault, id) && vault_run(vault, VAULT_COMMIT);
}

static bool prepare(struct vault *vault, int from, int to)
{
    for (int i = from; i < to; i++) {
        if (sqlite3_prepare_v3(vault->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &vault->statements[i], NULL) != SQLITE_OK)
            return false;
    }
    return true;
}

/* Sees to it that the file is ours, of this version and whole; makes one that is empty. */
static bool check(struct vault *vault, const char *path, struct err *err)
{
    int64_t tables, id, version;
    if (!execute(vault, "PRAGMA locking_mode = EXCLUSIVE") ||
        !ask(vault, "SELECT count(*) FROM sqlite_schema", &tables, NULL) ||
        !ask(vault, "PRAGMA application_id", &id, NULL) ||
        !ask(vault, "PRAGMA user_version", &version, NULL) ||
        !prepare(vault, VAULT_BEGIN, VAULT_META))
        return blame(vault, path, err);
    if (tables == 0 && id == 0 && version == 0)
        return make_schema(vault) || blame(vault, path, err);
    if (id != APPLICATION_ID)
        return err_set(err, "%s: a database, but not a data file of cmqlocal", path);
    if (version != VERSION) {
        return err_set(err,
                       "%s: a data file of version %lld, written by a later cmqlocal; this "
                       "one reads version %d",
                       path, (long long)version, VERSION);
    }
    if (!take(vault) || !ask(vault, "PRAGMA quick_check(1)", NULL, &vault->text))
        return blame(vault, path, err);
    bool whole = span_eq_str(buf_span(&vault->text), "ok");
    return whole ||
           err_set(err, "%s: the data file is damaged (%.200s)", path, buf_str(&vault->text));
}

struct vault *vault_open(const char *path, struct store *store, struct err *err)
{
    enum { MAX_DEFINITION_BYTES = 16 << 20 };
    struct vault *vault = check_alloc(calloc(1, sizeof *vault));
    vault->store = store;
    buf_init(&vault->text, MAX_DEFINITION_BYTES);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path, &vault->db, flags, NULL) == SQLITE_OK ||
              (vault->db ? blame(vault, path, err) : err_set(err, "%s: out of memory", path));
    ok = ok && check(vault, path, err);
    if (ok && !prepare(vault, VAULT_META, VAULT_SQL_COUNT))
        ok = blame(vault, path, err);
    struct err why;
    if (ok && !vault_load(vault, &why))
        ok = err_set(err, "%s: the data file is damaged (%s)", path, why.text);
    if (!ok) {
        vault_close(vault);
        return NULL;
    }
    store_depot(store)->changes = &vault->changes;
    return vault;
}

void vault_notify(struct vault *vault, void (*begun)(void *ctx), void *ctx)
{
    vault->changes.begun = begun;
    vault->changes.ctx = ctx;
    if (begun && changes_any(&vault->changes))
        begun(ctx);
}

bool vault_commit(struct vault *vault, struct err *err)
{
    if (!changes_any(&vault->changes))
        return true;
    if (!vault_run(vault, VAULT_BEGIN) || !vault_save(vault) || !vault_run(vault, VAULT_COMMIT)) {
        return err_set(err, "the data file cannot be written: %s", sqlite3_errmsg(vault->db));
    }
    changes_clear(&vault->changes);
    return true;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    store_depot(vault->store)->changes = NULL;
    for (size_t i = 0; i < VAULT_SQL_COUNT; i++)
        (void)sqlite3_finalize(vault->statements[i]);
    (void)sqlite3_close(vault->db);
    changes_fini(&vault->changes);
    buf_fini(&vault->text);
    free(vault);
}
