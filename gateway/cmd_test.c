/* cmqgw test: carries out the tests of the rule files and tells the results as TAP. */
#include "gateway/command.h"
#include "gateway/print.h"
#include "gateway/trial.h"

/* A name as TAP has it: in one line, '#' escaped, for it would begin a directive. */
static void print_name(struct span name)
{
    while (name.len > 0) {
        size_t n = span_find(name, '#');
        print_text(stdout, span_slice(name, 0, n));
        fputs(n < name.len ? "\\#" : "", stdout);
        name = span_slice(name, n + 1, name.len);
    }
}

static void print_string(const char *before, const char *text)
{
    fputs(before, stdout);
    print_json(stdout, span_of(text));
}

/* The YAML block below a test that failed. JSON objects and strings are YAML, too. */
static void print_differences(const struct trial *trial)
{
    const struct config_test *test = trial->test;
    print_string("  ---\n  file: ", test->file);
    printf("\n  line: %d\n  differences:\n", test->line);
    for (size_t i = 0; i < trial->difference_count; i++) {
        const struct trial_difference *d = &trial->differences[i];
        printf("    - expected: %s\n      actual:   %s\n", d->expected ? d->expected : "null",
               d->actual ? d->actual : "null");
        if (d->expect)
            printf("      line:     %d\n", d->expect->line);
        if (d->why) {
            print_string("      why:      ", d->why);
            putchar('\n');
        }
    }
    puts("  ...");
}

static void print_tap(const struct trial *trial, size_t number)
{
    bool ok = trial->difference_count == 0;
    printf("%s %zu - ", ok ? "ok" : "not ok", number);
    print_name(span_of(trial->test->name));
    putchar('\n');
    if (!ok)
        print_differences(trial);
}

static void print_object(const struct trial *trial, size_t number)
{
    const struct config_test *test = trial->test;
    print_json_member(stdout, number > 1 ? ",\n {" : "{", "name", span_of(test->name));
    print_json_member(stdout, ",", "file", span_of(test->file));
    printf(",\"line\":%d,\"ok\":%s,\"differences\":[", test->line,
           trial->difference_count == 0 ? "true" : "false");
    for (size_t i = 0; i < trial->difference_count; i++) {
        const struct trial_difference *d = &trial->differences[i];
        printf("%s{\"expected\":%s,\"actual\":%s", i ? "," : "", d->expected ? d->expected : "null",
               d->actual ? d->actual : "null");
        if (d->why)
            print_json_member(stdout, ",", "why", span_of(d->why));
        putchar('}');
    }
    fputs("]}", stdout);
}

/* Returns how many tests failed. */
static size_t carry_out(const struct command_line *line, const struct config *config,
                        struct jq_worker *jq)
{
    size_t failed = 0;
    if (line->json)
        fputs("[", stdout);
    else
        printf("TAP version 13\n1..%zu%s\n", config->test_count,
               config->test_count ? "" : " # SKIP the rule files have no tests");
    for (size_t i = 0; i < config->test_count; i++) {
        struct trial *trial = trial_new(config, &config->tests[i], jq);
        failed += trial->difference_count > 0;
        if (line->json)
            print_object(trial, i + 1);
        else
            print_tap(trial, i + 1);
        trial_free(trial);
    }
    if (line->json)
        puts("]");
    else if (failed > 0)
        printf("# %zu of %zu failed\n", failed, config->test_count);
    return failed;
}

int cmd_test(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS, {0}};
    if (command_getopt(line, options) == COMMAND_STOP)
        return line->status;
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;
    struct config *config = command_config_offline(line);
    struct jq_worker *jq;
    bool ok = config && command_jq(line, config->rules, &jq);
    if (ok) {
        ok = carry_out(line, config, jq) == 0;
        jq_worker_free(jq);
    }
    config_free(config);
    return command_flush(line) && ok ? COMMAND_OK : COMMAND_NO;
}
