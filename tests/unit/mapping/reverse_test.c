/* What CMQ messages become by reverse rules (RULES 3). */
#include "mapping/reverse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct jq_host *host;
static struct jq_worker *worker;
static struct jq_program *program; /* of the rule at hand */

static int start_host(void **state)
{
    (void)state;
    struct err err;
    host = jq_host_new(&err);
    worker = host ? jq_worker_new(host) : NULL;
    return host ? 0 : -1;
}

static int end_host(void **state)
{
    (void)state;
    jq_worker_free(worker);
    jq_host_free(host);
    return 0;
}

static struct reverse_rule rule_of(const char *to, enum reverse_payload payload, const char *jq)
{
    static char name[] = "commands";
    struct err err;
    struct reverse_rule rule = {.name = name, .payload = payload, .qos = 1, .expiry_s = 300};
    rule.to = template_new(span_of(to), TEMPLATE_TOPIC, NULL, payload == REVERSE_CLOUDEVENTS, &err);
    if (!rule.to)
        fail_msg("%s: %s", to, err.text);
    rule.jq = program = jq ? jq_program_new(span_of(jq), &err) : NULL;
    return rule;
}

static void rule_done(struct reverse_rule *rule)
{
    template_free(rule->to);
    jq_program_free(program);
}

static enum reverse_result plan(const struct reverse_rule *rule, const char *body,
                                struct reverse_draft *draft, struct err *err)
{
    err->text[0] = '\0';
    return reverse_plan(rule, span_of("edge-1"), span_of(body), worker, draft, err);
}

static const char command_body[] =
    "{\"product\":\"p1\",\"device\":\"d7\",\"payload\":{\"on\":true}}";

static void the_rule_files_example_finds_its_device(void **state)
{
    (void)state;
    struct reverse_rule rule =
        rule_of("fleet/{json:/product}/{json:/device}/cmd", REVERSE_JQ, ".payload");
    struct reverse_draft draft;
    struct err err;
    reverse_draft_init(&draft);
    for (int i = 0; i < 3; i++) { /* a draft is used again and again */
        assert_int_equal(plan(&rule, command_body, &draft, &err), REVERSE_PUBLISH);
        assert_true(span_eq_str(draft.message.topic, "fleet/p1/d7/cmd"));
        assert_true(span_eq_str(draft.message.payload, "{\"on\":true}"));
        assert_int_equal(draft.message.qos, 1);
        assert_true(draft.message.has_expiry);
        assert_int_equal(draft.message.expiry_s, 300);
        assert_int_equal(draft.message.user_count, 1);
        assert_true(span_eq_str(draft.message.user[0].key, "cmqgwvia"));
        assert_true(span_eq_str(draft.message.user[0].value, "edge-1"));
    }
    reverse_draft_fini(&draft);
    rule_done(&rule);
}

static void a_body_goes_as_it_is_or_decoded(void **state)
{
    (void)state;
    struct reverse_draft draft;
    struct err err;
    reverse_draft_init(&draft);
    struct reverse_rule rule = rule_of("all", REVERSE_BODY, NULL);
    assert_int_equal(plan(&rule, "any text", &draft, &err), REVERSE_PUBLISH);
    assert_true(span_eq_str(draft.message.payload, "any text"));
    rule_done(&rule);
    rule = rule_of("all", REVERSE_BASE64, NULL);
    assert_int_equal(plan(&rule, "AP8B", &draft, &err), REVERSE_PUBLISH);
    assert_true(span_eq(draft.message.payload, span_make("\x00\xff\x01", 3)));
    rule_done(&rule);
    reverse_draft_fini(&draft);
}

static void poison_is_parked_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        enum reverse_payload payload;
        const char *jq, *body, *reason;
    } rows[] = {
        {"x/{json:/d}", REVERSE_BODY, NULL, "not json", "template_missing"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{}", "template_missing"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{\"d\":\"a/b\"}", "topic_unsafe"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{\"d\":\"+\"}", "topic_unsafe"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{\"d\":\"#\"}", "topic_unsafe"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{\"d\":\"a\\u0000b\"}", "topic_unsafe"},
        {"x/{json:/d}", REVERSE_BODY, NULL, "{\"d\":{}}", "template_value"},
        {"{json:/d}", REVERSE_BODY, NULL, "{\"d\":\"$SYS\"}", "topic_"},
        {"x", REVERSE_BASE64, NULL, "***", "base64_invalid"},
        {"x", REVERSE_JQ, ".a", "no", "not_json"},
        {"x", REVERSE_JQ, "empty", "1", "jq_no_output"},
        {"x", REVERSE_JQ, "error(\"boom\")", "1", "jq_error: boom"},
        {"x", REVERSE_JQ, "def f: f; f", "1", "jq_limit"},
        {"x", REVERSE_CLOUDEVENTS, NULL, "{}", "event_invalid"},
        {"x/{ce:subject}", REVERSE_CLOUDEVENTS, NULL, "no event", "event_invalid"},
    };
    struct reverse_draft draft;
    struct err err;
    reverse_draft_init(&draft);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reverse_rule rule = rule_of(rows[i].to, rows[i].payload, rows[i].jq);
        enum reverse_result result = plan(&rule, rows[i].body, &draft, &err);
        if (result != REVERSE_PARK || strncmp(err.text, rows[i].reason, strlen(rows[i].reason)))
            fail_msg("row %zu: %s by \"%s\": %d, %s", i, rows[i].body, rows[i].to, result,
                     err.text);
        rule_done(&rule);
    }
    reverse_draft_fini(&draft);
}

static void what_went_up_in_cloudevents_comes_down_the_same_with_its_properties(void **state)
{
    (void)state;
    struct mqtt_user_property user[] = {{span_of("k"), span_of("v")}};
    struct mqtt_message message = {.topic = span_of("fleet/d7/ask"),
                                   .payload = span_make("\x00\x01\xfe", 3),
                                   .qos = 1,
                                   .content_type = span_of("application/x-thing"),
                                   .response_topic = span_of("fleet/d7/answer"),
                                   .correlation = span_make("\x01\x02", 2),
                                   .user = user,
                                   .user_count = 1};
    struct buf body = BUF_INIT(CMQ_MAX_BODY_BYTES);
    struct err err;
    struct envelope_context context = {.gateway = span_of("edge-2"), .id = 7};
    assert_true(envelope_write(ENVELOPE_CLOUDEVENTS, &message, &context, &body, &err));

    struct reverse_rule rule = rule_of("{ce:subject|levels}", REVERSE_CLOUDEVENTS, NULL);
    struct reverse_draft draft;
    reverse_draft_init(&draft);
    assert_int_equal(plan(&rule, buf_str(&body), &draft, &err), REVERSE_PUBLISH);
    const struct mqtt_message *m = &draft.message;
    assert_true(span_eq(m->topic, message.topic));
    assert_true(span_eq(m->payload, message.payload));
    assert_true(span_eq(m->content_type, message.content_type));
    assert_true(span_eq(m->response_topic, message.response_topic));
    assert_true(span_eq(m->correlation, message.correlation));
    assert_int_equal(m->user_count, 2);
    assert_true(span_eq_str(m->user[0].key, "k"));
    assert_true(span_eq_str(m->user[1].value, "edge-2,edge-1"));
    reverse_draft_fini(&draft);
    rule_done(&rule);
    buf_fini(&body);
}

static void a_message_that_came_through_this_gateway_is_a_loop_unless_allowed(void **state)
{
    (void)state;
    static const char *const vias[] = {"edge-1", "edge-0,edge-1", "edge-1,edge-9"};
    struct reverse_rule rule = rule_of("x", REVERSE_CLOUDEVENTS, NULL);
    struct reverse_draft draft;
    struct err err;
    reverse_draft_init(&draft);
    for (size_t i = 0; i < 3; i++) {
        struct buf body = BUF_INIT(1024);
        buf_printf(&body,
                   "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"y\","
                   "\"cmqgwvia\":\"%s\",\"data\":1}",
                   vias[i]);
        rule.allow_loop = false;
        assert_int_equal(plan(&rule, buf_str(&body), &draft, &err), REVERSE_LOOP);
        rule.allow_loop = true;
        assert_int_equal(plan(&rule, buf_str(&body), &draft, &err), REVERSE_PUBLISH);
        buf_fini(&body);
    }
    rule.allow_loop = false;
    assert_int_equal(plan(&rule,
                          "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"y\","
                          "\"cmqgwvia\":\"edge-10\",\"data\":1}",
                          &draft, &err),
                     REVERSE_PUBLISH);
    reverse_draft_fini(&draft);
    rule_done(&rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_files_example_finds_its_device),
        cmocka_unit_test(a_body_goes_as_it_is_or_decoded),
        cmocka_unit_test(poison_is_parked_with_its_reason),
        cmocka_unit_test(what_went_up_in_cloudevents_comes_down_the_same_with_its_properties),
        cmocka_unit_test(a_message_that_came_through_this_gateway_is_a_loop_unless_allowed),
    };
    return cmocka_run_group_tests(tests, start_host, end_host);
}
