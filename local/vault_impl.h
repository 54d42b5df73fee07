/* vault_impl - what the parts of the vault share: vault.c, vault_load.c, vault_save.c */
#ifndef LOCAL_VAULT_IMPL_H
#define LOCAL_VAULT_IMPL_H

#include "base/buf.h"
#include "local/vault.h"

#include <sqlite3.h>

enum vault_sql {
    VAULT_BEGIN,
    VAULT_COMMIT,
    VAULT_META,
    VAULT_META_SET,

    VAULT_QUEUES,
    VAULT_TOPICS,
    VAULT_MESSAGES, /* their numbers, in the order in which they must be put back */
    VAULT_MESSAGE,
    VAULT_PUSHES,
    VAULT_BARS,

    VAULT_QUEUE_SAVE,
    VAULT_TOPIC_SAVE,
    VAULT_MESSAGE_ADD,
    VAULT_MESSAGE_CHANGE,
    VAULT_PUSH_ADD,
    VAULT_PUSH_CHANGE,
    VAULT_BAR_ADD,
    VAULT_QUEUE_DELETE,
    VAULT_TOPIC_DELETE,
    VAULT_MESSAGE_DELETE,
    VAULT_PUSH_DELETE,
    VAULT_BAR_DELETE,
    VAULT_SQL_COUNT
};

struct vault {
    sqlite3 *db;
    sqlite3_stmt *statements[VAULT_SQL_COUNT];
    struct store *store;
    struct changes changes;
    uint64_t reserved_id; /* no number of a message is as high in any run up to now */
    struct buf text;
};

/* Fills the store; vault.c has seen to it that the file is whole. */
MUST_CHECK bool vault_load(struct vault *vault, struct err *err);

/* Writes the changes, inside a transaction that vault.c has begun; false: ask sqlite3_errmsg. */
MUST_CHECK bool vault_save(struct vault *vault);

/* Runs a statement whose values are bound, which gives no rows, and resets it. */
MUST_CHECK bool vault_run(struct vault *vault, enum vault_sql which);

#endif
