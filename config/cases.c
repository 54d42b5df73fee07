/* cases - the tests inside rule files (RULES 6) */
#include "config/list.h"
#include "config/reader.h"

enum { MAX_EXPECTED = 1000, MAX_REACHES = 1000 };

static bool user_property_ok(struct span text, const char **why)
{
    if (span_find(text, '=') < text.len)
        return true;
    *why = "a user property is KEY=VALUE";
    return false;
}

static bool reason_code_ok(struct span text, const char **why)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') && text.ptr[i] != '_' &&
            !(text.ptr[i] >= '0' && text.ptr[i] <= '9')) {
            *why = "a reason's code has only small letters, digits and '_'";
            return false;
        }
    }
    return true;
}

static const struct option publish_options[] = {
    {.name = "topic",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct config_test, topic),
     .check = topic_name_ok,
     .max = TOPIC_MAX_BYTES,
     .text = "The MQTT topic."},
    {.name = "payload",
     .kind = OPTION_STRING,
     .bytes = true,
     OPTION_AT(struct config_test, payload),
     .preset = "",
     .text = "The payload."},
    {.name = "qos",
     .kind = OPTION_INT,
     OPTION_AT(struct config_test, qos),
     .preset = "1",
     .max = 2,
     .text = "The QoS it comes with."},
    {.name = "retain",
     .kind = OPTION_BOOL,
     OPTION_AT(struct config_test, retain),
     .preset = "false",
     .text = "Whether it is a retained copy."},
    {.name = "content_type",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test, content_type),
     .max = TOPIC_MAX_BYTES,
     .text = "Its MQTT 5 content type."},
    {.name = "response_topic",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test, response_topic),
     .check = topic_name_ok,
     .max = TOPIC_MAX_BYTES,
     .text = "Its MQTT 5 response topic."},
    {.name = "user",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct config_test, user, user_count),
     .check = user_property_ok,
     .max = MQTT_MAX_USER_PROPERTIES,
     .text = "Its MQTT 5 user properties, each `\"KEY=VALUE\"`."},
};
static const struct option_group publish_group = {
    "tests.publish", "A message from MQTT.", publish_options, OPTION_COUNT(publish_options), false};

static const struct option receive_options[] = {
    {.name = "queue",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct config_test, queue),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue it is taken from."},
    {.name = "body",
     .kind = OPTION_STRING,
     .bytes = true,
     OPTION_AT(struct config_test, body),
     .preset = "",
     .text = "The body."},
};
static const struct option_group receive_group = {
    "tests.receive", "A message from CMQ.", receive_options, OPTION_COUNT(receive_options), false};

static const struct option expect_options[] = {
    {.name = "rule",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, rule),
     .min = 1,
     .text = "The rule that does it."},
    {.name = "queue",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, queue),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "Tests that publish: the queue it goes to."},
    {.name = "topic",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, topic),
     .min = 1,
     .text = "The CMQ topic it goes to; of tests that receive, the MQTT topic."},
    {.name = "route",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, route),
     .check = cmq_route_ok,
     .max = CMQ_MAX_ROUTE_BYTES,
     .text = "Tests that publish: its routing key."},
    {.name = "tags",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct config_test_expect, tags, tag_count),
     .check = cmq_tag_ok,
     .max = CMQ_MAX_TAGS,
     .text = "Tests that publish: its tags."},
    {.name = "body",
     .kind = OPTION_STRING,
     .bytes = true,
     OPTION_AT(struct config_test_expect, body),
     .text = "Tests that publish: its body."},
    {.name = "reaches",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct config_test_expect, reaches, reach_count),
     .max = MAX_REACHES,
     .text = "Tests that publish: the queues and subscriptions that get it."},
    {.name = "delay",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config_test_expect, delay_s),
     .max = OPTION_S(CMQ_MAX_DELAY_S),
     .unit = 1000,
     .text = "Tests that publish: how long CMQ keeps it back."},
    {.name = "payload",
     .kind = OPTION_STRING,
     .bytes = true,
     OPTION_AT(struct config_test_expect, payload),
     .text = "Tests that receive: its payload."},
    {.name = "qos",
     .kind = OPTION_INT,
     OPTION_AT(struct config_test_expect, qos),
     .max = 2,
     .text = "Tests that receive: its QoS."},
    {.name = "retain",
     .kind = OPTION_BOOL,
     OPTION_AT(struct config_test_expect, retain),
     .text = "Tests that receive: whether it is to be retained."},
    {.name = "expiry",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config_test_expect, expiry_s),
     .max = OPTION_S(UINT32_MAX),
     .unit = 1000,
     .text = "Tests that receive: its MQTT 5 message expiry interval."},
    {.name = "response_topic",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, response_topic),
     .min = 1,
     .text = "Tests that receive: its MQTT 5 response topic."},
    {.name = "dead_letter",
     .kind = OPTION_STRING,
     OPTION_AT(struct config_test_expect, dead_letter),
     .check = reason_code_ok,
     .min = 1,
     .text =
         "No delivery but a dead letter (or parked): the code that its reason begins with, such as "
         "`template_missing`. Goes with `rule` only."},
};
static const struct option_group expect_group = {
    "tests.expect", "One delivery that must come of it; what is not given is not asked.",
    expect_options, OPTION_COUNT(expect_options), false};

static void refuse(struct reader *reader, const config_setting_t *setting, const char *const *names,
                   const char *why)
{
    for (; *names; names++) {
        if (reader_given(setting, *names))
            reader_fault_at(reader, reader_member_line(setting, *names), "tests.expect.%s %s",
                            *names, why);
    }
}

/* What only one kind of test can expect, and what only deliveries have. */
static void check_expect(struct reader *reader, const config_setting_t *setting,
                         const struct config_test_expect *expect, bool is_receive)
{
    static const char *const of_publish[] = {"queue",   "route", "tags", "body",
                                             "reaches", "delay", NULL};
    static const char *const of_receive[] = {"payload",        "qos", "retain", "expiry",
                                             "response_topic", NULL};
    static const char *const of_both[] = {"topic", NULL};
    refuse(reader, setting, is_receive ? of_publish : of_receive,
           is_receive ? "is for tests that publish, and this one receives"
                      : "is for tests that receive, and this one publishes");
    if (expect->dead_letter) {
        static const char why[] = "is of a delivery, and a dead letter is none";
        refuse(reader, setting, is_receive ? of_receive : of_publish, why);
        refuse(reader, setting, of_both, why);
    }
    const char *why;
    if (expect->topic &&
        !(is_receive ? topic_name_ok : cmq_name_ok)(span_of(expect->topic), &why)) {
        reader_fault_at(reader, reader_member_line(setting, "topic"),
                        "tests.expect.topic cannot be the topic's name: %s", why);
    }
    if (expect->rule) {
        names_mention(&reader->names, is_receive ? MENTION_REVERSE_RULE : MENTION_FORWARD_RULE,
                      expect->rule, reader->file, reader_member_line(setting, "rule"));
    }
}

static void read_expect(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct config_test *test = object;
    test->expect = list_grow(test->expect, test->expect_count, sizeof *test->expect);
    struct config_test_expect *expect = &test->expect[test->expect_count++];
    expect->qos = expect->retain = -1;
    expect->delay_s = expect->expiry_s = -1;
    expect->has_tags = reader_given(setting, "tags");
    expect->has_reaches = reader_given(setting, "reaches");
    expect->file = reader->file;
    expect->line = reader_line(setting);
    reader_group(reader, &expect_group, setting, expect->line, expect);
    check_expect(reader, setting, expect, test->is_receive);
}

static const struct option test_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct config_test, name),
     .text = "The sentence that it proves."},
    {.name = "publish",
     .kind = OPTION_GROUP,
     .group = &publish_group,
     .text = "See [tests.publish](#testspublish); one of `publish` and `receive` is required."},
    {.name = "receive",
     .kind = OPTION_GROUP,
     .group = &receive_group,
     .text = "See [tests.receive](#testsreceive)."},
    {.name = "expect",
     .kind = OPTION_GROUPS,
     .required = true,
     .group = &expect_group,
     .read = read_expect,
     .max = MAX_EXPECTED,
     .text = "All deliveries, see [tests.expect](#testsexpect). `( )`: none."},
};
const struct option_group option_tests = {"tests",
                                          "What `cmqgw test` proves; nothing is connected to.",
                                          test_options, OPTION_COUNT(test_options), false};

void case_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct config *config = object;
    config->tests = list_grow(config->tests, config->test_count, sizeof *config->tests);
    struct config_test *test = &config->tests[config->test_count++];
    bool publish = reader_given(setting, "publish"), receive = reader_given(setting, "receive");
    test->is_receive = receive && !publish;
    test->file = reader->file;
    test->line = reader_line(setting);
    reader_group(reader, &option_tests, setting, test->line, test);
    if (!publish && !receive)
        reader_fault_at(reader, test->line, "tests needs a publish or a receive");
    if (publish && receive) {
        reader_fault_at(reader, reader_member_line(setting, "receive"),
                        "tests.receive and tests.publish exclude each other");
    }
}

void cases_free(struct config *config)
{
    for (size_t i = 0; i < config->test_count; i++) {
        struct config_test *test = &config->tests[i];
        for (size_t j = 0; j < test->expect_count; j++)
            option_free(&expect_group, &test->expect[j]);
        free(test->expect);
        option_free(&option_tests, test);
    }
    free(config->tests);
}
