/*
 * changes - what the data file does not know yet
 *
 * Everything that the data file has a row for holds a record, which is touched when the row is no
 * longer true and told gone when there is nothing any more that it could describe. So what comes
 * and goes between two commits costs no row at all. Without a data file there are no changes: the
 * pointer to them is NULL, which all calls allow. One thread.
 */
#ifndef LOCAL_CHANGES_H
#define LOCAL_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_MESSAGE,
    RECORD_PUSH,
    RECORD_QUEUE,
    RECORD_TOPIC,
    RECORD_BAR,
    RECORD_KINDS
};

struct record {     /* zero-initialise */
    uint32_t place; /* in the list of what is stale, from 1 on; 0: the row is true */
    uint8_t kind;
    bool saved; /* there is a row */
};

struct gone {
    enum record_kind kind;
    uint64_t number; /* of the row */
};

struct changes {
    struct record **stale; /* NULL where one went again */
    size_t stale_count;
    size_t stale_room;
    struct gone *gone;
    size_t gone_count;
    size_t gone_room;
    void *ctx;
    void (*begun)(void *ctx); /* the first change since the last commit; may be NULL */
};

/* Notes that the row of a record is no longer true, or not there yet. */
void changes_touch(struct changes *changes, struct record *record, enum record_kind kind);

/* Notes that the thing with this number, whose record it is, is no more. Fine to say twice. */
void changes_gone(struct changes *changes, struct record *record, uint64_t number);

static inline bool changes_any(const struct changes *changes)
{
    return changes->stale_count > 0 || changes->gone_count > 0;
}

/* All rows are true now: forgets the lists. */
void changes_clear(struct changes *changes);

/* Frees the lists. */
void changes_fini(struct changes *changes);

#endif
