/* plan_test - from a message to deliveries and dead letters. */
#include "mapping/plan.h"

#include "mapping/destination.h"
#include "mapping/origin.h"
#include "tests/unit/mapping/build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Writes down what the planner gives, a line each. */
struct record {
    struct buf log;
    uint64_t next_id;
    struct delivery last; /* copies; the spans of `last` are gone, its numbers are of use */
    struct dead_letter *dead;
};

static uint64_t next_id(void *ctx)
{
    return ++((struct record *)ctx)->next_id;
}

static void on_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                        struct delivery *d)
{
    struct record *r = ctx;
    assert_null(d->next);
    assert_true(span_eq_str(d->rule, rule->name));
    buf_printf(&r->log, "%s.%zu #%d [%.*s] %.*s\n", rule->name, target, (int)d->id,
               SPAN_ARG(d->destination), SPAN_ARG(d->body));
    r->last = *d;
    assert_true(d->lane == destination_lane(d->destination, rule->strict));
    free(d);
}

static void on_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    struct record *r = ctx;
    assert_true(span_eq_str(letter->rule, rule->name));
    struct span code = span_slice(letter->reason, 0, span_find(letter->reason, ':'));
    buf_printf(&r->log, "%s dead %.*s\n", rule->name, SPAN_ARG(code));
    free(r->dead);
    r->dead = letter;
}

static void on_matched(void *ctx, const struct forward_rule *rule, const struct filter *filter,
                       const struct topic_captures *captures)
{
    struct record *r = ctx;
    buf_printf(&r->log, "%s matched %s", rule->name, filter->text);
    for (size_t i = 0; i < captures->count; i++)
        buf_printf(&r->log, " %.*s=%.*s", SPAN_ARG(filter->wildcards[i].label),
                   SPAN_ARG(captures->at[i]));
    buf_add_char(&r->log, '\n');
}

static void on_skipped(void *ctx, const struct forward_rule *rule, const char *reason)
{
    struct record *r = ctx;
    buf_printf(&r->log, "%s skipped: %s\n", rule->name, reason);
}

static struct plan_sink sink_of(struct record *r)
{
    *r = (struct record){.log = BUF_INIT(1 << 16)};
    return (struct plan_sink){
        .ctx = r, .next_id = next_id, .delivery = on_delivery, .dead = on_dead};
}

static void record_fini(struct record *r)
{
    buf_fini(&r->log);
    free(r->dead);
}

static struct mqtt_message message(const char *topic, const char *payload)
{
    return (struct mqtt_message){.topic = span_of(topic), .payload = span_of(payload), .qos = 1};
}

/* Plans one message with these rules and compares what is written down. */
static struct plan_result check(const struct rule_spec *specs, size_t count,
                                const struct mqtt_message *m, const char *expected)
{
    struct ruleset *set = build_ruleset(specs, count);
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct plan_result result = plan_message(set, m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log), expected);
    record_fini(&r);
    ruleset_free(set);
    return result;
}

/* RULES 2's own example. */
static const struct rule_spec example[] = {
    {.name = "telemetry",
     .from = {"fleet/+product/+device/telemetry/#metric"},
     .to = {{.topic = "fleet", .route = "{product}.{device}.{metric}"}}},
    {.name = "alarms",
     .from = {"fleet/+product/+device/alarm"},
     .to = {{.topic = "alarms", .tags = {"alarm", "{json:/level|lower}"}}, {.queue = "alarm-log"}}},
};

static void the_example_rules_deliver(void **state)
{
    (void)state;
    struct mqtt_message m = message("fleet/p1/d7/telemetry/temp", "{\"t\": 91}");
    struct plan_result result = check(
        example, ROWS(example), &m, "telemetry.0 #1 [topic fleet route p1.d7.temp] {\"t\": 91}\n");
    assert_int_equal(result.matched, 1);
    assert_int_equal(result.deliveries, 1);
    assert_int_equal(result.dead, 0);
    m = message("fleet/p1/d7/alarm", "{\"level\":\"HIGH\"}");
    check(example, ROWS(example), &m,
          "alarms.0 #1 [topic alarms tags alarm,high] {\"level\":\"HIGH\"}\n"
          "alarms.1 #2 [queue alarm-log] {\"level\":\"HIGH\"}\n");
    m = message("noise", "");
    result = check(example, ROWS(example), &m, "");
    assert_int_equal(result.matched, 0);
}

static void a_fan_out_is_all_or_nothing(void **state)
{
    (void)state;
    struct mqtt_message m = message("fleet/p1/d7/alarm", "{}");
    struct plan_result result = check(example, ROWS(example), &m, "alarms dead template_missing\n");
    assert_int_equal(result.matched, 1);
    assert_int_equal(result.deliveries, 0);
    assert_int_equal(result.dead, 1);
    /* The second target fails, too late for the first one's delivery to stay. */
    static const struct rule_spec late[] = {
        {.name = "r", .from = {"a"}, .to = {{.queue = "q"}, {.queue = "{json:/x}"}}},
        {.name = "s", .from = {"a"}, .to = {{.queue = "q"}}},
    };
    m = message("a", "[]");
    result = check(late, ROWS(late), &m, "r dead template_missing\ns.0 #2 [queue q] []\n");
    assert_int_equal(result.matched, 2);
}

static void a_dead_letter_holds_the_whole_message(void **state)
{
    (void)state;
    static const struct mqtt_user_property user[] = {{SPAN_LIT("k"), SPAN_LIT("v")}};
    static const struct rule_spec specs[] = {{.name = "r",
                                              .from = {"a/#"},
                                              .to = {{.queue = "q"}},
                                              .strict = true,
                                              .accept_unrouted = true}};
    struct mqtt_message m = {.topic = SPAN_LIT("a/b"),
                             .payload = SPAN_LIT("\xff\0"),
                             .qos = 2,
                             .retain = true,
                             .received_ms = 77,
                             .user = user,
                             .user_count = 1};
    struct ruleset *set = build_ruleset(specs, 1);
    struct record r;
    struct plan_sink sink = sink_of(&r);
    plan_message(set, &m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log), "r dead raw_nul\n");
    const struct dead_letter *d = r.dead;
    assert_true(span_starts(d->reason, "raw_nul: the payload contains a NUL"));
    assert_int_equal(d->destination.len, 0);
    assert_int_equal(d->direction, DEAD_UP);
    assert_int_equal(d->flags, DELIVERY_STRICT | DELIVERY_ACCEPT_UNROUTED);
    assert_int_equal(d->received_ms, 77);
    assert_true(d->died_ms > 77);
    assert_true(span_eq(d->body, m.payload));
    struct mqtt_message back;
    struct origin *keep;
    assert_true(origin_read(d->origin, d->body, &back, &keep));
    assert_true(span_eq(back.topic, m.topic) && back.qos == 2 && back.retain);
    assert_true(back.received_ms == 77 && back.user_count == 1);
    origin_free(keep);
    record_fini(&r);
    ruleset_free(set);
}

static void rules_apply_in_file_order_until_a_final_one(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"b"}, .to = {{.queue = "q1"}}, .final = true},
        {.name = "two", .from = {"#"}, .to = {{.queue = "q2"}}},
        {.name = "three", .from = {"a"}, .to = {{.queue = "q3"}}, .final = true},
        {.name = "four", .from = {"+"}, .to = {{.queue = "q4"}}},
    };
    struct mqtt_message m = message("a", "x");
    check(specs, ROWS(specs), &m, "two.0 #1 [queue q2] x\nthree.0 #2 [queue q3] x\n");
    m = message("c", "x");
    check(specs, ROWS(specs), &m, "two.0 #1 [queue q2] x\nfour.0 #2 [queue q4] x\n");
    m = message("b", "x");
    check(specs, ROWS(specs), &m, "one.0 #1 [queue q1] x\n");
}

static void a_final_rule_is_final_with_its_dead_letter_too(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"a"}, .to = {{.queue = "q"}}, .final = true},
        {.name = "two", .from = {"a"}, .to = {{.queue = "q"}}, .body = ENVELOPE_CLOUDEVENTS},
    };
    struct mqtt_message m = message("a", "");
    check(specs, ROWS(specs), &m, "one dead raw_empty\n");
}

static void retained_copies_are_skipped_where_a_rule_says_so(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one",
         .from = {"a"},
         .to = {{.queue = "q"}},
         .skip_retained = true,
         .final = true},
        {.name = "two", .from = {"a"}, .to = {{.queue = "q"}}},
    };
    struct mqtt_message m = message("a", "x");
    m.retain = true;
    struct plan_result result = check(specs, ROWS(specs), &m, "two.0 #1 [queue q] x\n");
    assert_int_equal(result.matched, 1);
    assert_int_equal(result.retained_skipped, 1);
}

static void a_delivery_has_its_age_lane_and_flags(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "r",
         .from = {"a"},
         .to = {{.queue = "q", .delay_s = 5}},
         .body = ENVELOPE_BASE64,
         .strict = true,
         .accept_unrouted = true,
         .max_age_ms = 1000},
        {.name = "s", .from = {"b"}, .to = {{.queue = "q"}}},
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct mqtt_message m = message("a", "abc");
    m.received_ms = 5000;
    plan_message(set, &m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log), "r.0 #1 [queue q delay 5] YWJj\n");
    assert_int_equal(r.last.received_ms, 5000);
    assert_int_equal(r.last.expires_ms, 6000);
    assert_int_equal(r.last.flags, DELIVERY_STRICT | DELIVERY_ACCEPT_UNROUTED);
    assert_int_equal(r.last.attempts, 0);
    m.topic = span_of("b");
    plan_message(set, &m, NULL, NULL, &sink);
    assert_int_equal(r.last.expires_ms, 0);
    assert_int_equal(r.last.flags, 0);
    record_fini(&r);
    ruleset_free(set);
}

static void each_event_of_a_fan_out_has_the_id_of_its_delivery(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {{.name = "r",
                                              .from = {"a"},
                                              .to = {{.queue = "q1"}, {.queue = "q2"}},
                                              .body = ENVELOPE_CLOUDEVENTS}};
    struct ruleset *set = build_ruleset(specs, 1);
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct mqtt_message m = message("a", "1");
    plan_message(set, &m, NULL, NULL, &sink);
    const char *first = strstr(buf_str(&r.log), "\"id\":\"edge-1-1\"");
    assert_non_null(first);
    assert_non_null(
        strstr(first, "r.1 #2 [queue q2] {\"specversion\":\"1.0\",\"id\":\"edge-1-2\""));
    record_fini(&r);
    ruleset_free(set);
}

static void the_first_matching_filter_of_a_rule_gives_the_captures(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "r",
         .from = {"x/+a/+b", "+b/+a", "+b/#a"},
         .to = {{.topic = "t", .route = "{a}.{b}"}}},
    };
    struct ruleset *set = build_ruleset(specs, 1);
    static const struct {
        const char *topic, *log;
    } rows[] = {
        {"x/1/2", "r matched x/+a/+b a=1 b=2\nr.0 #1 [topic t route 1.2] y\n"},
        {"x/1", "r matched +b/+a b=x a=1\nr.0 #1 [topic t route 1.x] y\n"},
        {"z/1/2", "r matched +b/#a b=z a=1/2\nr.0 #1 [topic t route 1.2.z] y\n"},
        {"z", "r matched +b/#a b=z a=\nr.0 #1 [topic t route z] y\n"},
        {"$z/1", ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct record r;
        struct plan_sink sink = sink_of(&r);
        sink.matched = on_matched;
        struct mqtt_message m = message(rows[i].topic, "y");
        plan_message(set, &m, NULL, NULL, &sink);
        assert_string_equal(buf_str(&r.log), rows[i].log);
        record_fini(&r);
    }
    ruleset_free(set);
}

static void replace_reject_gives_a_dead_letter(void **state)
{
    (void)state;
    struct rule_spec spec = {.name = "r", .from = {"+/x"}, .to = {{.topic = "t", .route = "{1}"}}};
    struct mqtt_message m = message("a.b/x", "y");
    check(&spec, 1, &m, "r.0 #1 [topic t route a_b] y\n");
    spec.reject = true;
    check(&spec, 1, &m, "r dead route_unsafe\n");
}

/* ---- copies for subscriptions ---- */

static uint32_t first_free(void *ctx, const char *filter)
{
    (void)ctx;
    (void)filter;
    return 0;
}

static bool nothing_used(void *ctx, uint32_t id)
{
    (void)ctx;
    (void)id;
    return false;
}

/* What comes of a copy of "y" to a/x with these identifiers. */
static void expect_of_copy(const struct ruleset *set, const uint32_t *ids, size_t count,
                           bool retain, const char *log)
{
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct mqtt_message m = message("a/x", "y");
    m.retain = retain;
    m.subscription_ids = ids;
    m.subscription_id_count = count;
    plan_message(set, &m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log), log);
    record_fini(&r);
}

static void a_copy_is_planned_for_the_rules_that_asked_for_it(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"a/#"}, .to = {{.queue = "q"}}},        /* id 1 */
        {.name = "two", .from = {"a/+", "a/#"}, .to = {{.queue = "q"}}}, /* 2, 1 */
        {.name = "three", .from = {"b", "a/x"}, .to = {{.queue = "q"}}}, /* 3, 4 */
    };
    static const struct {
        uint32_t ids[3];
        size_t count;
        const char *log;
    } rows[] = {
        {{0}, 0, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\nthree.0 #3 [queue q] y\n"},
        {{1}, 1, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\n"},
        {{2}, 1, ""}, /* rule two has it by a/#, which is older */
        {{4}, 1, "three.0 #1 [queue q] y\n"},
        {{4, 1}, 2, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\nthree.0 #3 [queue q] y\n"},
        {{9}, 1, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\nthree.0 #3 [queue q] y\n"},
        {{9, 8}, 2, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\nthree.0 #3 [queue q] y\n"},
        {{9, 1}, 2, "one.0 #1 [queue q] y\ntwo.0 #2 [queue q] y\n"},
        {{3}, 1, ""}, /* known, but of a filter that does not match */
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    ruleset_number(set, first_free, nothing_used, NULL);
    for (size_t i = 0; i < ROWS(rows); i++)
        expect_of_copy(set, rows[i].ids, rows[i].count, false, rows[i].log);
    ruleset_free(set);
}

static void a_final_rule_holds_the_rules_below_for_copies_that_are_not_its_own(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "above", .from = {"a/#"}, .to = {{.queue = "q"}}},                /* id 1 */
        {.name = "final", .from = {"a/+"}, .to = {{.queue = "q"}}, .final = true}, /* 2 */
        {.name = "below", .from = {"+/x"}, .to = {{.queue = "q"}}},                /* 3 */
    };
    static const struct {
        uint32_t ids[3];
        size_t count;
        const char *log;
    } rows[] = {
        {{1}, 1, "above.0 #1 [queue q] y\n"},
        {{2}, 1, "final.0 #1 [queue q] y\n"},
        {{3}, 1, ""},
        {{3, 2}, 2, "final.0 #1 [queue q] y\n"},
        {{3, 1, 2}, 3, "above.0 #1 [queue q] y\nfinal.0 #2 [queue q] y\n"},
        {{0}, 0, "above.0 #1 [queue q] y\nfinal.0 #2 [queue q] y\n"},
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    ruleset_number(set, first_free, nothing_used, NULL);
    for (size_t i = 0; i < ROWS(rows); i++)
        expect_of_copy(set, rows[i].ids, rows[i].count, false, rows[i].log);

    /* One that skips retained copies does not match them, so it does not hold them either. */
    set->forward[1].skip_retained = true;
    static const uint32_t below = 3;
    expect_of_copy(set, &below, 1, true, "below.0 #1 [queue q] y\n");
    expect_of_copy(set, &below, 1, false, "");
    ruleset_free(set);
}

/* What the broker queued before there was the final rule: "+/x" was 1 then. */
static uint32_t below_was_first(void *ctx, const char *filter)
{
    (void)ctx;
    return strcmp(filter, "+/x") == 0 ? 1 : 0;
}

static void a_new_final_rule_does_not_take_what_was_queued_before_it(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "final", .from = {"a/+"}, .to = {{.queue = "q"}}, .final = true}, /* id 2 */
        {.name = "below", .from = {"+/x"}, .to = {{.queue = "q"}}}, /* 3, and 1 before */
    };
    static const uint32_t ids[] = {1, 2, 3};
    static const char *const logs[] = {"below.0 #1 [queue q] y\n", "final.0 #1 [queue q] y\n", ""};
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    ruleset_number(set, below_was_first, nothing_used, NULL);
    for (size_t i = 0; i < ROWS(ids); i++)
        expect_of_copy(set, &ids[i], 1, false, logs[i]);
    ruleset_free(set);
}

/* "a/#" was the rule's only filter, and 1. */
static uint32_t wide_was_first(void *ctx, const char *filter)
{
    (void)ctx;
    return strcmp(filter, "a/#") == 0 ? 1 : 0;
}

static void a_rule_that_gets_another_filter_keeps_what_was_queued_before(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "two", .from = {"a/+", "a/#"}, .to = {{.queue = "q"}}}, /* 2, 1 */
    };
    static const uint32_t ids[] = {1, 2};
    static const char *const logs[] = {"two.0 #1 [queue q] y\n", ""};
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    ruleset_number(set, wide_was_first, nothing_used, NULL);
    for (size_t i = 0; i < ROWS(ids); i++)
        expect_of_copy(set, &ids[i], 1, false, logs[i]);
    ruleset_free(set);
}

/* ---- explaining, and planning again ---- */

static void every_rule_is_accounted_for_when_asked(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "zero", .from = {"b"}, .to = {{.queue = "q"}}},
        {.name = "one", .from = {"a"}, .to = {{.queue = "q"}}, .skip_retained = true},
        {.name = "two", .from = {"a"}, .to = {{.queue = "q"}}, .final = true},
        {.name = "three", .from = {"a"}, .to = {{.queue = "q"}}},
        {.name = "four", .from = {"c"}, .to = {{.queue = "q"}}},
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    struct record r;
    struct plan_sink sink = sink_of(&r);
    sink.skipped = on_skipped;
    struct mqtt_message m = message("a", "y");
    m.retain = true;
    plan_message(set, &m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log),
                        "zero skipped: b: level 1 is \"a\" and not \"b\"\n"
                        "one skipped: it skips retained copies (retained = \"skip\")\n"
                        "two.0 #1 [queue q] y\n"
                        "three skipped: rule \"two\" above it matched and is final\n"
                        "four skipped: rule \"two\" above it matched and is final\n");
    buf_clear(&r.log);
    m.topic = span_of("c");
    plan_message(set, &m, NULL, NULL, &sink);
    assert_string_equal(buf_str(&r.log), "zero skipped: b: level 1 is \"c\" and not \"b\"\n"
                                         "one skipped: a: level 1 is \"c\" and not \"a\"\n"
                                         "two skipped: a: level 1 is \"c\" and not \"a\"\n"
                                         "three skipped: a: level 1 is \"c\" and not \"a\"\n"
                                         "four.0 #2 [queue q] y\n");
    buf_clear(&r.log);
    m.topic = span_of("b");
    plan_message(set, &m, NULL, NULL, &sink);
    assert_non_null(strstr(buf_str(&r.log), "zero.0 #3 [queue q] y\none skipped: a: level 1"));
    assert_non_null(strstr(buf_str(&r.log), "\nfour skipped: c: level 1"));
    record_fini(&r);
    ruleset_free(set);
}

static void one_rule_can_be_planned_alone(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"#"}, .to = {{.queue = "q"}}, .final = true},
        {.name = "two", .from = {"b", "a"}, .to = {{.queue = "q"}}},
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct mqtt_message m = message("a", "y");
    struct plan_result result = plan_message(set, &m, &set->forward[1], NULL, &sink);
    assert_string_equal(buf_str(&r.log), "two.0 #1 [queue q] y\n");
    assert_int_equal(result.matched, 1);
    m.topic = span_of("c");
    sink.skipped = on_skipped;
    buf_clear(&r.log);
    result = plan_message(set, &m, &set->forward[1], NULL, &sink);
    assert_string_equal(buf_str(&r.log), "two skipped: b: level 1 is \"c\" and not \"b\"; "
                                         "a: level 1 is \"c\" and not \"a\"\n");
    assert_int_equal(result.matched, 0);
    record_fini(&r);
    ruleset_free(set);
}

static void any_number_of_rules_may_match(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct rule_spec specs[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        specs[i] = (struct rule_spec){
            .name = "r", .from = {i % 2 ? "a/#" : "a/+"}, .to = {{.queue = "q"}}};
    struct ruleset *set = build_ruleset(specs, COUNT);
    struct record r;
    struct plan_sink sink = sink_of(&r);
    struct mqtt_message m = message("a/b", "y");
    struct plan_result result = plan_message(set, &m, NULL, NULL, &sink);
    assert_int_equal(result.matched, COUNT);
    assert_int_equal(result.deliveries, COUNT);
    assert_int_equal(r.next_id, COUNT);
    record_fini(&r);
    ruleset_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_rules_deliver),
        cmocka_unit_test(a_fan_out_is_all_or_nothing),
        cmocka_unit_test(a_dead_letter_holds_the_whole_message),
        cmocka_unit_test(rules_apply_in_file_order_until_a_final_one),
        cmocka_unit_test(a_final_rule_is_final_with_its_dead_letter_too),
        cmocka_unit_test(retained_copies_are_skipped_where_a_rule_says_so),
        cmocka_unit_test(a_delivery_has_its_age_lane_and_flags),
        cmocka_unit_test(each_event_of_a_fan_out_has_the_id_of_its_delivery),
        cmocka_unit_test(the_first_matching_filter_of_a_rule_gives_the_captures),
        cmocka_unit_test(replace_reject_gives_a_dead_letter),
        cmocka_unit_test(a_copy_is_planned_for_the_rules_that_asked_for_it),
        cmocka_unit_test(a_final_rule_holds_the_rules_below_for_copies_that_are_not_its_own),
        cmocka_unit_test(a_new_final_rule_does_not_take_what_was_queued_before_it),
        cmocka_unit_test(a_rule_that_gets_another_filter_keeps_what_was_queued_before),
        cmocka_unit_test(every_rule_is_accounted_for_when_asked),
        cmocka_unit_test(one_rule_can_be_planned_alone),
        cmocka_unit_test(any_number_of_rules_may_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
