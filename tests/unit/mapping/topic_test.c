/* topic_test - MQTT 5.0 s. 4.7 as tables, and filters about filters against their meaning. */
#include "mapping/topic.h"

#include "tests/unit/mapping/generate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

struct match_row {
    const char *filter, *name;
    bool matches;
};

/* The examples of MQTT 5.0 s. 4.7.1.2, 4.7.1.3, 4.7.2 and 4.7.3, then their edges. */
static const struct match_row standard[] = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/#", "sport", true},
    {"#", "sport/tennis", true},
    {"sport/tennis/#", "sport/tennis/", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player2", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+/tennis/#", "sport/tennis/a", true},
    {"sport/+/player1", "sport/tennis/player1", true},
    {"/+", "/finance", true},
    {"+/+", "/finance", true},
    {"+", "/finance", false},
    {"#", "$SYS/broker", false},
    {"+/monitor/Clients", "$SYS/monitor/Clients", false},
    {"$SYS/#", "$SYS/broker/load", true},
    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
    {"ACCOUNTS", "Accounts", false},
    {"/", "/", true},
    {"+/+", "/", true},
    {"a//b", "a//b", true},
    {"a/+/b", "a//b", true},
    {"a/b", "a/b/", false},
    {"a/b/", "a/b", false},
    {"a", "ab", false},
    {"ab", "a", false},
    {"a/#", "ab", false},
    {"a/+/#", "a", false},
    {"a/+/#", "a/b", true},
    {"a/$x", "a/$x", true},
    {"a/+", "a/$x", true},
};

static void names_match_filters_as_the_standard_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(standard); i++) {
        const struct match_row *r = &standard[i];
        if (topic_match(span_of(r->filter), span_of(r->name), NULL) != r->matches)
            fail_msg("%s and %s", r->filter, r->name);
    }
}

static void wildcards_capture_what_they_stood_for(void **state)
{
    (void)state;
    struct topic_captures caps;
    assert_true(topic_match(span_of("fleet/+/+/telemetry/#"),
                            span_of("fleet/p1/d7/telemetry/temp/max"), &caps));
    assert_int_equal(caps.count, 3);
    assert_true(span_eq_str(caps.at[0], "p1"));
    assert_true(span_eq_str(caps.at[1], "d7"));
    assert_true(span_eq_str(caps.at[2], "temp/max"));
    assert_true(topic_match(span_of("#"), span_of("a/b"), &caps));
    assert_true(caps.count == 1 && span_eq_str(caps.at[0], "a/b"));
    assert_true(topic_match(span_of("+/x"), span_of("/x"), &caps));
    assert_true(caps.count == 1 && caps.at[0].len == 0 && caps.at[0].ptr);
}

static void a_hash_on_its_parent_level_stands_for_nothing(void **state)
{
    (void)state;
    struct topic_captures caps;
    assert_true(topic_match(span_of("a/#"), span_of("a"), &caps));
    assert_true(caps.count == 1 && caps.at[0].len == 0 && !caps.at[0].ptr);
    assert_true(topic_match(span_of("a/#"), span_of("a/"), &caps));
    assert_true(caps.count == 1 && caps.at[0].len == 0 && caps.at[0].ptr);
}

static void what_keeps_a_name_from_matching_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *name, *says;
    } rows[] = {
        {"fleet/+/alarm", "fleet/d7/temp", "level 3 is \"temp\" and not \"alarm\""},
        {"fleet/+/alarm", "fleet/d7", "the topic has no level 3"},
        {"fleet/+/#", "fleet", "the topic has no level 2"},
        {"fleet/+", "fleet/d7/temp", "the topic has more than 2 levels"},
        {"+", "/", "the topic has more than 1 level"},
        {"#", "$SYS/x", "a leading wildcard does not match topics that begin with '$'"},
        {"fleet/#", "fleet", ""},
        {"fleet/+", "fleet/x", ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf out = BUF_INIT(256);
        topic_explain(span_of(rows[i].filter), span_of(rows[i].name), &out);
        assert_string_equal(buf_str(&out), rows[i].says);
        buf_fini(&out);
    }
}

static void texts_that_are_no_topic_names_are_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN_LIT(""),     SPAN_LIT("a/+"),  SPAN_LIT("a/#"),        SPAN_LIT("a+b"),
        SPAN_LIT("a\0b"), SPAN_LIT("\xff"), SPAN_LIT("a/\xc0\x80"), SPAN_LIT("\xed\xa0\x80")};
    for (size_t i = 0; i < ROWS(bad); i++) {
        const char *why = NULL;
        assert_false(topic_name_ok(bad[i], &why));
        assert_non_null(why);
        assert_false(topic_name_ok(bad[i], NULL));
    }
    static const char *const good[] = {"a", "/", " ", "$SYS/x", "\xe6\xb8\xa9/1", "a//b"};
    for (size_t i = 0; i < ROWS(good); i++)
        assert_true(topic_name_ok(span_of(good[i]), NULL));
}

static void texts_that_are_no_filters_are_refused(void **state)
{
    (void)state;
    /* MQTT 5.0 s. 4.7.1.2: "sport/tennis#" and "sport/tennis/#/ranking" are not valid,
     * nor 4.7.1.3's "sport+". */
    static const char *const bad[] = {
        "",   "sport/tennis#", "sport/tennis/#/ranking", "sport+", "#/", "##", "a/+b",
        "+#", "a/b+/c"};
    for (size_t i = 0; i < ROWS(bad); i++) {
        const char *why = NULL;
        if (topic_filter_ok(span_of(bad[i]), &why))
            fail_msg("%s", bad[i]);
        assert_non_null(why);
    }
    static const char *const good[] = {"#", "+", "+/tennis/#", "sport/+/player1", "/", "a//#"};
    for (size_t i = 0; i < ROWS(good); i++)
        assert_true(topic_filter_ok(span_of(good[i]), NULL));
}

static void the_longest_texts_are_65535_bytes_and_256_levels(void **state)
{
    (void)state;
    static char text[TOPIC_MAX_BYTES + 1];
    memset(text, 'a', sizeof text);
    assert_true(topic_name_ok(span_make(text, TOPIC_MAX_BYTES), NULL));
    assert_false(topic_name_ok(span_make(text, sizeof text), NULL));
    assert_true(topic_filter_ok(span_make(text, TOPIC_MAX_BYTES), NULL));
    memset(text, '/', sizeof text);
    assert_true(topic_filter_ok(span_make(text, TOPIC_MAX_LEVELS - 1), NULL));
    assert_false(topic_filter_ok(span_make(text, TOPIC_MAX_LEVELS), NULL));
    assert_true(topic_name_ok(span_make(text, TOPIC_MAX_BYTES), NULL));
    assert_true(topic_match(span_of("/#"), span_make(text, TOPIC_MAX_BYTES), NULL));
}

static void the_most_wildcards_are_32(void **state)
{
    (void)state;
    char text[2 * TOPIC_MAX_CAPTURES + 1];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '/' : '+';
    struct topic_captures caps;
    struct span most = span_make(text, 2 * TOPIC_MAX_CAPTURES - 1);
    assert_true(topic_filter_ok(most, NULL));
    assert_false(topic_filter_ok(span_make(text, sizeof text), NULL));
    assert_true(topic_match(most, most, &caps)); /* '+' as a level's text does as well as any */
    assert_int_equal(caps.count, TOPIC_MAX_CAPTURES);
}

struct pair_row {
    const char *a, *b;
    bool covers, overlap;
};

static const struct pair_row pairs[] = {
    {"#", "a/b", true, true},         {"#", "#", true, true},
    {"#", "+/#", true, true},         {"+/#", "#", true, true},
    {"a/#", "a", true, true},         {"a/#", "a/#", true, true},
    {"a/#", "a/+/#", true, true},     {"a/+/#", "a/#", false, true},
    {"a/+", "a/#", false, true},      {"a/#", "a/+", true, true},
    {"a/+", "a/b", true, true},       {"a/b", "a/+", false, true},
    {"a/+", "+/b", false, true},      {"a/+", "b/+", false, false},
    {"a/+", "a", false, false},       {"a", "a/b", false, false},
    {"#", "$SYS/#", false, false},    {"+/a", "$SYS/a", false, false},
    {"$SYS/#", "$SYS/+", true, true}, {"$SYS/+", "+/a", false, false},
    {"a/#", "#", false, true},        {"+", "/", false, false},
    {"+/+", "/", true, true},         {"a/+/c/#", "a/b/c", true, true},
};

static void filters_cover_and_overlap_as_their_names_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(pairs); i++) {
        const struct pair_row *r = &pairs[i];
        struct span a = span_of(r->a), b = span_of(r->b);
        if (topic_filter_covers(a, b) != r->covers || topic_filters_overlap(a, b) != r->overlap ||
            topic_filters_overlap(b, a) != r->overlap)
            fail_msg("%s and %s", r->a, r->b);
    }
}

/*
 * All names over a small alphabet, up to one level deeper than the filters, are enough to tell any
 * two such filters apart, so the answers must be exactly those of trying them all.
 */
enum { MAX_DEPTH = 4, ALPHABET = 3, NAMES = 3 + 9 + 27 + 81 };

static size_t all_names(char names[NAMES][32])
{
    static const char *const levels[ALPHABET] = {"a", "b", "$c"};
    size_t count = 0;
    for (size_t depth = 1, total = ALPHABET; depth <= MAX_DEPTH; depth++, total *= ALPHABET) {
        for (size_t code = 0; code < total; code++, count++) {
            names[count][0] = '\0';
            for (size_t d = 0, c = code; d < depth; d++, c /= ALPHABET) {
                size_t len = strlen(names[count]);
                (void)snprintf(names[count] + len, sizeof names[count] - len, "%s%s", d ? "/" : "",
                               levels[c % ALPHABET]);
            }
        }
    }
    return count;
}

static void covering_and_overlap_agree_with_trying_every_name(void **state)
{
    (void)state;
    static char names[NAMES][32];
    size_t count = all_names(names);
    assert_int_equal(count, NAMES);
    struct generator g = {.seed = 7};
    size_t covered = 0, apart = 0;
    for (int round = 0; round < 20000; round++) {
        char a[64], b[64];
        generate_filter(&g, MAX_DEPTH - 1, a, sizeof a);
        generate_filter(&g, MAX_DEPTH - 1, b, sizeof b);
        bool covers = true, overlap = false;
        for (size_t i = 0; i < count; i++) {
            bool in_a = topic_match(span_of(a), span_of(names[i]), NULL);
            bool in_b = topic_match(span_of(b), span_of(names[i]), NULL);
            covers = covers && (in_a || !in_b);
            overlap = overlap || (in_a && in_b);
        }
        if (topic_filter_covers(span_of(a), span_of(b)) != covers ||
            topic_filters_overlap(span_of(a), span_of(b)) != overlap)
            fail_msg("%s and %s: covers %d, overlap %d", a, b, covers, overlap);
        covered += covers;
        apart += !overlap;
    }
    assert_true(covered > 500 && apart > 500); /* the rounds were not all of one kind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match_filters_as_the_standard_says),
        cmocka_unit_test(wildcards_capture_what_they_stood_for),
        cmocka_unit_test(a_hash_on_its_parent_level_stands_for_nothing),
        cmocka_unit_test(what_keeps_a_name_from_matching_is_said),
        cmocka_unit_test(texts_that_are_no_topic_names_are_refused),
        cmocka_unit_test(texts_that_are_no_filters_are_refused),
        cmocka_unit_test(the_longest_texts_are_65535_bytes_and_256_levels),
        cmocka_unit_test(the_most_wildcards_are_32),
        cmocka_unit_test(filters_cover_and_overlap_as_their_names_do),
        cmocka_unit_test(covering_and_overlap_agree_with_trying_every_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
