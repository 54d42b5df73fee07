/* destination_test - destinations as text. */
#include "mapping/destination.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    struct destination d;
    const char *text;
} rows[] = {
    {{.name = SPAN_LIT("alarm-log")}, "queue alarm-log"},
    {{.name = SPAN_LIT("q"), .delay_s = 5}, "queue q delay 5"},
    {{.name = SPAN_LIT("q"), .delay_s = UINT32_MAX}, "queue q delay 4294967295"},
    {{.is_topic = true, .name = SPAN_LIT("fleet")}, "topic fleet"},
    {{.is_topic = true, .name = SPAN_LIT("fleet"), .has_route = true, .route = SPAN_LIT("p1.d7")},
     "topic fleet route p1.d7"},
    {{.is_topic = true, .name = SPAN_LIT("f"), .has_route = true}, "topic f route "},
    {{.is_topic = true,
      .name = SPAN_LIT("f"),
      .has_route = true,
      .route = SPAN_LIT("a b,%\t\x7f\xc3\xa9/+")},
     "topic f route a%20b%2C%25%09%7F\xc3\xa9/+"},
    {{.is_topic = true, .name = SPAN_LIT("t"), .tag_count = 1, .tags = {SPAN_LIT("alarm")}},
     "topic t tags alarm"},
    {{.is_topic = true,
      .name = SPAN_LIT("t"),
      .tag_count = 5,
      .tags = {SPAN_LIT("a"), SPAN_LIT(","), SPAN_LIT("\0"), SPAN_LIT(" "), SPAN_LIT("e")}},
     "topic t tags a,%2C,%00,%20,e"},
};

static void a_destination_survives_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct destination *d = &rows[i].d;
        struct buf text = BUF_INIT(256), store = BUF_INIT(256);
        assert_true(destination_format(d, &text));
        assert_string_equal(buf_str(&text), rows[i].text);
        struct destination back;
        if (!destination_parse(buf_span(&text), &back, &store))
            fail_msg("%s", rows[i].text);
        assert_int_equal(back.is_topic, d->is_topic);
        assert_true(span_eq(back.name, d->name));
        assert_int_equal(back.delay_s, d->delay_s);
        assert_int_equal(back.has_route, d->has_route);
        assert_true(span_eq(back.route, d->route));
        assert_int_equal(back.tag_count, d->tag_count);
        for (size_t k = 0; k < d->tag_count; k++)
            assert_true(span_eq(back.tags[k], d->tags[k]));
        buf_fini(&text);
        buf_fini(&store);
    }
}

static void a_text_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(5), store = BUF_INIT(5);
    assert_false(destination_format(&rows[0].d, &text));
    struct destination d;
    assert_false(destination_parse(span_of("queue alarm-log"), &d, &store));
    buf_fini(&text);
    buf_fini(&store);
}

static void text_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "queue",
        "queue ",
        "Queue a",
        "queue  a",
        " queue a",
        "queue a ",
        "queues a",
        "queue a delay",
        "queue a delay ",
        "queue a delay 0",
        "queue a delay 05",
        "queue a delay -1",
        "queue a delay 4294967296",
        "queue a delay 5 ",
        "queue a delay 5 6",
        "queue a  delay 5",
        "queue a route x",
        "queue a tags x",
        "topic a delay 5",
        "topic a route",
        "topic a route x ",
        "topic a route x y",
        "topic a route x%2",
        "topic a route %",
        "topic a route %2c",
        "topic a route %41",
        "topic a route x,y",
        "topic a route \x7f",
        "topic a tags",
        "topic a tags ",
        "topic a tags ,",
        "topic a tags x,",
        "topic a tags x,,y",
        "topic a tags 1,2,3,4,5,6",
        "topic a tags x y",
        "topic a other x",
        "queue a%20b",
        "queue a,b",
        "queue %25",
    };
    for (size_t i = 0; i < ROWS(bad); i++) {
        struct buf store = BUF_INIT(256);
        struct destination d;
        if (destination_parse(span_of(bad[i]), &d, &store))
            fail_msg("taken: \"%s\"", bad[i]);
        buf_fini(&store);
    }
}

static void the_door_is_the_queue_or_topic_alone(void **state)
{
    (void)state;
    assert_true(span_eq_str(destination_door(span_of("queue a")), "queue a"));
    assert_true(span_eq_str(destination_door(span_of("queue a delay 5")), "queue a"));
    assert_true(span_eq_str(destination_door(span_of("topic a route x")), "topic a"));
    assert_true(span_eq_str(destination_door(span_of("")), ""));
}

static void strict_deliveries_share_a_lane_whatever_their_route(void **state)
{
    (void)state;
    struct span x = span_of("topic a route x"), y = span_of("topic a route y");
    struct span bare = span_of("topic a"), other = span_of("topic b route x");
    assert_true(destination_lane(x, true) == destination_lane(y, true));
    assert_true(destination_lane(x, true) == destination_lane(bare, true));
    assert_true(destination_lane(x, true) != destination_lane(other, true));
    assert_true(destination_lane(x, false) == destination_lane(x, false));
    assert_true(destination_lane(x, false) != destination_lane(y, false));
    /* A strict delivery holds its lane: relaxed ones are not in it. */
    assert_true(destination_lane(bare, true) != destination_lane(bare, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_destination_survives_its_text),
        cmocka_unit_test(a_text_that_does_not_fit_is_an_error),
        cmocka_unit_test(text_that_is_not_canonical_is_refused),
        cmocka_unit_test(the_door_is_the_queue_or_topic_alone),
        cmocka_unit_test(strict_deliveries_share_a_lane_whatever_their_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
