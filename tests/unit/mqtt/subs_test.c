/* What is asked of the broker next, after each thing that can happen. */
#include "mqtt/subs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set(struct subs *subs, const char *a, const char *b)
{
    struct mqtt_subscription list[2];
    size_t count = 0;
    if (a)
        list[count++] = (struct mqtt_subscription){.filter = a, .qos = 1, .id = 1};
    if (b)
        list[count++] = (struct mqtt_subscription){.filter = b, .qos = 1, .id = 2};
    subs_set(subs, list, count, NULL, 0);
}

/* The next request must be this one; returns its revision. */
static uint64_t expect(struct subs *subs, const char *filter, bool unsubscribe)
{
    struct subs_request request;
    assert_true(subs_next(subs, true, &request));
    assert_string_equal(request.filter, filter);
    assert_int_equal(request.unsubscribe, unsubscribe);
    return request.revision;
}

static void expect_nothing(struct subs *subs)
{
    struct subs_request request;
    assert_false(subs_next(subs, true, &request));
}

static void agree(struct subs *subs, const char *filter, bool unsubscribe)
{
    subs_answered(subs, filter, expect(subs, filter, unsubscribe), NULL);
}

static void the_same_set_again_asks_for_nothing(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    set(&subs, "a", "b");
    uint64_t a = expect(&subs, "a", false);
    set(&subs, "a", "b"); /* while the first is being asked for */
    agree(&subs, "b", false);
    subs_answered(&subs, "a", a, NULL);
    set(&subs, "a", "b");
    expect_nothing(&subs);
    subs_fini(&subs);
}

static void subscriptions_are_asked_for_in_the_order_of_their_identifiers(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    const struct mqtt_subscription first[] = {{.filter = "c", .id = 3}, {.filter = "a", .id = 1}};
    subs_set(&subs, first, 2, NULL, 0);
    agree(&subs, "a", false);
    agree(&subs, "c", false);
    const struct mqtt_subscription second[] = {
        {.filter = "a", .id = 6}, {.filter = "b", .id = 5}, {.filter = "c", .id = 4}};
    subs_set(&subs, second, 3, NULL, 0);
    agree(&subs, "c", false);
    agree(&subs, "b", false);
    agree(&subs, "a", false);
    subs_connected(&subs, SUBS_LOST);
    agree(&subs, "c", false);
    agree(&subs, "b", false);
    agree(&subs, "a", false);
    expect_nothing(&subs);
    subs_fini(&subs);
}

static void a_changed_subscription_is_asked_for_again(void **state)
{
    (void)state;
    const struct mqtt_subscription rows[] = {
        {.filter = "a", .qos = 2, .id = 1},
        {.filter = "a", .qos = 1, .id = 9},
        {.filter = "a", .qos = 1, .id = 1, .retained_copies = true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct subs subs;
        subs_init(&subs);
        set(&subs, "a", NULL);
        agree(&subs, "a", false);
        subs_set(&subs, &rows[i], 1, NULL, 0);
        struct subs_request request;
        assert_true(subs_next(&subs, true, &request));
        assert_int_equal(request.qos, rows[i].qos);
        assert_int_equal(request.id, rows[i].id);
        assert_int_equal(request.retained_copies, rows[i].retained_copies);
        subs_fini(&subs);
    }
}

static void an_answer_to_an_earlier_question_changes_nothing(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    set(&subs, "a", NULL);
    uint64_t first = expect(&subs, "a", false);
    const struct mqtt_subscription changed = {.filter = "a", .qos = 2, .id = 1};
    subs_set(&subs, &changed, 1, NULL, 0);
    subs_answered(&subs, "a", first, NULL);
    subs_unasked(&subs, "a", first);
    uint64_t second = expect(&subs, "a", false);
    subs_answered(&subs, "a", first, "refused");
    char *filter;
    char *why;
    assert_false(subs_take_refusal(&subs, &filter, &why));
    subs_answered(&subs, "a", second, NULL);
    expect_nothing(&subs);
    subs_fini(&subs);
}

static void what_was_given_up_and_is_wanted_again_is_asked_for_again(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    set(&subs, "a", NULL);
    agree(&subs, "a", false);
    set(&subs, NULL, NULL);
    uint64_t gone = expect(&subs, "a", true);
    set(&subs, "a", NULL); /* before the answer */
    uint64_t again = expect(&subs, "a", false);
    subs_answered(&subs, "a", gone, NULL);
    subs_answered(&subs, "a", again, NULL);
    expect_nothing(&subs);
    subs_fini(&subs);
}

static void what_is_to_go_stays_until_it_may_and_may_come_back(void **state)
{
    (void)state;
    struct subs subs;
    struct subs_request request;
    subs_init(&subs);
    set(&subs, "a", NULL);
    assert_false(subs_settled(&subs));
    agree(&subs, "a", false);
    assert_true(subs_settled(&subs));
    set(&subs, NULL, "b");
    agree(&subs, "b", false);
    assert_true(subs_has_unwanted(&subs));
    assert_false(subs_settled(&subs));
    assert_false(subs_next(&subs, false, &request));
    set(&subs, "a", "b"); /* it was held all the time */
    expect_nothing(&subs);
    assert_true(subs_settled(&subs));
    set(&subs, NULL, "b");
    agree(&subs, "a", true);
    assert_true(subs_settled(&subs));
    subs_fini(&subs);
}

static void nothing_is_given_up_while_something_new_is_not_answered(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    set(&subs, "old", NULL);
    agree(&subs, "old", false);
    set(&subs, "new", NULL);
    uint64_t revision = expect(&subs, "new", false);
    expect_nothing(&subs);
    subs_answered(&subs, "new", revision, "refused"); /* an answer, too */
    uint64_t old = expect(&subs, "old", true);
    expect_nothing(&subs);
    subs_unasked(&subs, "old", old); /* it did not get through */
    agree(&subs, "old", true);
    expect_nothing(&subs);
    subs_fini(&subs);
}

static void a_refusal_is_told_once_and_tried_again_when_the_set_is_given_again(void **state)
{
    (void)state;
    struct subs subs;
    subs_init(&subs);
    set(&subs, "a", NULL);
    subs_answered(&subs, "a", expect(&subs, "a", false), "no");
    char *filter;
    char *why;
    assert_true(subs_take_refusal(&subs, &filter, &why));
    assert_string_equal(filter, "a");
    assert_string_equal(why, "no");
    free(filter);
    free(why);
    assert_false(subs_take_refusal(&subs, &filter, &why));
    expect_nothing(&subs);
    set(&subs, "a", NULL);
    agree(&subs, "a", false);
    subs_fini(&subs);
}

static void a_connection_asks_for_what_it_cannot_rely_on(void **state)
{
    (void)state;
    static const struct {
        enum subs_memory memory;
        bool held;  /* what was held is asked for again */
        bool stale; /* the stale filter is given up */
    } rows[] = {
        {SUBS_TRUSTED, false, true},
        {SUBS_UNSURE, true, true},
        {SUBS_LOST, true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct subs subs;
        subs_init(&subs);
        set(&subs, "held", "asked");
        agree(&subs, "held", false);
        expect(&subs, "asked", false);
        const struct mqtt_subscription list[] = {{.filter = "held", .qos = 1, .id = 1},
                                                 {.filter = "asked", .qos = 1, .id = 2}};
        const char *stale[] = {"stale", "held"};
        subs_set(&subs, list, 2, stale, 2);
        subs_connected(&subs, rows[i].memory);
        if (rows[i].held)
            agree(&subs, "held", false);
        agree(&subs, "asked", false);
        if (rows[i].stale)
            agree(&subs, "stale", true);
        expect_nothing(&subs);
        subs_fini(&subs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_set_again_asks_for_nothing),
        cmocka_unit_test(subscriptions_are_asked_for_in_the_order_of_their_identifiers),
        cmocka_unit_test(a_changed_subscription_is_asked_for_again),
        cmocka_unit_test(an_answer_to_an_earlier_question_changes_nothing),
        cmocka_unit_test(what_was_given_up_and_is_wanted_again_is_asked_for_again),
        cmocka_unit_test(what_is_to_go_stays_until_it_may_and_may_come_back),
        cmocka_unit_test(nothing_is_given_up_while_something_new_is_not_answered),
        cmocka_unit_test(a_refusal_is_told_once_and_tried_again_when_the_set_is_given_again),
        cmocka_unit_test(a_connection_asks_for_what_it_cannot_rely_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
