/*
 * morgue - see morgue.h
 *
 * Who may move rows is decided under the database's write lock: a starting gateway takes its own
 * lock first and then reads the database in a transaction, so whoever holds a transaction and sees
 * that lock free is alone until it commits.
 */
#include "spool/morgue.h"

#include "base/clock.h"
#include "base/random.h"
#include "spool/lock.h"
#include "spool/request.h"
#include "spool/space.h"
#include "spool/verify.h"

#include <time.h>
#include <utlist.h>

enum {
    LIST_MAX_COUNT = 64, /* letters read at once; between two reads others may write */
    LIST_MAX_BYTES = 1 << 20,
    ASK_TIMEOUT_MS = 10000, /* for what has no time limit of the caller's */
    ASK_POLL_MS = 2,
};

struct morgue {
    struct store *store;
};

struct morgue *morgue_open(const char *dir, struct err *err)
{
    struct store *store = store_open(dir, false, err);
    if (!store)
        return NULL;
    struct morgue *morgue = check_alloc(calloc(1, sizeof *morgue));
    morgue->store = store;
    return morgue;
}

void morgue_close(struct morgue *morgue)
{
    if (morgue)
        store_close(morgue->store);
    free(morgue);
}

bool morgue_gateway_runs(struct morgue *morgue)
{
    return lock_is_held(morgue->store->dir);
}

bool morgue_each(struct morgue *morgue, const char *rule, bool with_body,
                 bool (*fn)(void *ctx, const struct dead_letter *letter), void *ctx,
                 struct err *err)
{
    return morgue_each_after(morgue, 0, rule, with_body, fn, ctx, err);
}

bool morgue_each_after(struct morgue *morgue, uint64_t after_id, const char *rule, bool with_body,
                       bool (*fn)(void *ctx, const struct dead_letter *letter), void *ctx,
                       struct err *err)
{
    struct rows_letters query = {.after_id = after_id,
                                 .rule = rule,
                                 .with_body = with_body,
                                 .max_count = LIST_MAX_COUNT,
                                 .max_bytes = LIST_MAX_BYTES};
    struct dead_letter *letters;
    bool go_on = true;
    do {
        if (!rows_letters(morgue->store, &query, &letters))
            return store_fault(morgue->store, err);
        go_on = go_on && letters;
        const struct dead_letter *letter;
        bool in_order = true;
        LL_FOREACH(letters, letter)
        {
            in_order = in_order && letter->id > query.after_id; /* else it might never end */
            go_on = go_on && in_order && fn(ctx, letter);
            query.after_id = letter->id;
        }
        rows_free_letters(letters);
        if (!in_order) {
            return err_set(err, "%s/spool.db is damaged: its dead letters are out of order",
                           morgue->store->dir);
        }
    } while (go_on);
    return true;
}

struct dead_letter *morgue_find(struct morgue *morgue, uint64_t id, struct err *err)
{
    struct dead_letter *letter;
    err->text[0] = '\0';
    if (!rows_letter(morgue->store, id, &letter))
        store_fault(morgue->store, err);
    return letter;
}

struct asking {
    const struct request *request;
    enum request_answer answer;
    uint64_t value;
    struct err *err; /* filled when refused */
};

/* Carries out the request here, inside the transaction, and takes its answer. */
static bool carry_out_alone(struct store *store, struct asking *asking)
{
    uint64_t first_id;
    if (!rows_next_id(store, &first_id))
        return false;
    _Atomic uint64_t next_id = first_id;
    struct request_effect effect;
    request_effect_init(&effect);
    bool ok =
        request_carry_out(store, asking->request, &next_id, &effect) &&
        store_meta_set(store, "next_id", atomic_load(&next_id)) &&
        request_look(store, asking->request->id, &asking->answer, &asking->value, asking->err) &&
        request_cancel(store, asking->request->id);
    request_effect_fini(&effect);
    return ok;
}

/* One transaction: files the request when it is new, looks for its answer, and gives one itself
 * when no gateway runs. */
static bool ask_once(struct morgue *morgue, struct asking *asking, bool is_new)
{
    struct store *store = morgue->store;
    bool ok =
        store_begin(store) && (!is_new || request_file(store, asking->request)) &&
        request_look(store, asking->request->id, &asking->answer, &asking->value, asking->err);
    if (ok && asking->answer == REQUEST_WAITING && !morgue_gateway_runs(morgue))
        ok = carry_out_alone(store, asking);
    ok = ok && store_commit(store);
    if (!ok)
        store_rollback(store);
    return ok;
}

/* Takes the request back, unless it has been answered meanwhile. */
static bool give_up(struct store *store, struct asking *asking)
{
    bool ok =
        store_begin(store) &&
        request_look(store, asking->request->id, &asking->answer, &asking->value, asking->err) &&
        request_cancel(store, asking->request->id) && store_commit(store);
    if (!ok)
        store_rollback(store);
    return ok;
}

/* Files a request and waits for its answer. */
static bool ask(struct morgue *morgue, const struct request *request, int64_t timeout_ms,
                uint64_t *value, struct err *err)
{
    struct store *store = morgue->store;
    struct asking asking = {.request = request, .err = err};
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    bool ok = ask_once(morgue, &asking, true);
    while (ok && asking.answer == REQUEST_WAITING && clock_mono_ms() < until_ms) {
        const struct timespec pause = {.tv_nsec = ASK_POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
        if (morgue_gateway_runs(morgue)) {
            ok = request_look(store, request->id, &asking.answer, &asking.value, err);
        } else {
            ok = ask_once(morgue, &asking, false);
        }
    }
    if (ok && asking.answer == REQUEST_WAITING)
        ok = give_up(store, &asking);
    if (!ok)
        return store_fault(store, err);
    switch (asking.answer) {
    case REQUEST_DONE:
        *value = asking.value;
        return true;
    case REQUEST_REFUSED:
        return false;
    case REQUEST_WAITING:
        return err_set(err, "the running gateway did not answer within %lld ms; nothing was done",
                       (long long)timeout_ms);
    case REQUEST_GONE:
        break;
    }
    return err_set(err, "the gateway was started meanwhile, nothing was done: try again");
}

static bool ask_about(struct morgue *morgue, enum request_verb verb, uint64_t letter,
                      int64_t timeout_ms, struct err *err)
{
    const struct request request = {.id = random_u64() >> 1, .verb = verb, .letter = letter};
    uint64_t value;
    return ask(morgue, &request, timeout_ms, &value, err);
}

bool morgue_replay(struct morgue *morgue, uint64_t id, int64_t timeout_ms, struct err *err)
{
    return ask_about(morgue, REQUEST_REPLAY, id, timeout_ms, err);
}

bool morgue_drop(struct morgue *morgue, uint64_t id, struct err *err)
{
    return ask_about(morgue, REQUEST_DROP, id, ASK_TIMEOUT_MS, err);
}

bool morgue_replace(struct morgue *morgue, uint64_t id, struct delivery *deliveries,
                    int64_t timeout_ms, struct err *err)
{
    const struct request request = {
        .id = random_u64() >> 1, .verb = REQUEST_REPLACE, .letter = id, .deliveries = deliveries};
    const struct delivery *d;
    int count;
    LL_COUNT(deliveries, d, count);
    uint64_t value;
    bool ok;
    if (count == 0 || count > REQUEST_MAX_STAGED) {
        ok = err_set(err, "a dead letter gives way to 1 to %d deliveries, not to %d",
                     REQUEST_MAX_STAGED, count);
    } else {
        ok = ask(morgue, &request, timeout_ms, &value, err);
    }
    rows_free_deliveries(deliveries);
    return ok;
}

bool morgue_reserve_id(struct morgue *morgue, uint64_t *out, struct err *err)
{
    const struct request request = {.id = random_u64() >> 1, .verb = REQUEST_RESERVE};
    return ask(morgue, &request, ASK_TIMEOUT_MS, out, err);
}

bool morgue_stat(struct morgue *morgue, struct spool_stat *out, struct err *err)
{
    struct store *store = morgue->store;
    int64_t deliveries;
    int64_t letters;
    *out = (struct spool_stat){.state = SPOOL_ACCEPTING};
    if (!store_number(store, store_use(store, SQL_DELIVERY_COUNT), &deliveries) ||
        !store_number(store, store_use(store, SQL_DEAD_COUNT), &letters) ||
        !store_number(store, store_use(store, SQL_DELIVERY_OLDEST), &out->oldest_ms) ||
        !store_meta_get(store, "max_bytes", &out->max_bytes) ||
        !store_used_bytes(store, &out->used_bytes))
        return store_fault(store, err);
    out->deliveries = (uint64_t)deliveries;
    out->dead_letters = (uint64_t)letters;
    out->capacity_bytes = space_high_water(out->max_bytes);
    if (out->used_bytes > out->capacity_bytes)
        out->state = SPOOL_FULL;
    return true;
}

bool morgue_verify(struct morgue *morgue, void (*fault)(void *ctx, const char *line), void *ctx,
                   struct err *err)
{
    return verify_store(morgue->store, fault, ctx, err);
}
