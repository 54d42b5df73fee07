/* What would become of a message, followed through the declared resources, and how that is shown.
 */
#include "gateway/explain_print.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char settings[] =
    "gateway = { id = \"edge-1\"; state_dir = \"/nonexistent/state\"; };\n"
    "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; };\n"
    "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"AKIDx\"; secret_key = \"k\"; };\n"
    "push = { listen = \"127.0.0.1:0\"; };\n";

/* The example of RULES 2, 3 and 5, made whole. */
static const char fleet[] =
    "forward = (\n"
    "  { name = \"telemetry\"; from = \"fleet/+product/+device/telemetry/#metric\";\n"
    "    to = { topic = \"fleet\"; route = \"{product}.{device}.{metric}\"; }; body = \"raw\"; },\n"
    "  { name = \"alarms\"; from = \"fleet/+product/+device/alarm\";\n"
    "    to = ( { topic = \"alarms\"; tags = [ \"alarm\", \"{json:/level|lower}\" ]; },\n"
    "           { queue = \"alarm-log\"; delay = \"5s\"; } ); body = \"cloudevents\"; }\n"
    ");\n"
    "reverse = (\n"
    "  { name = \"echo\"; from = { queue = \"hot-store\"; }; to = \"echo/{json:/t}\"; },\n"
    "  { name = \"hook\"; from = { push = \"/hook/9f2c7a1be4d853069f2c7a1be4d85306\"; };\n"
    "    to = \"pushed\"; }\n"
    ");\n"
    "resources = {\n"
    "  queues = ( { name = \"hot-store\"; }, { name = \"alarm-log\"; }, { name = \"pager\"; } );\n"
    "  topics = (\n"
    "    { name = \"fleet\"; filter = \"route\"; subscriptions = (\n"
    "        { name = \"hot\"; queue = \"hot-store\"; keys = [ \"*.*.temp.#\" ]; },\n"
    "        { name = \"ops\"; url = "
    "\"http://ops.example/hook/9f2c7a1be4d853069f2c7a1be4d85306\";\n"
    "          keys = [ \"p1.#\" ]; } ); },\n"
    "    { name = \"alarms\"; filter = \"tag\"; subscriptions = (\n"
    "        { name = \"high\"; queue = \"pager\"; tags = [ \"high\" ]; } ); } );\n"
    "};\n";

static struct config *load(const char *rules)
{
    char path[] = "/tmp/cmqgw-explain-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "%s%s", settings, rules) > 0);
    close(fd);
    struct faults faults = {0};
    struct config *config = config_load(path, &faults);
    if (!config) {
        struct buf text = BUF_INIT(1 << 20);
        faults_print(&faults, false, &text);
        print_error("%s", buf_str(&text));
        buf_fini(&text);
    }
    faults_fini(&faults);
    unlink(path);
    assert_non_null(config);
    return config;
}

static struct mqtt_message message(const char *topic, const char *payload)
{
    return (struct mqtt_message){.topic = span_of(topic),
                                 .payload = span_of(payload),
                                 .qos = 1,
                                 .received_ms = 1700000000000};
}

static char *printed(void (*print)(FILE *out, const struct explanation *explanation),
                     const struct explanation *e)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    print(out, e);
    fclose(out);
    return text;
}

static void assert_span(struct span got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr, expected, got.len);
}

static void a_route_reaches_the_subscriptions_whose_keys_match_it(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/telemetry/temp", "{\"t\": 91}");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 1);
    const struct explain_match *match = &e->matches[0];
    assert_string_equal(match->rule->name, "telemetry");
    assert_int_equal(match->captures.count, 3);
    assert_span(match->captures.at[2], "temp");
    assert_int_equal(match->delivery_count, 1);
    const struct explain_delivery *d = &match->deliveries[0];
    assert_span(d->to.name, "fleet");
    assert_span(d->to.route, "p1.d7.temp");
    assert_span(d->delivery->body, "{\"t\": 91}");
    assert_int_equal(d->reach_count, 2);
    assert_span(d->reaches[0].subscription, "hot");
    assert_span(d->reaches[0].queue, "hot-store");
    assert_span(d->reaches[1].subscription, "ops");
    assert_int_equal(d->reaches[1].queue.len, 0);
    explanation_free(e);

    m = message("fleet/p2/d7/telemetry/rpm", "1");
    e = explanation_new(config, &m, NULL);
    assert_int_equal(e->matches[0].deliveries[0].reach_count, 0);
    assert_true(e->matches[0].deliveries[0].declared);
    explanation_free(e);
    config_free(config);
}

static void tags_reach_the_subscriptions_that_want_one_of_them(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/alarm", "{\"level\":\"HIGH\"}");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 1);
    assert_int_equal(e->matches[0].delivery_count, 2);
    const struct explain_delivery *d = &e->matches[0].deliveries[0];
    assert_int_equal(d->to.tag_count, 2);
    assert_int_equal(d->reach_count, 1);
    assert_span(d->reaches[0].queue, "pager");
    explanation_free(e);

    m = message("fleet/p1/d7/alarm", "{\"level\":\"low\"}");
    e = explanation_new(config, &m, NULL);
    assert_int_equal(e->matches[0].deliveries[0].reach_count, 0);
    explanation_free(e);
    config_free(config);
}

static void a_delivery_to_a_queue_reaches_that_queue(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/alarm", "{\"level\":\"HIGH\"}");
    struct explanation *e = explanation_new(config, &m, NULL);
    const struct explain_delivery *d = &e->matches[0].deliveries[1];
    assert_int_equal(d->to.delay_s, 5);
    assert_true(d->declared);
    assert_int_equal(d->reach_count, 1);
    assert_int_equal(d->reaches[0].subscription.len, 0);
    assert_span(d->reaches[0].queue, "alarm-log");
    explanation_free(e);
    config_free(config);
}

static void without_resources_a_topic_reaches_nobody_known(void **state)
{
    (void)state;
    struct config *config = load("forward = ( { name = \"a\"; from = \"a\"; to = { topic = \"t\"; "
                                 "route = \"r\"; }; } );\n");
    struct mqtt_message m = message("a", "x");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->matches[0].deliveries[0].reach_count, 0);
    assert_false(e->matches[0].deliveries[0].declared);
    char *text = printed(explain_print_text, e);
    assert_non_null(strstr(text, "not declared"));
    free(text);
    explanation_free(e);
    config_free(config);
}

static void a_rule_that_does_not_match_is_skipped_with_its_reason(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("noise", "");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 0);
    assert_int_equal(e->skipped_count, 2);
    assert_string_equal(e->skipped[0].rule->name, "telemetry");
    assert_string_equal(e->skipped[1].rule->name, "alarms");
    assert_true(strlen(e->skipped[0].reason) > 0);
    explanation_free(e);
    config_free(config);
}

static void names_of_queues_and_topics_are_found_whatever_their_case(void **state)
{
    (void)state;
    struct config *config = load(
        "forward = ( { name = \"one\"; from = \"a\"; to = ( { queue = \"Hot-Store\"; }, { topic = "
        "\"FLEET\"; } ); } );\n"
        "reverse = ( { name = \"back\"; from = { queue = \"HOT-store\"; }; to = \"b\"; } );\n"
        "resources = { queues = ( { name = \"hot-store\"; } ); topics = ( { name = \"fleet\"; "
        "subscriptions = ( { name = \"s\"; queue = \"hot-STORE\"; } ); } ); };\n");
    struct mqtt_message m = message("a", "x");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->matches[0].delivery_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct explain_delivery *d = &e->matches[0].deliveries[i];
        assert_true(d->declared);
        assert_int_equal(d->reach_count, 1);
        assert_true(explain_takes(&config->rules->reverse[0], &d->reaches[0]));
    }
    explanation_free(e);
    config_free(config);
}

static void a_body_above_the_declared_max_size_reaches_nobody(void **state)
{
    (void)state;
    struct config *config = load(
        "forward = ( { name = \"one\"; from = \"a\"; to = ( { queue = \"Q\"; }, { topic = \"t\"; "
        "}, "
        "{ queue = \"wide\"; } ); body = \"base64\"; } );\n"
        "resources = { queues = ( { name = \"q\"; max_size = \"1KiB\"; }, { name = \"wide\"; } ); "
        "topics = ( { name = \"t\"; max_size = \"1KiB\"; subscriptions = ( { name = \"s\"; queue = "
        "\"q\"; } ); } ); };\n");
    static char payload[800];
    memset(payload, 'x', sizeof payload - 1);
    static const struct {
        size_t bytes; /* of the payload; four of the body for three of them */
        bool refused;
    } rows[] = {{768, false}, {769, true}};
    for (size_t i = 0; i < 2; i++) {
        struct mqtt_message m = message("a", "");
        m.payload = span_make(payload, rows[i].bytes);
        struct explanation *e = explanation_new(config, &m, NULL);
        assert_int_equal(e->matches[0].delivery_count, 3);
        for (size_t k = 0; k < 3; k++) {
            const struct explain_delivery *d = &e->matches[0].deliveries[k];
            assert_int_equal(d->refused, rows[i].refused && k < 2);
            assert_int_equal(d->reach_count, d->refused ? 0 : 1);
        }
        char *text = printed(explain_print_text, e), *json = printed(explain_print_json, e);
        assert_int_equal(strstr(text, "refused  (the topic takes at most 1024 bytes") != NULL,
                         rows[i].refused);
        assert_int_equal(strstr(json, ",\"refused\":\"the body is above max_size, 1024 bytes\"") !=
                             NULL,
                         rows[i].refused);
        free(text);
        free(json);
        explanation_free(e);
    }
    config_free(config);
}

static void a_message_that_came_through_this_gateway_is_dropped(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/telemetry/temp", "x");
    struct mqtt_user_property user = {span_of("cmqgwvia"), span_of("edge-2,edge-1")};
    m.user = &user;
    m.user_count = 1;
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 0);
    assert_int_equal(e->skipped_count, 2);
    assert_non_null(strstr(e->skipped[0].reason, "came through this gateway"));
    explanation_free(e);
    user.value = span_of("edge-2,edge-10");
    e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 1);
    explanation_free(e);
    config_free(config);
}

static void a_message_that_cannot_be_mapped_is_an_error_of_its_match(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/telemetry/temp", "@file");
    struct explanation *e = explanation_new(config, &m, NULL);
    assert_int_equal(e->match_count, 1);
    assert_int_equal(e->error_count, 1);
    assert_int_equal(e->matches[0].delivery_count, 0);
    assert_int_equal(strncmp(e->matches[0].error, "raw_at: ", 8), 0);
    char *text = printed(explain_print_json, e);
    assert_non_null(strstr(text, "\"deliveries\":[]"));
    assert_non_null(strstr(text, "\"errors\":[{\"rule\":\"telemetry\",\"reason\":\"raw_at: "));
    free(text);
    text = printed(explain_print_text, e);
    assert_non_null(strstr(text, "would be a dead letter\n  telemetry: raw_at: "));
    free(text);
    explanation_free(e);
    config_free(config);
}

static void a_reverse_rule_takes_its_queue_or_its_push_path(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    const struct reverse_rule *echo = &config->rules->reverse[0];
    const struct reverse_rule *hook = &config->rules->reverse[1];
    static const struct {
        struct explain_reach reach;
        bool by_echo, by_hook;
    } rows[] = {
        {{.queue = SPAN_LIT("hot-store")}, true, false},
        {{.queue = SPAN_LIT("hot")}, false, false},
        {{.url = SPAN_LIT("http://h:9/hook/9f2c7a1be4d853069f2c7a1be4d85306")}, false, true},
        {{.url = SPAN_LIT("http://h/hook/9f2c7a1be4d853069f2c7a1be4d85306x")}, false, false},
        {{.url = SPAN_LIT("http://h/x/hook/9f2c7a1be4d853069f2c7a1be4d85306")}, false, false},
        {{.url = SPAN_LIT("http://h")}, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(explain_takes(echo, &rows[i].reach), rows[i].by_echo);
        assert_int_equal(explain_takes(hook, &rows[i].reach), rows[i].by_hook);
    }
    config_free(config);
}

static void machines_get_the_object_that_the_rules_promise(void **state)
{
    (void)state;
    struct config *config = load(fleet);
    struct mqtt_message m = message("fleet/p1/d7/telemetry/temp", "{\"t\": 91}");
    struct explanation *e = explanation_new(config, &m, NULL);
    char *reason = e->skipped[0].reason;
    e->skipped[0].reason = span_dup(span_of("because"));
    free(reason);
    char *text = printed(explain_print_json, e);
    assert_string_equal(
        text,
        "{\"topic\":\"fleet/p1/d7/telemetry/temp\",\"matches\":[{\"rule\":\"telemetry\","
        "\"captures\":{\"product\":\"p1\",\"device\":\"d7\",\"metric\":\"temp\"},\"deliveries\":["
        "{\"topic\":\"fleet\",\"route\":\"p1.d7.temp\",\"body\":\"{\\\"t\\\": 91}\","
        "\"body_bytes\":9,\"reaches\":["
        "{\"subscription\":\"hot\",\"queue\":\"hot-store\",\"reverse\":["
        "{\"rule\":\"echo\",\"to\":\"echo/{json:/t}\"}]},"
        "{\"subscription\":\"ops\",\"queue\":null,"
        "\"url\":\"http://ops.example/hook/9f2c7a1be4d853069f2c7a1be4d85306\",\"reverse\":["
        "{\"rule\":\"hook\",\"to\":\"pushed\"}]}]}]}],"
        "\"skipped\":[{\"rule\":\"alarms\",\"reason\":\"because\"}],\"errors\":[]}\n");
    free(text);
    explanation_free(e);
    config_free(config);
}

static void people_get_eighty_columns_and_no_control_characters(void **state)
{
    (void)state;
    struct config *config = load("forward = ( { name = \"all\"; from = \"#\"; "
                                 "to = { queue = \"q\"; }; } );\n");
    char payload[3000];
    for (size_t i = 0; i < sizeof(payload) - 1; i++)
        payload[i] = i % 10 == 0 ? '\x1b' : i % 10 == 5 ? '\n' : 'x';
    payload[sizeof(payload) - 1] = '\0';
    struct mqtt_message m = message("a/\x1b[2J/b", payload);
    struct explanation *e = explanation_new(config, &m, NULL);
    char *text = printed(explain_print_text, e);
    assert_non_null(strstr(text, "a/\\x1b[2J/b"));
    assert_non_null(strstr(text, "2999 bytes"));
    assert_non_null(strstr(text, "... 1975 more bytes"));
    size_t column = 0;
    for (const char *c = text; *c; c++) {
        assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
        column = *c == '\n' ? 0 : column + 1;
        assert_true(column <= 80);
    }
    free(text);
    explanation_free(e);
    config_free(config);
}

static void a_condition_that_does_not_hold_is_the_reason_of_a_skip(void **state)
{
    (void)state;
    struct err err;
    struct jq_worker *jq = jq_worker_alone(&err);
    assert_non_null(jq);
    struct config *config =
        load("forward = (\n"
             "  { name = \"hot\"; from = \"t\"; to = { queue = \"q\"; }; when = \".t > 80\"; },\n"
             "  { name = \"some\"; from = \"t\"; to = { queue = \"q\"; }; when = \".t | "
             "select(. > 80)\"; body = \"jq:{t}\"; },\n"
             "  { name = \"bad\"; from = \"t\"; to = { queue = \"q\"; }; when = \"error(1)\"; }\n"
             ");\n");
    static const struct {
        const char *payload, *parts[3];
    } rows[] = {
        {"{\"t\":80}",
         {"  hot: its condition (when) is false or null\n",
          "  some: its condition (when) gives no output\n", "  bad: jq_error: 1\n"}},
        {"hello",
         {"  hot: it has a condition (when), and the payload is not JSON\n",
          "  some: it has a condition (when), and the payload is not JSON\n",
          "  bad: it has a condition (when), and the payload is not JSON\n"}},
        {"{\"t\":81,\"u\":1}",
         {"hot  ", "    body     8 bytes\n             {\"t\":81}\n", "  bad: jq_error: 1\n"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mqtt_message m = message("t", rows[i].payload);
        struct explanation *e = explanation_new(config, &m, jq);
        char *text = printed(explain_print_text, e);
        for (size_t k = 0; k < 3; k++) {
            if (!strstr(text, rows[i].parts[k]))
                fail_msg("no '%s' in:\n%s", rows[i].parts[k], text);
        }
        free(text);
        explanation_free(e);
    }
    config_free(config);
    jq_worker_free(jq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_reaches_the_subscriptions_whose_keys_match_it),
        cmocka_unit_test(tags_reach_the_subscriptions_that_want_one_of_them),
        cmocka_unit_test(a_delivery_to_a_queue_reaches_that_queue),
        cmocka_unit_test(without_resources_a_topic_reaches_nobody_known),
        cmocka_unit_test(a_rule_that_does_not_match_is_skipped_with_its_reason),
        cmocka_unit_test(names_of_queues_and_topics_are_found_whatever_their_case),
        cmocka_unit_test(a_body_above_the_declared_max_size_reaches_nobody),
        cmocka_unit_test(a_message_that_came_through_this_gateway_is_dropped),
        cmocka_unit_test(a_message_that_cannot_be_mapped_is_an_error_of_its_match),
        cmocka_unit_test(a_reverse_rule_takes_its_queue_or_its_push_path),
        cmocka_unit_test(machines_get_the_object_that_the_rules_promise),
        cmocka_unit_test(people_get_eighty_columns_and_no_control_characters),
        cmocka_unit_test(a_condition_that_does_not_hold_is_the_reason_of_a_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
