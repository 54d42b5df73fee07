/* cases - the tests inside rule files (RULES 6) */
#include "config/list.h"
#include "config/reader.h"

enum { MAX_EXPECTED = 1000, MAX_REACHES = 1000 };

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
};
static const struct option_group expect_group = {
    "tests.expect", "One delivery that must come of it; what is not given is not asked.",
    expect_options, OPTION_COUNT(expect_options), false};

/* What only one kind of test can expect. */
static void check_expect(struct reader *reader, const config_setting_t *setting,
                         const struct config_test_expect *expect, bool is_receive)
{
    static const char *const of_publish[] = {"queue", "route", "tags", "body", "reaches", NULL};
    static const char *const of_receive[] = {"payload", "qos", "retain", NULL};
    for (const char *const *name = is_receive ? of_publish : of_receive; *name; name++) {
        if (reader_given(setting, *name)) {
            reader_fault_at(reader, reader_member_line(setting, *name),
                            "tests.expect.%s is for tests that %s, and this one %s", *name,
                            is_receive ? "publish" : "receive",
                            is_receive ? "receives" : "publishes");
        }
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
