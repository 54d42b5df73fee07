/* plan_jq_test - rules with conditions and with bodies made by jq programs. */
#include "mapping/plan.h"

#include "mapping/origin.h"
#include "tests/unit/mapping/build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sys/resource.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static struct jq_worker *jq;

static int start_jq(void **state)
{
    (void)state;
    struct err err;
    jq = jq_worker_alone(&err);
    return jq ? 0 : -1;
}

static int end_jq(void **state)
{
    (void)state;
    jq_worker_free(jq);
    return 0;
}

/* ---- what the planner gives, a line each ---- */

static uint64_t next_id(void *ctx)
{
    (void)ctx;
    return 1;
}

static void on_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                        struct delivery *d)
{
    buf_printf(ctx, "%s.%zu %.*s\n", rule->name, target, SPAN_ARG(d->body));
    free(d);
}

static void on_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    struct mqtt_message back;
    struct origin *keep;
    assert_true(origin_read(letter->origin, letter->body, &back, &keep));
    assert_true(span_eq_str(back.topic, "t")); /* the whole message, to be planned again */
    origin_free(keep);
    struct span code = span_slice(letter->reason, 0, span_find(letter->reason, ':'));
    buf_printf(ctx, "%s dead %.*s\n", rule->name, SPAN_ARG(code));
    free(letter);
}

static void on_skipped(void *ctx, const struct forward_rule *rule, const char *reason)
{
    buf_printf(ctx, "%s skipped: %s\n", rule->name, reason);
}

static struct plan_result check_set(struct jq_worker *worker, const struct ruleset *set,
                                    const char *payload, const char *expected)
{
    struct buf log = BUF_INIT(4 << 20);
    struct plan_sink sink = {.ctx = &log,
                             .next_id = next_id,
                             .delivery = on_delivery,
                             .dead = on_dead,
                             .skipped = on_skipped};
    struct mqtt_message m = {.topic = span_of("t"), .payload = span_of(payload), .qos = 1};
    struct plan_result result = plan_message(set, &m, NULL, worker, &sink);
    assert_string_equal(buf_str(&log), expected);
    buf_fini(&log);
    return result;
}

static struct plan_result check(const struct rule_spec *specs, size_t count, const char *payload,
                                const char *expected)
{
    struct ruleset *set = build_ruleset(specs, count);
    struct plan_result result = check_set(jq, set, payload, expected);
    ruleset_free(set);
    return result;
}

/* ---- conditions ---- */

static void a_rule_applies_when_the_first_output_is_neither_false_nor_null(void **state)
{
    (void)state;
    static const char is_false[] = "r skipped: its condition (when) is false or null\n";
    static const char no_json[] =
        "r skipped: it has a condition (when), and the payload is not JSON\n";
    static const struct {
        const char *when, *payload, *expected;
    } rows[] = {
        {".t > 80", "{\"t\": 91}", "r.0 {\"t\": 91}\n"},
        {".t > 80", "{\"t\": 80}", is_false},
        {".on", "{}", is_false},
        {".on", "{\"on\":false}", is_false},
        {".on", "{\"on\":0}", "r.0 {\"on\":0}\n"},
        {".on", "{\"on\":\"\"}", "r.0 {\"on\":\"\"}\n"},
        {".[]", "[true,false]", "r.0 [true,false]\n"},
        {".[]", "[null,true]", is_false},
        {".[]", "[]", "r skipped: its condition (when) gives no output\n"},
        {"empty", "1", "r skipped: its condition (when) gives no output\n"},
        {"true", "hot", no_json},
        {"true", "", no_json},
        {"true", "1 2", no_json},
        {".a.b", "{\"a\":1}", "r dead jq_error\n"},
        {"error(\"no\")", "1", "r dead jq_error\n"},
        {"def f: f; f", "1", "r dead jq_limit\n"},
        {"[range(1e9)]", "1", "r dead jq_limit\n"},
        {".t > 80", "{\"t\": 81}", "r.0 {\"t\": 81}\n"}, /* also after one that hit a limit */
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct rule_spec spec = {
            .name = "r", .from = {"t"}, .to = {{.queue = "q"}}, .when = rows[i].when};
        struct plan_result result = check(&spec, 1, rows[i].payload, rows[i].expected);
        bool skipped = strstr(rows[i].expected, "skipped") != NULL;
        bool dead = strstr(rows[i].expected, "dead") != NULL;
        assert_int_equal(result.matched, skipped ? 0 : 1);
        assert_int_equal(result.dead, dead ? 1 : 0);
    }
}

static void a_final_rule_holds_the_rest_only_when_its_condition_does(void **state)
{
    (void)state;
    struct rule_spec specs[] = {
        {.name = "one", .from = {"t"}, .to = {{.queue = "q"}}, .when = ".a", .final = true},
        {.name = "two", .from = {"#"}, .to = {{.queue = "q"}}},
    };
    check(specs, 2, "{\"a\":1}",
          "one.0 {\"a\":1}\ntwo skipped: rule \"one\" above it matched and is final\n");
    check(specs, 2, "{}", "one skipped: its condition (when) is false or null\ntwo.0 {}\n");
    check(specs, 2, "[]", "one dead jq_error\ntwo.0 []\n");
    specs[0].when = "def f: f; f";
    check(specs, 2, "{}", "one dead jq_limit\ntwo.0 {}\n");
}

static void a_condition_may_give_more_than_a_destination_holds(void **state)
{
    (void)state;
    struct rule_spec spec = {
        .name = "r", .from = {"t"}, .to = {{.queue = "q"}}, .when = "[range(10000)]", .jq = "1"};
    check(&spec, 1, "1", "r.0 1\n");
}

static void a_payload_above_what_jq_takes_hits_the_limit(void **state)
{
    (void)state;
    char *payload = check_alloc(calloc(1, JQ_MAX_PAYLOAD_BYTES + 2));
    memset(payload, ' ', JQ_MAX_PAYLOAD_BYTES + 1);
    payload[0] = '1';
    struct rule_spec spec = {
        .name = "r", .from = {"t"}, .to = {{.queue = "q"}}, .when = "true", .jq = "."};
    check(&spec, 1, payload, "r dead jq_limit\n");
    payload[JQ_MAX_PAYLOAD_BYTES] = '\0';
    check(&spec, 1, payload, "r.0 1\n");
    free(payload);
}

/* ---- bodies ---- */

static void the_first_output_as_json_is_the_body(void **state)
{
    (void)state;
    static const struct {
        const char *program, *payload, *expected;
    } rows[] = {
        {".t", "{\"t\": 91}", "r.0 91\nr.1 91\n"},
        {"{t, k: \"v\"}", "{\"t\": 91, \"u\": 1}",
         "r.0 {\"t\":91,\"k\":\"v\"}\n"
         "r.1 {\"t\":91,\"k\":\"v\"}\n"},
        {".[]", "[\"a\",\"b\"]", "r.0 \"a\"\nr.1 \"a\"\n"},
        {".x", "{}", "r.0 null\nr.1 null\n"},
        {"empty", "1", "r dead jq_no_output\n"},
        {".", "hello", "r dead not_json\n"},
        {".", "", "r dead not_json\n"},
        {".a.b", "{\"a\":1}", "r dead jq_error\n"},
        {"def f: f; f", "1", "r dead jq_limit\n"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct rule_spec spec = {.name = "r",
                                 .from = {"t"},
                                 .to = {{.queue = "q"}, {.queue = "p"}},
                                 .jq = rows[i].program};
        check(&spec, 1, rows[i].payload, rows[i].expected);
    }
}

static void a_body_that_cmq_cannot_carry_is_a_dead_letter(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        size_t times;
        bool fits;
    } rows[] = {
        {"x", CMQ_MAX_BODY_BYTES - 9000, true},
        {"x", CMQ_MAX_BODY_BYTES - 1, false}, /* with its quotes, above a message's 1 MiB */
        {"\\u0001", CMQ_MAX_BODY_BYTES / 6, false},
        {"{", CMQ_MAX_BODY_BYTES / 3, false}, /* encoded, above a POST's 1 MiB */
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf payload = BUF_INIT(4 << 20), expected = BUF_INIT(4 << 20);
        buf_add_char(&payload, '"');
        for (size_t k = 0; k < rows[i].times; k++)
            buf_add_str(&payload, rows[i].part);
        buf_add_char(&payload, '"');
        if (rows[i].fits)
            buf_printf(&expected, "r.0 %s\n", buf_str(&payload));
        else
            buf_add_str(&expected, "r dead too_large\n");
        struct rule_spec spec = {.name = "r", .from = {"t"}, .to = {{.queue = "q"}}, .jq = "."};
        check(&spec, 1, buf_str(&payload), buf_str(&expected));
        buf_fini(&payload);
        buf_fini(&expected);
    }
}

static void a_program_that_fails_leaves_the_other_rules_alone(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"t"}, .to = {{.queue = "q"}}, .jq = "error"},
        {.name = "two", .from = {"t"}, .to = {{.queue = "q"}}},
        {.name = "three", .from = {"t"}, .to = {{.queue = "q"}}, .when = "def f: f; f"},
        {.name = "four", .from = {"t"}, .to = {{.queue = "q"}}, .when = "true", .jq = "[.]"},
    };
    struct plan_result result = check(
        specs, ROWS(specs), "7", "one dead jq_error\ntwo.0 7\nthree dead jq_limit\nfour.0 [7]\n");
    assert_int_equal(result.matched, 4);
    assert_int_equal(result.deliveries, 2);
    assert_int_equal(result.dead, 2);
}

static void without_a_process_the_message_is_kept_as_a_dead_letter(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"t"}, .to = {{.queue = "q"}}, .when = "true"},
        {.name = "two", .from = {"t"}, .to = {{.queue = "q"}}, .jq = "."},
        {.name = "three", .from = {"t"}, .to = {{.queue = "q"}}},
    };
    struct err err;
    struct jq_host *host = jq_host_new(&err);
    assert_non_null(host);
    struct jq_worker *worker = jq_worker_new(host);
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, usual.rlim_max}), 0);
    check_set(worker, set, "1", "one dead jq_broken\ntwo dead jq_broken\nthree.0 1\n");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    check_set(worker, set, "1", "one.0 1\ntwo.0 1\nthree.0 1\n");
    ruleset_free(set);
    jq_worker_free(worker);
    jq_host_free(host);
}

static void equal_programs_are_compiled_once(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"t"}, .to = {{.queue = "q"}}, .when = ".a", .jq = ".b"},
        {.name = "two", .from = {"t"}, .to = {{.queue = "q"}}, .when = ".b", .jq = ".c"},
    };
    struct ruleset *set = build_ruleset(specs, 2);
    assert_int_equal(set->program_count, 3);
    assert_ptr_equal(set->forward[0].jq, set->forward[1].when);
    ruleset_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_applies_when_the_first_output_is_neither_false_nor_null),
        cmocka_unit_test(a_final_rule_holds_the_rest_only_when_its_condition_does),
        cmocka_unit_test(a_condition_may_give_more_than_a_destination_holds),
        cmocka_unit_test(a_payload_above_what_jq_takes_hits_the_limit),
        cmocka_unit_test(the_first_output_as_json_is_the_body),
        cmocka_unit_test(a_body_that_cmq_cannot_carry_is_a_dead_letter),
        cmocka_unit_test(a_program_that_fails_leaves_the_other_rules_alone),
        cmocka_unit_test(without_a_process_the_message_is_kept_as_a_dead_letter),
        cmocka_unit_test(equal_programs_are_compiled_once),
    };
    return cmocka_run_group_tests(tests, start_jq, end_jq);
}
