/* Dead letters on their way back, with a spool on disk and no gateway running. */
#include "gateway/replay.h"

#include "config/config.h"
#include "mapping/origin.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <utlist.h>

static const char settings[] =
    "gateway = { id = \"edge-1\"; state_dir = \"/nonexistent/state\"; };\n"
    "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; };\n"
    "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"AKIDx\"; secret_key = \"k\"; };\n"
    "forward = (\n"
    "  { name = \"one\"; from = \"a/+x\"; body = \"base64\"; max_age = \"1s\";\n"
    "    to = ( { queue = \"q\"; }, { topic = \"t\"; route = \"{x}\"; } ); },\n"
    "  { name = \"two\"; from = \"a/#\"; to = { queue = \"other\"; }; body = \"base64\"; },\n"
    "  { name = \"raw\"; from = \"a/+x\"; to = ( { queue = \"q\"; }, { queue = \"{json:/q}\"; } ); "
    "},\n"
    "  { name = \"hot\"; from = \"a/+x\"; when = \".t > 80\"; body = \"jq:.t\"; to = { queue = "
    "\"q\"; }; },\n"
    "  { name = \"endless\"; from = \"a/+x\"; when = \"def f: f; f\"; to = { queue = \"q\"; }; }\n"
    ");\n"
    "reverse = ( { name = \"commands\"; from = { queue = \"down\"; }; to = \"cmd\"; } );\n";

struct bench {
    char dir[64];
    struct config *config;
    struct morgue *morgue;
    struct jq_worker *jq;
    struct delivery *found; /* by deliveries_of */
};

/* ---- what the spool says ---- */

static void on_committed(void *ctx, struct delivery *deliveries, uint64_t through_ticket)
{
    (void)ctx;
    (void)through_ticket;
    struct delivery *d, *next;
    LL_FOREACH_SAFE(deliveries, d, next)
    {
        free(d);
    }
}

static void on_refilled(void *ctx, uint64_t lane, struct delivery *deliveries, bool more)
{
    struct bench *b = ctx;
    (void)lane;
    assert_false(more);
    LL_CONCAT(b->found, deliveries);
}

static void on_appeared(void *ctx, uint64_t lane)
{
    (void)ctx;
    (void)lane;
}

static void on_refused(void *ctx, uint64_t entries, uint64_t unticketed)
{
    (void)ctx;
    (void)unticketed;
    assert_int_equal(entries, 0);
}

static void on_state(void *ctx, enum spool_state state, const char *why)
{
    (void)ctx;
    (void)why;
    assert_int_equal(state, SPOOL_ACCEPTING);
}

static struct spool *open_spool(struct bench *b)
{
    const struct spool_options options = {.dir = b->dir, .max_bytes = 64 << 20};
    const struct spool_callbacks callbacks = {.ctx = b,
                                              .committed = on_committed,
                                              .refilled = on_refilled,
                                              .appeared = on_appeared,
                                              .refused = on_refused,
                                              .state = on_state};
    struct err err;
    struct spool *spool = spool_open(&options, &callbacks, &err);
    assert_non_null(spool);
    return spool;
}

/* ---- a state directory with one dead letter ---- */

static struct dead_letter *unplanned(const char *rule, const char *topic, const char *payload)
{
    struct mqtt_message m = {.topic = span_of(topic),
                             .payload = span_of(payload),
                             .qos = 1,
                             .received_ms = 1700000000000};
    struct buf origin = BUF_INIT(4096);
    assert_true(origin_write(&m, &origin));
    struct dead_letter *letter = dead_letter_new(span_of(rule), span_of("code: text"), span_of(""),
                                                 buf_span(&origin), m.payload);
    buf_fini(&origin);
    letter->received_ms = m.received_ms;
    letter->died_ms = m.received_ms + 1;
    return letter;
}

static bool note_id(void *ctx, const struct dead_letter *letter)
{
    *(uint64_t *)ctx = letter->id;
    return true;
}

/* Gives the newest letter as the morgue has it. */
static struct dead_letter *newest_letter(struct bench *b)
{
    struct err err;
    uint64_t id = 0;
    b->morgue = morgue_open(b->dir, &err);
    assert_non_null(b->morgue);
    assert_true(morgue_each(b->morgue, NULL, false, note_id, &id, &err));
    struct dead_letter *letter = morgue_find(b->morgue, id, &err);
    assert_non_null(letter);
    return letter;
}

/* Parks the letter (taken), and gives it as the morgue has it. */
static struct dead_letter *park(struct bench *b, struct dead_letter *letter)
{
    struct err err;
    struct spool *spool = open_spool(b);
    assert_true(spool_start(spool, &err));
    assert_true(spool_append(spool, &(struct spool_entry){.dead = letter}));
    spool_stop(spool);
    spool_close(spool);
    return newest_letter(b);
}

/* The same for a delivery that CMQ refused. */
static struct dead_letter *park_planned(struct bench *b)
{
    struct err err;
    struct spool *spool = open_spool(b);
    assert_true(spool_start(spool, &err));
    struct delivery *d = delivery_new(span_of("gone"), span_of("queue q"), span_of("body"));
    uint64_t id = d->id = spool_next_id(spool);
    d->lane = 7;
    d->expires_ms = 1;
    assert_true(spool_append(spool, &(struct spool_entry){.deliveries = d}));
    spool_bury(spool, id, 3, span_of("cmq_reject: 4000"));
    spool_stop(spool);
    spool_close(spool);
    return newest_letter(b);
}

static void ask_lane(void *ctx, uint64_t lane, uint64_t count)
{
    spool_refill(ctx, lane, 0, (unsigned)count, 1 << 20);
}

/* Fills b->found with all deliveries of the state directory; the morgue is closed. */
static void find_deliveries(struct bench *b)
{
    struct err err;
    morgue_close(b->morgue);
    b->morgue = NULL;
    struct spool *spool = open_spool(b);
    assert_true(spool_each_lane(spool, ask_lane, spool, &err));
    assert_true(spool_start(spool, &err));
    spool_stop(spool);
    spool_close(spool);
}

static size_t letters_left(struct bench *b)
{
    struct spool_stat stat;
    struct err err;
    assert_true(morgue_stat(b->morgue, &stat, &err));
    return (size_t)stat.dead_letters;
}

static int set_up(void **state)
{
    struct bench *b = check_alloc(calloc(1, sizeof(*b)));
    char path[] = "/tmp/cmqgw-replay-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, settings, sizeof(settings) - 1), sizeof(settings) - 1);
    close(fd);
    struct faults faults = {0};
    b->config = config_load(path, &faults);
    faults_fini(&faults);
    unlink(path);
    assert_non_null(b->config);
    struct err err;
    b->jq = jq_worker_alone(&err);
    assert_non_null(b->jq);
    snprintf(b->dir, sizeof(b->dir), "/tmp/cmqgw-replay-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    jq_worker_free(b->jq);
    morgue_close(b->morgue);
    DIR *dir = opendir(b->dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(b->dir);
    struct delivery *d, *next;
    LL_FOREACH_SAFE(b->found, d, next)
    {
        free(d);
    }
    config_free(b->config);
    free(b);
    return 0;
}

static void assert_span(struct span got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr, expected, got.len);
}

static bool replay(struct bench *b, const struct dead_letter *letter, struct err *err)
{
    const struct replay how = {.morgue = b->morgue, .rules = b->config->rules, .jq = b->jq};
    return replay_letter(&how, letter, err);
}

/* ---- what is proven ---- */

static void a_planned_letter_goes_back_as_it_was(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter = park_planned(b);
    assert_true(replay(b, letter, &err));
    assert_int_equal(letters_left(b), 0);
    free(letter);
    find_deliveries(b);
    assert_non_null(b->found);
    assert_null(b->found->next);
    assert_span(b->found->rule, "gone");
    assert_span(b->found->destination, "queue q");
    assert_span(b->found->body, "body");
    assert_int_equal(b->found->lane, 7);
    assert_int_equal(b->found->expires_ms, 0);
}

static void an_unplanned_letter_becomes_what_its_rule_says_now(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter = park(b, unplanned("one", "a/b", "\xff"));
    assert_true(replay(b, letter, &err));
    assert_int_equal(letters_left(b), 0);
    free(letter);
    find_deliveries(b);
    size_t count = 0, queues = 0;
    struct delivery *d;
    LL_FOREACH(b->found, d)
    {
        count++;
        queues += span_eq_str(d->destination, "queue q");
        assert_span(d->rule, "one"); /* and not "two", which takes the topic, too */
        assert_span(d->body, "/w==");
        assert_int_equal(d->received_ms, 1700000000000);
        assert_int_equal(d->expires_ms, 0); /* max_age would have ended it long ago */
        assert_true(d->id > 0);
    }
    assert_int_equal(count, 2);
    assert_int_equal(queues, 1);
}

static void an_unplanned_letter_is_mapped_by_the_programs_of_its_rule(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter = park(b, unplanned("hot", "a/b", "{\"t\":81}"));
    assert_true(replay(b, letter, &err));
    free(letter);
    find_deliveries(b);
    assert_non_null(b->found);
    assert_span(b->found->body, "81");
}

static void a_letter_that_cannot_be_planned_stays_and_says_why(void **state)
{
    static const struct {
        const char *rule, *topic, *payload;
        const char *why;
    } rows[] = {
        {"gone", "a/b", "x", "there is no forward rule gone any more"},
        {"one", "b/b", "x", "rule one does not take it any more"},
        {"raw", "a/b", "@x", "rule raw fails again: raw_at: "},
        {"raw", "a/b", "{}", "rule raw fails again: template_missing: "},
        {"hot", "a/b", "{\"t\":80}", "rule hot does not take it any more"},
        {"endless", "a/b", "{}", "rule endless fails again: jq_limit: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *b = *state;
        struct err err;
        struct dead_letter *letter = unplanned(rows[i].rule, rows[i].topic, rows[i].payload);
        letter = park(b, letter);
        assert_false(replay(b, letter, &err));
        assert_int_equal(strncmp(err.text, rows[i].why, strlen(rows[i].why)), 0);
        assert_int_equal(letters_left(b), i + 1);
        free(letter);
        find_deliveries(b);
        assert_null(b->found);
    }
}

/* What the downlink parks. */
static struct dead_letter *from_cmq(const char *origin)
{
    struct dead_letter *letter = dead_letter_new(span_of("gone"), span_of("code: text"),
                                                 span_of(""), span_of(origin), span_of("{bad"));
    letter->direction = DEAD_DOWN;
    letter->received_ms = letter->died_ms = 1700000000000;
    return letter;
}

static void a_letter_from_cmq_goes_back_into_its_queue(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter = park(b, from_cmq("{\"queue\":\"down\",\"msgId\":\"7\"}"));
    assert_int_equal(letter->direction, DEAD_DOWN);
    assert_true(replay(b, letter, &err));
    assert_int_equal(letters_left(b), 0);
    free(letter);
    find_deliveries(b);
    assert_non_null(b->found);
    assert_null(b->found->next);
    assert_span(b->found->destination, "queue down");
    assert_span(b->found->body, "{bad");
    assert_int_equal(b->found->expires_ms, 0);
    assert_true(b->found->id > 0);
}

static void a_letter_from_cmq_without_a_queue_to_go_to_stays_and_says_why(void **state)
{
    static const struct {
        const char *origin, *why;
    } rows[] = {
        {"{\"queue\":\"other\",\"msgId\":\"7\"}", "no reverse rule reads the queue other any more"},
        {"{\"queue\":\"push/hook\",\"msgId\":\"7\"}", "can only be exported or dropped"},
        {"{\"queue\":7}", "its origin cannot be read"},
        {"{\"msgId\":\"7\"}", "its origin cannot be read"},
        {"{\"queue", "its origin cannot be read"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *b = *state;
        struct err err;
        struct dead_letter *letter = park(b, from_cmq(rows[i].origin));
        assert_false(replay(b, letter, &err));
        assert_non_null(strstr(err.text, rows[i].why));
        assert_int_equal(letters_left(b), i + 1);
        free(letter);
        find_deliveries(b);
        assert_null(b->found);
    }
}

static void a_letter_whose_origin_is_damaged_stays(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter =
        park(b, dead_letter_new(span_of("one"), span_of("code: text"), span_of(""),
                                span_of("{\"topic"), span_of("x")));
    assert_false(replay(b, letter, &err));
    assert_non_null(strstr(err.text, "its origin cannot be read"));
    assert_int_equal(letters_left(b), 1);
    free(letter);
}

static void a_letter_that_somebody_else_took_is_not_taken_twice(void **state)
{
    struct bench *b = *state;
    struct err err;
    struct dead_letter *letter = park(b, unplanned("two", "a/b", "x"));
    assert_true(morgue_drop(b->morgue, letter->id, &err));
    assert_false(replay(b, letter, &err));
    assert_true(strlen(err.text) > 0);
    free(letter);
    find_deliveries(b);
    assert_null(b->found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_planned_letter_goes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unplanned_letter_becomes_what_its_rule_says_now, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unplanned_letter_is_mapped_by_the_programs_of_its_rule,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_letter_that_cannot_be_planned_stays_and_says_why, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_letter_from_cmq_goes_back_into_its_queue, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_letter_from_cmq_without_a_queue_to_go_to_stays_and_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_letter_whose_origin_is_damaged_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_letter_that_somebody_else_took_is_not_taken_twice, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
