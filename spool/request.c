/* request - see request.h. */
#include "spool/request.h"

#include "base/clock.h"

#include <utlist.h>

enum {
    KEEP_ANSWERS_MS = 10000, /* an asker looks every few milliseconds */
};

void request_effect_init(struct request_effect *effect)
{
    *effect = (struct request_effect){
        .lanes = BUF_INIT(REQUEST_MAX_ROUND * REQUEST_MAX_STAGED * sizeof(uint64_t))};
}

void request_effect_fini(struct request_effect *effect)
{
    buf_fini(&effect->lanes);
}

static void appeared(struct request_effect *effect, uint64_t lane)
{
    CHECK(buf_add(&effect->lanes, span_make(&lane, sizeof lane)));
    effect->replayed++;
}

static bool stage(struct store *store, uint64_t request, const struct delivery *d)
{
    sqlite3_stmt *statement = store_use(store, SQL_STAGED_ADD);
    store_bind_u64(statement, 1, request);
    store_bind_u64(statement, 2, d->lane);
    store_bind_u64(statement, 3, (uint64_t)d->received_ms);
    store_bind_u64(statement, 4, (uint64_t)d->expires_ms);
    store_bind_u64(statement, 5, d->flags);
    store_bind_text(statement, 6, d->rule);
    store_bind_text(statement, 7, d->destination);
    store_bind_blob(statement, 8, d->body);
    return store_run(store, statement);
}

bool request_file(struct store *store, const struct request *request)
{
    sqlite3_stmt *statement = store_use(store, SQL_REQUEST_ADD);
    store_bind_u64(statement, 1, request->id);
    store_bind_u64(statement, 2, (uint64_t)request->verb);
    store_bind_u64(statement, 3, request->letter);
    if (!store_run(store, statement))
        return false;
    const struct delivery *d;
    LL_FOREACH(request->deliveries, d)
    {
        if (!stage(store, request->id, d))
            return false;
    }
    return true;
}

/* Runs a statement on the row ?1 with the fresh number ?2. */
static bool move_row(struct store *store, enum sql which, uint64_t row, uint64_t id)
{
    sqlite3_stmt *statement = store_use(store, which);
    store_bind_u64(statement, 1, row);
    store_bind_u64(statement, 2, id);
    return store_run(store, statement);
}

static bool delete_rows(struct store *store, enum sql which, uint64_t key)
{
    sqlite3_stmt *statement = store_use(store, which);
    store_bind_u64(statement, 1, key);
    return store_run(store, statement);
}

static bool move_staged(struct store *store, uint64_t request, _Atomic uint64_t *next_id,
                        struct request_effect *effect)
{
    sqlite3_stmt *staged = store_use(store, SQL_STAGED_LANES);
    store_bind_u64(staged, 1, request);
    store_bind_u64(staged, 2, REQUEST_MAX_STAGED);
    enum store_step step;
    while ((step = store_step(store, staged)) == STORE_ROW) {
        uint64_t row = (uint64_t)sqlite3_column_int64(staged, 0);
        appeared(effect, (uint64_t)sqlite3_column_int64(staged, 1));
        if (!move_row(store, SQL_STAGED_MOVE, row, atomic_fetch_add(next_id, 1))) {
            sqlite3_reset(staged);
            return false;
        }
    }
    return step == STORE_DONE;
}

/* Carries out what concerns a letter. refusal is filled when it cannot be done. */
static bool with_letter(struct store *store, const struct request *request,
                        _Atomic uint64_t *next_id, struct request_effect *effect,
                        struct err *refusal)
{
    sqlite3_stmt *found = store_use(store, SQL_DEAD_LANE);
    store_bind_u64(found, 1, request->letter);
    enum store_step step = store_step(store, found);
    bool planned = step == STORE_ROW && sqlite3_column_type(found, 0) != SQLITE_NULL;
    uint64_t lane = planned ? (uint64_t)sqlite3_column_int64(found, 0) : 0;
    sqlite3_reset(found);
    if (step == STORE_FAULT)
        return false;
    if (step == STORE_DONE) {
        err_set(refusal, "there is no dead letter %llu", (unsigned long long)request->letter);
        return true;
    }
    if (request->verb == REQUEST_REPLAY && !planned) {
        err_set(refusal, "dead letter %llu never was a delivery: it has to be planned again",
                (unsigned long long)request->letter);
        return true;
    }
    if (request->verb == REQUEST_REPLAY) {
        if (!move_row(store, SQL_DEAD_REPLAY, request->letter, atomic_fetch_add(next_id, 1)))
            return false;
        appeared(effect, lane);
    }
    if (request->verb == REQUEST_REPLACE && !move_staged(store, request->id, next_id, effect))
        return false;
    effect->letters_gone++;
    return delete_rows(store, SQL_DEAD_DELETE, request->letter);
}

static bool answer(struct store *store, uint64_t id, uint64_t value, const struct err *refusal)
{
    sqlite3_stmt *statement = store_use(store, SQL_REQUEST_ANSWER);
    store_bind_u64(statement, 1, id);
    store_bind_u64(statement, 2, (uint64_t)clock_unix_ms());
    store_bind_u64(statement, 3, value);
    store_bind_text(statement, 4, span_of(refusal->text));
    return store_run(store, statement);
}

bool request_carry_out(struct store *store, const struct request *request,
                       _Atomic uint64_t *next_id, struct request_effect *effect)
{
    struct err refusal = {""};
    uint64_t value = 0;
    bool ok = true;
    switch (request->verb) {
    case REQUEST_RESERVE:
        value = atomic_fetch_add(next_id, 1);
        break;
    case REQUEST_REPLAY:
    case REQUEST_REPLACE:
    case REQUEST_DROP:
        ok = with_letter(store, request, next_id, effect, &refusal) &&
             delete_rows(store, SQL_STAGED_SWEEP, request->id);
        break;
    default:
        err_set(&refusal, "the running gateway does not know this request");
    }
    return ok && answer(store, request->id, value, &refusal);
}

/* The next request without an answer; *found false when there is none. */
static bool next(struct store *store, struct request *request, bool *found)
{
    sqlite3_stmt *statement = store_use(store, SQL_REQUEST_NEXT);
    enum store_step step = store_step(store, statement);
    *found = step == STORE_ROW;
    if (*found) {
        *request = (struct request){.id = (uint64_t)sqlite3_column_int64(statement, 0),
                                    .verb = (enum request_verb)sqlite3_column_int(statement, 1),
                                    .letter = (uint64_t)sqlite3_column_int64(statement, 2)};
    }
    sqlite3_reset(statement);
    return step != STORE_FAULT;
}

bool request_serve(struct store *store, _Atomic uint64_t *next_id, struct request_effect *effect,
                   unsigned *served)
{
    for (*served = 0; *served < REQUEST_MAX_ROUND; (*served)++) {
        struct request request;
        bool found;
        if (!next(store, &request, &found))
            return false;
        if (!found)
            break;
        if (!request_carry_out(store, &request, next_id, effect))
            return false;
    }
    return *served == 0 ||
           delete_rows(store, SQL_REQUEST_SWEEP, (uint64_t)(clock_unix_ms() - KEEP_ANSWERS_MS));
}

bool request_look(struct store *store, uint64_t id, enum request_answer *found, uint64_t *value,
                  struct err *err)
{
    sqlite3_stmt *statement = store_use(store, SQL_REQUEST_RESULT);
    store_bind_u64(statement, 1, id);
    enum store_step step = store_step(store, statement);
    *found = REQUEST_GONE;
    if (step == STORE_ROW) {
        struct span refusal = store_column(statement, 2);
        *value = (uint64_t)sqlite3_column_int64(statement, 1);
        if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
            *found = REQUEST_WAITING;
        } else {
            *found = refusal.len ? REQUEST_REFUSED : REQUEST_DONE;
        }
        err_set(err, "%.*s", SPAN_ARG(refusal));
    }
    sqlite3_reset(statement);
    return step != STORE_FAULT;
}

bool request_cancel(struct store *store, uint64_t id)
{
    return delete_rows(store, SQL_REQUEST_CANCEL, id) && delete_rows(store, SQL_STAGED_SWEEP, id);
}

bool request_clear(struct store *store)
{
    sqlite3_stmt *requests = store_use(store, SQL_REQUEST_SWEEP);
    sqlite3_stmt *staged = store_use(store, SQL_STAGED_SWEEP);
    sqlite3_bind_null(requests, 1);
    sqlite3_bind_null(staged, 1);
    return store_run(store, requests) && store_run(store, staged);
}
