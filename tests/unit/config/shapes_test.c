/* What routes and topics can become, and whether binding keys and filters can match it. */
#include "config/shapes.h"

#include "cmq/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct row {
    const char *a, *b;
    bool meet;
};

static void expect(bool said, const struct row *row)
{
    if (said != row->meet) {
        (void)fprintf(stderr, "\"%s\" and \"%s\": %d\n", row->a, row->b, said);
        fail();
    }
}

static const struct row keys[] = {
    {"1.*.0", "1.abc.0", true},
    {"1.#.0", "1.2.3.4.4.2.2.0", true},
    {"1.#.0", "1.0", true},
    {"#", "a.b", true},
    {"#", "", true},
    {"a.*.c", "a.b.x", false},
    {"a.*", "a", false},
    {"a.*", "a.b.c", false},
    {"*", "a", true},
    {"*", "a.b", false},
    {"*", "", false},
    {"a.#", "a", true},
    {"a.#", "a.b.c", true},
    {"#.c", "c", true},
    {"#.c", "a.b.cd", false},
    {"#.b.#", "a.b.c", true},
    {"#.b.#", "a.c", false},
    {"*.#", "a", true},
    {"*.#", "", false},
    {"a*", "ab", false},
    {"a*", "a*", true},
    {"a.*.b", "a..b", false},
    {"a.#.b", "a..b", true},
    {"a.", "a", false},
};

static void the_table_of_binding_keys_holds_in_both_orders_and_as_cmq_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct shape a, b;
        shape_of_key(&a, span_of(keys[i].a));
        shape_of_key(&b, span_of(keys[i].b));
        expect(shapes_meet(&a, &b), &keys[i]);
        expect(shapes_meet(&b, &a), &keys[i]);
        expect(cmq_key_match(span_of(keys[i].a), span_of(keys[i].b)), &keys[i]);
    }
}

static void wildcards_may_stand_on_both_sides(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"*", "*", true},          {"*.a", "b.*", true},       {"*.a", "*.b", false},
        {"#.a", "b.#", true},      {"#.a", "#.b", false},      {"a.#.b", "#.c.#", true},
        {"a.#.b", "*.b", true},    {"a.#.b", "*", false},      {"#", "#", true},
        {"*.*.*", "#.x", true},    {"*.*.#", "a", false},      {"*.*.#", "a.#", true},
        {"a.#", "#.b", true},      {"a.*", "#.b.c", false},    {"#.a.#.b.#", "*.*", true},
        {"#.a.#.b.#", "*", false}, {"#.*.#", "", false},       {"#.#.x", "x", true},
        {"a.*.#.*", "a.b", false}, {"a.*.#.*", "#.b.c", true}, {"x.#.x", "x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shape a, b;
        shape_of_key(&a, span_of(rows[i].a));
        shape_of_key(&b, span_of(rows[i].b));
        expect(shapes_meet(&a, &b), &rows[i]);
        expect(shapes_meet(&b, &a), &rows[i]);
    }
}

/* Every pattern and every text of up to three words: what meets has a text that both match. */
static void two_patterns_meet_when_some_text_matches_both(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "b", "*", "#"};
    char list[84][8];
    size_t count = 0, texts = 0;
    char known[14][8];
    for (size_t n = 1; n <= 3; n++) {
        for (size_t i = 0; i < (size_t)1 << (2 * n); i++, count++) {
            list[count][0] = '\0';
            for (size_t k = 0, left = i; k < n; k++, left /= 4) {
                size_t len = strlen(list[count]);
                (void)snprintf(list[count] + len, sizeof list[count] - len, "%s%s", k ? "." : "",
                               words[left % 4]);
            }
            if (!strpbrk(list[count], "*#"))
                memcpy(known[texts++], list[count], sizeof list[count]);
        }
    }
    assert_int_equal(count, 84);
    assert_int_equal(texts, 14);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            struct shape a, b;
            shape_of_key(&a, span_of(list[i]));
            shape_of_key(&b, span_of(list[k]));
            bool some = cmq_key_match(span_of(list[i]), span_of("")) &&
                        cmq_key_match(span_of(list[k]), span_of(""));
            for (size_t t = 0; t < texts; t++) {
                some |= cmq_key_match(span_of(list[i]), span_of(known[t])) &&
                        cmq_key_match(span_of(list[k]), span_of(known[t]));
            }
            struct row row = {list[i], list[k], shapes_meet(&a, &b)};
            if (some)
                expect(true, &row); /* longer texts may match where these do not */
            if (!strchr(list[i], '#') || !strchr(list[k], '#'))
                expect(some, &row);
        }
    }
}

static void check_routes(const char *from, const struct row *rows, size_t count)
{
    struct err err;
    struct filter *filter = filter_new(span_of(from), &err);
    assert_non_null(filter);
    struct rule_from one = {.filter = filter};
    for (size_t i = 0; i < count; i++) {
        struct template *t = template_new(span_of(rows[i].a), TEMPLATE_ROUTE, filter, false, &err);
        assert_non_null(t);
        struct shape route, key;
        shape_of_route(&route, t, &one, 1);
        shape_of_key(&key, span_of(rows[i].b));
        expect(shapes_meet(&route, &key), &rows[i]);
        template_free(t);
    }
    filter_free(filter);
}

static void routes_are_known_by_their_placeholders(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{a}.{b}.{c}", "*.*.temp.#", true},
        {"{a}.{b}.{c}", "*.*", true}, /* '#c' may stand for nothing */
        {"{a}.{b}.{c}", "*", false},
        {"{a}.{b}", "*.*.temp.#", false},
        {"{a}.{b}.humidity", "*.*.temp.#", false},
        {"{a}.x", "*.x", true},
        {"{json:/k}", "*.*", false},
        {"{user:k}.{content_type}", "*.*", true},
        {"{user:k|default:x.y}", "*.*", true},
        {"{user:k|default:x}", "*.*", false},
        {"a.{user:k|default:}", "a", true},
        {"dev-{a}", "dev-1", true},
        {"dev-{a}", "device-1", false},
        {"dev-{a}", "dev", false},
        {"{a}-x", "1-x", true},
        {"{a}-x", "1-y", false},
        {"p{a}s", "ps", true},
        {"pp{a}pp", "ppp", false},
        {"{a}{b}", "*", true},
        {"{a}{b}", "*.*", false},
        {"x{c}", "x", true},
        {"x{c}", "x1.2.3", true},
        {"x{c}", "y.#", false},
        {"x{c}y", "x1.2.3y", true},
        {"{topic}", "a.b.c", true},
        {"{topic|default:x}.end", "#.end", true},
        {"{c|lower}.{c}.{c}.{c}", "a.b", true},
        {"x.y", "x.y", true},
        {"x.y", "x.*.y", false},
        {"{qos}.{retain}.{gateway}.{rule}", "*.*.*.*", true},
    };
    check_routes("t/+a/+b/#c", rows, COUNT(rows));
}

static void a_wildcard_is_several_levels_if_it_is_in_one_filter_of_the_rule(void **state)
{
    (void)state;
    struct err err;
    struct filter *one = filter_new(span_of("a/+"), &err), *many = filter_new(span_of("b/#"), &err);
    struct rule_from from[] = {{.filter = one}, {.filter = many}};
    struct template *t = template_new(span_of("{1}"), TEMPLATE_ROUTE, one, false, &err);
    struct shape route, key;
    shape_of_key(&key, span_of("x.y"));
    shape_of_route(&route, t, from, 1);
    assert_false(shapes_meet(&route, &key));
    shape_of_route(&route, t, from, 2);
    assert_true(shapes_meet(&route, &key));
    template_free(t);
    filter_free(one);
    filter_free(many);
}

static void topics_are_known_by_their_placeholders(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"fleet/{json:/d}/cmd", "fleet/+/cmd", true},
        {"fleet/{json:/d}/cmd", "fleet/+/alarm", false},
        {"fleet/{json:/d}/cmd", "fleet/#", true},
        {"fleet/{json:/d}/cmd", "fleet/+", false},
        {"fleet/{json:/d}/cmd", "+/+/+/+", false},
        {"fleet/{json:/d|levels}/cmd", "+/+/+/+", true},
        {"fleet/{json:/d|default:a/b}/cmd", "+/+/+/+", true},
        {"fleet/{json:/d}", "fleet", false},
        {"fleet/{json:/d|levels}", "fleet", false}, /* at least one level, be it empty */
        {"fleet/{json:/d}", "fleet/", true},
        {"fleet", "fleet/#", true},
        {"fleet/dev-{json:/d}", "fleet/dev-7", true},
        {"fleet/dev-{json:/d}", "fleet/gw-7", false},
        {"{ce:subject}", "any/#", true},
        {"{ce:subject}", "$SYS/#", false}, /* a value may not begin a topic with '$' */
        {"back/{ce:subject}", "up/#", false},
        {"$own/{json:/d}", "#", false},
        {"$own/{json:/d}", "+/+", false},
        {"$own/{json:/d}", "$own/+", true},
        {"{json:/a|levels}/{json:/b|levels}/{json:/c|levels}/end", "a/b/c/d/end", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err;
        struct template *t = template_new(span_of(rows[i].a), TEMPLATE_TOPIC, NULL, true, &err);
        assert_non_null(t);
        struct shape topic, filter;
        shape_of_topic(&topic, t);
        shape_of_filter(&filter, span_of(rows[i].b));
        expect(shapes_meet(&topic, &filter), &rows[i]);
        expect(shapes_meet(&filter, &topic), &rows[i]);
        template_free(t);
    }
}

static void filters_meet_as_topic_filters_overlap(void **state)
{
    (void)state;
    static const char *const filters[] = {
        "#", "+",  "+/#", "a",    "a/#", "a/+",  "a/b",    "a/b/#", "+/b",
        "/", "/+", "a/",  "a//c", "$S",  "$S/#", "$S/+/c", "+/+/c", "a/+/c",
    };
    for (size_t i = 0; i < COUNT(filters); i++) {
        for (size_t k = 0; k < COUNT(filters); k++) {
            struct shape a, b;
            shape_of_filter(&a, span_of(filters[i]));
            shape_of_filter(&b, span_of(filters[k]));
            struct row row = {filters[i], filters[k],
                              topic_filters_overlap(span_of(filters[i]), span_of(filters[k]))};
            expect(shapes_meet(&a, &b), &row);
        }
    }
}

static void what_has_too_many_words_may_go_on_as_it_likes(void **state)
{
    (void)state;
    char text[4096];
    size_t len = 0;
    for (size_t i = 0; i < 2000; i++) {
        text[len++] = 'a';
        text[len++] = '.';
    }
    struct err err;
    struct template *t = template_new(span_make(text, len), TEMPLATE_ROUTE, NULL, false, &err);
    assert_non_null(t);
    struct shape route, key;
    shape_of_route(&route, t, NULL, 0);
    assert_true(route.count <= SHAPE_MAX_WORDS);
    shape_of_key(&key, span_of("a.a.#.b"));
    assert_true(shapes_meet(&route, &key));
    shape_of_key(&key, span_of("b.#"));
    assert_false(shapes_meet(&route, &key));
    template_free(t);
    shape_of_key(&key, span_make(text, len));
    assert_true(key.count <= SHAPE_MAX_WORDS);
}

static void names_are_known_by_their_ends_in_upper_or_lower_case(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"q", "Q", true},           {"q", "qq", false},       {"{x}", "anything", true},
        {"dev-{x}", "DEV-7", true}, {"dev-{x}", "de", false}, {"dev-{x}", "gw-7", false},
        {"{x}-q", "a-Q", true},     {"{x}-q", "a-r", false},  {"a{x}a", "a", false},
    };
    struct err err;
    struct filter *filter = filter_new(span_of("+x"), &err);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct template *t = template_new(span_of(rows[i].a), TEMPLATE_NAME, filter, false, &err);
        assert_non_null(t);
        expect(shape_name_can_be(t, rows[i].b), &rows[i]);
        template_free(t);
    }
    filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_binding_keys_holds_in_both_orders_and_as_cmq_matches),
        cmocka_unit_test(wildcards_may_stand_on_both_sides),
        cmocka_unit_test(two_patterns_meet_when_some_text_matches_both),
        cmocka_unit_test(routes_are_known_by_their_placeholders),
        cmocka_unit_test(a_wildcard_is_several_levels_if_it_is_in_one_filter_of_the_rule),
        cmocka_unit_test(topics_are_known_by_their_placeholders),
        cmocka_unit_test(filters_meet_as_topic_filters_overlap),
        cmocka_unit_test(what_has_too_many_words_may_go_on_as_it_likes),
        cmocka_unit_test(names_are_known_by_their_ends_in_upper_or_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
