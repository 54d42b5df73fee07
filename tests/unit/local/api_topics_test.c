/* The management plane's actions on topics and subscriptions: bounds, faults, effects. */
#include "api_caller.h"

static void every_number_of_a_topic_has_its_bounds(void **unused)
{
    (void)unused;
    static const struct {
        const char *field, *low, *least, *most, *high;
    } rows[] = {
        {"MaxMsgSize", "1023", "1024", "1048576", "1048577"},
        {"MsgRetentionSeconds", "59", "60", "86400", "86401"},
        {"FilterType", "0", "1", "2", "3"},
    };
    char body[200];
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"same\"}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *values[] = {rows[i].least, rows[i].most, rows[i].low, rows[i].high};
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(body, sizeof body, "{\"TopicName\":\"t%zu%zu\",\"%s\":%s}", i, k,
                           rows[i].field, values[k]);
            expect(k < 2 ? "ok" : "InvalidParameterValue", "CreateCmqTopic", body);
            (void)snprintf(body, sizeof body, "{\"TopicName\":\"same\",\"%s\":%s}", rows[i].field,
                           values[k]);
            expect(i == 2  ? "UnknownParameter" /* what a topic filters by cannot change */
                   : k < 2 ? "ok"
                           : "InvalidParameterValue",
                   "ModifyCmqTopicAttribute", body);
        }
    }
}

static void a_topic_is_described_as_it_is(void **unused)
{
    (void)unused;
    const cJSON *topic;
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"Plain\"}");
    topic = at(ask("DescribeCmqTopicDetail", "{\"TopicName\":\"pLAIN\"}"), "TopicDescribe");
    assert_true(span_starts(span_of(text_at(topic, "TopicId")), "cmqt-"));
    assert_string_equal(text_at(topic, "TopicName"), "Plain");
    assert_true(number_at(topic, "MaxMsgSize") == 65536);
    assert_true(number_at(topic, "MsgRetentionSeconds") == 86400);
    assert_true(number_at(topic, "FilterType") == 1);
    assert_true(number_at(topic, "CreateTime") == (double)NOW);
    assert_true(number_at(topic, "MsgCount") == 0);
    assert_true(number_at(topic, "SubscriptionCount") == 0);
    assert_true(number_at(topic, "Status") == 1);
    assert_true(cJSON_IsFalse(at(topic, "Trace")));
    expect("ok", "CreateCmqTopic",
           "{\"TopicName\":\"Full\",\"FilterType\":2,\"MaxMsgSize\":2048,\"Trace\":true,"
           "\"MsgRetentionSeconds\":600,\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}");
    now_ms += 1000;
    expect("ok", "ModifyCmqTopicAttribute", "{\"TopicName\":\"full\",\"MaxMsgSize\":4096}");
    topic = at(ask("DescribeCmqTopicDetail", "{\"TopicName\":\"full\"}"), "TopicDescribe");
    assert_true(number_at(topic, "MaxMsgSize") == 4096);
    assert_true(number_at(topic, "MsgRetentionSeconds") == 600);
    assert_true(number_at(topic, "FilterType") == 2);
    assert_true(number_at(topic, "LastModifyTime") == (double)NOW + 1000);
    assert_true(cJSON_IsTrue(at(topic, "Trace")));
    assert_string_equal(text_at(topic, "Tags.0.TagValue"), "b");
}

static void topics_that_are_or_are_not_there(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *action, *body;
    } rows[] = {
        {"ok", "CreateCmqTopic", "{\"TopicName\":\"t\"}"},
        {"ResourceInUse.Topic", "CreateCmqTopic", "{\"TopicName\":\"T\"}"},
        {"InvalidParameterValue", "CreateCmqTopic", "{\"TopicName\":\"t!\"}"},
        {"MissingParameter", "CreateCmqTopic", "{}"},
        {"ResourceNotFound.Topic", "ModifyCmqTopicAttribute", "{\"TopicName\":\"u\"}"},
        {"ResourceNotFound.Topic", "DeleteCmqTopic", "{\"TopicName\":\"u\"}"},
        {"ResourceNotFound.Topic", "DescribeCmqTopicDetail", "{\"TopicName\":\"u\"}"},
        {"ResourceNotFound.Topic", "DescribeCmqTopicDetail", "{}"},
        {"ResourceNotFound.Topic", "DescribeCmqSubscriptionDetail", "{\"TopicName\":\"u\"}"},
        {"ok", "DeleteCmqTopic", "{\"TopicName\":\"T\"}"},
        {"ResourceNotFound.Topic", "DeleteCmqTopic", "{\"TopicName\":\"t\"}"},
        {"ok", "CreateCmqQueue", "{\"QueueName\":\"t\"}"}, /* queues have names of their own */
        {"ok", "CreateCmqTopic", "{\"TopicName\":\"t\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, rows[i].action, rows[i].body);
}

static void topics_are_listed(void **unused)
{
    (void)unused;
    static const struct {
        const char *body, *first;
        double total;
    } rows[] = {
        {"{}", "alpha", 3},
        {"{\"Offset\":1,\"Limit\":1}", "beta", 3},
        {"{\"TopicName\":\"ET\"}", "beta", 1},
        {"{\"TopicNameList\":[\"gamma\"]}", "gamma", 1},
        {"{\"Filters\":[{\"Name\":\"tag:k\",\"Values\":[\"v\"]}]}", "beta", 1},
    };
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"alpha\"}");
    expect("ok", "CreateCmqTopic",
           "{\"TopicName\":\"beta\",\"Tags\":[{\"TagKey\":\"k\",\"TagValue\":\"v\"}]}");
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"gamma\"}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cJSON *response = ask("DescribeCmqTopics", rows[i].body);
        assert_string_equal(text_at(response, "TopicList.0.TopicName"), rows[i].first);
        assert_true(number_at(response, "TotalCount") == rows[i].total);
    }
    expect("MissingParameter", "DescribeCmqTopics", "{\"Offset\":1}");
    expect("InvalidParameterValue", "DescribeCmqTopics", "{\"Limit\":51}");
}

static void make_two_topics(void)
{
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"tags\"}");
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"routes\",\"FilterType\":2}");
}

#define SUB(topic, name, protocol, endpoint)                                                       \
    "{\"TopicName\":\"" topic "\",\"SubscriptionName\":\"" name "\",\"Protocol\":\"" protocol      \
    "\",\"Endpoint\":\"" endpoint "\""
#define SIXTEEN "0123456789abcdef"
#define LONG_KEY SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static void subscriptions_follow_the_rules(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *body;
    } rows[] = {
        {"ok", SUB("tags", "s", "queue", "Q") "}"},
        {"ResourceInUse.Subscription", SUB("tags", "S", "queue", "q") "}"},
        {"ResourceNotFound.Topic", SUB("nobody", "s", "queue", "q") "}"},
        {"ResourceNotFound", SUB("tags", "t", "queue", "nobody") "}"},
        {"InvalidParameterValue", SUB("tags", "1", "queue", "q") "}"},
        {"InvalidParameterValue", SUB("tags", "t", "smtp", "q") "}"},
        {"MissingParameter", "{\"TopicName\":\"tags\",\"SubscriptionName\":\"t\"}"},
        {"InvalidParameterValue", SUB("tags", "t", "http", "ftp://h/") "}"},
        {"InvalidParameterValue", SUB("tags", "t", "http", "http://h/a b") "}"},
        {"InvalidParameterValue", SUB("tags", "t", "http",
                                      "http://h/" LONG_KEY LONG_KEY LONG_KEY LONG_KEY LONG_KEY
                                          LONG_KEY LONG_KEY LONG_KEY) "}"},
        {"InvalidParameterValue",
         SUB("tags", "t", "queue", "q") ",\"NotifyContentFormat\":\"JSON\"}"},
        {"InvalidParameterValue",
         SUB("tags", "t", "http", "http://h/") ",\"NotifyContentFormat\":\"XML\"}"},
        {"InvalidParameterValue",
         SUB("tags", "t", "http", "http://h/") ",\"NotifyStrategy\":\"NEVER\"}"},
        {"ok", SUB("tags", "five", "queue", "q") ",\"FilterTag\":[\"" SIXTEEN
                                                 "\",\"b\",\"c\",\"d\",\"e\"]}"},
        {"InvalidParameterValue",
         SUB("tags", "t", "queue", "q") ",\"FilterTag\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"},
        {"InvalidParameterValue",
         SUB("tags", "t", "queue", "q") ",\"FilterTag\":[\"" SIXTEEN "x\"]}"},
        {"InvalidParameterValue", SUB("tags", "t", "queue", "q") ",\"FilterTag\":[\"\"]}"},
        {"InvalidParameter", SUB("tags", "t", "queue", "q") ",\"FilterTag\":\"a\"}"},
        {"UnknownParameter", SUB("tags", "t", "queue", "q") ",\"FilterTags\":[\"a\"]}"},
        {"MissingParameter", SUB("routes", "t", "queue", "q") "}"},
        {"MissingParameter", SUB("routes", "t", "queue", "q") ",\"FilterTag\":[\"a\"]}"},
        {"ok", SUB("routes", "five", "queue", "q") ",\"BindingKey\":[\"" LONG_KEY
                                                   "\",\"#\",\"*.a\",\"a\",\"b\"]}"},
        {"InvalidParameterValue",
         SUB("routes", "t", "queue", "q") ",\"BindingKey\":[\"" LONG_KEY "x\"]}"},
        {"InvalidParameterValue",
         SUB("routes", "t", "queue", "q") ",\"BindingKey\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"},
        {"InvalidParameterValue",
         SUB("routes", "t", "queue",
             "q") ",\"BindingKey\":[\"1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7\"]}"},
        {"ok", SUB("tags", "hook", "http", "http://127.0.0.1:1/in") "}"},
    };
    make_two_topics();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "CreateCmqSubscribe", rows[i].body);
    assert_null(topic_find(store_topic(store, span_of("tags")), span_of("t")));
    assert_null(topic_find(store_topic(store, span_of("routes")), span_of("t")));
}

static void a_subscription_is_described_as_it_is(void **unused)
{
    (void)unused;
    make_two_topics();
    const cJSON *made = ask("CreateCmqSubscribe", SUB("tags", "Hook", "http", "http://h:1/x") "}");
    char *id = span_dup(span_of(text_at(made, "SubscriptionId")));
    const cJSON *s =
        at(ask("DescribeCmqSubscriptionDetail", "{\"TopicName\":\"TAGS\"}"), "SubscriptionSet.0");
    assert_string_equal(text_at(s, "SubscriptionId"), id);
    free(id);
    assert_string_equal(text_at(s, "SubscriptionName"), "Hook");
    assert_string_equal(text_at(s, "TopicName"), "tags");
    assert_string_equal(text_at(s, "Protocol"), "http");
    assert_string_equal(text_at(s, "Endpoint"), "http://h:1/x");
    assert_string_equal(text_at(s, "NotifyStrategy"), "EXPONENTIAL_DECAY_RETRY");
    assert_string_equal(text_at(s, "NotifyContentFormat"), "JSON");
    assert_true(number_at(s, "CreateTime") == (double)NOW);
    assert_true(number_at(s, "MsgCount") == 0);
    assert_true(number_at(s, "TopicOwner") > 0);
    assert_int_equal(cJSON_GetArraySize(at(s, "FilterTags")), 0);
    assert_int_equal(cJSON_GetArraySize(at(s, "BindingKey")), 0);
    expect("ok", "CreateCmqSubscribe",
           SUB("routes", "r", "queue", "q") ",\"BindingKey\":[\"a.#\"],\"FilterTag\":[\"x\"],"
                                            "\"NotifyStrategy\":\"BACKOFF_RETRY\"}");
    s = at(ask("DescribeCmqSubscriptionDetail", "{\"TopicName\":\"routes\"}"), "SubscriptionSet.0");
    assert_string_equal(text_at(s, "BindingKey.0"), "a.#");
    assert_int_equal(cJSON_GetArraySize(at(s, "FilterTags")), 0); /* without effect here */
    assert_string_equal(text_at(s, "NotifyStrategy"), "BACKOFF_RETRY");
    assert_string_equal(text_at(s, "NotifyContentFormat"), "SIMPLIFIED");
}

static void subscriptions_are_listed(void **unused)
{
    (void)unused;
    static const struct {
        const char *body, *first;
        double total;
    } rows[] = {
        {"{\"TopicName\":\"tags\"}", "one", 2},
        {"{\"TopicName\":\"tags\",\"QueryType\":\"topic\",\"Offset\":1,\"Limit\":5}", "two", 2},
        {"{\"TopicName\":\"tags\",\"SubscriptionName\":\"TW\"}", "two", 1},
        {"{\"QueryType\":\"queue\",\"QueueName\":\"q\"}", "one", 2},
        {"{\"QueryType\":\"queue\",\"QueueName\":\"q\",\"TopicName\":\"routes\"}", "three", 1},
        {"{\"TopicName\":\"tags\",\"QueueName\":\"q\"}", "one", 1},
        {"{\"TopicName\":\"tags\",\"SubscriptionName\":\"none\"}", NULL, 0},
    };
    static const struct {
        const char *code, *body;
    } faults[] = {
        {"MissingParameter", "{}"},
        {"MissingParameter", "{\"QueryType\":\"queue\",\"TopicName\":\"tags\"}"},
        {"ResourceNotFound", "{\"QueryType\":\"queue\",\"QueueName\":\"nobody\"}"},
        {"MissingParameter", "{\"TopicName\":\"tags\",\"Offset\":1}"},
        {"InvalidParameterValue", "{\"TopicName\":\"tags\",\"Limit\":51}"},
        {"InvalidParameterValue", "{\"TopicName\":\"tags\",\"QueryType\":\"all\"}"},
    };
    make_two_topics();
    expect("ok", "CreateCmqSubscribe", SUB("tags", "one", "queue", "q") "}");
    expect("ok", "CreateCmqSubscribe", SUB("tags", "two", "http", "http://h/") "}");
    expect("ok", "CreateCmqSubscribe",
           SUB("routes", "three", "queue", "q") ",\"BindingKey\":[\"#\"]}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cJSON *response = ask("DescribeCmqSubscriptionDetail", rows[i].body);
        assert_true(number_at(response, "TotalCount") == rows[i].total);
        if (rows[i].first) {
            assert_string_equal(text_at(response, "SubscriptionSet.0.SubscriptionName"),
                                rows[i].first);
        } else {
            assert_int_equal(cJSON_GetArraySize(at(response, "SubscriptionSet")), 0);
        }
    }
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        expect(faults[i].code, "DescribeCmqSubscriptionDetail", faults[i].body);
}

static uint64_t count(void)
{
    return store_queue(store, span_of("q"))->active_count;
}

static void a_changed_filter_takes_effect(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *action, *body;
        uint64_t delivered;
    } rows[] = {
        {"ok", "CreateCmqSubscribe", SUB("tags", "s", "queue", "q") ",\"FilterTag\":[\"a\"]}", 0},
        {"ok", "PublishCmqMsg",
         "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"a\",\"b\"]}", 1},
        {"FailedOperation", "PublishCmqMsg",
         "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"b\"]}", 1},
        {"ok", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"S\",\"FilterTags\":[\"b\"]}", 1},
        {"ok", "PublishCmqMsg", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"b\"]}",
         2},
        {"ok", "ModifyCmqSubscriptionAttribute", /* the rest stays */
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\","
         "\"NotifyStrategy\":\"BACKOFF_RETRY\"}",
         2},
        {"FailedOperation", "PublishCmqMsg",
         "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"a\"]}", 2},
        {"ok", "ClearCmqSubscriptionFilterTags",
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\"}", 2},
        {"ok", "PublishCmqMsg", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\"}", 3},
        {"InvalidParameterValue", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\",\"NotifyContentFormat\":\"JSON\"}", 3},
        {"UnknownParameter", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\",\"FilterTag\":[\"b\"]}", 3},
        {"InvalidParameterValue", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\",\"FilterTags\":[\"" SIXTEEN "x\"]}",
         3},
        {"ok", "CreateCmqSubscribe", SUB("routes", "r", "queue", "q") ",\"BindingKey\":[\"a.*\"]}",
         3},
        {"ok", "PublishCmqMsg",
         "{\"TopicName\":\"routes\",\"MsgContent\":\"x\",\"MsgTag\":[\"a.b\"]}", 4},
        {"ok", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"routes\",\"SubscriptionName\":\"r\",\"BindingKey\":[\"#.z\"]}", 4},
        {"FailedOperation", "PublishCmqMsg",
         "{\"TopicName\":\"routes\",\"MsgContent\":\"x\",\"MsgTag\":[\"a.b\"]}", 4},
        {"ok", "ClearCmqSubscriptionFilterTags", /* which it has none of */
         "{\"TopicName\":\"routes\",\"SubscriptionName\":\"r\"}", 4},
        {"ok", "PublishCmqMsg",
         "{\"TopicName\":\"routes\",\"MsgContent\":\"x\",\"MsgTag\":[\"z\"]}", 5},
        {"MissingParameter", "ModifyCmqSubscriptionAttribute",
         "{\"TopicName\":\"routes\",\"SubscriptionName\":\"r\",\"BindingKey\":[]}", 5},
    };
    make_two_topics();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect(rows[i].code, rows[i].action, rows[i].body);
        if (count() != rows[i].delivered)
            fail_msg("%s %s: %llu", rows[i].action, rows[i].body, (unsigned long long)count());
    }
}

static void subscriptions_that_are_not_there_are_not_found(void **unused)
{
    (void)unused;
    static const char *const actions[] = {"ModifyCmqSubscriptionAttribute", "DeleteCmqSubscribe",
                                          "ClearCmqSubscriptionFilterTags"};
    make_two_topics();
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        expect("ResourceNotFound", actions[i],
               "{\"TopicName\":\"tags\",\"SubscriptionName\":\"s\"}");
        expect("ResourceNotFound.Topic", actions[i],
               "{\"TopicName\":\"nobody\",\"SubscriptionName\":\"s\"}");
        expect("MissingParameter", actions[i], "{\"TopicName\":\"tags\"}");
    }
}

static void what_is_deleted_takes_its_subscriptions_along(void **unused)
{
    (void)unused;
    make_two_topics();
    expect("ok", "CreateCmqSubscribe", SUB("tags", "one", "queue", "q") "}");
    expect("ok", "CreateCmqSubscribe", SUB("tags", "two", "http", "http://h/") "}");
    expect("FailedOperation", "DeleteCmqTopic", "{\"TopicName\":\"tags\"}");
    expect("ok", "PublishCmqMsg", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\"}");
    const cJSON *response = ask("DescribeCmqTopicDetail", "{\"TopicName\":\"tags\"}");
    assert_true(number_at(response, "TopicDescribe.MsgCount") == 1);
    assert_true(number_at(response, "TopicDescribe.SubscriptionCount") == 2);
    expect("ok", "DeleteCmqQueue", "{\"QueueName\":\"q\"}");
    response = ask("DescribeCmqSubscriptionDetail", "{\"TopicName\":\"tags\"}");
    assert_true(number_at(response, "TotalCount") == 1);
    assert_string_equal(text_at(response, "SubscriptionSet.0.SubscriptionName"), "two");
    assert_true(number_at(response, "SubscriptionSet.0.MsgCount") == 1);
    expect("ok", "DeleteCmqSubscribe", "{\"TopicName\":\"tags\",\"SubscriptionName\":\"two\"}");
    assert_true(store_bytes(store) == 0); /* what was still to be pushed has gone with it */
    expect("FailedOperation", "PublishCmqMsg", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\"}");
    expect("ok", "DeleteCmqTopic", "{\"TopicName\":\"tags\"}");
}

static void publishing_follows_the_rules(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *body;
    } rows[] = {
        {"ok", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"" LONG_KEY "\"]}"},
        {"InvalidParameterValue",
         "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"" LONG_KEY "x\"]}"},
        {"InvalidParameterValue",
         "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"\"]}"},
        {"ok", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\",\"MsgTag\":[\"" LONG_KEY
               "\",\"" LONG_KEY "\",\"" LONG_KEY "\",\"" LONG_KEY "\",\"" LONG_KEY "\"]}"},
        {"InvalidParameterValue", "{\"TopicName\":\"tags\",\"MsgContent\":\"x\","
                                  "\"MsgTag\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"},
        {"InvalidParameterValue", "{\"TopicName\":\"tags\",\"MsgContent\":\"\"}"},
        {"MissingParameter", "{\"TopicName\":\"tags\"}"},
        {"ResourceNotFound", "{\"TopicName\":\"nobody\",\"MsgContent\":\"x\"}"},
        {"InvalidParameterValue", "{\"TopicName\":\"routes\",\"MsgContent\":\"x\"}"},
        {"InvalidParameterValue",
         "{\"TopicName\":\"routes\",\"MsgContent\":\"x\",\"MsgTag\":[\"a\",\"b\"]}"},
        {"InvalidParameterValue", "{\"TopicName\":\"routes\",\"MsgContent\":\"x\","
                                  "\"MsgTag\":[\"1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7\"]}"},
        {"FailedOperation", "{\"TopicName\":\"routes\",\"MsgContent\":\"x\",\"MsgTag\":[\"a\"]}"},
    };
    make_two_topics();
    expect("ok", "CreateCmqSubscribe", SUB("tags", "hook", "http", "http://127.0.0.1:1/") "}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "PublishCmqMsg", rows[i].body);
    expect("ok", "ModifyCmqTopicAttribute", "{\"TopicName\":\"tags\",\"MaxMsgSize\":1024}");
    struct buf body = BUF_INIT(4000);
    buf_add_str(&body, "{\"TopicName\":\"tags\",\"MsgContent\":\"");
    for (int i = 0; i < 1024; i++)
        buf_add_char(&body, 'x');
    size_t full = body.len;
    buf_add_str(&body, "\"}");
    expect("ok", "PublishCmqMsg", buf_str(&body));
    body.len = full;
    buf_add_str(&body, "x\"}");
    expect("InvalidParameterValue", "PublishCmqMsg", buf_str(&body));
    buf_fini(&body);
}

static void a_topic_has_a_thousand_subscriptions(void **unused)
{
    (void)unused;
    char name[16];
    make_two_topics();
    struct topic *topic = store_topic(store, span_of("tags"));
    for (int i = 0; i < API_MAX_SUBSCRIPTIONS; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        (void)topic_subscribe(topic, span_of(name), NULL, 0);
    }
    expect("LimitExceeded", "CreateCmqSubscribe", SUB("tags", "more", "queue", "q") "}");
}

static void an_account_has_ten_thousand_topics(void **unused)
{
    (void)unused;
    const struct topic_attributes plain = {.retention_s = 60, .max_size_bytes = 1024};
    char name[16];
    for (int i = 0; i < API_MAX_TOPICS; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        assert_non_null(store_add_topic(store, span_of(name), &plain, NULL));
    }
    expect("LimitExceeded.Topics", "CreateCmqTopic", "{\"TopicName\":\"more\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_of_a_topic_has_its_bounds),
        TEST(a_topic_is_described_as_it_is),
        TEST(topics_that_are_or_are_not_there),
        TEST(topics_are_listed),
        TEST(subscriptions_follow_the_rules),
        TEST(a_subscription_is_described_as_it_is),
        TEST(subscriptions_are_listed),
        TEST(a_changed_filter_takes_effect),
        TEST(subscriptions_that_are_not_there_are_not_found),
        TEST(what_is_deleted_takes_its_subscriptions_along),
        TEST(publishing_follows_the_rules),
        TEST(a_topic_has_a_thousand_subscriptions),
        TEST(an_account_has_ten_thousand_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
