#include "config/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/cmqgw-secret-XXXXXX";
static char file[64];

static void write_file(const char *text, size_t len, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_resolves(const char *text, const char *expected)
{
    struct buf out = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    buf_add_str(&out, "<");
    assert_true(secret_resolve(span_of(text), &out, &err));
    assert_string_equal(buf_str(&out) + 1, expected);
    buf_fini(&out);
}

static void assert_fails(const char *text, const char *expected)
{
    struct buf out = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    assert_false(secret_resolve(span_of(text), &out, &err));
    assert_non_null(strstr(err.text, expected));
    buf_fini(&out);
}

static void plain_text_stands_for_itself(void **state)
{
    (void)state;
    assert_resolves("hunter2", "hunter2");
    assert_resolves("", "");
    assert_resolves("a@env:HOME", "a@env:HOME");
}

static void two_at_signs_stand_for_one(void **state)
{
    (void)state;
    assert_resolves("@@env:HOME", "@env:HOME");
    assert_resolves("@@", "@");
}

static void a_variable_gives_its_value(void **state)
{
    (void)state;
    assert_int_equal(setenv("CMQGW_TEST_SECRET", "hunter2\n", 1), 0);
    assert_resolves("@env:CMQGW_TEST_SECRET", "hunter2\n");
    assert_int_equal(unsetenv("CMQGW_TEST_SECRET"), 0);
    assert_fails("@env:CMQGW_TEST_SECRET", "CMQGW_TEST_SECRET is not set");
}

static void a_variable_that_is_too_long_is_refused_without_showing_it(void **state)
{
    (void)state;
    static char value[SECRET_MAX_BYTES + 2];
    memset(value, 's', sizeof value - 1);
    assert_int_equal(setenv("CMQGW_TEST_SECRET", value, 1), 0);
    assert_fails("@env:CMQGW_TEST_SECRET", "CMQGW_TEST_SECRET is too long");
    assert_int_equal(unsetenv("CMQGW_TEST_SECRET"), 0);
}

static void a_file_gives_its_text_without_the_last_newline(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {{"hunter2\n", "hunter2"},
                {"hunter2", "hunter2"},
                {"hunter2\r\n", "hunter2"},
                {"two\nlines\n", "two\nlines"},
                {"two\n\n", "two\n"},
                {"", ""},
                {"\n", ""}};
    char text[80];
    (void)snprintf(text, sizeof text, "@file:%s", file);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(rows[i].text, strlen(rows[i].text), 0600);
        assert_resolves(text, rows[i].expected);
    }
}

static void a_file_is_read_again_each_time(void **state)
{
    (void)state;
    char text[80];
    (void)snprintf(text, sizeof text, "@file:%s", file);
    write_file("old", 3, 0600);
    assert_resolves(text, "old");
    write_file("new", 3, 0600);
    assert_resolves(text, "new");
}

static void a_file_may_have_the_largest_size_and_its_newline_but_not_more(void **state)
{
    (void)state;
    static char big[SECRET_MAX_BYTES + 1];
    memset(big, 'x', sizeof big);
    char text[80];
    (void)snprintf(text, sizeof text, "@file:%s", file);
    write_file(big, SECRET_MAX_BYTES, 0600);
    struct buf out = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    assert_true(secret_resolve(span_of(text), &out, &err));
    assert_int_equal(out.len, SECRET_MAX_BYTES);
    buf_fini(&out);
    write_file(big, SECRET_MAX_BYTES + 1, 0600);
    assert_fails(text, "is larger than");
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    char text[80];
    assert_fails("@file:/no/such/file", "/no/such/file: No such file");
    (void)snprintf(text, sizeof text, "@file:%s", folder);
    assert_fails(text, "not a regular file");
    assert_fails("@file:/dev/zero", "not a regular file");
    assert_fails("@file:", "names no file");
    assert_fails("@env:", "names no variable");
}

static void a_pipe_without_a_writer_holds_nobody_up(void **state)
{
    (void)state;
    char text[80];
    (void)unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    (void)snprintf(text, sizeof text, "@file:%s", file);
    assert_fails(text, "not a regular file");
    (void)unlink(file);
}

static void one_at_sign_that_is_no_reference_is_refused_without_showing_it(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(SECRET_MAX_BYTES);
    struct err err;
    assert_false(secret_resolve(span_of("@hunter2"), &out, &err));
    assert_null(strstr(err.text, "hunter2"));
    assert_fails("@", "@env:NAME");
    assert_fails("@ENV:HOME", "@env:NAME");
    buf_fini(&out);
}

static void only_env_and_file_are_references(void **state)
{
    (void)state;
    assert_true(secret_is_reference(span_of("@env:X")));
    assert_true(secret_is_reference(span_of("@file:x")));
    assert_false(secret_is_reference(span_of("@@env:X")));
    assert_false(secret_is_reference(span_of("env:X")));
    assert_false(secret_is_reference(span_of("")));
}

static void a_file_that_everyone_can_read_is_exposed(void **state)
{
    (void)state;
    char text[80];
    (void)snprintf(text, sizeof text, "@file:%s", file);
    write_file("x", 1, 0640);
    assert_false(secret_is_exposed(span_of(text)));
    write_file("x", 1, 0644);
    assert_true(secret_is_exposed(span_of(text)));
    assert_false(secret_is_exposed(span_of(file)));
    assert_false(secret_is_exposed(span_of("@file:/no/such/file")));
    assert_false(secret_is_exposed(span_of("@env:HOME")));
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(file, sizeof file, "%s/secret", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stands_for_itself),
        cmocka_unit_test(two_at_signs_stand_for_one),
        cmocka_unit_test(a_variable_gives_its_value),
        cmocka_unit_test(a_variable_that_is_too_long_is_refused_without_showing_it),
        cmocka_unit_test(a_file_gives_its_text_without_the_last_newline),
        cmocka_unit_test(a_file_is_read_again_each_time),
        cmocka_unit_test(a_file_may_have_the_largest_size_and_its_newline_but_not_more),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(a_pipe_without_a_writer_holds_nobody_up),
        cmocka_unit_test(one_at_sign_that_is_no_reference_is_refused_without_showing_it),
        cmocka_unit_test(only_env_and_file_are_references),
        cmocka_unit_test(a_file_that_everyone_can_read_is_exposed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
