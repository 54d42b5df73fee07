/* The tree finds what topic_filters_overlap and topic_filter_covers find one by one. */
#include "config/filter_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const filters[] = {
    "#",   "+",     "+/#",   "a",     "a/#",    "a/+",   "a/b", "a/b/#",  "+/b",
    "/",   "/+",    "a/",    "a//c",  "$S",     "$S/#",  "+/+", "$S/+/c", "+/+/c",
    "b/+", "a/+/c", "b/+/#", "a/b/c", "$S/b/c", "a/+/+", "//#",
};

static void one_filter_is_found_by_those_that_overlap_and_those_that_it_covers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(filters); i++) {
        struct filter_tree *tree = filter_tree_new();
        filter_tree_add(tree, span_of(filters[i]), 7);
        for (size_t k = 0; k < COUNT(filters); k++) {
            struct span a = span_of(filters[i]), b = span_of(filters[k]);
            struct shape shape;
            size_t owner = 0;
            shape_of_filter(&shape, b);
            bool meets = filter_tree_meets(tree, &shape, &owner);
            if (meets != topic_filters_overlap(a, b) || (meets && owner != 7))
                fail_msg("%s and %s: %d", filters[i], filters[k], meets);
            owner = 0;
            bool covers = filter_tree_covers(tree, b, &owner);
            bool blind = span_eq_str(a, "+/#") && span_eq_str(b, "#");
            if (covers != (topic_filter_covers(a, b) && !blind) || (covers && owner != 7))
                fail_msg("%s over %s: %d", filters[i], filters[k], covers);
        }
        filter_tree_free(tree);
    }
}

static void of_many_filters_some_fitting_one_is_found(void **state)
{
    (void)state;
    for (size_t without = 0; without < COUNT(filters); without++) {
        struct filter_tree *tree = filter_tree_new();
        for (size_t i = 3; i < COUNT(filters); i++) {
            if (i != without)
                filter_tree_add(tree, span_of(filters[i]), i);
        }
        for (size_t k = 0; k < COUNT(filters); k++) {
            bool some = false;
            for (size_t i = 3; i < COUNT(filters); i++) {
                some |=
                    i != without && topic_filters_overlap(span_of(filters[i]), span_of(filters[k]));
            }
            struct shape shape;
            size_t owner = without;
            shape_of_filter(&shape, span_of(filters[k]));
            assert_int_equal(filter_tree_meets(tree, &shape, &owner), some);
            if (some) {
                assert_int_not_equal(owner, without);
                assert_true(topic_filters_overlap(span_of(filters[owner]), span_of(filters[k])));
            }
        }
        filter_tree_free(tree);
    }
}

static void topics_that_are_not_known_are_found_too(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        int owner; /* -1: none */
    } rows[] = {
        {"fleet/{json:/a}/cmd", 0},
        {"fleet/{json:/a}/alarm", -1},
        {"{json:/a|levels}/stop", 1},
        {"plant/{json:/a}/stop", -1},
        {"plant/7/line/stop", 1},
        {"plant/7/l{json:/a}/stop", 1},
        {"plant/7/x{json:/a}/stop", -1},
        {"{ce:subject}", 0},
        {"$x/{json:/a}", -1},
        {"plant/{json:/a|levels}/line/{json:/b|levels}", 1},
    };
    struct filter_tree *tree = filter_tree_new();
    filter_tree_add(tree, span_of("fleet/+/cmd"), 0);
    filter_tree_add(tree, span_of("fleet/+/cmd"), 5);
    filter_tree_add(tree, span_of("plant/7/line/stop"), 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err;
        struct template *t = template_new(span_of(rows[i].to), TEMPLATE_TOPIC, NULL, true, &err);
        assert_non_null(t);
        struct shape shape;
        size_t owner = 99;
        shape_of_topic(&shape, t);
        bool found = filter_tree_meets(tree, &shape, &owner);
        if (found != (rows[i].owner >= 0) || (found && owner != (size_t)rows[i].owner))
            fail_msg("%s: %d, %zu", rows[i].to, found, owner);
        template_free(t);
    }
    filter_tree_free(tree);
    filter_tree_free(NULL);
}

static void an_empty_tree_has_nothing_to_find(void **state)
{
    (void)state;
    struct filter_tree *tree = filter_tree_new();
    struct shape shape;
    size_t owner;
    shape_of_filter(&shape, span_of("#"));
    assert_false(filter_tree_meets(tree, &shape, &owner));
    assert_false(filter_tree_covers(tree, span_of("a/b"), &owner));
    filter_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_filter_is_found_by_those_that_overlap_and_those_that_it_covers),
        cmocka_unit_test(of_many_filters_some_fitting_one_is_found),
        cmocka_unit_test(topics_that_are_not_known_are_found_too),
        cmocka_unit_test(an_empty_tree_has_nothing_to_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
