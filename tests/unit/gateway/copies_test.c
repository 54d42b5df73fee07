/* Which messages are taken for copies of the one before. */
#include "gateway/copies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct copies copies;

static int set_up(void **state)
{
    (void)state;
    copies_init(&copies);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    copies_fini(&copies);
    return 0;
}

/* A message that came at this time for this subscription, 0 for none. */
static bool take(const char *payload, uint32_t id, int64_t at_ms)
{
    const struct mqtt_message message = {.topic = span_of("a/b"),
                                         .payload = span_of(payload),
                                         .received_ms = at_ms,
                                         .subscription_ids = &id,
                                         .subscription_id_count = id != 0};
    return copies_take(&copies, &message);
}

static void one_behind_the_other_for_other_subscriptions_is_a_copy(void **state)
{
    (void)state;
    assert_false(take("x", 1, 1000));
    assert_true(take("x", 2, 1001));
    assert_true(take("x", 3, 1001 + COPIES_APART_MS));
    assert_false(take("y", 1, 1002 + COPIES_APART_MS));
}

static void the_same_subscription_again_is_another_publish(void **state)
{
    (void)state;
    assert_false(take("x", 1, 1000));
    assert_false(take("x", 1, 1000));
    assert_false(take("x", 2, 1000)); /* of which of the two? rather twice */
    assert_false(take("y", 2, 1000));
    assert_true(take("y", 1, 1000)); /* the other order */
}

/* 1 is given up, 2 is new; in between come copies for both, in either order. */
static void no_publish_is_missed_whatever_moment_a_subscription_comes_and_goes(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 4; before++) {
        for (unsigned both = 1; both < 4; both++) {
            for (unsigned after = 0; after < 4; after++) {
                for (uint32_t first = 1; first <= 2; first++) {
                    size_t publishes = 0;
                    copies_forget(&copies);
                    for (unsigned i = 0; i < before; i++)
                        publishes += !take("x", 1, 1000);
                    for (unsigned i = 0; i < both; i++) {
                        publishes += !take("x", first, 1000);
                        publishes += !take("x", 3 - first, 1000);
                    }
                    for (unsigned i = 0; i < after; i++)
                        publishes += !take("x", 2, 1000);
                    assert_in_range(publishes, before + both + after, before + 2 * both + after);
                }
            }
        }
    }
}

static void what_comes_late_or_for_unknown_subscriptions_is_no_copy(void **state)
{
    (void)state;
    assert_false(take("x", 1, 1000));
    assert_false(take("x", 2, 1000 + COPIES_APART_MS + 1));
    assert_false(take("x", 0, 4000));
    assert_false(take("x", 3, 4000)); /* the one before does not say what it came for */
    assert_false(take("y", 1, 4000));
    assert_false(take("y", 2, 900)); /* the clock was set back */
    copies_forget(&copies);
    assert_false(take("y", 3, 900));
}

static void every_part_of_the_content_counts(void **state)
{
    (void)state;
    const struct mqtt_user_property user = {span_of("k"), span_of("v")};
    const struct mqtt_message base = {.topic = span_of("a"), .payload = span_of("bc")};
    struct mqtt_message others[8];
    for (size_t i = 0; i < 8; i++)
        others[i] = base;
    others[0].topic = span_of("ab"), others[0].payload = span_of("c");
    others[1].payload = span_of("bd");
    others[2].content_type = span_of("");
    others[3].response_topic = span_of("r");
    others[4].correlation = span_of("c");
    others[5].user = &user, others[5].user_count = 1;
    others[6].retain = true;
    others[7].qos = 1; /* only this may differ */
    for (size_t i = 0; i < 8; i++) {
        copies_forget(&copies);
        struct mqtt_message first = base;
        first.subscription_ids = &(uint32_t){1};
        others[i].subscription_ids = &(uint32_t){2};
        first.subscription_id_count = others[i].subscription_id_count = 1;
        assert_false(copies_take(&copies, &first));
        assert_int_equal(copies_take(&copies, &others[i]), i == 7);
    }
}

static void what_is_too_large_to_be_kept_is_no_copy(void **state)
{
    (void)state;
    static char large[COPIES_MAX_BYTES + 1];
    memset(large, 'x', COPIES_MAX_BYTES);
    assert_false(take(large, 1, 1000));
    assert_false(take(large, 2, 1000));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_behind_the_other_for_other_subscriptions_is_a_copy),
        TEST(the_same_subscription_again_is_another_publish),
        TEST(no_publish_is_missed_whatever_moment_a_subscription_comes_and_goes),
        TEST(what_comes_late_or_for_unknown_subscriptions_is_no_copy),
        TEST(every_part_of_the_content_counts),
        TEST(what_is_too_large_to_be_kept_is_no_copy),
    };
    return cmocka_run_group_tests_name("gateway/copies", tests, NULL, NULL);
}
