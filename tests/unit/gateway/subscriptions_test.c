/* Numbers of filters over reloads and restarts. */
#include "gateway/subscriptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/cmqgw-subscriptions-XXXXXX";
static struct spool *spool;

static void on_committed(void *ctx, struct delivery *deliveries, uint64_t through)
{
    (void)ctx, (void)deliveries, (void)through;
}

static void on_state(void *ctx, enum spool_state state, const char *why)
{
    (void)ctx, (void)state, (void)why;
}

static void open_spool(void)
{
    const struct spool_options options = {.dir = dir, .max_bytes = 64 << 20};
    const struct spool_callbacks callbacks = {.committed = on_committed, .state = on_state};
    struct err err;
    spool = spool_open(&options, &callbacks, &err);
    if (!spool)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    if (!mkdtemp(dir))
        return 1;
    open_spool();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    spool_close(spool);
    char command[128];
    static const char *const files[] = {"spool.db", "spool.db-wal", "spool.db-shm", "lock"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(command, sizeof command, "%s/%s", dir, files[i]);
        (void)unlink(command);
    }
    return rmdir(dir);
}

/* A configuration with a rule for each of these filters, separated by blanks. */
static const struct config *configure(const char *filters, const char *mqtt)
{
    struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text,
               "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
               "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; %s };\n"
               "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"i\"; secret_key = "
               "\"k\"; };\nforward = (",
               mqtt);
    struct span rest = span_of(filters);
    for (int i = 0; rest.len > 0; i++) {
        struct span filter = span_slice(rest, 0, span_find(rest, ' '));
        buf_printf(&text, "%s{ name = \"r%d\"; from = \"%.*s\"; to = { queue = \"q\"; }; }",
                   i ? "," : "", i, SPAN_ARG(filter));
        rest = span_slice(rest, filter.len + 1, SIZE_MAX);
    }
    buf_add_str(&text, ");\n");
    struct faults faults = {0};
    const struct config *config = config_load_text("g.cfg", buf_span(&text), &faults);
    assert_non_null(config);
    faults_fini(&faults);
    buf_fini(&text);
    return config;
}

/* What is asked for, and what is stale: "a:1 b:2 | c". */
static void expect(const struct subscriptions *subs, bool regrouped, const char *expected)
{
    struct buf out = BUF_INIT(1 << 16);
    for (size_t i = 0; i < subs->count; i++)
        buf_printf(&out, "%s:%u ", subs->list[i].filter, subs->list[i].id);
    for (size_t i = 0; i < subs->stale_count; i++)
        buf_printf(&out, "| %s", subs->stale[i]);
    assert_string_equal(buf_str(&out), expected);
    assert_int_equal(subs->regrouped, regrouped);
    buf_fini(&out);
}

static struct subscriptions make(const char *filters, const struct subscriptions *before)
{
    struct subscriptions subs;
    struct err err;
    const struct config *config = configure(filters, "");
    if (!subscriptions_init(&subs, config, before, spool, &err))
        fail_msg("%s", err.text);
    config_free(config);
    return subs;
}

static void restart(struct subscriptions *subs)
{
    subscriptions_fini(subs);
    spool_close(spool);
    open_spool();
}

static void numbers_are_kept_over_restarts_and_never_used_twice(void **state)
{
    (void)state;
    struct err err;
    struct subscriptions subs = make("a b", NULL);
    expect(&subs, false, "a:1 b:2 ");
    restart(&subs);
    subs = make("b c", NULL);
    expect(&subs, true, "b:2 c:3 | a");
    restart(&subs);
    subs = make("b c", NULL);
    expect(&subs, true, "b:2 c:3 | a"); /* nobody said that it is gone */
    assert_true(subscriptions_forget_stale(&subs, spool, &err));
    restart(&subs);
    subs = make("b", NULL);
    expect(&subs, true, "b:2 | c");
    assert_true(subscriptions_forget_stale(&subs, spool, &err));
    restart(&subs);
    subs = make("b d", NULL); /* 3 was c's */
    expect(&subs, true, "b:2 d:4 ");
    restart(&subs);
    subs = make("b d", NULL);
    expect(&subs, false, "b:2 d:4 ");
    subscriptions_fini(&subs);
}

static void a_reload_goes_on_from_the_set_before(void **state)
{
    (void)state;
    struct subscriptions first = make("a b", NULL);
    struct subscriptions same = make("a b", &first);
    expect(&same, false, "a:1 b:2 ");
    struct subscriptions other = make("c b", &same);
    expect(&other, true, "c:3 b:2 | a");
    struct subscriptions back = make("a b", &other);
    expect(&back, true, "a:1 b:2 | c");
    struct subscriptions none = make("", &back);
    expect(&none, true, "| a| b| c");
    subscriptions_fini(&first);
    subscriptions_fini(&same);
    subscriptions_fini(&other);
    subscriptions_fini(&back);
    subscriptions_fini(&none);
}

static void under_3_1_1_there_are_no_numbers_and_no_covered_filters(void **state)
{
    (void)state;
    struct subscriptions subs;
    struct err err;
    const struct config *config = configure("a/# a/b c", "version = \"3.1.1\";");
    assert_true(subscriptions_init(&subs, config, NULL, spool, &err));
    expect(&subs, false, "a/#:0 c:0 ");
    subscriptions_fini(&subs);
    config_free(config);
}

static void a_group_is_part_of_the_filter(void **state)
{
    (void)state;
    struct subscriptions plain = make("a", NULL), subs;
    struct err err;
    const struct config *config = configure("a", "shared_group = \"g\";");
    assert_true(subscriptions_init(&subs, config, &plain, spool, &err));
    expect(&subs, true, "$share/g/a:2 | a");
    subscriptions_fini(&plain);
    subscriptions_fini(&subs);
    config_free(config);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_kept_over_restarts_and_never_used_twice),
        TEST(a_reload_goes_on_from_the_set_before),
        TEST(under_3_1_1_there_are_no_numbers_and_no_covered_filters),
        TEST(a_group_is_part_of_the_filter),
    };
    return cmocka_run_group_tests_name("gateway/subscriptions", tests, NULL, NULL);
}
