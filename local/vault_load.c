/* vault_load - from the data file to the store: see vault_impl.h. */
#include "local/definition.h"
#include "local/vault_impl.h"

#include <uthash.h>

/* What the numbers in the file stand for. */
struct target {
    uint64_t number;
    struct queue *queue;
    struct push_line *line;
    UT_hash_handle hh;
};

static struct span bytes_of(sqlite3_stmt *s, int column)
{
    const void *bytes = sqlite3_column_blob(s, column);
    return span_make(bytes, (size_t)sqlite3_column_bytes(s, column));
}

static bool at_end(struct vault *vault, enum vault_sql which, int code, struct err *err)
{
    (void)sqlite3_reset(vault->statements[which]);
    return code == SQLITE_DONE || err_set(err, "%s", sqlite3_errmsg(vault->db));
}

typedef bool adder(struct store *store, uint64_t number, struct span text, struct err *err);

static bool bind_again(struct store *store, uint64_t number, struct span text, struct err *err)
{
    (void)number;
    return definition_bind(store, text, err);
}

/* Gives each definition to add. */
static bool load_texts(struct vault *vault, enum vault_sql which, adder *add, struct err *err)
{
    sqlite3_stmt *s = vault->statements[which];
    bool ok = true;
    int code = SQLITE_DONE;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW)
        ok = add(vault->store, (uint64_t)sqlite3_column_int64(s, 0), bytes_of(s, 1), err);
    if (!ok) {
        (void)sqlite3_reset(s);
        return false;
    }
    return at_end(vault, which, code, err);
}

static void add_target(struct target **targets, uint64_t number, struct queue *queue,
                       struct push_line *line)
{
    struct target *target = check_alloc(malloc(sizeof *target));
    *target = (struct target){.number = number, .queue = queue, .line = line};
    HASH_ADD(hh, *targets, number, sizeof target->number, target);
}

static struct target *find(struct target *targets, sqlite3_stmt *s, int column)
{
    uint64_t number = (uint64_t)sqlite3_column_int64(s, column);
    struct target *found;
    HASH_FIND(hh, targets, &number, sizeof number, found);
    return found;
}

static void free_targets(struct target *targets)
{
    struct target *target = targets;
    HASH_CLEAR(hh, targets); /* frees the table; the entries still know their next one */
    while (target) {
        struct target *next = target->hh.next;
        free(target);
        target = next;
    }
}

/* A moment of the file: none before 1970 or after the year 5138, so that sums of them fit. */
static bool read_time(sqlite3_stmt *s, int column, int64_t *out)
{
    *out = sqlite3_column_int64(s, column);
    return *out >= 0 && *out <= INT64_C(100000000000000);
}

static bool restore_message(struct vault *vault, struct target *queues, uint64_t id,
                            struct err *err)
{
    sqlite3_stmt *s = vault->statements[VAULT_MESSAGE];
    struct depot *depot = store_depot(vault->store);
    struct target *to = find(queues, s, 0);
    int64_t slot = sqlite3_column_int64(s, 1), state = sqlite3_column_int64(s, 3);
    int64_t due_ms, enqueued_ms, entered_ms, first_dequeue_ms;
    struct message *m = NULL;
    if (to && id < INT64_MAX && slot >= 0 && slot < UINT32_MAX && state >= MESSAGE_ACTIVE &&
        state <= MESSAGE_KEPT && read_time(s, 4, &due_ms) && read_time(s, 5, &enqueued_ms) &&
        read_time(s, 6, &entered_ms) && read_time(s, 7, &first_dequeue_ms))
        m = depot_restore(depot, id, (uint32_t)slot, bytes_of(s, 9));
    if (!m)
        return err_set(err, "message %llu has no place, or no time", (unsigned long long)id);
    m->record = (struct record){.kind = RECORD_MESSAGE, .saved = true};
    m->receipt = (uint32_t)sqlite3_column_int64(s, 2);
    m->state = (enum message_state)state;
    m->enqueued_ms = enqueued_ms;
    m->entered_ms = entered_ms;
    m->first_dequeue_ms = first_dequeue_ms;
    m->dequeue_count = (uint32_t)sqlite3_column_int64(s, 8);
    queue_restore(to->queue, m, due_ms);
    if (id >= depot->next_id)
        depot->next_id = id + 1;
    return true;
}

/* Sorting numbers is one thing and sorting bodies another, so each is read when its turn comes. */
static bool load_messages(struct vault *vault, struct target *queues, struct err *err)
{
    sqlite3_stmt *ids = vault->statements[VAULT_MESSAGES];
    sqlite3_stmt *s = vault->statements[VAULT_MESSAGE];
    bool ok = true;
    int code = SQLITE_DONE;
    while (ok && (code = sqlite3_step(ids)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(ids, 0);
        (void)sqlite3_bind_int64(s, 1, id);
        ok = sqlite3_step(s) == SQLITE_ROW ? restore_message(vault, queues, (uint64_t)id, err)
                                           : err_set(err, "%s", sqlite3_errmsg(vault->db));
        (void)sqlite3_reset(s);
    }
    depot_restored(store_depot(vault->store));
    if (!ok) {
        (void)sqlite3_reset(ids);
        return false;
    }
    return at_end(vault, VAULT_MESSAGES, code, err);
}

static bool restore_push(struct vault *vault, struct target *lines, struct err *err)
{
    sqlite3_stmt *s = vault->statements[VAULT_PUSHES];
    struct target *to = find(lines, s, 1);
    int64_t number = sqlite3_column_int64(s, 0), failures = sqlite3_column_int64(s, 4);
    struct push_past past = {.number = (uint64_t)number, .failures = (unsigned)failures};
    if (!to || number < 0 || number == INT64_MAX || failures < 0 || failures > INT32_MAX ||
        !read_time(s, 3, &past.born_ms) || !read_time(s, 5, &past.due_ms))
        return err_set(err, "push %lld has no subscription, or no time", (long long)number);
    push_restore(to->line, (uint64_t)sqlite3_column_int64(s, 2), bytes_of(s, 6), bytes_of(s, 7),
                 &past);
    return true;
}

static bool load_pushes(struct vault *vault, struct target *lines, struct err *err)
{
    sqlite3_stmt *s = vault->statements[VAULT_PUSHES];
    bool ok = true;
    int code = SQLITE_DONE;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW)
        ok = restore_push(vault, lines, err);
    if (!ok) {
        (void)sqlite3_reset(s);
        return false;
    }
    return at_end(vault, VAULT_PUSHES, code, err);
}

static bool load_bars(struct vault *vault, struct err *err)
{
    sqlite3_stmt *s = vault->statements[VAULT_BARS];
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        bars_restore(store_bars(vault->store),
                     sqlite3_column_int64(s, 1) == BAR_TOPIC ? BAR_TOPIC : BAR_QUEUE,
                     bytes_of(s, 2), sqlite3_column_int64(s, 3),
                     (uint64_t)sqlite3_column_int64(s, 0));
    }
    return at_end(vault, VAULT_BARS, code, err);
}

static bool load_next_id(struct vault *vault, struct err *err)
{
    sqlite3_stmt *s = vault->statements[VAULT_META];
    struct depot *depot = store_depot(vault->store);
    (void)sqlite3_bind_text(s, 1, "next_id", -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        uint64_t next_id = (uint64_t)sqlite3_column_int64(s, 0);
        if (next_id > depot->next_id && next_id < INT64_MAX)
            depot->next_id = next_id;
        code = SQLITE_DONE;
    }
    return at_end(vault, VAULT_META, code, err);
}

bool vault_load(struct vault *vault, struct err *err)
{
    struct store *store = vault->store;
    struct target *queues = NULL, *lines = NULL;
    bool ok = load_texts(vault, VAULT_QUEUES, definition_add_queue, err) &&
              load_texts(vault, VAULT_QUEUES, bind_again, err) &&
              load_texts(vault, VAULT_TOPICS, definition_add_topic, err);
    for (struct queue *q = NULL; (q = store_next_queue(store, q));)
        add_target(&queues, q->number, q, NULL);
    for (struct topic *t = NULL; (t = store_next_topic(store, t));) {
        for (struct subscription *s = t->subscriptions; s; s = s->next) {
            if (s->pushes)
                add_target(&lines, s->number, NULL, s->pushes);
        }
    }
    ok = ok && load_next_id(vault, err) && load_messages(vault, queues, err) &&
         load_pushes(vault, lines, err) && load_bars(vault, err);
    free_targets(queues);
    free_targets(lines);
    return ok;
}
