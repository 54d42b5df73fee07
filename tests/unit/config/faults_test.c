#include "config/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MAX_TEXT_BYTES = 1 << 16 };

static void assert_prints(const struct faults *faults, bool json, const char *expected)
{
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    faults_print(faults, json, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_fini(&out);
}

static void files_keep_their_order_and_lines_are_sorted_within(void **state)
{
    (void)state;
    struct faults faults = {0};
    faults_add(&faults, FAULT_ERROR, "z.cfg", 9, "one");
    faults_add(&faults, FAULT_WARNING, "a.cfg", 5, "two");
    faults_add(&faults, FAULT_ERROR, "z.cfg", 2, "three");
    faults_add(&faults, FAULT_ERROR, "a.cfg", 0, "%s", "four");
    faults_add(&faults, FAULT_ERROR, "z.cfg", 9, "five");
    faults_sort(&faults, NULL, 0);
    assert_prints(&faults, false,
                  "z.cfg:2: error: three\nz.cfg:9: error: one\nz.cfg:9: error: five\n"
                  "a.cfg:0: error: four\na.cfg:5: warning: two\n");
    assert_int_equal(faults.errors, 4);
    faults_fini(&faults);
}

static void known_files_come_first_in_their_own_order(void **state)
{
    (void)state;
    static char main_file[] = "main", clean[] = "clean", late[] = "late";
    char *const known[] = {main_file, clean, late};
    struct faults faults = {0};
    faults_add(&faults, FAULT_WARNING, "other", 1, "one");
    faults_add(&faults, FAULT_WARNING, "late", 1, "two");
    faults_add(&faults, FAULT_WARNING, "main", 1, "three");
    faults_sort(&faults, known, 3);
    assert_prints(&faults, false,
                  "main:1: warning: three\nlate:1: warning: two\nother:1: warning: one\n");
    faults_fini(&faults);
}

static void more_can_be_added_after_sorting(void **state)
{
    (void)state;
    struct faults faults = {0};
    for (int i = 100; i > 0; i--) {
        faults_add(&faults, FAULT_WARNING, "a", i, "x");
        faults_sort(&faults, NULL, 0);
    }
    assert_int_equal(faults.count, 100);
    assert_int_equal(faults.errors, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(faults.list[i].line, i + 1);
    faults_fini(&faults);
}

static void a_fault_is_one_line_whatever_it_quotes(void **state)
{
    (void)state;
    struct faults faults = {0};
    faults_add(&faults, FAULT_ERROR, "a", 1,
               "x\ny\t\x7f"
               "caf\xc3\xa9");
    assert_prints(&faults, false,
                  "a:1: error: x\\x0ay\\x09\\x7f"
                  "caf\xc3\xa9\n");
    faults_fini(&faults);
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    struct faults faults = {0};
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    faults_add(&faults, FAULT_ERROR, "a", 1, "%s", text);
    assert_true(strlen(faults.list[0].text) < sizeof text);
    faults_fini(&faults);
}

static void faults_can_be_had_as_json(void **state)
{
    (void)state;
    struct faults faults = {0};
    assert_prints(&faults, true, "[]\n");
    faults_add(&faults, FAULT_ERROR, "a\"b", 1, "say \"x\"");
    faults_add(&faults, FAULT_WARNING, "c", 2, "y");
    assert_prints(&faults, true,
                  "[\n {\"file\":\"a\\\"b\",\"line\":1,\"level\":\"error\","
                  "\"text\":\"say \\\"x\\\"\"},\n"
                  " {\"file\":\"c\",\"line\":2,\"level\":\"warning\",\"text\":\"y\"}\n]\n");
    faults_fini(&faults);
    faults_sort(&faults, NULL, 0);
    assert_prints(&faults, false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_keep_their_order_and_lines_are_sorted_within),
        cmocka_unit_test(known_files_come_first_in_their_own_order),
        cmocka_unit_test(more_can_be_added_after_sorting),
        cmocka_unit_test(a_fault_is_one_line_whatever_it_quotes),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(faults_can_be_had_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
