/* verify - see verify.h. */
#include "spool/verify.h"

#include "base/buf.h"

enum { MAX_LINES = 100 }; /* of one check */

struct verifier {
    struct store *store;
    void (*fault)(void *ctx, const char *line);
    void *ctx;
    size_t faults;
};

/* Queries whose every row is a fault; the first column says which row it is. */
static const struct {
    const char *query;
    const char *text;
} checks[] = {
    {"SELECT id FROM delivery WHERE destination = ''", "delivery %s has no destination"},
    {"SELECT id FROM delivery WHERE flags & ~3 OR flags < 0",
     "delivery %s has flags that this version does not know"},
    {"SELECT id FROM delivery WHERE attempts NOT BETWEEN 0 AND 4294967295",
     "delivery %s has an impossible number of attempts"},
    {"SELECT id FROM dead WHERE lane IS NOT NULL AND destination = ''",
     "dead letter %s was a delivery and has no destination"},
    {"SELECT id FROM dead WHERE direction NOT IN (0, 1)",
     "dead letter %s has an unknown direction"},
    {"SELECT id FROM dead WHERE flags & ~3 OR flags < 0",
     "dead letter %s has flags that this version does not know"},
    {"SELECT id FROM dead WHERE reason = ''", "dead letter %s has no reason"},
    {"SELECT id FROM delivery WHERE id < 1 OR id >= (SELECT value FROM meta WHERE key = 'next_id')",
     "delivery %s has a number that was not given out yet"},
    {"SELECT id FROM dead WHERE id < 1 OR id >= (SELECT value FROM meta WHERE key = 'next_id')",
     "dead letter %s has a number that was not given out yet"},
    {"SELECT id FROM delivery WHERE id IN (SELECT id FROM dead)",
     "number %s is a delivery and a dead letter"},
    {"SELECT 'next_id' WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'next_id' AND value > 0)",
     "meta lacks %s, the next free number"},
    {"SELECT note FROM note WHERE note = '' OR noted_ms < 0",
     "note \"%s\" is empty or has no time"},
    {"SELECT filter FROM filter WHERE id NOT BETWEEN 1 AND 4294967295",
     "filter %s has an impossible number"},
};

static void tell(struct verifier *verifier, const char *text, const char *what)
{
    const char *hole = strstr(text, "%s");
    struct buf line = BUF_INIT(1024);
    if (hole) {
        buf_add(&line, span_make(text, (size_t)(hole - text)));
        buf_add_str(&line, what);
        buf_add_str(&line, hole + 2);
    }
    verifier->fault(verifier->ctx, hole ? buf_str(&line) : text);
    verifier->faults++;
    buf_fini(&line);
}

/* Tells each row that a query gives; a query that cannot be answered is a fault itself. */
static void tell_rows(struct verifier *verifier, const char *query, const char *text)
{
    sqlite3 *db = verifier->store->db;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, query, -1, &statement, NULL);
    for (int lines = 0; code == SQLITE_OK || code == SQLITE_ROW; lines++) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        if (lines == MAX_LINES) {
            tell(verifier, "and more of the same kind", "");
            code = SQLITE_DONE;
            break;
        }
        const char *what = (const char *)sqlite3_column_text(statement, 0);
        tell(verifier, text, what ? what : "?");
    }
    if (code != SQLITE_DONE)
        tell(verifier, "the database cannot be read: %s", sqlite3_errmsg(db));
    sqlite3_finalize(statement);
}

static void check_definition(struct verifier *verifier, const struct sql_object *object)
{
    sqlite3 *db = verifier->store->db;
    sqlite3_stmt *statement = NULL;
    bool same = false;
    if (sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema WHERE name = ?1 AND sql = ?2", -1,
                           &statement, NULL) == SQLITE_OK) {
        store_bind_text(statement, 1, span_of(object->name));
        store_bind_text(statement, 2, span_of(object->definition));
        same = sqlite3_step(statement) == SQLITE_ROW;
    }
    sqlite3_finalize(statement);
    if (!same)
        tell(verifier, "%s is not defined as this version defines it", object->name);
}

bool verify_store(struct store *store, void (*fault)(void *ctx, const char *line), void *ctx,
                  struct err *err)
{
    struct verifier verifier = {.store = store, .fault = fault, .ctx = ctx};
    err_set(err, "%s", "");
    tell_rows(&verifier,
              "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check != 'ok'",
              "%s");
    for (size_t i = 0; i < sql_schema_count; i++)
        check_definition(&verifier, &sql_schema[i]);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        tell_rows(&verifier, checks[i].query, checks[i].text);
    return verifier.faults == 0;
}
