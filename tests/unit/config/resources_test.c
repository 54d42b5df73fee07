/* The settings of queues, topics and subscriptions that the example leaves out, and what is given.
 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct config *load(const char *resources)
{
    struct buf text = BUF_INIT(1 << 16);
    assert_true(buf_printf(&text,
                           "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
                           "mqtt = { servers = \"tcp://h:1\"; };\nresources = { %s };\n",
                           resources));
    struct faults faults = {0};
    struct config *config = config_load_text("t.cfg", buf_span(&text), &faults);
    if (!config)
        fail_msg("%s", faults.count ? faults.list[0].text : "");
    faults_fini(&faults);
    buf_fini(&text);
    return config;
}

static void only_what_is_declared_is_given(void **state)
{
    (void)state;
    struct config *config = load(
        "queues = ( { name = \"bare\"; }, { name = \"some\"; retention = \"1h\"; trace = false; } "
        ");"
        "topics = { name = \"t\"; filter = \"route\"; max_size = \"64KiB\"; subscriptions = ("
        "  { name = \"a\"; queue = \"some\"; keys = \"#\"; },"
        "  { name = \"b\"; url = \"http://h/\"; keys = \"#\"; retry = \"exponential\"; } ); };");
    const struct resources *r = &config->resources;
    assert_int_equal(r->queues[0].given, 0);
    assert_int_equal(r->queues[0].retention_s, 3600); /* the default, all the same */
    assert_int_equal(r->queues[1].given, GIVEN_RETENTION | GIVEN_TRACE);
    assert_int_equal(r->topics[0].given, GIVEN_MAX_SIZE);
    assert_int_equal(r->topics[0].subscriptions[0].given, 0);
    assert_int_equal(r->topics[0].subscriptions[1].given, GIVEN_RETRY);
    config_free(config);
}

static void every_setting_of_a_queue_can_be_declared(void **state)
{
    (void)state;
    struct config *config = load(
        "queues = { name = \"q\"; visibility = \"2s\"; polling_wait = \"3s\"; retention = \"1m\";"
        "  max_size = \"4KiB\"; rewind = \"15d\"; rewind_size = \"500GiB\";"
        "  max_messages = 1000000000; trace = true; transaction = true;"
        "  check_back_after = \"12h\"; check_backs = 1000; labels = ( \"a=b\", \"c=\" );"
        "  dead_letter = { queue = \"d\"; max_receive = 3; }; };");
    const struct resource_queue *q = &config->resources.queues[0];
    assert_int_equal(q->given, (GIVEN_LABELS << 1) - 1);
    assert_int_equal(q->rewind_s, 1296000);
    assert_true(q->rewind_size_bytes == INT64_C(500) << 30);
    assert_int_equal(q->max_messages, 1000000000);
    assert_true(q->trace && q->transaction);
    assert_int_equal(q->check_back_after_s, 43200);
    assert_int_equal(q->check_backs, 1000);
    assert_int_equal(q->label_count, 2);
    assert_string_equal(q->labels[0], "a=b");
    assert_string_equal(q->labels[1], "c=");
    config_free(config);
}

static void a_dead_letter_queue_can_be_declared_away(void **state)
{
    (void)state;
    struct config *config =
        load("queues = ( { name = \"q\"; dead_letter = { queue = \"\"; }; },"
             "           { name = \"d\"; dead_letter = { queue = \"q\"; max_receive = 3; }; } );");
    const struct resource_queue *q = config->resources.queues;
    assert_int_equal(q[0].given, GIVEN_DEAD_LETTER);
    assert_null(q[0].dead_letter);
    assert_string_equal(q[1].dead_letter, "q"); /* which has none itself, so that is fine */
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_declared_is_given),
        cmocka_unit_test(every_setting_of_a_queue_can_be_declared),
        cmocka_unit_test(a_dead_letter_queue_can_be_declared_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
