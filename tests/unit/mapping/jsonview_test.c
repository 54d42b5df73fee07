/* jsonview_test - what is JSON (RFC 8259), and where a pointer (RFC 6901) leads in it. */
#include "mapping/jsonview.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static bool parses(struct span text)
{
    struct jsonview view;
    bool ok = jsonview_parse(text, JSONVIEW_MAX_DEPTH, &view);
    assert_int_equal(ok, view.kind != JSONVIEW_NONE);
    return ok;
}

static void only_strict_json_is_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e+10",
        "-12.0E-3",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        " \t\r\n1\n",
        "[1,2,[3]]",
        "{\"a\":{\"b\":[null]},\"a\":1}",
        "\"\\u0000\\ud800\\\"\\/\"",
        "\"\xc3\xa9\x7f\"",
        "[\"]\"]",
    };
    static const char *const bad[] = {
        "",
        " ",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "0x1",
        "NaN",
        "tru",
        "True",
        "nul",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"\t\"",
        "'a'",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1",
        "{1:2}",
        "1 2",
        "[1]]",
        "{}{}",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xed\xa0\x80\"",
        "\v1",
        "[1]//x",
    };
    for (size_t i = 0; i < ROWS(good); i++) {
        if (!parses(span_of(good[i])))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < ROWS(bad); i++) {
        if (parses(span_of(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
    assert_false(parses(span_make("1\0", 2)));
    assert_false(parses(span_make("\"a\0b\"", 5)));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * JSONVIEW_MAX_DEPTH + 2];
    struct jsonview view;
    for (int depth = JSONVIEW_MAX_DEPTH; depth <= JSONVIEW_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct span s = span_make(text, 2 * (size_t)depth);
        assert_int_equal(jsonview_parse(s, JSONVIEW_MAX_DEPTH, &view), depth == JSONVIEW_MAX_DEPTH);
    }
}

struct pointer_row {
    const char *pointer, *value; /* NULL: nothing there */
};

/* RFC 6901 s. 5, its document and its examples. */
static void pointers_lead_where_the_rfc_says(void **state)
{
    (void)state;
    static const char document[] =
        "{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4,"
        "\"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8}";
    static const struct pointer_row rows[] = {
        {"", document},
        {"/foo", "[\"bar\", \"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/foo/", NULL},
        {"/bar", NULL},
        {"/a/b", NULL},
        {"/foo/0/0", NULL},
        {"/a~1b/x", NULL},
        {"/fo", NULL},
        {"/fooo", NULL},
        {"/foo/18446744073709551616", NULL},
    };
    struct jsonview root, at;
    assert_true(jsonview_parse(span_of(document), JSONVIEW_MAX_DEPTH, &root));
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct pointer_row *r = &rows[i];
        assert_true(jsonview_pointer_ok(span_of(r->pointer)));
        bool found = jsonview_at(root, span_of(r->pointer), &at);
        if (found != (r->value != NULL) || (found && !span_eq_str(at.text, r->value)))
            fail_msg("%s", r->pointer);
    }
    static const char *const bad[] = {"foo", "/a~2b", "/a~", "/\xff"};
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_false(jsonview_pointer_ok(span_of(bad[i])));
}

static void members_are_found_by_their_decoded_name_and_the_first_counts(void **state)
{
    (void)state;
    struct jsonview root, at;
    assert_true(
        jsonview_parse(span_of("{\"\\u0061~\":1,\"a~\":2,\"\\ud83d\\ude00\":3,\"\\ud800\":4,"
                               "\"b\\u0000c\":5,\"b\":6}"),
                       JSONVIEW_MAX_DEPTH, &root));
    assert_true(jsonview_member(root, span_of("a~"), &at) && span_eq_str(at.text, "1"));
    assert_true(jsonview_at(root, span_of("/a~0"), &at) && span_eq_str(at.text, "1"));
    assert_true(jsonview_member(root, span_of("\xf0\x9f\x98\x80"), &at));
    assert_true(span_eq_str(at.text, "3"));
    assert_true(jsonview_member(root, span_make("b\0c", 3), &at) && span_eq_str(at.text, "5"));
    assert_true(jsonview_member(root, span_of("b"), &at) && span_eq_str(at.text, "6"));
    assert_false(jsonview_member(root, span_of(""), &at));
    assert_false(jsonview_member(root, span_of("a"), &at));
    assert_false(jsonview_member(at, span_of("a"), &at)); /* not an object */
}

static void strings_decode_to_their_exact_text(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        struct span text; /* ptr NULL: it has none */
    } rows[] = {
        {"\"\"", SPAN_LIT("")},
        {"\"plain\"", SPAN_LIT("plain")},
        {"\"a\\u0000b\"", SPAN_LIT("a\0b")},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SPAN_LIT("\"\\/\b\f\n\r\t")},
        {"\"x\\u00e9\\u20AC\\ud83d\\ude00y\"", SPAN_LIT("x\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80y")},
        {"\"\\ud800\"", {NULL, 0}},
        {"\"\\udc00\"", {NULL, 0}},
        {"\"\\ud800x\"", {NULL, 0}},
        {"\"\\ud800\\u0041\"", {NULL, 0}},
        {"\"\\ud800\\n12345\"", {NULL, 0}},
        {"17", {NULL, 0}},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf store = BUF_INIT(64);
        struct jsonview view;
        struct span text;
        assert_true(jsonview_parse(span_of(rows[i].json), JSONVIEW_MAX_DEPTH, &view));
        bool ok = jsonview_text(view, &store, &text);
        if (ok != (rows[i].text.ptr != NULL) || (ok && !span_eq(text, rows[i].text)))
            fail_msg("%s", rows[i].json);
        buf_fini(&store);
    }
    struct buf small = BUF_INIT(3);
    struct jsonview view;
    struct span text;
    assert_true(jsonview_parse(span_of("\"abc\\n\""), JSONVIEW_MAX_DEPTH, &view));
    assert_false(jsonview_text(view, &small, &text));
    buf_fini(&small);
}

static void going_through_gives_every_value_in_order(void **state)
{
    (void)state;
    struct jsonview root, key, value;
    assert_true(jsonview_parse(span_of(" { \"a\" : [1, \"]\" ,{ }] , \"b\":-1.5e3 ,\"\":null}"),
                               JSONVIEW_MAX_DEPTH, &root));
    struct buf seen = BUF_INIT(256);
    for (size_t at = 0; jsonview_next(root, &at, &key, &value);)
        buf_printf(&seen, "%.*s=%.*s;", SPAN_ARG(key.text), SPAN_ARG(value.text));
    assert_string_equal(buf_str(&seen), "\"a\"=[1, \"]\" ,{ }];\"b\"=-1.5e3;\"\"=null;");
    buf_clear(&seen);
    assert_true(jsonview_at(root, span_of("/a"), &root));
    for (size_t at = 0; jsonview_next(root, &at, &key, &value);) {
        assert_int_equal(key.kind, JSONVIEW_NONE);
        buf_printf(&seen, "%d %.*s;", (int)value.kind, SPAN_ARG(value.text));
    }
    assert_string_equal(buf_str(&seen), "3 1;4 \"]\";6 { };");
    buf_fini(&seen);
    for (size_t at = 0; jsonview_next(value, &at, &key, &value);)
        fail();
}

static void padding_is_the_white_space_on_both_sides(void **state)
{
    (void)state;
    struct jsonview root, value;
    assert_true(jsonview_parse(span_of("{\"a\": \n1\t,\"b\":[2] }"), JSONVIEW_MAX_DEPTH, &root));
    assert_true(jsonview_member(root, span_of("a"), &value));
    assert_true(span_eq_str(jsonview_padded(value), " \n1\t"));
    assert_true(jsonview_member(root, span_of("b"), &value));
    assert_true(span_eq_str(jsonview_padded(value), "[2] "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_strict_json_is_json),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(pointers_lead_where_the_rfc_says),
        cmocka_unit_test(members_are_found_by_their_decoded_name_and_the_first_counts),
        cmocka_unit_test(strings_decode_to_their_exact_text),
        cmocka_unit_test(going_through_gives_every_value_in_order),
        cmocka_unit_test(padding_is_the_white_space_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
