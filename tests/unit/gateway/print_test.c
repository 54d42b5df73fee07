/* Bytes from outside on a terminal and in JSON. */
#include "gateway/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a call printed; freed by the caller. */
#define PRINTED(text, call)                                                                        \
    do {                                                                                           \
        size_t len;                                                                                \
        FILE *out = open_memstream(&(text), &len);                                                 \
        assert_non_null(out);                                                                      \
        call;                                                                                      \
        fclose(out);                                                                               \
    } while (0)

static void what_could_command_a_terminal_is_escaped(void **state)
{
    static const struct {
        struct span bytes;
        const char *shown;
    } rows[] = {
        {SPAN_LIT(""), ""},
        {SPAN_LIT("plain text, 21.5 \xc2\xb0"
                  "C"),
         "plain text, 21.5 \xc2\xb0"
         "C"},
        {SPAN_LIT("\xe4\xbd\xa0\xf0\x9f\x98\x80"), "\xe4\xbd\xa0\xf0\x9f\x98\x80"},
        {SPAN_LIT("a\tb\r\nc"), "a\\tb\\r\\nc"},
        {SPAN_LIT("\x1b[2J"), "\\x1b[2J"},
        {SPAN_LIT("\0\x01\x7f"), "\\x00\\x01\\x7f"},
        {SPAN_LIT("back\\slash"), "back\\\\slash"},
        {SPAN_LIT("\xc2\x9b"
                  "31m"),
         "\\u009b31m"},
        {SPAN_LIT("\xe2\x80\xae"
                  "gpj"),
         "\\u202egpj"},
        {SPAN_LIT("\xe2\x80\xa8"), "\\u2028"},
        {SPAN_LIT("\xef\xbb\xbf"), "\\ufeff"},
        {SPAN_LIT("\xff\xfe"), "\\xff\\xfe"},
        {SPAN_LIT("\xc0\x80"), "\\xc0\\x80"},
        {SPAN_LIT("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
        {SPAN_LIT("cut \xe4\xbd"), "cut \\xe4\\xbd"},
        {SPAN_LIT("\x80"
                  "a"),
         "\\x80a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text;
        PRINTED(text, print_text(out, rows[i].bytes));
        assert_string_equal(text, rows[i].shown);
        free(text);
    }
}

static void a_long_text_is_wrapped_and_what_is_left_out_is_counted(void **state)
{
    (void)state;
    char *text;
    PRINTED(text, print_wrapped(out, span_of("abcdefghij"), 100, 4, 2));
    assert_string_equal(text, "abcd\n  efgh\n  ij");
    free(text);
    PRINTED(text, print_wrapped(out, span_of("abcdefghij"), 6, 4, 0));
    assert_string_equal(text, "abcd\nef\n... 4 more bytes");
    free(text);
    PRINTED(text, print_wrapped(out, span_of("abc\ndef"), 100, 4, 0)); /* an escape stays whole */
    assert_string_equal(text, "abc\n\\nde\nf");
    free(text);
    PRINTED(text, print_wrapped(out, span_of(""), 100, 4, 0));
    assert_string_equal(text, "");
    free(text);
}

static void a_sentence_is_wrapped_between_words(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"to be or not", "to be\n  or\n  not"},
        {"to bee or", "to\n  bee\n  or"},
        {"not tobeornot", "not\n  tobeo\n  rnot"}, /* a word longer than a line */
        {"a  b", "a  b"},
        {"a b\tcd", "a\n  b\\tcd"}, /* an escape counts as it is shown */
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text;
        PRINTED(text, print_sentence(out, span_of(rows[i].text), 5, 2));
        assert_string_equal(text, rows[i].shown);
        free(text);
    }
}

static void a_cut_text_says_that_it_was_cut(void **state)
{
    static const struct {
        struct span bytes;
        int columns;
        const char *shown;
    } rows[] = {
        {SPAN_LIT("12345"), 5, "12345"},
        {SPAN_LIT("123456"), 5, "123.."},
        {SPAN_LIT(""), 5, ""},
        {SPAN_LIT("12\x1b[K"), 5, "12.."}, /* the escape does not fit */
        {SPAN_LIT("\xe4\xbd\xa0\xe4\xbd\xa0\xe4\xbd\xa0"), 3,
         "\xe4\xbd\xa0\xe4\xbd\xa0\xe4\xbd\xa0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text;
        int width = -1;
        PRINTED(text, width = print_cut(out, rows[i].bytes, rows[i].columns));
        assert_string_equal(text, rows[i].shown);
        assert_true(width <= rows[i].columns);
        free(text);
    }
}

static void captures_are_shown_by_name_or_by_number(void **state)
{
    (void)state;
    struct filter *filter = filter_new(span_of("a/+line/+/#rest"), NULL);
    assert_non_null(filter);
    struct topic_captures captures;
    assert_true(topic_match(span_of(filter->plain), span_of("a/x\"/2/c/d"), &captures));
    char *text;
    PRINTED(text, print_captures(out, filter, &captures, 2));
    assert_string_equal(text, "  line = x\"\n  1    = 2\n  rest = c/d\n");
    free(text);
    PRINTED(text, print_captures_json(out, filter, &captures));
    assert_string_equal(text, "{\"line\":\"x\\\"\",\"1\":\"2\",\"rest\":\"c/d\"}");
    free(text);
    filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_command_a_terminal_is_escaped),
        cmocka_unit_test(a_long_text_is_wrapped_and_what_is_left_out_is_counted),
        cmocka_unit_test(a_sentence_is_wrapped_between_words),
        cmocka_unit_test(a_cut_text_says_that_it_was_cut),
        cmocka_unit_test(captures_are_shown_by_name_or_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
