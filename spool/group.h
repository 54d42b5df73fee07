/*
 * group - entries and finishes in one transaction, and telling of it when it is on disk
 *
 * Private to spool/; on the writer's thread. A false result is a fault that store_fault explains;
 * the transaction is still open then.
 */
#ifndef SPOOL_GROUP_H
#define SPOOL_GROUP_H

#include "spool/writer.h"

/*
 * Commits what the writer has taken: entries in slices, a transaction each, and all finishes with
 * the first. After each it frees the room and calls committed and noted. On a fault the entries not
 * committed, and the finishes unless they were, stay taken.
 */
MUST_CHECK bool group_commit_taken(struct spool *spool);

/*
 * Inside a transaction: sees to it that every number that may have been used is below the limit on
 * disk. *limit is that limit, once this is committed.
 */
MUST_CHECK bool group_write_id_limit(struct spool *spool, uint64_t *limit);

#endif
