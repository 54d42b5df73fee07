/*
 * Every NAME.faults of tests/config-corpus is what loading NAME.cfg, or NAME/gateway.cfg, must say,
 * line by line. An empty one: the file is fine.
 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 1 << 20, LEAST_BROKEN_FILES = 60 };

static char *read_file(const char *path)
{
    static char text[MAX_TEXT_BYTES];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return text;
}

static int is_expectation(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 7 && strcmp(entry->d_name + len - 7, ".faults") == 0;
}

/* Returns whether NAME.faults expects an error. */
static bool check_one(const char *expectation, size_t *wrong)
{
    char path[512];
    int stem = (int)strlen(expectation) - (int)strlen(".faults");
    (void)snprintf(path, sizeof path, "%.*s.cfg", stem, expectation);
    if (access(path, F_OK) != 0)
        (void)snprintf(path, sizeof path, "%.*s/gateway.cfg", stem, expectation);

    struct faults faults = {0};
    struct config *config = config_load(path, &faults);
    struct buf said = BUF_INIT(MAX_TEXT_BYTES);
    faults_print(&faults, false, &said);
    const char *expected = read_file(expectation);
    if (strcmp(expected, buf_str(&said)) != 0) {
        (void)fprintf(stderr, "%s\n--- expected\n%s--- said\n%s", path, expected, buf_str(&said));
        ++*wrong;
    }
    assert_true((config == NULL) == (faults.errors > 0));
    bool broken = config == NULL;
    config_free(config);
    faults_fini(&faults);
    buf_fini(&said);
    return broken;
}

static void every_file_of_the_corpus_gives_exactly_its_faults(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir(".", &entries, is_expectation, alphasort);
    assert_true(count > 0);
    size_t wrong = 0, broken = 0;
    for (int i = 0; i < count; i++) {
        broken += check_one(entries[i]->d_name, &wrong);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(wrong, 0);
    assert_true(broken >= LEAST_BROKEN_FILES);
}

/* The corpus lies beside this file. */
static int enter_corpus(void **state)
{
    (void)state;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s", __FILE__);
    *strrchr(path, '/') = '\0';
    if (chdir(path) != 0 || chdir("../../config-corpus") != 0)
        return -1;
    (void)unsetenv("CMQGW_TEST_UNSET");
    return setenv("CMQGW_TEST_SECRET", "hunter2", 1) != 0 ||
           setenv("CMQGW_TEST_EMPTY", "", 1) != 0 ||
           setenv("CMQGW_TEST_FILTER", "plant/#/hunter2", 1) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_the_corpus_gives_exactly_its_faults),
    };
    return cmocka_run_group_tests(tests, enter_corpus, NULL);
}
