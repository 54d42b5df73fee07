#include "config/config.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 1 << 20 };

static const char text[] = "gateway = { id = \"edge-1\"; state_dir = \"say \\\"x\\\"\"; };\n"
                           "mqtt = { servers = [ \"tcp://a:1\", \"@env:CMQGW_TEST_SERVER\" ];\n"
                           "  password = \"hunter2\"; keep_alive = \"60s\";\n"
                           "  tls = { key_password = \"@env:CMQGW_TEST_SECRET\"; };\n"
                           "};\n"
                           "cmq = { rate = 0x10; token = \"\"; secret_key = \"@@hunter2\";\n"
                           "  tls = { verify = false; }; };\n";

static struct config *load(void)
{
    struct faults faults = {0};
    assert_int_equal(setenv("CMQGW_TEST_SECRET", "hunter2", 1), 0);
    assert_int_equal(setenv("CMQGW_TEST_SERVER", "tcp://hunter2:1", 1), 0);
    struct config *config = config_load_text("g.cfg", span_of(text), &faults);
    assert_int_equal(faults.errors, 0);
    faults_fini(&faults);
    assert_non_null(config);
    return config;
}

static void every_option_is_printed_with_its_origin(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "gateway.id = \"edge-1\"    # g.cfg:1\n",
        "gateway.state_dir = \"say \\\"x\\\"\"    # g.cfg:1\n",
        "gateway.rules_dir = \"\"    # default\n",
        "mqtt.servers = [\"tcp://a:1\", \"@env:CMQGW_TEST_SERVER\"]    # g.cfg:2\n",
        "mqtt.version = \"5\"    # default\n",
        "mqtt.password = \"********\"    # g.cfg:3\n",
        "mqtt.keep_alive = \"60s\"    # g.cfg:3\n",
        "mqtt.tls.key_password = \"@env:CMQGW_TEST_SECRET\"    # g.cfg:4\n",
        "cmq.rate = 16    # g.cfg:6\n",
        "cmq.token = \"\"    # g.cfg:6\n",
        "cmq.secret_key = \"********\"    # g.cfg:6\n",
        "cmq.secret_id = \"\"    # default\n",
        "cmq.connections = 64    # default\n",
        "cmq.tls.verify = false    # g.cfg:7\n",
        "cmq.management.region = \"ap-guangzhou\"    # default\n",
        "spool.max_size = \"1GiB\"    # default\n",
        "admin.listen = \"127.0.0.1:9780\"    # default\n",
        "push.listen = \"\"    # default\n",
        "log.format = \"text\"    # default\n",
    };
    struct config *config = load();
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    config_print(config, false, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!strstr(buf_str(&out), lines[i]))
            fail_msg("not printed: %s in\n%s", lines[i], buf_str(&out));
    }
    assert_null(strstr(buf_str(&out), "hunter2"));
    buf_fini(&out);
    config_free(config);
}

static void what_is_printed_can_be_had_as_json(void **state)
{
    (void)state;
    struct config *config = load();
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    config_print(config, true, &out);
    assert_null(strstr(buf_str(&out), "hunter2"));
    cJSON *json = cJSON_Parse(buf_str(&out));
    assert_non_null(json);
    const cJSON *first = cJSON_GetArrayItem(json, 0), *item;
    assert_string_equal(cJSON_GetObjectItem(first, "option")->valuestring, "gateway.id");
    assert_string_equal(cJSON_GetObjectItem(first, "value")->valuestring, "edge-1");
    assert_string_equal(cJSON_GetObjectItem(first, "source")->valuestring, "g.cfg:1");
    bool seen = false;
    cJSON_ArrayForEach(item, json)
    {
        if (strcmp(cJSON_GetObjectItem(item, "option")->valuestring, "cmq.connections") == 0) {
            seen = true;
            assert_int_equal(cJSON_GetObjectItem(item, "value")->valueint, 64);
            assert_string_equal(cJSON_GetObjectItem(item, "source")->valuestring, "default");
        }
    }
    assert_true(seen);
    cJSON_Delete(json);
    buf_fini(&out);
    config_free(config);
}

static void rules_of_all_files_are_printed_when_that_was_asked_for(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "forward[0].name = \"first\"    # rules_example/gateway.cfg:29\n",
        "forward[0].from = [\"a/+x/#y\", \"b/+x/c/#y\"]    # rules_example/gateway.cfg:29\n",
        "forward[0].qos = 1    # default\n",
        "forward[0].to[0].queue = \"{x}\"    # rules_example/gateway.cfg:29\n",
        "reverse[1].from.push = \"********\"    # rules_example/rules.d/10-fleet.cfg:20\n",
        "resources.queues[0].name = \"downlink\"    # rules_example/rules.d/20-account.cfg:",
        "resources.queues[0].dead_letter.max_receive = 16    # ",
        "resources.topics[0].subscriptions[1].url = \"http://ops.example/hook\"    # ",
        "tests[1].name = ",
    };
    char path[1024];
    (void)snprintf(path, sizeof path, "%s", __FILE__);
    *strrchr(path, '/') = '\0';
    assert_int_equal(chdir(path), 0);
    assert_int_equal(chdir("../../config-corpus"), 0);
    assert_int_equal(setenv("CMQGW_TEST_SECRET", "hunter2", 1), 0);
    struct faults faults = {0};
    struct config *config = config_load_to_print("rules_example/gateway.cfg", true, &faults);
    assert_non_null(config);
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    config_print(config, false, &out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (!strstr(buf_str(&out), lines[i]))
            fail_msg("not printed: %s in\n%s", lines[i], buf_str(&out));
    }
    assert_null(strstr(buf_str(&out), "hunter2"));
    buf_clear(&out);
    config_print(config, true, &out);
    cJSON *json = cJSON_Parse(buf_str(&out));
    assert_non_null(json);
    assert_true(cJSON_GetArraySize(json) > 100);
    cJSON_Delete(json);
    buf_fini(&out);
    faults_fini(&faults);
    config_free(config);
}

static void the_reference_has_a_row_for_every_setting(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\n## mqtt.tls\n",
        "| `id` | ",
        " | required | ",
        "| `rate` | a whole number from 1 to 100000 | `5000` | ",
        "| `keep_alive` | a duration in whole seconds from 1s to 65535s, ",
        "| `max_size` | a size from 16MiB to 16384GiB, ",
        "| `signature` | \"HmacSHA1\" or \"HmacSHA256\" | `\"HmacSHA256\"` | ",
        "| `secret_key` | a string, secret | `\"\"` | ",
        "\n## forward\n",
        "\n## forward.to\n",
        "\n## reverse.from\n",
        "\n## resources.queues.dead_letter\n",
        "\n## resources.topics.subscriptions\n",
        "\n## tests.expect\n",
        "| `body` | \"raw\", \"base64\", \"cloudevents\" or \"jq:PROGRAM\" | `\"raw\"` | ",
    };
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    config_reference(&out);
    assert_false(out.overflow);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!strstr(buf_str(&out), parts[i]))
            fail_msg("not in the reference: %s in\n%s", parts[i], buf_str(&out));
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_printed_with_its_origin),
        cmocka_unit_test(what_is_printed_can_be_had_as_json),
        cmocka_unit_test(rules_of_all_files_are_printed_when_that_was_asked_for),
        cmocka_unit_test(the_reference_has_a_row_for_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
