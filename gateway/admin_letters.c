/*
 * admin_letters - dead letters over HTTP: listed, shown, tried again, deleted (docs/admin.md)
 *
 * The worker opens the state directory as the command line does, beside the running spool, which
 * carries out what it is asked for.
 */
#include "gateway/admin_impl.h"

#include "base/clock.h"
#include "gateway/ask.h"
#include "gateway/letter_json.h"
#include "gateway/replay.h"

enum {
    LETTERS_BUDGET_MS = 10000, /* for one request; what is left is for the next one */
    LETTERS_TIMEOUT_MS = 5000, /* for the running spool to take its part */
    LETTERS_MAX_TAKEN = 1000,
};

/* ---- listing ---- */

struct listing {
    struct emit emit;
    uint64_t limit, count;
    uint64_t last; /* the id listed last */
    bool more;
};

static bool list_one(void *ctx, const struct dead_letter *letter)
{
    struct listing *l = ctx;
    l->more = l->count == l->limit;
    if (l->more)
        return false;
    letter_json(&l->emit, letter, false);
    l->last = letter->id;
    l->count++;
    return true;
}

static struct morgue *open_morgue(struct admin_call *call, struct err *err)
{
    const struct config *config = admin_config(call->admin);
    struct morgue *morgue = morgue_open(config->gateway.state_dir, err);
    config_free(config);
    return morgue;
}

static void emit_next(struct emit *e, bool more, uint64_t last)
{
    if (more)
        emit_u64(e, "next", last);
    else
        emit_null(e, "next");
}

static void answer_list(struct admin_call *call)
{
    struct ask_letters ask;
    struct err err = {""};
    struct spool_stat stat;
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    struct listing l = {.emit = {.out = &out}};
    struct morgue *morgue = NULL;
    unsigned status = 400;
    bool ok = ask_listing_read(&ask, span_of(call->arg), &err);
    if (ok) {
        status = 500;
        morgue = open_morgue(call, &err);
        ok = morgue;
    }
    if (ok) {
        l.limit = ask.limit;
        emit_object(&l.emit, NULL);
        emit_array(&l.emit, "dead_letters");
        ok = morgue_each_after(morgue, ask.after, ask.rule, false, list_one, &l, &err);
        emit_array_end(&l.emit);
        emit_next(&l.emit, l.more, l.last);
        spool_stat(call->admin->options.view.spool, &stat);
        emit_u64(&l.emit, "total", stat.dead_letters);
        emit_object_end(&l.emit);
    }
    morgue_close(morgue);
    ask_letters_fini(&ask);
    if (ok) {
        admin_answer(call->request, 200, &out);
        return;
    }
    buf_fini(&out);
    admin_refuse(call->request, status, err.text);
}

/* The query's arguments as the body that says the same; a number that is none is refused then. */
static char *query_as_body(const struct http_request *request)
{
    static const char *const numbers[] = {"after", "limit"};
    struct buf out = BUF_INIT(8 * HTTP_MAX_HEADER_BYTES);
    struct emit e = {.out = &out};
    struct span rule = http_query(request, "rule");
    emit_object(&e, NULL);
    if (rule.ptr)
        emit_span(&e, "rule", rule);
    for (int i = 0; i < 2; i++) {
        struct span text = http_query(request, numbers[i]);
        uint64_t value;
        if (text.ptr && span_to_u64(text, UINT64_MAX, &value))
            emit_u64(&e, numbers[i], value);
        else if (text.ptr)
            emit_null(&e, numbers[i]);
    }
    emit_object_end(&e);
    return buf_take(&out);
}

void admin_letters(struct admin *admin, struct http_request *request)
{
    admin_later(admin, request, answer_list, query_as_body(request));
}

/* ---- one ---- */

static void answer_one(struct admin_call *call)
{
    struct err err = {""};
    uint64_t id;
    struct span text = span_of(strrchr(call->path, '/') + 1);
    if (!span_to_u64(text, INT64_MAX, &id)) {
        admin_refuse(call->request, 404, "there is no dead letter with this id");
        return;
    }
    struct morgue *morgue = open_morgue(call, &err);
    struct dead_letter *letter = morgue ? morgue_find(morgue, id, &err) : NULL;
    struct buf out = BUF_INIT(LETTER_JSON_MAX_BYTES);
    struct emit e = {.out = &out};
    if (letter) {
        letter_json(&e, letter, true);
        admin_answer(call->request, 200, &out);
    } else if (err.text[0]) {
        admin_refuse(call->request, 500, err.text);
    } else {
        admin_refuse(call->request, 404, "there is no dead letter with this id");
    }
    free(letter);
    morgue_close(morgue);
}

void admin_letter(struct admin *admin, struct http_request *request)
{
    admin_later(admin, request, answer_one, NULL);
}

/* ---- taking out ---- */

struct taking {
    struct admin_call *call;
    const struct config *config;
    struct ask_letters ask;
    struct morgue *morgue;
    struct emit emit;
    uint64_t ids[LETTERS_MAX_TAKEN];
    size_t count;
    uint64_t done;
    uint64_t last; /* the id dealt with last */
    bool more;
};

typedef bool (*take_out_fn)(struct taking *t, const struct dead_letter *letter, struct err *err);

static bool replay_one(struct taking *t, const struct dead_letter *letter, struct err *err)
{
    const struct replay how = {.morgue = t->morgue,
                               .rules = t->config->rules,
                               .jq = t->call->admin->jq,
                               .timeout_ms = LETTERS_TIMEOUT_MS};
    return replay_letter(&how, letter, err);
}

static bool drop_one(struct taking *t, const struct dead_letter *letter, struct err *err)
{
    return morgue_drop(t->morgue, letter->id, err);
}

static bool add_id(void *ctx, const struct dead_letter *letter)
{
    struct taking *t = ctx;
    t->more = t->count == LETTERS_MAX_TAKEN;
    if (!t->more)
        t->ids[t->count++] = letter->id;
    return !t->more;
}

static void take_out(struct taking *t, uint64_t id, take_out_fn fn)
{
    struct err err = {""};
    struct dead_letter *letter = morgue_find(t->morgue, id, &err);
    bool ok = letter && fn(t, letter, &err);
    if (!letter && !err.text[0])
        (void)err_set(&err, "there is no dead letter with this id");
    t->done += ok;
    t->last = id;
    if (!ok) {
        emit_object(&t->emit, NULL);
        emit_u64(&t->emit, "id", id);
        emit_text(&t->emit, "reason", err.text);
        emit_object_end(&t->emit);
    }
    free(letter);
}

/* Deals with those chosen until the time is up. */
static void take_out_all(struct taking *t, take_out_fn fn, const char *done)
{
    int64_t end_ms = clock_mono_ms() + LETTERS_BUDGET_MS;
    struct emit *e = &t->emit;
    emit_object(e, NULL);
    emit_array(e, "kept");
    size_t i = 0;
    for (; i < t->count && clock_mono_ms() < end_ms && !worker_stopping(t->call->admin->worker);
         i++)
        take_out(t, t->ids[i], fn);
    bool chosen_by_id = t->ask.id_count > 0;
    for (; chosen_by_id && i < t->count; i++) { /* whoever named them names them again */
        emit_object(e, NULL);
        emit_u64(e, "id", t->ids[i]);
        emit_text(e, "reason", "not tried: the time was up");
        emit_object_end(e);
    }
    emit_array_end(e);
    emit_u64(e, done, t->done);
    emit_next(e, t->more || i < t->count, t->last);
    emit_object_end(e);
}

static bool choose(struct taking *t, struct err *err)
{
    if (t->ask.id_count == 0)
        return morgue_each_after(t->morgue, t->ask.after, t->ask.rule, false, add_id, t, err);
    memcpy(t->ids, t->ask.ids, t->ask.id_count * sizeof *t->ids);
    t->count = t->ask.id_count;
    return true;
}

static void answer_taking(struct admin_call *call, take_out_fn fn, const char *done)
{
    struct taking *t = check_alloc(calloc(1, sizeof *t));
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    struct err err = {""};
    unsigned status = 400;
    t->call = call;
    t->emit.out = &out;
    t->config = admin_config(call->admin);
    bool ok = ask_letters_read(&t->ask, span_of(call->arg), &err);
    t->last = t->ask.after;
    if (ok) {
        status = 500;
        t->morgue = morgue_open(t->config->gateway.state_dir, &err);
        ok = t->morgue && choose(t, &err);
    }
    if (ok)
        take_out_all(t, fn, done);
    morgue_close(t->morgue);
    config_free(t->config);
    ask_letters_fini(&t->ask);
    free(t);
    if (ok) {
        admin_answer(call->request, 200, &out);
        return;
    }
    buf_fini(&out);
    admin_refuse(call->request, status, err.text);
}

static void answer_replay(struct admin_call *call)
{
    answer_taking(call, replay_one, "replayed");
}

static void answer_drop(struct admin_call *call)
{
    answer_taking(call, drop_one, "dropped");
}

void admin_replay(struct admin *admin, struct http_request *request)
{
    admin_later(admin, request, answer_replay, span_dup(http_body(request)));
}

void admin_drop(struct admin *admin, struct http_request *request)
{
    admin_later(admin, request, answer_drop, span_dup(http_body(request)));
}
