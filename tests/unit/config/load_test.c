/* What loading does beyond the corpus: limits, the local server's way, folders made for the test.
 */
#include "config/config.h"
#include "config/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "gateway = { id = \"g\"; state_dir = \"s\"; }; mqtt = { servers = \"tcp://h:1\"; };\n"
#define ACCOUNT                                                                                    \
    "cmq = { endpoint = \"http://h\"; secret_id = \"@env:CMQGW_TEST_SECRET\"; "                    \
    "secret_key = \"@env:CMQGW_TEST_SECRET\"; };\n"

enum { MAX_TEXT_BYTES = 1 << 20 };

static char folder[] = "/tmp/cmqgw-config-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(in_folder(name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void assert_faults(struct faults *faults, const char *expected)
{
    struct buf out = BUF_INIT(MAX_TEXT_BYTES);
    faults_print(faults, false, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_fini(&out);
    faults_fini(faults);
}

static struct config *load_text(const char *text, struct faults *faults)
{
    return config_load_text("f", span_of(text), faults);
}

static void what_is_not_set_has_its_default(void **state)
{
    (void)state;
    struct faults faults = {0};
    struct config *config = load_text(HEAD, &faults);
    assert_non_null(config);
    assert_faults(&faults, "");
    assert_string_equal(config->gateway.rules_dir, "");
    assert_true(config->mqtt.v5);
    assert_string_equal(config->mqtt.username, "");
    assert_string_equal(config->mqtt.password, "");
    assert_int_equal(config->mqtt.keep_alive_s, 30);
    assert_int_equal(config->mqtt.session_expiry_s, 86400);
    assert_int_equal(config->mqtt.connect_timeout_s, 10);
    assert_string_equal(config->mqtt.shared_group, "");
    assert_string_equal(config->mqtt.tls.ca, "");
    assert_true(config->mqtt.tls.verify);
    assert_string_equal(config->cmq.endpoint, "");
    assert_int_equal(config->cmq.signature, CMQ_HMAC_SHA256);
    assert_int_equal(config->cmq.connections, 64);
    assert_int_equal(config->cmq.rate, 5000);
    assert_int_equal(config->cmq.timeout_ms, 15000);
    assert_true(config->cmq.tls.verify);
    assert_string_equal(config->cmq.management.endpoint, "https://tdmq.tencentcloudapi.com");
    assert_string_equal(config->cmq.management.region, "ap-guangzhou");
    assert_int_equal(config->spool.max_size_bytes, 1 << 30);
    assert_true(config->spool.sync_power);
    assert_string_equal(config->admin.listen, "127.0.0.1:9780");
    assert_string_equal(config->push.listen, "");
    assert_int_equal(config->log.level, LOG_INFO);
    assert_int_equal(config->log.format, LOG_TEXT);
    assert_int_equal(config->rules->forward_count, 0);
    assert_non_null(config->rules->matcher);
    assert_false(config->resources.declared);
    config_free(config);
    config_free(NULL);
}

static void a_file_that_is_not_there_is_a_fault(void **state)
{
    (void)state;
    struct faults faults = {0};
    assert_null(config_load("/no/such/file.cfg", &faults));
    assert_faults(&faults, "/no/such/file.cfg:0: error: cannot read the file: No such file or "
                           "directory\n");
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct faults faults = {0};
    char *big = check_alloc(malloc(SOURCE_MAX_BYTES + 1));
    memset(big, '\n', SOURCE_MAX_BYTES + 1);
    memcpy(big, HEAD, strlen(HEAD));
    write_file("big.cfg", big, SOURCE_MAX_BYTES);
    struct config *config = config_load(in_folder("big.cfg"), &faults);
    assert_non_null(config);
    config_free(config);
    assert_faults(&faults, "");

    write_file("big.cfg", big, SOURCE_MAX_BYTES + 1);
    assert_null(config_load(in_folder("big.cfg"), &faults));
    assert_int_equal(faults.errors, 1);
    assert_string_equal(faults.list[0].text, "the file is larger than 16 MiB");
    faults_fini(&faults);
    (void)unlink(in_folder("big.cfg"));
    free(big);
}

static void a_fault_more_than_the_rules_allowed_is_said_once(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(SOURCE_MAX_BYTES);
    buf_add_str(&text, HEAD ACCOUNT "forward = (\n");
    for (int i = 0; i < 100002; i++)
        buf_printf(&text, "%s{ name = \"r%d\"; from = \"a\"; to = { queue = \"q\"; }; }",
                   i ? ",\n" : "", i);
    buf_add_str(&text, ");\n");
    assert_false(text.overflow);
    struct faults faults = {0};
    assert_null(config_load_text("f", buf_span(&text), &faults));
    assert_faults(&faults, "f:100004: error: there are more than 100000 rules\n");
    buf_fini(&text);
}

static void faults_of_an_earlier_file_do_not_fail_a_good_one(void **state)
{
    (void)state;
    struct faults faults = {0};
    faults_add(&faults, FAULT_ERROR, "elsewhere", 1, "x");
    struct config *config = load_text(HEAD, &faults);
    assert_non_null(config);
    config_free(config);
    assert_int_equal(faults.errors, 1);
    faults_fini(&faults);
}

static void rule_files_are_read_in_byte_order_of_their_names(void **state)
{
    (void)state;
    static const char *const names[] = {"r/b.cfg", "r/B.cfg", "r/10.cfg", "r/9.cfg",
                                        "r/\xc3\xa9.cfg"};
    static const char *const order[] = {"main",    "r/10.cfg", "r/9.cfg",
                                        "r/B.cfg", "r/b.cfg",  "r/\xc3\xa9.cfg"};
    char text[512];
    assert_int_equal(mkdir(in_folder("r"), 0700), 0);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text,
                       "forward = { name = \"%s\"; from = \"a\"; to = { queue = \"q%zu\"; }; };",
                       names[i], i);
        write_file(names[i], text, strlen(text));
    }
    write_file("r/not.conf", "}", 1);
    (void)snprintf(text, sizeof text,
                   "gateway = { id = \"g\"; state_dir = \"s\"; rules_dir = \"%s/r/\"; };"
                   "mqtt = { servers = \"tcp://h:1\"; };" ACCOUNT
                   "forward = { name = \"main\"; from = \"a\"; to = { queue = \"q\"; }; };",
                   folder);
    write_file("main.cfg", text, strlen(text));

    struct faults faults = {0};
    struct config *config = config_load(in_folder("main.cfg"), &faults);
    assert_faults(&faults, "");
    assert_non_null(config);
    assert_int_equal(config->rules->forward_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(config->rules->forward[i].name, order[i]);
    assert_string_equal(config->rules->forward[1].file, in_folder("r/10.cfg"));
    config_free(config);

    for (size_t i = 0; i < 5; i++)
        (void)unlink(in_folder(names[i]));
    (void)unlink(in_folder("r/not.conf"));
    (void)unlink(in_folder("main.cfg"));
    assert_int_equal(rmdir(in_folder("r")), 0);
}

static void an_exposed_secret_file_is_a_warning(void **state)
{
    (void)state;
    char text[512], expected[512];
    write_file("secret", "hunter2\n", 8);
    assert_int_equal(chmod(in_folder("secret"), 0644), 0);
    (void)snprintf(text, sizeof text, HEAD "admin = { token = \"@file:%s\"; };",
                   in_folder("secret"));
    (void)snprintf(expected, sizeof expected,
                   "f:2: warning: admin.token: everyone can read the file that @file:%s names\n",
                   in_folder("secret"));
    struct faults faults = {0};
    struct config *config = load_text(text, &faults);
    assert_non_null(config);
    config_free(config);
    assert_faults(&faults, expected);

    assert_int_equal(chmod(in_folder("secret"), 0600), 0);
    config = load_text(text, &faults);
    assert_non_null(config);
    config_free(config);
    assert_faults(&faults, "");
    (void)unlink(in_folder("secret"));
}

static void every_kind_of_string_may_be_a_reference(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } variables[] = {{"CMQGW_TEST_A", "5m"},         {"CMQGW_TEST_B", "2GiB"},
                     {"CMQGW_TEST_C", "warn"},       {"CMQGW_TEST_D", "tcp://x:1"},
                     {"CMQGW_TEST_E", "a/+b/#"},     {"CMQGW_TEST_F", "{b}"},
                     {"CMQGW_TEST_G", "cloudevents"}};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        assert_int_equal(setenv(variables[i].name, variables[i].value, 1), 0);
    struct faults faults = {0};
    struct config *config = load_text(
        "gateway = { id = \"g\"; state_dir = \"@@s\"; }; spool = { max_size = "
        "\"@env:CMQGW_TEST_B\"; };"
        "mqtt = { servers = \"@env:CMQGW_TEST_D\"; keep_alive = \"@env:CMQGW_TEST_A\"; };" ACCOUNT
        "log = { level = \"@env:CMQGW_TEST_C\"; };"
        "forward = { name = \"a\"; from = \"@env:CMQGW_TEST_E\"; body = \"@env:CMQGW_TEST_G\";"
        "  to = { queue = \"@env:CMQGW_TEST_F\"; }; };",
        &faults);
    assert_faults(&faults, "");
    assert_non_null(config);
    assert_string_equal(config->gateway.state_dir, "@s");
    assert_string_equal(config->mqtt.servers[0], "tcp://x:1");
    assert_int_equal(config->mqtt.keep_alive_s, 300);
    assert_int_equal(config->spool.max_size_bytes, 2147483648);
    assert_int_equal(config->log.level, LOG_WARN);
    const struct forward_rule *rule = &config->rules->forward[0];
    assert_string_equal(rule->from[0].filter->plain, "a/+/#");
    assert_true(span_eq_str(template_text(rule->targets[0].name), "{b}"));
    assert_int_equal(rule->body, ENVELOPE_CLOUDEVENTS);
    config_free(config);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        (void)unsetenv(variables[i].name);
}

static void a_gateway_that_only_takes_pushes_needs_no_account(void **state)
{
    (void)state;
    struct faults faults = {0};
    struct config *config =
        load_text(HEAD "push = { listen = \"127.0.0.1:0\"; }; reverse = { name = \"a\"; to = \"t\";"
                       " from = { push = \"/3Jf9x_Kq0-ZpLm2Vt8RwYb\"; }; };",
                  &faults);
    assert_faults(&faults, "");
    assert_non_null(config);
    config_free(config);
}

static void a_jq_program_that_does_not_compile_is_a_fault_at_its_line(void **state)
{
    (void)state;
    struct faults faults = {0};
    assert_null(load_text(HEAD ACCOUNT "reverse = { name = \"a\"; to = \"t\";\n"
                                       " from = { queue = \"q\"; };\n"
                                       " payload = \"jq:.a |\"; };",
                          &faults));
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.list[0].line, 5);
    const char *begin = "reverse.payload cannot be \"jq:.a |\": "; /* then jq's own words */
    assert_memory_equal(faults.list[0].text, begin, strlen(begin));
    faults_fini(&faults);
}

static void programs_of_forward_rules_are_compiled_once_and_refused_at_their_lines(void **state)
{
    (void)state;
    struct faults faults = {0};
    struct config *config = load_text(
        HEAD ACCOUNT "forward = ( { name = \"a\"; from = \"a\"; to = { queue = \"q\"; };\n"
                     " when = \".t\"; body = \"jq:.t\"; },\n"
                     " { name = \"b\"; from = \"a\"; to = { queue = \"q\"; };\n"
                     " when = \".t\"; } );",
        &faults);
    assert_faults(&faults, "");
    const struct forward_rule *rules = config->rules->forward;
    assert_true(span_eq_str(jq_program_text(rules[0].when), ".t"));
    assert_ptr_equal(rules[0].when, rules[0].jq);
    assert_ptr_equal(rules[0].when, rules[1].when);
    assert_null(rules[1].jq);
    config_free(config);

    assert_null(load_text(HEAD ACCOUNT "forward = { name = \"a\"; from = \"a\"; to = { queue = "
                                       "\"q\"; };\n when = \".t >\";\n body = \"jq:\"; };",
                          &faults));
    assert_int_equal(faults.count, 2);
    static const char *const begin[] = {
        "forward.when cannot be \".t >\": jq: error: syntax error",
        "forward.body cannot be \"jq:\": a jq program must have 1 to "};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(faults.list[i].line, 4 + (int)i);
        if (strncmp(faults.list[i].text, begin[i], strlen(begin[i])) != 0)
            fail_msg("%s", faults.list[i].text);
    }
    faults_fini(&faults);
}

static struct config *load_resources(const char *text, struct faults *faults)
{
    write_file("local.cfg", text, strlen(text));
    struct config *config = config_load_resources(in_folder("local.cfg"), faults);
    (void)unlink(in_folder("local.cfg"));
    return config;
}

static void the_local_server_needs_resources_alone(void **state)
{
    (void)state;
    struct faults faults = {0};
    struct config *config =
        load_resources("resources = { topics = { name = \"t\"; subscriptions = { name = \"s\"; "
                       "queue = \"q\"; }; }; queues = { name = \"q\"; }; };",
                       &faults);
    assert_faults(&faults, "");
    assert_non_null(config);
    assert_int_equal(config->resources.queue_count, 1);
    assert_string_equal(config->resources.topics[0].subscriptions[0].queue, "q");
    assert_string_equal(config->cmq.secret_id, "");
    config_free(config);
}

static void the_local_server_takes_secrets_it_cannot_resolve_as_a_warning(void **state)
{
    (void)state;
    struct faults faults = {0};
    (void)unsetenv("CMQGW_TEST_UNSET");
    struct config *config =
        load_resources("cmq = { secret_id = \"@env:CMQGW_TEST_UNSET\"; };\n"
                       "forward = { name = \"a\"; from = \"a\"; to = { queue = \"q\"; }; };",
                       &faults);
    assert_non_null(config);
    assert_string_equal(config->cmq.secret_id, "@env:CMQGW_TEST_UNSET");
    config_free(config);
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.errors, 0);
    assert_string_equal(faults.list[0].text, "cmq.secret_id cannot be resolved here: the "
                                             "environment variable CMQGW_TEST_UNSET is not set");
    faults_fini(&faults);
}

static struct config *load_offline(const char *text, struct faults *faults)
{
    (void)unsetenv("CMQGW_TEST_UNSET");
    write_file("gateway.cfg", text, strlen(text));
    struct config *config = config_load_offline(in_folder("gateway.cfg"), faults);
    (void)unlink(in_folder("gateway.cfg"));
    return config;
}

static void
offline_a_reference_that_cannot_be_resolved_is_a_warning_and_the_default_holds(void **state)
{
    (void)state;
    static const char text[] =
        "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
        "mqtt = { servers = [ \"@env:CMQGW_TEST_UNSET\", \"tcp://127.0.0.1:1\" ];\n"
        "  keep_alive = \"@env:CMQGW_TEST_UNSET\";\n"
        "  username = \"u\"; password = \"@file:/no/such/file\"; };\n"
        "cmq = { endpoint = \"@env:CMQGW_TEST_UNSET\"; secret_id = \"@env:CMQGW_TEST_UNSET\";\n"
        "  secret_key = \"@env:CMQGW_TEST_SECRET\"; };\n"
        "forward = { name = \"a\"; from = \"a\"; to = { queue = \"q\"; }; };\n";
    static const struct {
        int line;
        const char *text;
    } expected[] = {
        {2, "mqtt.servers cannot be resolved here: the environment variable CMQGW_TEST_UNSET is "
            "not set"},
        {3, "mqtt.keep_alive cannot be resolved here: the environment variable CMQGW_TEST_UNSET is "
            "not set"},
        {4, "mqtt.password cannot be resolved here: cannot read /no/such/file: No such file or "
            "directory"},
        {5, "cmq.endpoint cannot be resolved here: the environment variable CMQGW_TEST_UNSET is "
            "not set"},
        {5, "cmq.secret_id cannot be resolved here: the environment variable CMQGW_TEST_UNSET is "
            "not set"},
    };
    struct faults faults = {0};
    struct config *config = load_offline(text, &faults);
    assert_non_null(config);
    assert_int_equal(config->mqtt.server_count, 1);
    assert_int_equal(config->mqtt.keep_alive_s, 30);
    assert_string_equal(config->cmq.endpoint, "");
    config_free(config);
    assert_int_equal(faults.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < faults.count; i++) {
        assert_int_equal(faults.list[i].level, FAULT_WARNING);
        assert_int_equal(faults.list[i].line, expected[i].line);
        assert_string_equal(faults.list[i].text, expected[i].text);
    }
    faults_fini(&faults);

    /* To run, all of that is an error. */
    assert_null(load_text(text, &faults));
    assert_int_equal(faults.errors, sizeof expected / sizeof *expected);
    faults_fini(&faults);
}

static void offline_what_nothing_can_be_checked_without_must_be_resolved(void **state)
{
    (void)state;
    struct faults faults = {0};
    assert_null(load_offline(
        "gateway = { id = \"@env:CMQGW_TEST_UNSET\"; state_dir = \"s\"; };\n"
        "mqtt = { servers = \"tcp://127.0.0.1:1\"; password = \"@word\"; username = \"u\"; };\n"
        "forward = { name = \"a\"; from = \"@env:CMQGW_TEST_UNSET\"; to = { queue = \"q\"; }; };\n"
        "cmq = { endpoint = \"http://h\"; secret_id = \"@@i\"; secret_key = \"@@k\"; };\n",
        &faults));
    assert_int_equal(faults.errors, 3);
    faults_fini(&faults);
}

static void hints_are_given_to_who_asks_for_them(void **state)
{
    (void)state;
    static const char text[] = HEAD ACCOUNT
        "forward = ( { name = \"a\"; from = \"a/+x/#y\"; to = (\n"
        "    { topic = \"t\"; route = \"{x}.{json:/a/b|lower}.{y|slice:0:8}\"; },\n"
        "    { topic = \"t\"; route = \"{x|slice:0:40}.{qos}{retain}{x|shard:1000}\"; },\n"
        "    { topic = \"t\"; route = \"{x|slice:0:40}.{rule}.{y|slice:0:30}\"; },\n"
        "    { topic = \"t\"; tags = [ \"{json:/t|default:none|slice:0:12}\", \"level-{user:k}\" "
        "]; },\n"
        "    { queue = \"q-{x|shard:16}\"; }, { queue = \"{content_type}\"; } ); } );\n"
        "reverse = ( { name = \"b\"; from = { queue = \"down\"; }; to = \"c/{json:/d}/{rule}\"; } "
        ");\n";
    static const char *const expected[] = {
        "a message without {json:/a/b|lower}, in the route",
        "the route \"{x}.{json:/a/b|lower}.{y|slice:0:8}\" may be longer than 64 bytes, which is "
        "a dead letter: {json:/a/b|lower} has no bound; |slice:0:N gives it one",
        "the route \"{x|slice:0:40}.{rule}.{y|slice:0:30}\" may be longer than 64 bytes, which is "
        "a dead letter: up to 72",
        "a message without {user:k}, in the tag",
        "the tag \"level-{user:k}\" may be longer than 16 characters",
        "a message without {content_type}, in the queue",
        "the queue \"{content_type}\" may be longer than 64 bytes",
        "a message without {json:/d}, in the topic \"c/{json:/d}/{rule}\", is a dead letter; "
        "|default:TEXT gives it a value",
    };
    struct faults faults = {0};
    config_free(load_text(text, &faults));
    assert_faults(&faults, "");
    faults.hints = true;
    struct config *config = load_text(text, &faults);
    assert_non_null(config);
    config_free(config);
    assert_int_equal(faults.errors, 0);
    assert_int_equal(faults.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < faults.count; i++) {
        assert_int_equal(faults.list[i].level, FAULT_HINT);
        if (strncmp(faults.list[i].text, expected[i], strlen(expected[i])) != 0)
            fail_msg("%s", faults.list[i].text);
    }
    faults_fini(&faults);
}

static void the_local_server_checks_the_rest_as_always(void **state)
{
    (void)state;
    struct faults faults = {0};
    assert_null(
        load_resources("mqtt = { version = 5; }; resources = { queues = { }; }; x = 1;", &faults));
    assert_int_equal(faults.errors, 3);
    faults_fini(&faults);
}

static int begin(void **state)
{
    (void)state;
    return !mkdtemp(folder) || setenv("CMQGW_TEST_SECRET", "hunter2", 1) != 0;
}

static int end(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_has_its_default),
        cmocka_unit_test(a_file_that_is_not_there_is_a_fault),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
        cmocka_unit_test(a_fault_more_than_the_rules_allowed_is_said_once),
        cmocka_unit_test(faults_of_an_earlier_file_do_not_fail_a_good_one),
        cmocka_unit_test(rule_files_are_read_in_byte_order_of_their_names),
        cmocka_unit_test(an_exposed_secret_file_is_a_warning),
        cmocka_unit_test(every_kind_of_string_may_be_a_reference),
        cmocka_unit_test(a_gateway_that_only_takes_pushes_needs_no_account),
        cmocka_unit_test(a_jq_program_that_does_not_compile_is_a_fault_at_its_line),
        cmocka_unit_test(programs_of_forward_rules_are_compiled_once_and_refused_at_their_lines),
        cmocka_unit_test(the_local_server_needs_resources_alone),
        cmocka_unit_test(the_local_server_takes_secrets_it_cannot_resolve_as_a_warning),
        cmocka_unit_test(
            offline_a_reference_that_cannot_be_resolved_is_a_warning_and_the_default_holds),
        cmocka_unit_test(offline_what_nothing_can_be_checked_without_must_be_resolved),
        cmocka_unit_test(hints_are_given_to_who_asks_for_them),
        cmocka_unit_test(the_local_server_checks_the_rest_as_always),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
