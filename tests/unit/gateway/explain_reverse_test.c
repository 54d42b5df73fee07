/* What would become of a message in a CMQ queue, and how that is shown. */
#include "gateway/explain_print.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char settings[] =
    "gateway = { id = \"edge-1\"; state_dir = \"/nonexistent/state\"; };\n"
    "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"AKIDx\"; secret_key = \"k\"; };\n"
    "push = { listen = \"127.0.0.1:0\"; };\n"
    "forward = (\n"
    "  { name = \"listens\"; from = \"fleet/+p/+d/cmd\"; to = { queue = \"up\"; }; },\n"
    "  { name = \"fresh\"; from = \"fleet/#\"; retained = \"skip\"; to = { queue = \"up\"; }; },\n"
    "  { name = \"deaf\"; from = \"other/#\"; to = { queue = \"up\"; }; }\n"
    ");\n"
    "reverse = (\n"
    "  { name = \"commands\"; from = { queue = \"downlink\"; };\n"
    "    to = \"fleet/{json:/product}/{json:/device}/cmd\"; payload = \"jq:.payload\";\n"
    "    qos = 2; retain = true; expiry = \"5m\"; dead_letter = \"downlink-dead\"; },\n"
    "  { name = \"log\"; from = { queue = \"downlink\"; }; to = \"log/{json:/level}\"; },\n"
    "  { name = \"events\"; from = { queue = \"events\"; }; to = \"{ce:subject}\";\n"
    "    payload = \"cloudevents\"; },\n"
    "  { name = \"endless\"; from = { queue = \"endless\"; }; to = \"x\";\n"
    "    payload = \"jq:def f: f; f\"; },\n"
    "  { name = \"hook\"; from = { push = \"/hook/9f2c7a1be4d853069f2c7a1be4d85306\"; };\n"
    "    to = \"pushed\"; }\n"
    ");\n";

static struct jq_worker *jq;

static int start_jq(void **state)
{
    (void)state;
    struct err err;
    jq = jq_worker_alone(&err);
    return jq ? 0 : -1;
}

static int end_jq(void **state)
{
    (void)state;
    jq_worker_free(jq);
    return 0;
}

static struct config *load(const char *version)
{
    struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "%smqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; version = \"%s\"; };\n",
               settings, version);
    struct faults faults = {0};
    struct config *config = config_load_text("test.cfg", buf_span(&text), &faults);
    if (!config) {
        buf_clear(&text);
        faults_print(&faults, false, &text);
        print_error("%s", buf_str(&text));
    }
    buf_fini(&text);
    faults_fini(&faults);
    assert_non_null(config);
    return config;
}

static struct reverse_explanation *explain(const struct config *config, const char *queue,
                                           const char *body)
{
    return reverse_explanation_new(config, span_of(queue), span_of(body), jq);
}

static char *printed(void (*print)(FILE *out, const struct reverse_explanation *explanation),
                     const struct reverse_explanation *e)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    print(out, e);
    fclose(out);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_error("no '%s' in:\n%s", part, text);
    assert_non_null(strstr(text, part));
}

static void assert_span(struct span got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr, expected, got.len);
}

static const char command[] = "{\"product\":\"p1\",\"device\":\"d7\",\"payload\":{\"on\":true}}";

static void a_command_becomes_the_message_that_the_gateway_would_publish(void **state)
{
    (void)state;
    struct config *config = load("5");
    struct reverse_explanation *e = explain(config, "downlink", command);
    assert_int_equal(e->taking_count, 2);
    assert_int_equal(e->publish_count, 1);
    assert_int_equal(e->other_count, 3);
    const struct mqtt_message *m = &e->takings[0].draft.message;
    assert_span(m->topic, "fleet/p1/d7/cmd");
    assert_span(m->payload, "{\"on\":true}");
    assert_int_equal(m->qos, 2);
    assert_true(m->retain && m->has_expiry);
    assert_int_equal(m->expiry_s, 300);
    assert_int_equal(m->user_count, 1);
    assert_span(m->user[0].value, "edge-1");
    reverse_explanation_free(e);
    config_free(config);
}

static void the_forward_rules_that_listen_to_its_topic_are_told(void **state)
{
    (void)state;
    struct config *config = load("5");
    struct reverse_explanation *e = explain(config, "downlink", command);
    assert_int_equal(e->takings[0].forward_count, 2); /* also the one that skips retained copies */
    assert_string_equal(e->takings[0].forward[0]->name, "listens");
    assert_string_equal(e->takings[0].forward[1]->name, "fresh");
    char *text = printed(explain_print_reverse_text, e);
    assert_has(text, "forward rule listens listens to this topic, and drops it as a loop\n");
    free(text);
    reverse_explanation_free(e);
    config_free(config);

    config = load("3.1.1");
    e = explain(config, "downlink", command);
    text = printed(explain_print_reverse_text, e);
    assert_has(text, "and sends it to CMQ again\n");
    free(text);
    text = printed(explain_print_reverse_json, e);
    assert_has(text, "\"forward\":[{\"rule\":\"listens\",\"dropped\":false}");
    free(text);
    reverse_explanation_free(e);
    config_free(config);
}

static void what_cannot_be_mapped_says_why_and_where_it_would_be_parked(void **state)
{
    (void)state;
    static const struct {
        const char *queue, *body, *text, *json;
    } rows[] = {
        {"downlink", "no json", "  commands: not_json: jq wants JSON, and this is none\n",
         "\"parked\":\"downlink-dead\"}"},
        {"downlink", "{\"payload\":1}", "  log: template_missing: ", "\"parked\":\"\"}"},
        {"downlink", "{\"level\":\"a/b\",\"payload\":1}",
         "  log: topic_unsafe: ", "\"parked\":\"\"}"},
        {"endless", "1", "  endless: jq_limit: ", "\"parked\":\"\"}"},
        {"events", "{}", "  events: event_invalid: ", "\"parked\":\"\"}"},
        {"events",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"a\","
         "\"cmqgwvia\":\"edge-9,edge-1\"}",
         "    dropped and counted\n", "\"parked\":null}"},
    };
    struct config *config = load("5");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reverse_explanation *e = explain(config, rows[i].queue, rows[i].body);
        assert_true(e->publish_count < e->taking_count);
        char *text = printed(explain_print_reverse_text, e);
        assert_has(text, rows[i].text);
        free(text);
        text = printed(explain_print_reverse_json, e);
        assert_has(text, rows[i].json);
        free(text);
        reverse_explanation_free(e);
    }
    config_free(config);
}

static void rules_that_do_not_read_the_queue_say_why(void **state)
{
    (void)state;
    struct config *config = load("5");
    struct reverse_explanation *e = explain(config, "nobodys", "x");
    assert_int_equal(e->taking_count, 0);
    assert_int_equal(e->other_count, 5);
    char *text = printed(explain_print_reverse_text, e);
    assert_has(text, "no reverse rule reads this queue\n");
    assert_has(text, "  commands: it reads the queue downlink\n");
    assert_has(text, "  hook: it takes what CMQ pushes, and reads no queue\n");
    free(text);
    reverse_explanation_free(e);
    config_free(config);
}

static void an_event_shows_every_property_that_it_restores(void **state)
{
    (void)state;
    struct config *config = load("5");
    struct reverse_explanation *e = explain(
        config, "events",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"a/b\","
        "\"datacontenttype\":\"text/plain\",\"mqttresponsetopic\":\"r/1\","
        "\"mqttcorrelation\":\"/wA=\",\"mqttuser\":\"{\\\"k\\\":\\\"v\\\"}\",\"data\":\"hello\"}");
    char *text = printed(explain_print_reverse_json, e);
    assert_string_equal(
        text,
        "{\"queue\":\"events\",\"matches\":[{\"rule\":\"events\",\"topic\":\"a/b\",\"payload\":"
        "\"hello\",\"payload_base64\":\"aGVsbG8=\",\"payload_bytes\":5,\"qos\":1,\"retain\":false,"
        "\"expiry_s\":null,\"content_type\":\"text/plain\",\"response_topic\":\"r/1\","
        "\"correlation_base64\":\"/wA=\",\"user\":[{\"key\":\"k\",\"value\":\"v\"},"
        "{\"key\":\"cmqgwvia\",\"value\":\"edge-1\"}],\"forward\":[]}],\"skipped\":["
        "{\"rule\":\"commands\",\"reason\":\"it reads the queue downlink\"},"
        "{\"rule\":\"log\",\"reason\":\"it reads the queue downlink\"},"
        "{\"rule\":\"endless\",\"reason\":\"it reads the queue endless\"},"
        "{\"rule\":\"hook\",\"reason\":\"it takes what CMQ pushes, and reads no queue\"}],"
        "\"errors\":[]}\n");
    free(text);
    text = printed(explain_print_reverse_text, e);
    assert_has(text, "    reply to r/1\n");
    assert_has(text, "    corr.    \\xff\\x00\n");
    assert_has(text, "    user     k = v\n");
    free(text);
    reverse_explanation_free(e);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_becomes_the_message_that_the_gateway_would_publish),
        cmocka_unit_test(the_forward_rules_that_listen_to_its_topic_are_told),
        cmocka_unit_test(what_cannot_be_mapped_says_why_and_where_it_would_be_parked),
        cmocka_unit_test(rules_that_do_not_read_the_queue_say_why),
        cmocka_unit_test(an_event_shows_every_property_that_it_restores),
    };
    return cmocka_run_group_tests(tests, start_jq, end_jq);
}
