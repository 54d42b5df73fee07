/* The matching of CMQ.md 4.1 and 4.2, with the documents' own examples. */
#include "cmq/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void binding_keys_take_whole_words(void **state)
{
    (void)state;
    static const struct {
        const char *key, *route;
        bool match;
    } rows[] = {
        {"1.*.0", "1.abc.0", true},
        {"1.#.0", "1.2.3.4.4.2.2.0", true},
        {"1.#.0", "1.0", true},
        {"#", "a.b.c", true},
        {"#", "", true},
        {"a.*.c", "a.b.x", false},
        {"a.*", "a", false},
        {"a.*", "a.b.c", false},
        {"*", "a", true},
        {"*", "a.b", false},
        {"*", "", false},
        {"a.#", "a", true},
        {"a.#", "a.b", true},
        {"a.#", "a.b.c", true},
        {"#.c", "c", true},
        {"#.c", "a.b.c", true},
        {"#.c", "a.b.cd", false},
        {"#.b.#", "a.b.c", true},
        {"#.b.#", "b", true},
        {"#.b.#", "a.c", false},
        {"*.#", "a", true},
        {"*.#", "a.b", true},
        {"*.#", "", false},
        {"a*", "ab", false},
        {"a*", "a*", true},
        /* the routes of the vendor's example */
        {"a.b.*", "a.b.c", true},
        {"a.b.*", "a.b.x", true},
        {"a.b.*", "a.c.d", false},
        {"#.c", "x.y.c", true},
        {"#.c", "x.y.z", false},
        {"a.b.c", "a.b.c", true},
        {"a.b.c", "a.b.x", false},
        /* words that are empty, and the order of trying */
        {"a.*.b", "a..b", false},
        {"a.#.b", "a..b", true},
        {"a.", "a.", true},
        {"a.", "a", false},
        {"a", "a.", false},
        {"A", "a", false},
        {"", "", true},
        {"", "a", false},
        {"#.#", "", true},
        {"#.*.#.*", "a", false},
        {"#.*.#.*", "a.b", true},
        {"#.a.#.b", "a.x.a.b.c.b", true},
        {"#.a.#.b", "a.x.a.b.c", false},
        {"##", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (cmq_key_match(span_of(rows[i].key), span_of(rows[i].route)) != rows[i].match)
            fail_msg("%s with %s", rows[i].key, rows[i].route);
    }
    assert_true(cmq_key_match(span_of("#"), (struct span){NULL, 0}));
    assert_false(cmq_key_match(span_of("a"), (struct span){NULL, 0}));
}

static void a_key_made_to_be_slow_is_not(void **state)
{
    (void)state;
    enum { WORDS = 2000 };
    char *key = test_calloc(WORDS, 4), *route = test_calloc(WORDS, 2);
    for (size_t i = 0; i < WORDS; i++) {
        memcpy(key + 4 * i, "#.a.", 4);
        memcpy(route + 2 * i, "a.", 2);
    }
    struct span whole = span_make(key, (size_t)WORDS * 4 - 1);
    assert_true(cmq_key_match(whole, span_make(route, (size_t)WORDS * 2 - 1)));
    assert_false(cmq_key_match(whole, span_make(route, (size_t)WORDS * 2 - 3)));
    test_free(route);
    test_free(key);
}

static void a_tag_in_common_is_enough(void **state)
{
    (void)state;
    static const struct span ab[] = {SPAN_LIT("a"), SPAN_LIT("b")};
    static const struct span bc[] = {SPAN_LIT("b"), SPAN_LIT("c")};
    static const struct span upper[] = {SPAN_LIT("A"), SPAN_LIT("ab")};
    assert_true(cmq_tags_match(ab, 2, bc, 2));
    assert_false(cmq_tags_match(ab, 1, bc, 2));
    assert_false(cmq_tags_match(ab, 2, upper, 2));
    assert_false(cmq_tags_match(ab, 2, NULL, 0));
    assert_true(cmq_tags_match(NULL, 0, bc, 2));
    assert_true(cmq_tags_match(NULL, 0, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binding_keys_take_whole_words),
        cmocka_unit_test(a_key_made_to_be_slow_is_not),
        cmocka_unit_test(a_tag_in_common_is_enough),
    };
    return cmocka_run_group_tests_name("cmq/key", tests, NULL, NULL);
}
