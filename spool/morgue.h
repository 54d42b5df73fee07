/*
 * morgue - the dead letters and the figures of a state directory, from outside
 *
 * For the command line: works beside a running gateway and without one. Whether one runs is told by
 * the lock. Nothing here holds the database's write lock for longer than one short transaction.
 * One thread.
 */
#ifndef SPOOL_MORGUE_H
#define SPOOL_MORGUE_H

#include "base/delivery.h"
#include "base/err.h"
#include "spool/spool.h"

struct morgue;

/* Opens dir; NULL and err when there is no state directory or it cannot be read. */
struct morgue *morgue_open(const char *dir, struct err *err);
void morgue_close(struct morgue *morgue);

/* Whether a gateway runs on this state directory now. */
bool morgue_gateway_runs(struct morgue *morgue);

/*
 * Calls fn for each dead letter, oldest first, until it returns false; the letter is valid during
 * the call. rule NULL: all. with_body false leaves the body's ptr NULL but its len right.
 */
MUST_CHECK bool morgue_each(struct morgue *morgue, const char *rule, bool with_body,
                            bool (*fn)(void *ctx, const struct dead_letter *letter), void *ctx,
                            struct err *err);

/* The same, of those with an id above after_id: to go on where an earlier call ended. */
MUST_CHECK bool morgue_each_after(struct morgue *morgue, uint64_t after_id, const char *rule,
                                  bool with_body,
                                  bool (*fn)(void *ctx, const struct dead_letter *letter),
                                  void *ctx, struct err *err);

/* Finds one; gives it. NULL with err->text empty when there is none with this id. */
struct dead_letter *morgue_find(struct morgue *morgue, uint64_t id, struct err *err);

/*
 * Turns a dead letter that was a delivery back into one, with a new number, all its tries and no
 * age limit: itself when no gateway runs, else by asking the running one through the database and
 * waiting up to timeout_ms until it has. False and err when it is not there, never was a delivery
 * (its destination is empty), or the gateway did not answer; then nothing was done.
 */
MUST_CHECK bool morgue_replay(struct morgue *morgue, uint64_t id, int64_t timeout_ms,
                              struct err *err);

/*
 * Replaces a dead letter by the deliveries that planning it again gave: 1 to 4096; takes the list;
 * their numbers are given when they arrive in the spool, whatever they carry. The same two ways as
 * morgue_replay.
 */
MUST_CHECK bool morgue_replace(struct morgue *morgue, uint64_t id, struct delivery *deliveries,
                               int64_t timeout_ms, struct err *err);

/* A number that nothing else has, for the body of a delivery that morgue_replace will be given. */
MUST_CHECK bool morgue_reserve_id(struct morgue *morgue, uint64_t *out, struct err *err);

/* Deletes one for good. False and err when it is not there. */
MUST_CHECK bool morgue_drop(struct morgue *morgue, uint64_t id, struct err *err);

/* Figures without a running writer; groups, appended, settled, buried are 0. */
MUST_CHECK bool morgue_stat(struct morgue *morgue, struct spool_stat *out, struct err *err);

/*
 * Checks the whole state directory: SQLite's integrity check, the schema, each row's fields. Calls
 * fault with one line for each finding; true when there was none. err is set when it cannot look.
 */
MUST_CHECK bool morgue_verify(struct morgue *morgue, void (*fault)(void *ctx, const char *line),
                              void *ctx, struct err *err);

#endif
