/* Durations, sizes, near words, waits, times and log lines: what people write and read. */
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/quantity.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void durations_and_sizes_are_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"0s", 0},      {"1500ms", 1500},  {"30s", 30000},
                     {"5m", 300000}, {"24h", 86400000}, {"7d", 604800000}};
    int64_t ms;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_true(duration_parse(span_of(durations[i].text), &ms));
        assert_int_equal(ms, durations[i].ms);
    }
    uint64_t bytes;
    assert_true(size_parse(span_of("64KiB"), &bytes));
    assert_int_equal(bytes, 65536);
    assert_true(size_parse(span_of("1GiB"), &bytes));
    assert_int_equal(bytes, 1 << 30);
    static const char *const bad[] = {"",
                                      "30",
                                      "s",
                                      "30 s",
                                      "-1s",
                                      "1.5s",
                                      "30S",
                                      "1KB",
                                      "1kib",
                                      "1h30m",
                                      "99999999999999999999s",
                                      "9223372036854775807d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(duration_parse(span_of(bad[i]), &ms));
        assert_false(size_parse(span_of(bad[i]), &bytes));
    }
}

static void what_is_formatted_is_the_shortest_that_reads_back(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "0s"}, {1, "1ms"}, {90000, "90s"}, {3600000, "1h"}, {86400000, "1d"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(32);
        duration_format(&out, rows[i].ms);
        assert_string_equal(buf_str(&out), rows[i].text);
        buf_fini(&out);
    }
    struct buf out = BUF_INIT(32);
    size_format(&out, 3 << 20);
    assert_string_equal(buf_str(&out), "3MiB");
    buf_fini(&out);
}

static void the_nearest_word_is_named_only_when_it_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"keep_alive", "servers", "password", "qos"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {{"keepalive", "keep_alive"}, {"sevrers", "servers"},
                {"Password", "password"},    {"qso", "qos"},
                {"entirely", NULL},          {"", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = nearest_word(rows[i].word, words, 4);
        if (rows[i].nearest)
            assert_string_equal(found, rows[i].nearest);
        else
            assert_null(found);
    }
}

static void waits_grow_to_the_cap_and_start_over(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 100, .cap_ms = 1000};
    int64_t ceiling = 100, longest = 0;
    for (int i = 0; i < 200; i++) {
        int64_t wait = backoff_next(&backoff);
        assert_in_range(wait, 1, ceiling);
        longest = wait > longest ? wait : longest;
        ceiling = ceiling * 2 > 1000 ? 1000 : ceiling * 2;
    }
    assert_true(longest > 500);
    backoff_reset(&backoff);
    assert_in_range(backoff_next(&backoff), 1, 100);
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
}

static void times_are_rfc_3339_in_utc(void **state)
{
    (void)state;
    char text[CLOCK_ISO_SIZE];
    clock_iso(1700000000123, text);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
    clock_iso(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

/* What one call of log_write puts on stderr. */
static void logged(char *text, size_t room, enum log_format format, const char *value)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    log_setup(LOG_INFO, format);
    log_write(LOG_DEBUG, "test.hidden", NULL, "not shown");
    log_write(LOG_WARN, "test.event", LOG_FIELDS(LOG_STR("value", value), LOG_NUM("n", -5)),
              "says \"%s\"", value);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    size_t n = fread(text, 1, room - 1, file);
    text[n] = '\0';
    (void)fclose(file);
}

static void a_hostile_value_cannot_forge_a_log_line(void **state)
{
    (void)state;
    char text[4096];
    logged(text, sizeof text, LOG_TEXT, "a\n2026 error forged: \x1b[31m\xff");
    assert_non_null(strstr(text, " warning test.event: says \"a\\n2026 error forged: "
                                 "\\u001b[31m\\u00ff\" value=\"a\\n2026"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    logged(text, sizeof text, LOG_JSON, "a\"b\n");
    assert_non_null(strstr(text, "\"level\":\"warning\",\"event\":\"test.event\",\"message\":"
                                 "\"says \\\"a\\\"b\\n\\\"\",\"value\":\"a\\\"b\\n\",\"n\":-5}\n"));
    assert_null(strstr(text, "not shown"));
}

static void lines_for_the_journal_begin_with_their_priority(void **state)
{
    (void)state;
    char text[4096], stream[64];
    struct stat stat;
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    /* The journal's; another file, as after a redirection; nonsense; none. */
    for (int turn = 0; turn < 4; turn++) {
        if (turn == 2)
            (void)snprintf(stream, sizeof stream, "x");
        else
            (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)stat.st_dev,
                           (unsigned long long)stat.st_ino + (turn == 1));
        assert_int_equal(
            turn < 3 ? setenv("JOURNAL_STREAM", stream, 1) : unsetenv("JOURNAL_STREAM"), 0);
        log_setup(LOG_DEBUG, turn % 2 ? LOG_JSON : LOG_TEXT);
        for (int i = 0; i < (turn ? 1 : 4); i++)
            log_write(levels[i], "test.event", NULL, "turn %d", turn);
    }
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    static const char *const begins[] = {"<3>2", "<4>2", "<6>2", "<7>2", "{\"t", "2", "{\"t"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        assert_non_null(fgets(text, sizeof text, file));
        assert_int_equal(strncmp(text, begins[i], strlen(begins[i])), 0);
    }
    assert_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    log_setup(LOG_INFO, LOG_TEXT);
}

static void a_line_too_long_for_its_fields_still_says_what_happened(void **state)
{
    (void)state;
    char text[8192], value[6000];
    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    logged(text, sizeof text, LOG_JSON, value);
    assert_non_null(strstr(text, "\"event\":\"test.event\""));
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_int_equal(text[strlen(text) - 2], '}');
}

static void repeated_failures_are_counted_and_not_repeated(void **state)
{
    (void)state;
    struct log_repeat repeat = {0};
    uint64_t held_back = 99;
    assert_true(log_repeat_due(&repeat, 1000, 500, &held_back));
    assert_int_equal(held_back, 0);
    assert_false(log_repeat_due(&repeat, 1100, 500, &held_back));
    assert_false(log_repeat_due(&repeat, 1499, 500, &held_back));
    assert_true(log_repeat_due(&repeat, 1500, 500, &held_back));
    assert_int_equal(held_back, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_and_sizes_are_a_number_and_a_unit),
        cmocka_unit_test(what_is_formatted_is_the_shortest_that_reads_back),
        cmocka_unit_test(the_nearest_word_is_named_only_when_it_is_near),
        cmocka_unit_test(waits_grow_to_the_cap_and_start_over),
        cmocka_unit_test(times_are_rfc_3339_in_utc),
        cmocka_unit_test(a_hostile_value_cannot_forge_a_log_line),
        cmocka_unit_test(lines_for_the_journal_begin_with_their_priority),
        cmocka_unit_test(a_line_too_long_for_its_fields_still_says_what_happened),
        cmocka_unit_test(repeated_failures_are_counted_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
