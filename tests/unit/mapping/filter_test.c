/* filter_test - filters whose wildcards have names. */
#include "mapping/filter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct filter *make(const char *text)
{
    struct err err;
    struct filter *filter = filter_new(span_of(text), &err);
    if (!filter)
        fail_msg("%s: %s", text, err.text);
    return filter;
}

static void names_are_taken_out_of_the_plain_filter(void **state)
{
    (void)state;
    struct filter *f = make("fleet/+product/+device/telemetry/#metric");
    assert_string_equal(f->text, "fleet/+product/+device/telemetry/#metric");
    assert_string_equal(f->plain, "fleet/+/+/telemetry/#");
    assert_int_equal(f->wildcard_count, 3);
    assert_int_equal(filter_wildcard_index(f, span_of("product")), 0);
    assert_int_equal(filter_wildcard_index(f, span_of("metric")), 2);
    assert_int_equal(filter_wildcard_index(f, span_of("nobody")), -1);
    assert_int_equal(filter_wildcard_index(f, span_of("")), -1);
    assert_true(f->wildcards[2].multi && !f->wildcards[0].multi);
    filter_free(f);
}

static void plain_wildcards_are_numbered_among_themselves(void **state)
{
    (void)state;
    struct filter *f = make("a/+/+x/+/#");
    assert_int_equal(filter_wildcard_index(f, span_of("1")), 0);
    assert_int_equal(filter_wildcard_index(f, span_of("x")), 1);
    assert_int_equal(filter_wildcard_index(f, span_of("2")), 2);
    assert_int_equal(filter_wildcard_index(f, span_of("3")), 3);
    assert_int_equal(filter_wildcard_index(f, span_of("4")), -1);
    assert_int_equal(filter_wildcard_index(f, span_of("0")), -1);
    assert_int_equal(f->wildcards[0].name.len, 0);
    assert_true(span_eq_str(f->wildcards[2].label, "2"));
    filter_free(f);
}

static void filters_without_names_stay_as_they_are(void **state)
{
    (void)state;
    static const char *const same[] = {"a",     "/",     "+",      "#",
                                       "a//b/", "+/+/#", "$SYS/#", "a b/\xc3\xa9"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct filter *f = make(same[i]);
        assert_string_equal(f->plain, same[i]);
        filter_free(f);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "empty"},
        {"a/+9x", "'+9x' is not a wildcard with a name"},
        {"a/+x-y", "'+x-y' is not a wildcard with a name"},
        {"a/++", "'++' is not a wildcard with a name"},
        {"+x/b/+x", "two wildcards are named 'x'"},
        {"+x/b/#x", "two wildcards are named 'x'"},
        {"#rest/a", "must be the last level"},
        {"a+b", "whole level"},
        {"a\xff", "UTF-8"},
        {"$share/group/a/#", "mqtt.shared_group"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {""};
        assert_null(filter_new(span_of(rows[i].text), &err));
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, err.text);
    }
    struct err err;
    assert_null(filter_new(span_make("a\0b", 3), &err));
}

static void more_than_32_wildcards_are_refused(void **state)
{
    (void)state;
    char text[4 * (TOPIC_MAX_CAPTURES + 1)] = "+";
    for (size_t i = 1; i < TOPIC_MAX_CAPTURES; i++)
        memcpy(text + 2 * i - 1, "/+", 3);
    struct filter *f = make(text);
    assert_int_equal(filter_wildcard_index(f, span_of("32")), 31);
    filter_free(f);
    memcpy(text + strlen(text), "/+", 3);
    struct err err;
    assert_null(filter_new(span_of(text), &err));
    assert_non_null(strstr(err.text, "32 wildcards"));
}

static void lists_of_filters_must_agree_on_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"a/+x/+y", "b/+y/z/+x", true}, {"a/+x", "a/#x", false},    {"a/+x", "a/+x/+y", false},
        {"a/+x/+y", "a/+x", false},     {"a/#", "b/c", true},       {"a/+x", "b", false},
        {"a/+x/+", "b/+x", true},       {"a/#x", "b/+/c/#x", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct filter *a = make(rows[i].a), *b = make(rows[i].b);
        if (filter_same_names(a, b) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
        filter_free(a);
        filter_free(b);
    }
    filter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_out_of_the_plain_filter),
        cmocka_unit_test(plain_wildcards_are_numbered_among_themselves),
        cmocka_unit_test(filters_without_names_stay_as_they_are),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(more_than_32_wildcards_are_refused),
        cmocka_unit_test(lists_of_filters_must_agree_on_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
