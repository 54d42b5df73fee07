/* Tests inside rule files, carried out: what meets an expectation, and what is left over. */
#include "gateway/trial.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char rules[] =
    "gateway = { id = \"edge-1\"; state_dir = \"/nonexistent/state\"; };\n"
    "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; };\n"
    "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"AKIDx\"; secret_key = \"k\"; };\n"
    "forward = (\n"
    "  { name = \"one\"; from = \"a/+x\"; to = ( { queue = \"q1\"; }, { queue = \"q2\"; } ); },\n"
    "  { name = \"two\"; from = \"a/#\"; to = { topic = \"t\"; tags = [ \"x\", \"y\" ]; }; },\n"
    "  { name = \"hot\"; from = \"b\"; when = \".t > 80\"; body = \"jq:.t\"; to = { queue = "
    "\"q1\"; "
    "}; },\n"
    "  { name = \"stray\"; from = \"s\"; to = { queue = \"q-{json:/n}\"; }; },\n"
    "  { name = \"properties\"; from = \"p\"; to = { queue = \"{user:k}\"; delay = \"1m\"; };\n"
    "    body = \"cloudevents\"; }\n"
    ");\n"
    "reverse = (\n"
    "  { name = \"down\"; from = { queue = \"d\"; }; to = \"c/{json:/i}\"; payload = \"jq:.p\"; "
    "},\n"
    "  { name = \"binary\"; from = { queue = \"b\"; }; to = \"c\"; payload = \"base64\"; },\n"
    "  { name = \"event\"; from = { queue = \"e\"; }; to = \"c\"; payload = \"cloudevents\";\n"
    "    expiry = \"5m\"; }\n"
    ");\n"
    "resources = {\n"
    "  queues = ( { name = \"q1\"; }, { name = \"q2\"; }, { name = \"d\"; }, { name = \"b\"; }, { "
    "name = \"e\"; } );\n"
    "  topics = ( { name = \"t\"; subscriptions = (\n"
    "    { name = \"s1\"; queue = \"q1\"; tags = [ \"x\" ]; },\n"
    "    { name = \"s2\"; url = \"http://h/p\"; } ); } );\n"
    "};\n";

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

/* The differences of one test, a line each. */
static void check(const char *test, const char *expected)
{
    struct buf text = BUF_INIT(1 << 16);
    struct faults faults = {0};
    buf_printf(&text, "%stests = ( { name = \"it\"; %s } );\n", rules, test);
    struct config *config = config_load_text("test.cfg", buf_span(&text), &faults);
    buf_clear(&text);
    faults_print(&faults, false, &text);
    if (!config)
        fail_msg("%s", buf_str(&text));
    faults_fini(&faults);
    buf_clear(&text);
    struct trial *trial = trial_new(config, &config->tests[0], jq);
    for (size_t i = 0; i < trial->difference_count; i++) {
        const struct trial_difference *d = &trial->differences[i];
        assert_true((d->expect == NULL) == (d->expected == NULL));
        buf_printf(&text, "%s / %s%s%s\n", d->expected ? d->expected : "-",
                   d->actual ? d->actual : "-", d->why ? " because " : "", d->why ? d->why : "");
    }
    if (strcmp(buf_str(&text), expected) != 0)
        fail_msg("%s\n--- differs in\n%s--- not in\n%s", test, buf_str(&text), expected);
    trial_free(trial);
    config_free(config);
    buf_fini(&text);
}

#define A "publish = { topic = \"a/b\"; payload = \"1\"; }; "
#define Q1 "{\"rule\": \"one\", \"queue\": \"q1\", \"body\": \"1\", \"reaches\": [\"q1\"]}"
#define Q2 "{\"rule\": \"one\", \"queue\": \"q2\", \"body\": \"1\", \"reaches\": [\"q2\"]}"
#define T                                                                                          \
    "{\"rule\": \"two\", \"topic\": \"t\", \"tags\": [\"x\", \"y\"], \"body\": \"1\", "            \
    "\"reaches\": "                                                                                \
    "[\"q1\", \"s2\"]}"

#define D "receive = { queue = \"d\"; body = \"{\\\"i\\\":7,\\\"p\\\":[ 1 ]}\"; }; "

static void a_list_that_names_all_that_comes_holds(void **state)
{
    (void)state;
    check(A "expect = ( { queue = \"q1\"; }, { queue = \"q2\"; }, { topic = \"t\"; } );", "");
    check(A "expect = ( { topic = \"t\"; tags = [ \"y\", \"x\" ]; reaches = [ \"s2\", \"q1\" ]; },"
            " { rule = \"one\"; }, { rule = \"one\"; body = \"1\"; } );",
          "");
    check(A "expect = ( { reaches = [ \"http://h/p\", \"s1\" ]; }, { reaches = [ \"q1\" ]; },"
            " { reaches = \"q2\"; } );",
          "");
    check("publish = { topic = \"c\"; }; expect = ( );", "");
}

static void a_broad_expectation_leaves_the_narrow_one_its_delivery(void **state)
{
    (void)state;
    check(A "expect = ( { rule = \"one\"; }, { body = \"1\"; }, { queue = \"q1\"; } );", "");
    check(A "expect = ( { body = \"1\"; }, { rule = \"one\"; }, { queue = \"q1\"; } );", "");
}

static void what_is_left_over_fails_on_either_side(void **state)
{
    (void)state;
    check(A "expect = ( );", "- / " Q1 "\n- / " Q2 "\n- / " T "\n");
    check(A "expect = ( { rule = \"one\"; }, { rule = \"one\"; } );", "- / " T "\n");
    check(A "expect = ( { rule = \"one\"; }, { rule = \"one\"; }, { rule = \"one\"; }, { }, { } );",
          "{\"rule\": \"one\"} / -\n{} / -\n");
    check(
        A
        "expect = ( { queue = \"q1\"; }, { queue = \"q3\"; body = \"1\"; }, { rule = \"two\"; } );",
        "{\"queue\": \"q3\", \"body\": \"1\"} / " Q2 "\n");
}

static void tags_and_reaches_are_complete_lists(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *json;
    } wrong[] = {
        {"tags = [ \"x\" ]", "\"tags\": [\"x\"]"},
        {"tags = [ ]", "\"tags\": []"},
        {"tags = [ \"x\", \"z\" ]", "\"tags\": [\"x\", \"z\"]"},
        {"reaches = [ \"q1\" ]", "\"reaches\": [\"q1\"]"},
        {"reaches = [ ]", "\"reaches\": []"},
        {"reaches = [ \"q1\", \"s2\", \"q2\" ]", "\"reaches\": [\"q1\", \"s2\", \"q2\"]"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf test = BUF_INIT(4096), expected = BUF_INIT(4096);
        buf_printf(&test,
                   A
                   "expect = ( { topic = \"t\"; %s; }, { queue = \"q1\"; }, { queue = \"q2\"; } );",
                   wrong[i].setting);
        buf_printf(&expected, "{\"topic\": \"t\", %s} / " T "\n", wrong[i].json);
        check(buf_str(&test), buf_str(&expected));
        buf_fini(&test);
        buf_fini(&expected);
    }
}

static void a_queue_that_resources_do_not_declare_is_not_reached(void **state)
{
    (void)state;
#define S "publish = { topic = \"s\"; payload = \"{\\\"n\\\":3}\"; }; "
    check(S "expect = ( { queue = \"q-3\"; reaches = [ ]; } );", "");
    check(
        S "expect = ( { rule = \"stray\"; reaches = [ \"q-3\" ]; } );",
        "{\"rule\": \"stray\", \"reaches\": [\"q-3\"]} / {\"rule\": \"stray\", \"queue\": \"q-3\", "
        "\"body\": \"{\\\"n\\\":3}\", \"reaches\": []} because its queue or topic is not declared "
        "in "
        "resources\n");
}

static void a_rule_that_fails_meets_nothing(void **state)
{
    (void)state;
    check(
        "publish = { topic = \"b\"; payload = \"[]\"; }; expect = ( { rule = \"hot\"; } );",
        "{\"rule\": \"hot\"} / {\"rule\": \"hot\", \"error\": \"jq_error: Cannot index array with "
        "string \\\"t\\\"\"}\n");
    check("receive = { queue = \"d\"; body = \"{}\"; }; expect = ( );",
          "- / {\"rule\": \"down\", \"error\": \"template_missing: {json:/i} is not in the "
          "payload\"}\n");
}

static void a_dead_letter_is_expected_by_the_code_of_its_reason(void **state)
{
    (void)state;
    check("publish = { topic = \"b\"; payload = \"[]\"; };"
          "expect = ( { rule = \"hot\"; dead_letter = \"jq_error\"; } );",
          "");
    check("receive = { queue = \"d\"; body = \"{}\"; };"
          "expect = ( { dead_letter = \"template_missing\"; } );",
          "");
    check("receive = { queue = \"d\"; body = \"{}\"; };"
          "expect = ( { dead_letter = \"template\"; } );",
          "{\"dead_letter\": \"template\"} / {\"rule\": \"down\", \"error\": \"template_missing: "
          "{json:/i} is not in the payload\"}\n");
    check(A "expect = ( { queue = \"q1\"; }, { rule = \"two\"; }, { dead_letter = \"x\"; } );",
          "{\"dead_letter\": \"x\"} / " Q2 "\n");
}

static void the_properties_of_a_message_count(void **state)
{
    (void)state;
#define P                                                                                          \
    "publish = { topic = \"p\"; payload = \"1\"; user = [ \"k=q1\", \"e==\" ]; "                   \
    "content_type = \"a/b\"; response_topic = \"r/1\"; }; "
#define E                                                                                          \
    "{\\\"specversion\\\":\\\"1.0\\\",\\\"id\\\":\\\"edge-1-0\\\",\\\"source\\\":\\\"/mqtt/"       \
    "edge-1\\\","                                                                                  \
    "\\\"type\\\":\\\"mqtt.message\\\",\\\"subject\\\":\\\"p\\\",\\\"time\\\":\\\"1970-01-01T00:"  \
    "00:00.000Z\\\","                                                                              \
    "\\\"mqttqos\\\":1,\\\"mqttretain\\\":false,\\\"mqttresponsetopic\\\":\\\"r/1\\\","            \
    "\\\"cmqgwvia\\\":\\\"edge-1\\\",\\\"mqttuser\\\":\\\"{\\\\\\\"k\\\\\\\":\\\\\\\"q1\\\\\\\","  \
    "\\\\\\\"e\\\\\\\":\\\\\\\"=\\\\\\\"}\\\","                                                    \
    "\\\"datacontenttype\\\":\\\"a/b\\\",\\\"data\\\":\\\"1\\\"}"
    check(P "expect = ( { queue = \"q1\"; delay = \"1m\"; body = \"" E "\"; } );", "");
    check(P "expect = ( { delay = \"0s\"; } );",
          "{\"delay\": \"0s\"} / {\"rule\": \"properties\", \"queue\": \"q1\", \"delay\": \"60s\", "
          "\"body\": \"" E "\", \"reaches\": [\"q1\"]}\n");
#define R                                                                                          \
    "receive = { queue = \"e\"; body = \"{\\\"specversion\\\":\\\"1.0\\\",\\\"id\\\":\\\"1\\\","   \
    "\\\"source\\\":\\\"s\\\",\\\"type\\\":\\\"t\\\",\\\"mqttresponsetopic\\\":\\\"r\\\","         \
    "\\\"data\\\":1}\"; }; "
    check(R "expect = ( { expiry = \"5m\"; response_topic = \"r\"; } );", "");
    check(R "expect = ( { expiry = \"6m\"; response_topic = \"r\"; } );",
          "{\"response_topic\": \"r\", \"expiry\": \"360s\"} / {\"rule\": \"event\", \"topic\": "
          "\"c\", "
          "\"payload\": \"1\", \"qos\": 1, \"retain\": false, \"expiry\": \"300s\", "
          "\"response_topic\": \"r\"}\n");
    check(R "expect = ( { response_topic = \"q\"; } );",
          "{\"response_topic\": \"q\"} / {\"rule\": \"event\", \"topic\": \"c\", "
          "\"payload\": \"1\", \"qos\": 1, \"retain\": false, \"expiry\": \"300s\", "
          "\"response_topic\": \"r\"}\n");
    check(D "expect = ( { expiry = \"0s\"; } );", "");
}

static void a_rule_that_does_not_apply_says_why(void **state)
{
    (void)state;
    check("publish = { topic = \"b\"; payload = \"{}\"; }; expect = ( { rule = \"hot\"; } );",
          "{\"rule\": \"hot\"} / - because its condition (when) is false or null\n");
    check("receive = { queue = \"x\"; }; expect = ( { rule = \"down\"; } );",
          "{\"rule\": \"down\"} / - because it reads the queue d\n");
}

static void what_would_be_published_is_compared_member_by_member(void **state)
{
    (void)state;
#define M                                                                                          \
    "{\"rule\": \"down\", \"topic\": \"c/7\", \"payload\": \"[1]\", \"qos\": 1, \"retain\": "      \
    "false}\n"
    check(D "expect = ( { rule = \"down\"; topic = \"c/7\"; payload = \"[1]\"; qos = 1; "
            "retain = false; } );",
          "");
    check(D "expect = ( { topic = \"c/8\"; } );", "{\"topic\": \"c/8\"} / " M);
    check(D "expect = ( { payload = \"[ 1 ]\"; } );", "{\"payload\": \"[ 1 ]\"} / " M);
    check(D "expect = ( { qos = 0; } );", "{\"qos\": 0} / " M);
    check(D "expect = ( { retain = true; } );", "{\"retain\": true} / " M);
    check(
        "receive = { queue = \"b\"; body = \"/w==\"; }; expect = ( { payload = \"\"; } );",
        "{\"payload\": \"\"} / {\"rule\": \"binary\", \"topic\": \"c\", \"payload\": \"\\u00ff\", "
        "\"qos\": 1, \"retain\": false}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_names_all_that_comes_holds),
        cmocka_unit_test(a_broad_expectation_leaves_the_narrow_one_its_delivery),
        cmocka_unit_test(what_is_left_over_fails_on_either_side),
        cmocka_unit_test(tags_and_reaches_are_complete_lists),
        cmocka_unit_test(a_queue_that_resources_do_not_declare_is_not_reached),
        cmocka_unit_test(a_rule_that_fails_meets_nothing),
        cmocka_unit_test(a_dead_letter_is_expected_by_the_code_of_its_reason),
        cmocka_unit_test(the_properties_of_a_message_count),
        cmocka_unit_test(a_rule_that_does_not_apply_says_why),
        cmocka_unit_test(what_would_be_published_is_compared_member_by_member),
    };
    return cmocka_run_group_tests(tests, start_jq, end_jq);
}
