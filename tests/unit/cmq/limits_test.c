/* The names and keys of CMQ.md 4. */
#include "cmq/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

typedef bool rule_fn(struct span text, const char **why);

struct row {
    struct span text;
    const char *why; /* part of the reason; NULL: it is fine */
};

static void check_rows(rule_fn *rule, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        bool ok = rule(rows[i].text, &why);
        assert_int_equal(ok, rule(rows[i].text, NULL));
        if (ok != !rows[i].why)
            fail_msg("row %zu: %.*s: %s", i, SPAN_ARG(rows[i].text), ok ? "taken" : why);
        if (rows[i].why)
            assert_non_null(strstr(why, rows[i].why));
        else
            assert_null(why);
    }
}
#define CHECK_ROWS(rule, rows) check_rows(rule, rows, sizeof(rows) / sizeof *(rows))

static void a_name_is_a_letter_and_more_of_a_few_kinds(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SPAN_LIT("a"), NULL},           {SPAN_LIT("Z9-_z"), NULL},
        {SPAN_LIT("aaaa" SIXTY), NULL},  {SPAN_LIT("aaaaa" SIXTY), "64"},
        {SPAN_LIT(""), "empty"},         {{NULL, 0}, "empty"},
        {SPAN_LIT("9a"), "letter"},      {SPAN_LIT("-a"), "letter"},
        {SPAN_LIT("_a"), "letter"},      {SPAN_LIT("a b"), "only"},
        {SPAN_LIT("a.b"), "only"},       {SPAN_LIT("a\0b"), "only"},
        {SPAN_LIT("a\xC3\xA9"), "only"}, {SPAN_LIT("queue-retry"), "-retry"},
        {SPAN_LIT("queue-dlq"), "-dlq"}, {SPAN_LIT("queue-dlq-2"), NULL},
        {SPAN_LIT("retry"), NULL},       {SPAN_LIT("dlq"), NULL},
    };
    CHECK_ROWS(cmq_name_ok, rows);
}

static void a_tag_is_sixteen_characters_whatever_their_bytes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SPAN_LIT("a"), NULL},
        {SPAN_LIT("0123456789abcdef"), NULL},
        {SPAN_LIT("0123456789abcdefg"), "16"},
        {SPAN_LIT("\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0"
                  "0123456789"),
         NULL},
        {SPAN_LIT("\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0\xE4\xBD\xA0"
                  "0123456789a"),
         "16"},
        {SPAN_LIT("a, b"), NULL},
        {SPAN_LIT(""), "empty"},
        {SPAN_LIT("a\0"), "NUL"},
        {SPAN_LIT("\xFF"), "UTF-8"},
        {SPAN_LIT("\xE4\xBD"), "UTF-8"},
    };
    CHECK_ROWS(cmq_tag_ok, rows);
}

static const struct row keys[] = {
    {SPAN_LIT("a"), NULL},
    {SPAN_LIT("a.*.#"), NULL},
    {SPAN_LIT("..............."), NULL},
    {SPAN_LIT("................"), "15"},
    {SPAN_LIT("0123" SIXTY), NULL},
    {SPAN_LIT("01234" SIXTY), "64"},
    {SPAN_LIT("a\0"), "NUL"},
    {SPAN_LIT("\xC0\xAF"), "UTF-8"},
};

static void a_route_is_sixty_four_bytes_and_fifteen_dots(void **state)
{
    (void)state;
    static const struct row empty[] = {{SPAN_LIT(""), NULL}};
    CHECK_ROWS(cmq_route_ok, keys);
    CHECK_ROWS(cmq_route_ok, empty);
}

static void a_binding_key_is_a_route_that_is_not_empty(void **state)
{
    (void)state;
    static const struct row empty[] = {{SPAN_LIT(""), "empty"}};
    CHECK_ROWS(cmq_binding_key_ok, keys);
    CHECK_ROWS(cmq_binding_key_ok, empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_a_letter_and_more_of_a_few_kinds),
        cmocka_unit_test(a_tag_is_sixteen_characters_whatever_their_bytes),
        cmocka_unit_test(a_route_is_sixty_four_bytes_and_fifteen_dots),
        cmocka_unit_test(a_binding_key_is_a_route_that_is_not_empty),
    };
    return cmocka_run_group_tests_name("cmq/limits", tests, NULL, NULL);
}
