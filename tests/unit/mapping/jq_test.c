/* jq programs: what they give, and what becomes of those that misbehave. */
#include "mapping/jq.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct jq_host *host;

static int start_host(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(setenv("CMQGW_TEST_SECRET", "do not tell", 1), 0);
    host = jq_host_new(&err);
    return host ? 0 : -1;
}

static int end_host(void **state)
{
    (void)state;
    jq_host_free(host);
    return 0;
}

struct row {
    const char *program;
    const char *payload;
    enum jq_outcome outcome;
    const char *text; /* the value, or part of the error */
};

static void check_row(struct jq_worker *worker, const struct row *row)
{
    struct err err = {{0}};
    struct jq_program *program = jq_program_new(span_of(row->program), &err);
    if (!program)
        fail_msg("%s: %s", row->program, err.text);
    struct buf out = BUF_INIT(JQ_MAX_OUTPUT_BYTES);
    enum jq_outcome outcome = jq_run(worker, program, span_of(row->payload), &out, &err);
    if (outcome != row->outcome)
        fail_msg("%s: outcome %d, %s", row->program, outcome, err.text);
    if (outcome == JQ_VALUE)
        assert_string_equal(buf_str(&out), row->text);
    else if (!strstr(err.text, row->text))
        fail_msg("%s: \"%s\" does not say \"%s\"", row->program, err.text, row->text);
    buf_fini(&out);
    jq_program_free(program);
}

static void check_rows(const struct row *rows, size_t count)
{
    struct jq_worker *worker = jq_worker_new(host);
    for (size_t i = 0; i < count; i++)
        check_row(worker, &rows[i]);
    jq_worker_free(worker);
}

#define ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void a_program_gives_its_first_output_as_json(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {".t > 80", "{\"t\": 91}", JQ_VALUE, "true"},
        {".payload", "{\"payload\":{\"on\":true}}", JQ_VALUE, "{\"on\":true}"},
        {".a", "{\"a\":\"text\"}", JQ_VALUE, "\"text\""},
        {".[]", "[1,2]", JQ_VALUE, "1"},
        {"empty", "1", JQ_NOTHING, ""},
        {".x", "{}", JQ_VALUE, "null"},
    };
    ROWS(rows);
}

static void a_payload_that_is_not_one_json_value_is_told_apart(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {".", "", JQ_NOT_JSON, ""},         {".", "hello", JQ_NOT_JSON, ""},
        {".", "{\"a\":", JQ_NOT_JSON, ""},  {".", "1 2", JQ_NOT_JSON, ""},
        {".", "\"\xff\"", JQ_NOT_JSON, ""},
    };
    ROWS(rows);
}

static void an_error_is_told_in_jqs_own_words(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"error(\"boom\")", "1", JQ_FAILED, "boom"},
        {".a.b", "{\"a\":1}", JQ_FAILED, "Cannot index number"},
        {"input", "1", JQ_FAILED, "only one input"},
    };
    ROWS(rows);
}

static void a_program_that_never_ends_or_eats_memory_is_ended_and_the_next_one_runs(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"def f: f; f", "1", JQ_LIMIT, ""},           {".", "1", JQ_VALUE, "1"},
        {"[range(1e9)] | length", "1", JQ_LIMIT, ""}, {"last(range(1e12))", "1", JQ_LIMIT, ""},
        {"def f: [., .] | f; f", "1", JQ_LIMIT, ""},  {".", "2", JQ_VALUE, "2"},
    };
    ROWS(rows);
}

static void the_environment_is_out_of_a_programs_reach(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"$ENV.CMQGW_TEST_SECRET", "1", JQ_VALUE, "null"},
        {"env.CMQGW_TEST_SECRET", "1", JQ_VALUE, "null"},
    };
    ROWS(rows);
}

static void what_does_not_compile_is_refused_with_jqs_words(void **state)
{
    (void)state;
    static const struct {
        const char *program, *words;
    } rows[] = {
        {"", "1 to"},
        {"1 +", "syntax error"},
        {"nosuch(1)", "nosuch/1 is not defined"},
        {"import \"a\" as a; 1", "module not found"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {{0}};
        assert_null(jq_program_new(span_of(rows[i].program), &err));
        if (!strstr(err.text, rows[i].words) || strchr(err.text, '\n'))
            fail_msg("%s: %s", rows[i].program, err.text);
    }
    struct err err;
    assert_null(jq_program_new(span_make("1\0", 2), &err));
}

static void only_false_and_null_are_not_true(void **state)
{
    (void)state;
    assert_false(jq_is_true(span_of("false")));
    assert_false(jq_is_true(span_of("null")));
    assert_true(jq_is_true(span_of("0")));
    assert_true(jq_is_true(span_of("\"\"")));
    assert_true(jq_is_true(span_of("true")));
}

static void a_program_that_the_compiler_cannot_bear_is_refused_and_harms_nobody(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        size_t times;
        const char *end;
    } rows[] = {
        {"label $x | ", 2000,
         "1"}, /* seconds: its time or its memory runs out, or it ends in an error */
        {"(", 30000, "."},
        {"1//", 3000, "1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = BUF_INIT(JQ_MAX_PROGRAM_BYTES);
        struct err err = {{0}};
        for (size_t k = 0; k < rows[i].times; k++)
            buf_add_str(&text, rows[i].piece);
        buf_add_str(&text, rows[i].end);
        assert_null(jq_program_new(buf_span(&text), &err));
        if (!strstr(err.text, "jq: error"))
            fail_msg("row %zu: %s", i, err.text);
        buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_the_compiler_cannot_bear_is_refused_and_harms_nobody),
        cmocka_unit_test(a_program_gives_its_first_output_as_json),
        cmocka_unit_test(a_payload_that_is_not_one_json_value_is_told_apart),
        cmocka_unit_test(an_error_is_told_in_jqs_own_words),
        cmocka_unit_test(a_program_that_never_ends_or_eats_memory_is_ended_and_the_next_one_runs),
        cmocka_unit_test(the_environment_is_out_of_a_programs_reach),
        cmocka_unit_test(what_does_not_compile_is_refused_with_jqs_words),
        cmocka_unit_test(only_false_and_null_are_not_true),
    };
    return cmocka_run_group_tests(tests, start_host, end_host);
}
