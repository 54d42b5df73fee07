/* rule_test - what a set of rules asks the broker for. */
#include "mapping/rule.h"

#include "tests/unit/mapping/build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void equal_filters_are_one_subscription(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "one", .from = {"a/+x", "b"}, .qos = 0, .skip_retained = true},
        {.name = "two", .from = {"a/+other"}, .qos = 2, .skip_retained = true},
        {.name = "three", .from = {"c", "a/+"}, .qos = 1},
    };
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    static const struct rule_subscription expected[] = {
        {.filter = "a/+", .qos = 2, .retained = true},
        {.filter = "b", .qos = 0, .retained = false},
        {.filter = "c", .qos = 1, .retained = true},
    };
    assert_int_equal(set->subscription_count, ROWS(expected));
    for (size_t i = 0; i < ROWS(expected); i++) {
        assert_string_equal(set->subscriptions[i].filter, expected[i].filter);
        assert_int_equal(set->subscriptions[i].qos, expected[i].qos);
        assert_int_equal(set->subscriptions[i].retained, expected[i].retained);
        assert_int_equal(set->subscriptions[i].id, 0);
    }
    assert_int_equal(set->forward[0].from[1].subscription, 1);
    assert_int_equal(set->forward[2].from[0].subscription, 2);
    assert_int_equal(set->forward[2].from[1].subscription, 0);
    ruleset_free(set);
}

static void a_subscription_is_covered_only_by_one_that_asks_for_as_much(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "0", .from = {"a/#"}, .qos = 1, .skip_retained = true},
        {.name = "1", .from = {"a/b"}, .qos = 1, .skip_retained = true}, /* by a/# */
        {.name = "2", .from = {"a/+"}, .qos = 2, .skip_retained = true}, /* a/# has a lower qos */
        {.name = "3", .from = {"a/c"}, .qos = 1},                        /* wants retained copies */
        {.name = "4", .from = {"a/d/e"}, .qos = 0, .skip_retained = true}, /* by a/# */
        {.name = "5", .from = {"b/+"}, .qos = 0},
        {.name = "6", .from = {"b/#"}, .qos = 0},
        {.name = "7", .from = {"$SYS/x"}, .qos = 0},
        {.name = "8", .from = {"c"}, .qos = 0},
    };
    static const bool covered[] = {false, true, false, false, true, true, false, false, false};
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    assert_int_equal(set->subscription_count, ROWS(covered));
    for (size_t i = 0; i < ROWS(covered); i++) {
        if (set->subscriptions[i].covered != covered[i])
            fail_msg("%s", set->subscriptions[i].filter);
    }
    ruleset_free(set);
}

static void of_filters_that_cover_each_other_one_stays(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {{.name = "a", .from = {"#", "+/#"}}};
    struct ruleset *set = build_ruleset(specs, 1);
    assert_int_equal(set->subscription_count, 2);
    assert_int_equal(set->subscriptions[0].covered + set->subscriptions[1].covered, 1);
    ruleset_free(set);
}

/* An earlier run: "b" had 7, and 1, 2 and 7 are taken. */
static uint32_t known(void *ctx, const char *filter)
{
    ++*(int *)ctx;
    return strcmp(filter, "b") == 0 ? 7 : 0;
}

static bool used(void *ctx, uint32_t id)
{
    (void)ctx;
    return id == 1 || id == 2 || id == 7;
}

static bool nothing_used(void *ctx, uint32_t id)
{
    (void)ctx;
    (void)id;
    return false;
}

static void identifiers_stay_and_new_ones_are_free(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "x", .from = {"a", "b", "c", "d"}},
    };
    struct ruleset *set = build_ruleset(specs, 1);
    assert_null(ruleset_subscription(set, 3)); /* not numbered yet */
    int asked = 0;
    ruleset_number(set, known, used, &asked);
    static const uint32_t ids[] = {8, 7, 9, 10};
    assert_int_equal(asked, 4);
    for (size_t i = 0; i < ROWS(ids); i++) {
        assert_int_equal(set->subscriptions[i].id, ids[i]);
        assert_ptr_equal(ruleset_subscription(set, ids[i]), &set->subscriptions[i]);
    }
    assert_null(ruleset_subscription(set, 1));
    assert_null(ruleset_subscription(set, 11));
    assert_null(ruleset_subscription(set, 0));
    ruleset_free(set);
}

/* An earlier run without the final rule. */
static uint32_t known_but_final(void *ctx, const char *filter)
{
    (void)ctx;
    static const char *const earlier[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < ROWS(earlier); i++) {
        if (strcmp(filter, earlier[i]) == 0)
            return i + 1;
    }
    return 0;
}

static void subscriptions_below_a_new_final_rule_get_new_identifiers(void **state)
{
    (void)state;
    static const struct rule_spec specs[] = {
        {.name = "above", .from = {"a"}},
        {.name = "final", .from = {"f", "b"}, .final = true},
        {.name = "below", .from = {"b", "c"}}, /* "b" is the final rule's too */
    };
    static const uint32_t ids[] = {1, 4, 2, 5}, earlier[] = {0, 0, 0, 3};
    struct ruleset *set = build_ruleset(specs, ROWS(specs));
    ruleset_number(set, known_but_final, nothing_used, NULL);
    assert_int_equal(set->subscription_count, ROWS(ids));
    for (size_t i = 0; i < ROWS(ids); i++) {
        assert_int_equal(set->subscriptions[i].id, ids[i]);
        assert_int_equal(set->subscriptions[i].earlier_id, earlier[i]);
        assert_ptr_equal(ruleset_subscription(set, ids[i]), &set->subscriptions[i]);
    }
    assert_ptr_equal(ruleset_subscription(set, 3), &set->subscriptions[3]);
    ruleset_free(set);
}

static void a_set_without_rules_is_a_set(void **state)
{
    (void)state;
    struct ruleset *set = build_ruleset(NULL, 0);
    assert_int_equal(set->subscription_count, 0);
    int asked = 0;
    ruleset_number(set, known, used, &asked);
    assert_int_equal(asked, 0);
    assert_null(ruleset_subscription(set, 1));
    ruleset_free(set);
    ruleset_free(NULL);
}

static void reverse_rules_and_files_are_freed_with_the_set(void **state)
{
    (void)state;
    struct ruleset *set = build_ruleset(NULL, 0);
    set->files = check_alloc(calloc(1, sizeof *set->files));
    set->files[set->file_count++] = span_dup(span_of("a.cfg"));
    set->reverse = check_alloc(calloc(1, sizeof *set->reverse));
    set->reverse_count = 1;
    set->reverse[0] = (struct reverse_rule){
        .name = span_dup(span_of("r")),
        .queue = span_dup(span_of("q")),
        .push_path = span_dup(span_of("/p")),
        .dead_letter = span_dup(span_of("")),
        .to = build_template("x/{json:/a}", TEMPLATE_TOPIC, NULL),
    };
    ruleset_free(set); /* the leak checker sees to it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_filters_are_one_subscription),
        cmocka_unit_test(a_subscription_is_covered_only_by_one_that_asks_for_as_much),
        cmocka_unit_test(of_filters_that_cover_each_other_one_stays),
        cmocka_unit_test(identifiers_stay_and_new_ones_are_free),
        cmocka_unit_test(subscriptions_below_a_new_final_rule_get_new_identifiers),
        cmocka_unit_test(a_set_without_rules_is_a_set),
        cmocka_unit_test(reverse_rules_and_files_are_freed_with_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
