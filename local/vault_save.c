/* vault_save - from the store to the data file: see vault_impl.h. */
#include "local/definition.h"
#include "local/vault_impl.h"

#include <stddef.h>

#define OWNER(record, type) ((type *)(void *)((char *)(record)-offsetof(type, record)))

/* Unsigned numbers are the same 64 bits, signed, in the file. */
static void bind(sqlite3_stmt *statement, int at, int64_t value)
{
    (void)sqlite3_bind_int64(statement, at, value);
}

static void bind_bytes(sqlite3_stmt *statement, int at, const char *bytes, size_t len)
{
    (void)sqlite3_bind_blob64(statement, at, len ? bytes : "", len, SQLITE_STATIC);
}

static bool save_message(struct vault *vault, const struct message *m)
{
    enum vault_sql which = m->record.saved ? VAULT_MESSAGE_CHANGE : VAULT_MESSAGE_ADD;
    sqlite3_stmt *s = vault->statements[which];
    bind(s, 1, (int64_t)m->id);
    bind(s, 2, (int64_t)m->queue->number);
    bind(s, 3, m->slot);
    bind(s, 4, m->receipt);
    bind(s, 5, m->state);
    bind(s, 6, m->timer.due_ms);
    bind(s, 7, m->enqueued_ms);
    bind(s, 8, m->entered_ms);
    bind(s, 9, m->first_dequeue_ms);
    bind(s, 10, m->dequeue_count);
    if (!m->record.saved)
        bind_bytes(s, 11, m->body, m->len);
    return vault_run(vault, which);
}

static bool save_push(struct vault *vault, const struct push *push)
{
    enum vault_sql which = push->record.saved ? VAULT_PUSH_CHANGE : VAULT_PUSH_ADD;
    sqlite3_stmt *s = vault->statements[which];
    int64_t due_ms = push->state == PUSH_RESTING ? push->timer.due_ms : 0;
    bind(s, 1, (int64_t)push->number);
    if (push->record.saved) {
        bind(s, 2, push->failures);
        bind(s, 3, due_ms);
        return vault_run(vault, which);
    }
    bind(s, 2, (int64_t)push->line->subscription->number);
    bind(s, 3, (int64_t)push->id);
    bind(s, 4, push->born_ms);
    bind(s, 5, push->failures);
    bind(s, 6, due_ms);
    bind_bytes(s, 7, push->bytes, push->tags_len);
    bind_bytes(s, 8, push->bytes + push->tags_len, push->body_len);
    return vault_run(vault, which);
}

static bool save_bar(struct vault *vault, const struct bar *bar)
{
    sqlite3_stmt *s = vault->statements[VAULT_BAR_ADD];
    bind(s, 1, (int64_t)bar->number);
    bind(s, 2, bar->kind);
    (void)sqlite3_bind_text(s, 3, bar->name, -1, SQLITE_STATIC);
    bind(s, 4, bar->until_ms);
    return vault_run(vault, VAULT_BAR_ADD);
}

static bool save_text(struct vault *vault, enum vault_sql which, uint64_t number)
{
    sqlite3_stmt *s = vault->statements[which];
    CHECK(!vault->text.overflow);
    bind(s, 1, (int64_t)number);
    (void)sqlite3_bind_text64(s, 2, vault->text.ptr, vault->text.len, SQLITE_STATIC, SQLITE_UTF8);
    return vault_run(vault, which);
}

static bool save(struct vault *vault, struct record *record)
{
    buf_clear(&vault->text);
    switch ((enum record_kind)record->kind) {
    case RECORD_MESSAGE:
        return save_message(vault, OWNER(record, struct message));
    case RECORD_PUSH:
        return save_push(vault, OWNER(record, struct push));
    case RECORD_QUEUE:
        definition_of_queue(OWNER(record, struct queue), &vault->text);
        return save_text(vault, VAULT_QUEUE_SAVE, OWNER(record, struct queue)->number);
    case RECORD_TOPIC:
        definition_of_topic(OWNER(record, struct topic), &vault->text);
        return save_text(vault, VAULT_TOPIC_SAVE, OWNER(record, struct topic)->number);
    case RECORD_BAR:
        return save_bar(vault, OWNER(record, struct bar));
    case RECORD_KINDS:
        break;
    }
    CHECK(false);
}

static bool forget(struct vault *vault, const struct gone *gone)
{
    static const enum vault_sql statements[RECORD_KINDS] = {
        [RECORD_MESSAGE] = VAULT_MESSAGE_DELETE, [RECORD_PUSH] = VAULT_PUSH_DELETE,
        [RECORD_QUEUE] = VAULT_QUEUE_DELETE,     [RECORD_TOPIC] = VAULT_TOPIC_DELETE,
        [RECORD_BAR] = VAULT_BAR_DELETE,
    };
    bind(vault->statements[statements[gone->kind]], 1, (int64_t)gone->number);
    return vault_run(vault, statements[gone->kind]);
}

/* Numbers are reserved many at a time, so that most commits need not write them down. */
static bool reserve_ids(struct vault *vault)
{
    enum { AT_ONCE = 1 << 20 };
    uint64_t next_id = store_depot(vault->store)->next_id;
    if (next_id <= vault->reserved_id)
        return true;
    vault->reserved_id = next_id + AT_ONCE;
    sqlite3_stmt *s = vault->statements[VAULT_META_SET];
    (void)sqlite3_bind_text(s, 1, "next_id", -1, SQLITE_STATIC);
    bind(s, 2, (int64_t)vault->reserved_id);
    return vault_run(vault, VAULT_META_SET);
}

bool vault_save(struct vault *vault)
{
    struct changes *changes = &vault->changes;
    for (size_t i = 0; i < changes->gone_count; i++) {
        if (!forget(vault, &changes->gone[i]))
            return false;
    }
    for (size_t i = 0; i < changes->stale_count; i++) {
        if (changes->stale[i] && !save(vault, changes->stale[i]))
            return false;
    }
    if (!reserve_ids(vault))
        return false;
    /* only now: had a row failed, none would be there */
    for (size_t i = 0; i < changes->stale_count; i++) {
        if (changes->stale[i])
            changes->stale[i]->saved = true;
    }
    return true;
}
