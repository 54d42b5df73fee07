/* matcher_test - the trie against trying every filter. */
#include "mapping/matcher.h"

#include "tests/unit/mapping/generate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RULES = 2000, FROMS = 3, TOPICS = 5000 };

static void hits_are_those_of_trying_every_filter_in_turn(void **state)
{
    (void)state;
    static char filters[RULES][FROMS][64];
    static struct matcher_hit hits[RULES];
    struct generator g = {.seed = 1};
    struct matcher *m = matcher_new();
    for (uint32_t r = 0; r < RULES; r++) {
        for (uint32_t f = 0; f < FROMS; f++) {
            generate_filter(&g, 6, filters[r][f], sizeof filters[r][f]);
            matcher_add(m, span_of(filters[r][f]), r, f);
        }
    }
    matcher_seal(m);
    size_t most = 0, least = RULES;
    for (int t = 0; t < TOPICS; t++) {
        char name[64];
        generate_name(&g, 7, name, sizeof name);
        /* Before the repeated ones go there are more hits than rules. */
        static struct matcher_hit found[RULES * FROMS];
        size_t count = matcher_find(m, span_of(name), found, RULES * FROMS);
        size_t expected = 0;
        for (uint32_t r = 0; r < RULES; r++) {
            for (uint32_t f = 0; f < FROMS; f++) {
                if (topic_match(span_of(filters[r][f]), span_of(name), NULL)) {
                    hits[expected++] = (struct matcher_hit){r, f};
                    break;
                }
            }
        }
        assert_int_equal(count, expected);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(found[i].rule, hits[i].rule);
            assert_int_equal(found[i].from, hits[i].from);
        }
        most = count > most ? count : most;
        least = count < least ? count : least;
    }
    assert_true(most > 500 && least < 500);
    matcher_free(m);
}

static void too_little_room_tells_how_much_is_enough(void **state)
{
    (void)state;
    struct matcher *m = matcher_new();
    for (uint32_t r = 0; r < 100; r++)
        matcher_add(m, span_of(r % 2 ? "a/+" : "a/#"), 99 - r, 0);
    matcher_seal(m);
    struct matcher_hit hits[100];
    assert_int_equal(matcher_find(m, span_of("b"), hits, 0), 0);
    size_t enough = matcher_find(m, span_of("a/b"), hits, 10);
    assert_true(enough >= 100);
    assert_int_equal(matcher_find(m, span_of("a/b"), hits, 100), 100);
    for (uint32_t r = 0; r < 100; r++)
        assert_int_equal(hits[r].rule, r);
    assert_int_equal(matcher_find(m, span_of("a"), hits, 100), 50);
    matcher_free(m);
}

static void dollar_topics_do_not_match_leading_wildcards(void **state)
{
    (void)state;
    struct matcher *m = matcher_new();
    matcher_add(m, span_of("#"), 0, 0);
    matcher_add(m, span_of("+/x"), 1, 0);
    matcher_add(m, span_of("$SYS/+"), 2, 0);
    matcher_add(m, span_of("$SYS/#"), 3, 0);
    matcher_seal(m);
    struct matcher_hit hits[4];
    assert_int_equal(matcher_find(m, span_of("$SYS/x"), hits, 4), 2);
    assert_true(hits[0].rule == 2 && hits[1].rule == 3);
    assert_int_equal(matcher_find(m, span_of("SYS/x"), hits, 4), 2);
    assert_true(hits[0].rule == 0 && hits[1].rule == 1);
    matcher_free(m);
}

static void names_deeper_than_any_filter_match_only_by_a_hash(void **state)
{
    (void)state;
    static char name[2 * TOPIC_MAX_LEVELS + 64], filter[2 * TOPIC_MAX_LEVELS];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '/' : 'a';
    memcpy(filter, name, sizeof filter);
    struct matcher *m = matcher_new();
    struct span deepest = span_make(filter, 2 * TOPIC_MAX_LEVELS - 1);
    assert_true(topic_filter_ok(deepest, NULL));
    matcher_add(m, deepest, 0, 0);
    matcher_add(m, span_of("a/+/#"), 1, 0);
    filter[2 * TOPIC_MAX_LEVELS - 2] = '#';
    matcher_add(m, deepest, 2, 0);
    matcher_seal(m);
    struct matcher_hit hits[3];
    assert_int_equal(matcher_find(m, span_make(name, sizeof name - 1), hits, 3), 2);
    assert_true(hits[0].rule == 1 && hits[1].rule == 2);
    assert_int_equal(matcher_find(m, span_make(name, 2 * TOPIC_MAX_LEVELS - 1), hits, 3), 3);
    assert_int_equal(matcher_find(m, span_make(name, 2 * TOPIC_MAX_LEVELS - 3), hits, 3), 2);
    matcher_free(m);
}

/* Every mix of '+' and 'a' over twelve levels: 4096 filters, all of which match. */
static void every_mix_of_wildcards_matches_once(void **state)
{
    (void)state;
    enum { LEVELS = 12, MIXES = 1 << LEVELS };
    static struct matcher_hit hits[MIXES];
    struct matcher *m = matcher_new();
    char text[2 * LEVELS];
    for (uint32_t mix = 0; mix < MIXES; mix++) {
        for (size_t i = 0; i < LEVELS; i++) {
            text[2 * i] = mix >> i & 1 ? '+' : 'a';
            text[2 * i + 1] = '/';
        }
        matcher_add(m, span_make(text, 2 * LEVELS - 1), mix, 0);
    }
    matcher_seal(m);
    size_t count = matcher_find(m, span_of("a/a/a/a/a/a/a/a/a/a/a/a"), hits, MIXES);
    assert_int_equal(count, MIXES);
    for (uint32_t i = 0; i < MIXES; i++)
        assert_int_equal(hits[i].rule, i);
    matcher_free(m);
}

static void a_filter_in_place_of_a_name_finds_what_covers_it(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static char filters[COUNT][64];
    struct matcher_hit hits[COUNT];
    struct generator g = {.seed = 3};
    struct matcher *m = matcher_new();
    for (uint32_t i = 0; i < COUNT; i++) {
        generate_filter(&g, 4, filters[i], sizeof filters[i]);
        matcher_add(m, span_of(filters[i]), i, 0);
    }
    matcher_seal(m);
    for (size_t i = 0; i < COUNT; i++) {
        struct span inner = span_of(filters[i]);
        size_t count = matcher_find(m, inner, hits, COUNT), at = 0;
        for (uint32_t k = 0; k < COUNT; k++) {
            bool special = span_eq_str(inner, "#") && strcmp(filters[k], "+/#") == 0;
            if (special || !topic_filter_covers(span_of(filters[k]), inner))
                continue;
            assert_true(at < count && hits[at].rule == k);
            at++;
        }
        assert_int_equal(at, count);
    }
    matcher_free(m);
}

static void an_empty_matcher_matches_nothing(void **state)
{
    (void)state;
    struct matcher *m = matcher_new();
    matcher_seal(m);
    assert_int_equal(matcher_find(m, span_of("a/b"), NULL, 0), 0);
    matcher_free(m);
    matcher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_are_those_of_trying_every_filter_in_turn),
        cmocka_unit_test(too_little_room_tells_how_much_is_enough),
        cmocka_unit_test(dollar_topics_do_not_match_leading_wildcards),
        cmocka_unit_test(names_deeper_than_any_filter_match_only_by_a_hash),
        cmocka_unit_test(every_mix_of_wildcards_matches_once),
        cmocka_unit_test(a_filter_in_place_of_a_name_finds_what_covers_it),
        cmocka_unit_test(an_empty_matcher_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
