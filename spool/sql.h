/*
 * sql - the schema of the spool's database and every statement on it, in one place
 *
 * delivery waits for CMQ; dead is what was set aside; request and staged carry what another process
 * asks of the running gateway; filter is the memory of subscriptions; note that of CMQ messages
 * which the broker has and whose delete is not certain; meta holds numbers. Ids and lanes are
 * unsigned outside and the same 64 bits, signed, in here.
 */
#ifndef SPOOL_SQL_H
#define SPOOL_SQL_H

#include <stddef.h>

enum {
    SQL_APPLICATION_ID = 0x436d7167, /* "Cmqg", so that file(1) and we know the file */
};

/*
 * Deliveries are indexed by lane within segments of so many bits of ids. New ones then touch the
 * few index pages of the newest segment, however many lanes there are and however many wait; an
 * index by lane alone would dirty a page of its own for each. Reading a lane is a search per
 * segment.
 */
#define SQL_SEGMENT_BITS 15

struct sql_object {
    const char *name;
    const char *definition; /* exactly as sqlite_schema keeps it */
};

/* Tables and indexes, in the order of making. */
extern const struct sql_object sql_schema[];
extern const size_t sql_schema_count;

enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DATA_VERSION,
    SQL_PAGE_COUNT,
    SQL_FREELIST_COUNT,
    SQL_META_GET,
    SQL_META_SET,
    SQL_HIGHEST_ID,

    SQL_DELIVERY_ADD,
    SQL_DELIVERY_DELETE,
    SQL_DELIVERY_RETRIED,
    SQL_DELIVERY_OF_LANE,
    SQL_DELIVERY_AFTER,
    SQL_DELIVERY_COUNT,
    SQL_DELIVERY_OLDEST,
    SQL_LANES, /* a lane once for each segment */

    SQL_DEAD_ADD,
    SQL_DEAD_FROM_DELIVERY,
    SQL_DEAD_COUNT,
    SQL_DEAD_LIST,
    SQL_DEAD_ONE,
    SQL_DEAD_LANE,
    SQL_DEAD_DELETE,
    SQL_DEAD_REPLAY,

    SQL_REQUEST_ADD,
    SQL_REQUEST_NEXT,
    SQL_REQUEST_ANSWER,
    SQL_REQUEST_RESULT,
    SQL_REQUEST_CANCEL,
    SQL_REQUEST_SWEEP,
    SQL_STAGED_ADD,
    SQL_STAGED_LANES,
    SQL_STAGED_MOVE,
    SQL_STAGED_SWEEP,

    SQL_FILTERS,
    SQL_FILTER_CLEAR,
    SQL_FILTER_ADD,

    SQL_NOTES,
    SQL_NOTE_ADD,
    SQL_NOTE_DELETE,
    SQL_COUNT
};

/* The text of each statement, to be prepared once. */
extern const char *const sql_text[SQL_COUNT];

#endif
