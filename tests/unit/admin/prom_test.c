/* Prometheus' text format, version 0.0.4. */
#include "admin/prom.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 4096 };

static void a_family_has_its_help_and_type_before_its_samples(void **state)
{
    struct buf out = BUF_INIT(ROOM);
    (void)state;
    prom_family(&out, "a_total", PROM_COUNTER, "How many.");
    prom_u64(&out, "a_total", NULL, 18446744073709551615u);
    prom_family(&out, "b_seconds", PROM_GAUGE, "A \\ and\na line.");
    prom_double(&out, "b_seconds", PROM_LABELS({"x", SPAN_LIT("1")}, {"y", SPAN_LIT("")}), 0.25);
    assert_string_equal(buf_str(&out), "# HELP a_total How many.\n"
                                       "# TYPE a_total counter\n"
                                       "a_total 18446744073709551615\n"
                                       "# HELP b_seconds A \\\\ and\\na line.\n"
                                       "# TYPE b_seconds gauge\n"
                                       "b_seconds{x=\"1\",y=\"\"} 0.25\n");
    buf_fini(&out);
}

static void a_label_cannot_forge_a_line(void **state)
{
    static const struct {
        struct span value;
        const char *written;
    } rows[] = {
        {SPAN_LIT("\"} 1\nforged 2"), "\\\"} 1\\nforged 2"},
        {SPAN_LIT("C:\\temp\\"), "C:\\\\temp\\\\"},
        {SPAN_LIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {SPAN_LIT("a\xff"
                  "b\xc3"),
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(ROOM), expected = BUF_INIT(ROOM);
        prom_u64(&out, "m", PROM_LABELS({"l", rows[i].value}), 1);
        buf_printf(&expected, "m{l=\"%s\"} 1\n", rows[i].written);
        assert_string_equal(buf_str(&out), buf_str(&expected));
        buf_fini(&out);
        buf_fini(&expected);
    }
}

static void numbers_are_written_as_prometheus_reads_them(void **state)
{
    static const struct {
        double value;
        const char *written;
    } rows[] = {{0, "m 0\n"},
                {1700000000.125, "m 1700000000.125\n"},
                {1e-7, "m 1e-07\n"},
                {INFINITY, "m +Inf\n"},
                {-INFINITY, "m -Inf\n"},
                {NAN, "m NaN\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(ROOM);
        prom_double(&out, "m", NULL, rows[i].value);
        assert_string_equal(buf_str(&out), rows[i].written);
        buf_fini(&out);
    }
}

static void buckets_count_all_that_is_below_them(void **state)
{
    static const double bounds[] = {0.01, 1};
    static const uint64_t counts[] = {3, 0, 2};
    struct buf out = BUF_INIT(ROOM);
    (void)state;
    prom_histogram(&out, "h", bounds, counts, 2, 7.5);
    assert_string_equal(buf_str(&out), "h_bucket{le=\"0.01\"} 3\n"
                                       "h_bucket{le=\"1\"} 3\n"
                                       "h_bucket{le=\"+Inf\"} 5\n"
                                       "h_sum 7.5\n"
                                       "h_count 5\n");
    buf_fini(&out);
}

static void what_does_not_fit_shows(void **state)
{
    struct buf out = BUF_INIT(8);
    (void)state;
    prom_u64(&out, "much_too_long", NULL, 1);
    assert_true(out.overflow);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_has_its_help_and_type_before_its_samples),
        cmocka_unit_test(a_label_cannot_forge_a_line),
        cmocka_unit_test(numbers_are_written_as_prometheus_reads_them),
        cmocka_unit_test(buckets_count_all_that_is_below_them),
        cmocka_unit_test(what_does_not_fit_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
