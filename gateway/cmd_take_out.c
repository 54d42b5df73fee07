/* cmqgw dead-letters replay and drop: choose letters, deal with each, tell what stays. */
#include "base/clock.h"
#include "gateway/dead_letters.h"
#include "gateway/print.h"
#include "gateway/replay.h"
#include "gateway/state.h"

#include <inttypes.h>

enum {
    GATEWAY_TIMEOUT_MS = 10000, /* a running gateway takes its part of a replay much faster */
    PROGRESS_EVERY_MS = 5000,
};

/* The letters that the command line chose, and what became of them. */
struct choice {
    struct command_line *line;
    struct state state;
    struct jq_worker *jq; /* to replay; NULL: no rule has a program */
    const char *rule;     /* --rule */
    bool all;             /* --all */
    uint64_t *ids;
    size_t count;
    size_t done;
    size_t kept;
    bool silent_gateway; /* it did not answer in time: no use in asking again */
};

static bool add_id(void *ctx, const struct dead_letter *letter)
{
    struct choice *c = ctx;
    if ((c->count & (c->count - 1)) == 0) /* 0, 1, 2, 4, ...: full */
        c->ids = check_alloc(reallocarray(c->ids, c->count ? c->count * 2 : 1, sizeof(*c->ids)));
    c->ids[c->count++] = letter->id;
    return true;
}

static bool read_line(struct choice *c, bool has_all)
{
    static const struct option replay_options[] = {
        COMMAND_OPTIONS, {"rule", required_argument, NULL, 'r'}, {0}};
    static const struct option drop_options[] = {COMMAND_OPTIONS,
                                                 {"rule", required_argument, NULL, 'r'},
                                                 {"all", no_argument, NULL, 'a'},
                                                 {0}};
    for (int o; (o = command_getopt(c->line, has_all ? drop_options : replay_options)) != -1;) {
        if (o == COMMAND_STOP)
            return false;
        if (o == 'r') {
            c->rule = optarg;
        } else {
            c->all = true;
        }
    }
    c->line->status = COMMAND_USAGE;
    for (int i = optind; i < c->line->argc; i++) {
        struct dead_letter named = {0};
        if (!command_number(c->line, "ID", c->line->argv[i], 1, UINT64_MAX, &named.id))
            return false;
        add_id(c, &named);
    }
    return true;
}

static void keep(struct choice *c, uint64_t id, const char *reason)
{
    if (c->line->json) {
        printf("%s{\"id\":%" PRIu64 ",\"reason\":", c->kept ? ",\n " : "", id);
        print_json(stdout, span_of(reason));
        putchar('}');
    } else {
        command_failed(c->line, "%" PRIu64 " stays: %s", id, reason);
    }
    c->kept++;
}

/* Deals with one; err says why it stays. */
typedef bool (*take_out_fn)(struct choice *c, const struct dead_letter *letter, struct err *err);

static void take_out(struct choice *c, uint64_t id, take_out_fn fn)
{
    struct err err = {.text = ""};
    struct dead_letter *letter = morgue_find(c->state.morgue, id, &err);
    bool ok = false;
    if (!letter && !err.text[0]) {
        err_set(&err, "there is no dead letter with this id");
    } else if (letter && c->rule && !span_eq_str(letter->rule, c->rule)) {
        err_set(&err, "it is of rule %.*s", SPAN_ARG(letter->rule));
    } else if (letter) {
        ok = fn(c, letter, &err);
    }
    if (ok) {
        c->done++;
    } else {
        keep(c, id, err.text);
    }
    free(letter);
}

/* Deals with all that were chosen. Returns the exit code. */
static int take_out_all(struct choice *c, take_out_fn fn, const char *done)
{
    struct err err;
    if (!state_open(&c->state, c->line))
        return COMMAND_NO;
    bool listed = c->count > 0;
    bool ok = listed || morgue_each(c->state.morgue, c->rule, false, add_id, c, &err);
    if (!ok) {
        command_failed(c->line, "%s", err.text);
    } else if (c->line->json) {
        fputs("{\"kept\":[", stdout);
    }
    int64_t next_ms = clock_mono_ms() + PROGRESS_EVERY_MS;
    size_t i = 0;
    for (; ok && i < c->count && !c->silent_gateway; i++) {
        take_out(c, c->ids[i], fn);
        if (clock_mono_ms() < next_ms)
            continue;
        next_ms = clock_mono_ms() + PROGRESS_EVERY_MS;
        fprintf(stderr, "%zu of %zu: %zu %s, %zu stay\n", i + 1, c->count, c->done, done, c->kept);
    }
    for (; ok && i < c->count; i++)
        keep(c, c->ids[i], "not tried: the running gateway does not answer");
    if (ok && c->line->json) {
        printf("],\"%s\":%zu}\n", done, c->done);
    } else if (ok) {
        printf("%s %zu, %zu stay\n", done, c->done, c->kept);
    }
    state_close(&c->state);
    return command_flush(c->line) && ok && c->kept == 0 ? COMMAND_OK : COMMAND_NO;
}

static bool replay(struct choice *c, const struct dead_letter *letter, struct err *err)
{
    struct replay how = {.morgue = c->state.morgue,
                         .rules = c->state.config->rules,
                         .timeout_ms = GATEWAY_TIMEOUT_MS};
    if (how.rules->program_count > 0 && !c->jq) {
        c->jq = jq_worker_alone(err);
        if (!c->jq)
            return false;
    }
    how.jq = c->jq;
    int64_t start_ms = clock_mono_ms();
    bool ok = replay_letter(&how, letter, err);
    c->silent_gateway = !ok && clock_mono_ms() - start_ms >= GATEWAY_TIMEOUT_MS;
    return ok;
}

static bool drop(struct choice *c, const struct dead_letter *letter, struct err *err)
{
    return morgue_drop(c->state.morgue, letter->id, err);
}

int cmd_dead_letters_replay(struct command_line *line)
{
    struct choice c = {.line = line};
    int status = read_line(&c, false) ? take_out_all(&c, replay, "replayed") : line->status;
    jq_worker_free(c.jq);
    free(c.ids);
    return status;
}

int cmd_dead_letters_drop(struct command_line *line)
{
    struct choice c = {.line = line};
    int status = COMMAND_USAGE;
    if (!read_line(&c, true)) {
        status = line->status;
    } else if (c.all ? c.rule || c.count : !c.rule && !c.count) {
        command_usage(line, "wants %s", line->command->usage);
    } else {
        status = take_out_all(&c, drop, "dropped");
    }
    free(c.ids);
    return status;
}
