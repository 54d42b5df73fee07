/* The lexer against libconfig itself: the same values in the same order, with better lines. */
#include "config/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

enum { MAX_TEXT_BYTES = 4096 };

/* Scans and parses text; the caller frees both. */
static void read_both(const char *text, struct scan *scan, config_t *tree)
{
    char copy[MAX_TEXT_BYTES];
    struct faults faults = {0};
    (void)snprintf(copy, sizeof copy, "%s", text);
    config_init(tree);
    assert_true(scan_text(scan, copy, "test", &faults));
    assert_int_equal(faults.count, 0);
    if (config_read_string(tree, copy) != CONFIG_TRUE)
        fail_msg("%s: line %d: %s", text, config_error_line(tree), config_error_text(tree));
    if (!scan_apply(scan, config_root_setting(tree)))
        fail_msg("%s: %zu values by scan", text, scan->count);
}

static void the_two_agree_on_what_a_value_is(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "a = 1;",
        "a = -1; b = +1; c = 0x1F; d = 5L; e = 5LL; f = 0xFFL; g = 0xFFLL;",
        "a = 1.; b = .5; c = 1e5; d = 1.5e-3; e = -.5E+2; f = +2.0; g = .;",
        "a = true; b = FALSE; c = True; trueish = false; falsehood = true; true-ish = 1;",
        "a = \"x\"; b = \"x\" \"y\"; c = \"x\"\n\"y\" /* \" */ \"z\" # \"\n \"!\";",
        "a = \"\\\"\"; b = \"\\\\\"; c = \"\\\\\\\"\"; d = \"\\x41\"; e = \"\\q\";",
        "a = ( 1, \"x\", ( ), { b = 2; }, [ 3, 4 ], true, ( \"y\" \"z\", \"w\" ) );",
        "# \"a\" 1 true\n// \"b\" 2\na = 1; /* \"c\" 3 */ b = 2; /**/ c = 3; /***/ d = \"/*\";",
        "a = \"# no comment\"; b = \"// neither\"; c = 1 // \"\n;",
        "*a = 1; a* = 2; a-b_c = 3; a1 = 4;",
        "a : 1, b = 2 c = 3",
        "a = \"two\nlines\"; b = 1;",
        "a\r\n=\f\t1\r\n;",
        "a=1b=2",
        "a=\"x\"b=\"y\"c=truE;",
        "a = \"@include \\\"x\\\"\"; b = 1;",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scan scan = {0};
        config_t tree;
        read_both(rows[i], &scan, &tree);
        scan_fini(&scan);
        config_destroy(&tree);
    }
}

static void elements_have_the_line_they_begin_at(void **state)
{
    (void)state;
    struct scan scan = {0};
    config_t tree;
    read_both("a = [\n \"one\",\n \"two\" \n \"three\"\n\n,\n \"four\"\n\n\n];\nb = ( 1,\n 2\n );\n"
              "c = \n \"x\"\n;",
              &scan, &tree);
    static const struct {
        const char *path;
        unsigned line;
    } rows[] = {{"a", 1},  {"a.[0]", 2},  {"a.[1]", 3},  {"a.[2]", 7},
                {"b", 11}, {"b.[0]", 11}, {"b.[1]", 12}, {"c", 14}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const config_setting_t *setting = config_lookup(&tree, rows[i].path);
        assert_non_null(setting);
        assert_int_equal(config_setting_source_line(setting), rows[i].line);
    }
    scan_fini(&scan);
    config_destroy(&tree);
}

static void what_libconfig_would_lose_is_flagged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int flags;
    } rows[] = {
        {"a = 2147483647;", 0},
        {"a = 2147483648;", SCAN_TOO_BIG},
        {"a = -2147483648;", 0},
        {"a = -2147483649;", SCAN_TOO_BIG},
        {"a = 4294967297;", SCAN_TOO_BIG},
        {"a = 99999999999999999999999999;", SCAN_TOO_BIG},
        {"a = 2147483648L;", 0},
        {"a = 9223372036854775807L;", 0},
        {"a = 9223372036854775808L;", SCAN_TOO_BIG},
        {"a = -9223372036854775808LL;", 0},
        {"a = -9223372036854775809LL;", SCAN_TOO_BIG},
        {"a = 0x7fffffff;", 0},
        {"a = 0x80000000;", SCAN_TOO_BIG},
        {"a = 0x7fffffffffffffffL;", 0},
        {"a = 0x8000000000000000L;", SCAN_TOO_BIG},
        {"a = 0x1FFFFFFFFFFFFFFFFL;", SCAN_TOO_BIG},
        {"a = 99999999999999999999.0;", 0},
        {"a = \"x\\x00y\";", SCAN_NUL},
        {"a = \"\\X00\";", SCAN_NUL},
        {"a = \"x\" \"\\x00\";", SCAN_NUL},
        {"a = \"\\\\x00\";", 0},
        {"a = \"\\x01\\x10\";", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scan scan = {0};
        config_t tree;
        read_both(rows[i].text, &scan, &tree);
        const config_setting_t *setting = config_lookup(&tree, "a");
        if (scan_flags(setting) != rows[i].flags)
            fail_msg("%s: %d", rows[i].text, scan_flags(setting));
        scan_fini(&scan);
        config_destroy(&tree);
    }
}

static void an_include_is_a_fault_and_is_not_followed(void **state)
{
    (void)state;
    char text[] = "a = 1;\n \t@include \"/etc/hostname\"\nb = \"\n@include \\\"x\\\"\";\n";
    struct faults faults = {0};
    struct scan scan = {0};
    config_t tree;
    config_init(&tree);
    assert_true(scan_text(&scan, text, "f", &faults));
    assert_int_equal(faults.errors, 1);
    assert_int_equal(faults.list[0].line, 2);
    assert_int_equal(config_read_string(&tree, text), CONFIG_TRUE);
    assert_non_null(config_lookup(&tree, "b"));
    scan_fini(&scan);
    faults_fini(&faults);
    config_destroy(&tree);
}

static void an_open_comment_is_refused_where_it_begins(void **state)
{
    (void)state;
    char text[] = "a = 1;\n\n/* x\ny *\n";
    struct faults faults = {0};
    struct scan scan = {0};
    assert_false(scan_text(&scan, text, "f", &faults));
    assert_int_equal(faults.errors, 1);
    assert_int_equal(faults.list[0].line, 3);
    scan_fini(&scan);
    faults_fini(&faults);
}

static void a_tree_of_another_text_is_left_alone(void **state)
{
    (void)state;
    char text[] = "a = ( \"x\" );";
    struct faults faults = {0};
    struct scan scan = {0};
    config_t tree;
    config_init(&tree);
    assert_int_equal(config_read_string(&tree, "a = (\n \"x\", \"y\" );"), CONFIG_TRUE);
    assert_true(scan_text(&scan, text, "f", &faults));
    assert_false(scan_apply(&scan, config_root_setting(&tree)));
    assert_int_equal(config_setting_source_line(config_lookup(&tree, "a.[0]")), 2);
    scan_fini(&scan);
    config_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_agree_on_what_a_value_is),
        cmocka_unit_test(elements_have_the_line_they_begin_at),
        cmocka_unit_test(what_libconfig_would_lose_is_flagged),
        cmocka_unit_test(an_include_is_a_fault_and_is_not_followed),
        cmocka_unit_test(an_open_comment_is_refused_where_it_begins),
        cmocka_unit_test(a_tree_of_another_text_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
