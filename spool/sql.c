/* sql - see sql.h. */
#include "spool/sql.h"

#define TEXT_OF(number) TEXT_OF_VALUE(number)
#define TEXT_OF_VALUE(number) #number
#define SEGMENT "id >> " TEXT_OF(SQL_SEGMENT_BITS)

/*
 * STRICT tables: SQLite itself refuses values of another type, and PRAGMA integrity_check finds
 * them in a damaged file. A dead letter that was a delivery keeps its lane and can go back as it
 * is; one that never was has none. dead_count is the smallest thing that count(*) can read.
 */
const struct sql_object sql_schema[] = {
    {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, "
             "WITHOUT ROWID"},
    {"delivery", "CREATE TABLE delivery(id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, "
                 "received_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, "
                 "attempts INTEGER NOT NULL, flags INTEGER NOT NULL, rule TEXT NOT NULL, "
                 "destination TEXT NOT NULL, body BLOB NOT NULL) STRICT"},
    {"delivery_lane", "CREATE INDEX delivery_lane ON delivery(" SEGMENT ", lane)"},
    {"dead", "CREATE TABLE dead(id INTEGER PRIMARY KEY, lane INTEGER, "
             "received_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, "
             "flags INTEGER NOT NULL, direction INTEGER NOT NULL, rule TEXT NOT NULL, "
             "reason TEXT NOT NULL, destination TEXT NOT NULL, origin TEXT NOT NULL, "
             "body BLOB NOT NULL) STRICT"},
    {"dead_count", "CREATE INDEX dead_count ON dead(direction)"},
    {"filter", "CREATE TABLE filter(filter TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, "
               "WITHOUT ROWID"},
    {"note", "CREATE TABLE note(note TEXT PRIMARY KEY, noted_ms INTEGER NOT NULL) STRICT, "
             "WITHOUT ROWID"},
    {"request", "CREATE TABLE request(id INTEGER PRIMARY KEY, verb INTEGER NOT NULL, "
                "letter INTEGER NOT NULL, value INTEGER, error TEXT, done_ms INTEGER) STRICT"},
    {"request_open", "CREATE INDEX request_open ON request(id) WHERE done_ms IS NULL"},
    {"staged", "CREATE TABLE staged(id INTEGER PRIMARY KEY, request INTEGER NOT NULL, "
               "lane INTEGER NOT NULL, received_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, "
               "flags INTEGER NOT NULL, rule TEXT NOT NULL, destination TEXT NOT NULL, "
               "body BLOB NOT NULL) STRICT"},
};
const size_t sql_schema_count = sizeof sql_schema / sizeof sql_schema[0];

#define DEAD_COLUMNS                                                                               \
    "id, received_ms, died_ms, attempts, flags, direction, rule, reason, destination, origin, "    \
    "length(body), "

const char *const sql_text[SQL_COUNT] = {
    /* IMMEDIATE: waiting for another process happens here and nowhere later. */
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DATA_VERSION] = "PRAGMA data_version",
    [SQL_PAGE_COUNT] = "PRAGMA page_count",
    [SQL_FREELIST_COUNT] = "PRAGMA freelist_count",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [SQL_META_SET] = "INSERT INTO meta(key, value) VALUES(?1, ?2) "
                     "ON CONFLICT(key) DO UPDATE SET value = ?2",
    [SQL_HIGHEST_ID] = "SELECT max(ifnull((SELECT max(id) FROM delivery), 0), "
                       "ifnull((SELECT max(id) FROM dead), 0))",

    [SQL_DELIVERY_ADD] = "INSERT INTO delivery(id, lane, received_ms, expires_ms, attempts, flags, "
                         "rule, destination, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_DELIVERY_DELETE] = "DELETE FROM delivery WHERE id = ?1",
    [SQL_DELIVERY_RETRIED] = "UPDATE delivery SET attempts = ?2 WHERE id = ?1",
    [SQL_DELIVERY_OF_LANE] = "SELECT id, received_ms, expires_ms, attempts, flags, rule, "
                             "destination, body FROM delivery INDEXED BY delivery_lane "
                             "WHERE " SEGMENT " = ?1 AND lane = ?2 AND id > ?3 ORDER BY id",
    [SQL_DELIVERY_AFTER] = "SELECT id FROM delivery WHERE id > ?1 ORDER BY id LIMIT 1",
    [SQL_DELIVERY_COUNT] = "SELECT count(*) FROM delivery",
    [SQL_DELIVERY_OLDEST] = "SELECT received_ms FROM delivery ORDER BY id LIMIT 1",
    [SQL_LANES] = "SELECT lane, count(*) FROM delivery INDEXED BY delivery_lane "
                  "GROUP BY " SEGMENT ", lane",

    [SQL_DEAD_ADD] = "INSERT INTO dead(id, received_ms, died_ms, attempts, flags, direction, rule, "
                     "reason, destination, origin, body) "
                     "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQL_DEAD_FROM_DELIVERY] =
        "INSERT OR REPLACE INTO dead(id, lane, received_ms, died_ms, attempts, flags, "
        "direction, rule, reason, destination, origin, body) "
        "SELECT id, lane, received_ms, ?2, ?3, flags, 0, rule, ?4, "
        "destination, '', body FROM delivery WHERE id = ?1",
    [SQL_DEAD_COUNT] = "SELECT count(*) FROM dead",
    [SQL_DEAD_LIST] = "SELECT " DEAD_COLUMNS "iif(?3, body, NULL) FROM dead "
                      "WHERE id > ?1 AND (?2 IS NULL OR rule = ?2) ORDER BY id",
    [SQL_DEAD_ONE] = "SELECT " DEAD_COLUMNS "body FROM dead WHERE id = ?1",
    [SQL_DEAD_LANE] = "SELECT lane FROM dead WHERE id = ?1",
    [SQL_DEAD_DELETE] = "DELETE FROM dead WHERE id = ?1",
    /* A person asked for it: it has all its tries again, and no age limit. */
    [SQL_DEAD_REPLAY] = "INSERT INTO delivery(id, lane, received_ms, expires_ms, attempts, flags, "
                        "rule, destination, body) SELECT ?2, lane, received_ms, 0, 0, flags, rule, "
                        "destination, body FROM dead WHERE id = ?1",

    [SQL_REQUEST_ADD] = "INSERT INTO request(id, verb, letter) VALUES(?1, ?2, ?3)",
    [SQL_REQUEST_NEXT] = "SELECT id, verb, letter FROM request WHERE done_ms IS NULL LIMIT 1",
    [SQL_REQUEST_ANSWER] = "UPDATE request SET done_ms = ?2, value = ?3, error = ?4 WHERE id = ?1",
    [SQL_REQUEST_RESULT] = "SELECT done_ms, value, error FROM request WHERE id = ?1",
    [SQL_REQUEST_CANCEL] = "DELETE FROM request WHERE id = ?1",
    [SQL_REQUEST_SWEEP] = "DELETE FROM request WHERE done_ms <= ?1 OR ?1 IS NULL",
    [SQL_STAGED_ADD] = "INSERT INTO staged(request, lane, received_ms, expires_ms, flags, rule, "
                       "destination, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_STAGED_LANES] = "SELECT id, lane FROM staged WHERE request = ?1 "
                         "ORDER BY id LIMIT ?2",
    [SQL_STAGED_MOVE] = "INSERT INTO delivery(id, lane, received_ms, expires_ms, attempts, flags, "
                        "rule, destination, body) SELECT ?2, lane, received_ms, expires_ms, 0, "
                        "flags, rule, destination, body FROM staged WHERE id = ?1",
    [SQL_STAGED_SWEEP] = "DELETE FROM staged WHERE request = ?1 OR ?1 IS NULL",

    [SQL_FILTERS] = "SELECT filter, id FROM filter",
    [SQL_FILTER_CLEAR] = "DELETE FROM filter",
    [SQL_FILTER_ADD] = "INSERT INTO filter(filter, id) VALUES(?1, ?2)",

    [SQL_NOTES] = "SELECT note, noted_ms FROM note",
    [SQL_NOTE_ADD] = "INSERT OR REPLACE INTO note(note, noted_ms) VALUES(?1, ?2)",
    [SQL_NOTE_DELETE] = "DELETE FROM note WHERE note = ?1",
};
