/* tests/config-corpus/rules_example: every setting there is, and what becomes of it. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

static struct config *config;

static void assert_template(const struct template *t, const char *expected)
{
    assert_non_null(t);
    assert_true(span_eq_str(template_text(t), expected));
}

static void the_sections_are_read(void **state)
{
    (void)state;
    assert_string_equal(config->path, "rules_example/gateway.cfg");
    assert_string_equal(config->gateway.id, "edge-1");
    assert_string_equal(config->gateway.state_dir, "/var/lib/cmqgw");
    assert_string_equal(config->gateway.rules_dir, "rules_example/rules.d");
    assert_int_equal(config->mqtt.server_count, 2);
    assert_string_equal(config->mqtt.servers[0], "ssl://127.0.0.1:8883");
    assert_string_equal(config->mqtt.servers[1], "ssl://broker.example:8883");
    assert_false(config->mqtt.v5);
    assert_int_equal(config->mqtt.keep_alive_s, 45);
    assert_int_equal(config->mqtt.session_expiry_s, 172800);
    assert_int_equal(config->mqtt.connect_timeout_s, 60);
    assert_string_equal(config->mqtt.shared_group, "gateways");
    assert_string_equal(config->mqtt.tls.ca, "ca.pem");
    assert_string_equal(config->mqtt.tls.cert, "cert.pem");
    assert_string_equal(config->mqtt.tls.key, "key.pem");
    assert_false(config->mqtt.tls.verify);
    assert_string_equal(config->cmq.endpoint, "https://cmq-sh.public.tencenttdmq.com");
    assert_int_equal(config->cmq.signature, CMQ_HMAC_SHA1);
    assert_int_equal(config->cmq.connections, 32);
    assert_int_equal(config->cmq.rate, 4000);
    assert_int_equal(config->cmq.timeout_ms, 1500);
    assert_string_equal(config->cmq.tls.ca, "cmq.pem");
    assert_false(config->cmq.tls.verify);
    assert_string_equal(config->cmq.management.endpoint, "https://tdmq.intl.tencentcloudapi.com");
    assert_string_equal(config->cmq.management.region, "ap-shanghai");
    assert_int_equal(config->spool.max_size_bytes, 2147483648);
    assert_false(config->spool.sync_power);
    assert_string_equal(config->admin.listen, "[::]:9781");
    assert_string_equal(config->push.listen, "127.0.0.1:9790");
    assert_int_equal(config->log.level, LOG_DEBUG);
    assert_int_equal(config->log.format, LOG_JSON);
}

static void secrets_stay_as_written_and_other_references_are_resolved(void **state)
{
    (void)state;
    static const char reference[] = "@env:CMQGW_TEST_SECRET";
    assert_string_equal(config->mqtt.username, "hunter2");
    assert_string_equal(config->mqtt.password, reference);
    assert_string_equal(config->mqtt.tls.key_password, reference);
    assert_string_equal(config->cmq.secret_id, reference);
    assert_string_equal(config->cmq.secret_key, reference);
    assert_string_equal(config->cmq.token, reference);
    assert_string_equal(config->admin.token, reference);
}

static void forward_rules_stand_in_file_order(void **state)
{
    (void)state;
    const struct ruleset *set = config->rules;
    assert_string_equal(set->gateway, "edge-1");
    assert_int_equal(set->forward_count, 3);
    const struct forward_rule *rule = &set->forward[0];
    assert_string_equal(rule->name, "first");
    assert_string_equal(rule->file, "rules_example/gateway.cfg");
    assert_int_equal(rule->line, 29);
    assert_int_equal(rule->from_count, 2);
    assert_string_equal(rule->from[1].filter->plain, "b/+/c/#");
    assert_int_equal(rule->target_count, 1);
    assert_false(rule->targets[0].is_topic);
    assert_template(rule->targets[0].name, "{x}");
    /* and the defaults */
    assert_int_equal(rule->qos, 1);
    assert_int_equal(rule->body, ENVELOPE_RAW);
    assert_false(rule->skip_retained);
    assert_false(rule->final);
    assert_false(rule->strict);
    assert_false(rule->accept_unrouted);
    assert_int_equal(rule->max_age_ms, 0);
    assert_string_equal(rule->replace, "_");
    assert_false(rule->replace_reject);
    assert_int_equal(rule->targets[0].delay_s, 0);
}

static void a_forward_rule_has_all_its_settings(void **state)
{
    (void)state;
    const struct forward_rule *rule = &config->rules->forward[1];
    assert_string_equal(rule->name, "telemetry");
    assert_string_equal(rule->file, "rules_example/rules.d/10-fleet.cfg");
    assert_int_equal(rule->line, 2);
    assert_int_equal(rule->from_count, 1);
    assert_string_equal(rule->from[0].filter->text, "fleet/+product/+device/telemetry/#metric");
    assert_int_equal(rule->qos, 2);
    assert_int_equal(rule->target_count, 1);
    assert_true(rule->targets[0].is_topic);
    assert_template(rule->targets[0].name, "fleet");
    assert_template(rule->targets[0].route, "{product}.{device}.{metric}");
    assert_int_equal(rule->targets[0].tag_count, 0);
    assert_int_equal(rule->body, ENVELOPE_BASE64);
    assert_true(rule->skip_retained);
    assert_true(rule->final);
    assert_true(rule->strict);
    assert_true(rule->accept_unrouted);
    assert_int_equal(rule->max_age_ms, 90000);
    assert_true(rule->replace_reject);
}

static void a_list_of_targets_fans_out(void **state)
{
    (void)state;
    const struct forward_rule *rule = &config->rules->forward[2];
    assert_string_equal(rule->name, "alarms");
    assert_int_equal(rule->target_count, 2);
    assert_true(rule->targets[0].is_topic);
    assert_null(rule->targets[0].route);
    assert_int_equal(rule->targets[0].tag_count, 2);
    assert_template(rule->targets[0].tags[0], "alarm");
    assert_template(rule->targets[0].tags[1], "{json:/level|lower}");
    assert_false(rule->targets[1].is_topic);
    assert_template(rule->targets[1].name, "alarm-log");
    assert_int_equal(rule->targets[1].delay_s, 5);
    assert_int_equal(rule->body, ENVELOPE_CLOUDEVENTS);
    assert_string_equal(rule->replace, "-");
    assert_false(rule->replace_reject);
}

static void reverse_rules_have_all_their_settings(void **state)
{
    (void)state;
    assert_int_equal(config->rules->reverse_count, 2);
    const struct reverse_rule *rule = &config->rules->reverse[0];
    assert_string_equal(rule->name, "commands");
    assert_int_equal(rule->line, 14);
    assert_string_equal(rule->queue, "downlink");
    assert_null(rule->push_path);
    assert_int_equal(rule->pollers, 2);
    assert_int_equal(rule->batch, 8);
    assert_int_equal(rule->wait_s, 5);
    assert_template(rule->to, "fleet/{json:/product}/{json:/device}/cmd");
    assert_int_equal(rule->payload, REVERSE_JQ);
    assert_true(span_eq_str(jq_program_text(rule->jq), ".payload"));
    assert_int_equal(rule->qos, 2);
    assert_true(rule->retain);
    assert_int_equal(rule->expiry_s, 300);
    assert_int_equal(rule->attempts, 8);
    assert_string_equal(rule->dead_letter, "downlink-dead");
    assert_true(rule->allow_loop);

    rule = &config->rules->reverse[1];
    assert_null(rule->queue);
    assert_string_equal(rule->push_path, "/hook/9f2c4d5e6a7b8091a2b3c4d5e6f70819");
    assert_int_equal(rule->payload, REVERSE_CLOUDEVENTS);
    assert_template(rule->to, "{ce:subject}");
    /* and the defaults */
    assert_int_equal(rule->pollers, 1);
    assert_int_equal(rule->batch, 16);
    assert_int_equal(rule->wait_s, 3);
    assert_null(rule->jq);
    assert_int_equal(rule->qos, 1);
    assert_false(rule->retain);
    assert_int_equal(rule->expiry_s, 0);
    assert_int_equal(rule->attempts, 16);
    assert_string_equal(rule->dead_letter, "");
    assert_false(rule->allow_loop);
}

static void the_rule_set_is_sealed(void **state)
{
    (void)state;
    const struct ruleset *set = config->rules;
    assert_non_null(set->matcher);
    assert_int_equal(set->subscription_count, 4);
    assert_string_equal(set->subscriptions[2].filter, "fleet/+/+/telemetry/#");
    assert_int_equal(set->subscriptions[2].qos, 2);
}

static void queues_have_all_their_settings(void **state)
{
    (void)state;
    const struct resources *r = &config->resources;
    assert_true(r->declared);
    assert_int_equal(r->queue_count, 6);
    const struct resource_queue *queue = &r->queues[0];
    assert_string_equal(queue->name, "downlink");
    assert_int_equal(queue->visibility_s, 45);
    assert_int_equal(queue->polling_wait_s, 3);
    assert_int_equal(queue->retention_s, 7200);
    assert_int_equal(queue->max_size_bytes, 65536);
    assert_int_equal(queue->rewind_s, 3600);
    assert_string_equal(queue->dead_letter, "downlink-dead");
    assert_int_equal(queue->policy, 0);
    assert_int_equal(queue->max_receive, 16);
    assert_string_equal(queue->file, "rules_example/rules.d/20-account.cfg");
    assert_int_equal(queue->line, 2);
    queue = &r->queues[1];
    assert_int_equal(queue->policy, 1);
    assert_int_equal(queue->max_age_s, 600);
    queue = &r->queues[2];
    assert_int_equal(queue->visibility_s, 30);
    assert_int_equal(queue->polling_wait_s, 0);
    assert_int_equal(queue->retention_s, 3600);
    assert_int_equal(queue->max_size_bytes, 1048576);
    assert_int_equal(queue->rewind_s, 0);
    assert_null(queue->dead_letter);
}

static void topics_and_subscriptions_have_all_their_settings(void **state)
{
    (void)state;
    const struct resources *r = &config->resources;
    assert_int_equal(r->topic_count, 2);
    const struct resource_topic *topic = &r->topics[0];
    assert_string_equal(topic->name, "fleet");
    assert_true(topic->by_route);
    assert_int_equal(topic->retention_s, 3600);
    assert_int_equal(topic->max_size_bytes, 1048576);
    assert_int_equal(topic->line, 6);
    assert_int_equal(topic->subscription_count, 3);
    const struct resource_subscription *s = &topic->subscriptions[0];
    assert_string_equal(s->name, "hot");
    assert_string_equal(s->queue, "hot-store");
    assert_null(s->url);
    assert_int_equal(s->key_count, 1);
    assert_string_equal(s->keys[0], "*.*.temp.#");
    assert_true(s->exponential);
    assert_true(s->simplified);
    assert_int_equal(s->line, 7);
    s = &topic->subscriptions[1];
    assert_null(s->queue);
    assert_string_equal(s->url, "http://ops.example/hook");
    assert_false(s->exponential);
    assert_false(s->simplified);
    assert_true(topic->subscriptions[2].simplified);

    topic = &r->topics[1];
    assert_false(topic->by_route);
    assert_int_equal(topic->retention_s, 86400);
    assert_int_equal(topic->max_size_bytes, 65536);
    assert_int_equal(topic->subscriptions[0].tag_count, 2);
    assert_string_equal(topic->subscriptions[0].tags[1], "urgent");
}

static void tests_have_all_their_settings(void **state)
{
    (void)state;
    assert_int_equal(config->test_count, 3);
    const struct config_test *test = &config->tests[0];
    assert_string_equal(test->name, "hot readings reach the hot store");
    assert_false(test->is_receive);
    assert_string_equal(test->topic, "fleet/p1/d7/telemetry/temp");
    assert_string_equal(test->payload, "{\"t\": 91}");
    assert_int_equal(test->qos, 2);
    assert_true(test->retain);
    assert_int_equal(test->line, 13);
    assert_int_equal(test->expect_count, 2);
    const struct config_test_expect *expect = &test->expect[0];
    assert_string_equal(expect->rule, "telemetry");
    assert_string_equal(expect->topic, "fleet");
    assert_string_equal(expect->route, "p1.d7.temp");
    assert_null(expect->queue);
    assert_null(expect->body);
    assert_null(expect->payload);
    assert_false(expect->has_tags);
    assert_true(expect->has_reaches);
    assert_int_equal(expect->reach_count, 1);
    assert_string_equal(expect->reaches[0], "hot-store");
    assert_int_equal(expect->qos, -1);
    assert_int_equal(expect->retain, -1);
    assert_int_equal(expect->line, 15);
    expect = &test->expect[1];
    assert_string_equal(expect->queue, "q");
    assert_string_equal(expect->body, "@x");
    assert_true(expect->has_tags);
    assert_int_equal(expect->tag_count, 0);
    assert_false(expect->has_reaches);

    test = &config->tests[1];
    assert_true(test->is_receive);
    assert_string_equal(test->queue, "downlink");
    assert_non_null(strstr(test->body, "\"product\":\"p1\""));
    assert_string_equal(test->expect[0].topic, "fleet/p1/d7/cmd");
    assert_string_equal(test->expect[0].payload, "{\"on\":true}");
    assert_int_equal(test->expect[0].qos, 1);
    assert_int_equal(test->expect[0].retain, 0);

    test = &config->tests[2];
    assert_string_equal(test->payload, "");
    assert_int_equal(test->qos, 1);
    assert_false(test->retain);
    assert_int_equal(test->expect_count, 0);
}

/* The corpus lies two folders beside this one. */
static int load_example(void **state)
{
    (void)state;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s", __FILE__);
    *strrchr(path, '/') = '\0';
    if (chdir(path) != 0 || chdir("../../config-corpus") != 0 ||
        setenv("CMQGW_TEST_SECRET", "hunter2", 1) != 0)
        return -1;
    struct faults faults = {0};
    config = config_load("rules_example/gateway.cfg", &faults);
    bool clean = faults.errors == 0;
    faults_fini(&faults);
    return config && clean ? 0 : -1;
}

static int free_example(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sections_are_read),
        cmocka_unit_test(secrets_stay_as_written_and_other_references_are_resolved),
        cmocka_unit_test(forward_rules_stand_in_file_order),
        cmocka_unit_test(a_forward_rule_has_all_its_settings),
        cmocka_unit_test(a_list_of_targets_fans_out),
        cmocka_unit_test(reverse_rules_have_all_their_settings),
        cmocka_unit_test(the_rule_set_is_sealed),
        cmocka_unit_test(queues_have_all_their_settings),
        cmocka_unit_test(topics_and_subscriptions_have_all_their_settings),
        cmocka_unit_test(tests_have_all_their_settings),
    };
    return cmocka_run_group_tests(tests, load_example, free_example);
}
