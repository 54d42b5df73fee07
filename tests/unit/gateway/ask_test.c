/* What requests to the admin endpoint say. */
#include "gateway/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_message_is_read_with_all_that_it_has(void **state)
{
    struct ask_explain ask;
    struct err err;
    struct span body =
        SPAN_LIT(" {\"topic\":\"a\\/b\",\"payload_base64\":\"AP8=\",\"qos\":2,\"retain\":true,"
                 "\"content_type\":\"x\\u0041\",\"user\":[{\"key\":\"k\\n\",\"value\":\"v\"},"
                 "{\"value\":\"w\",\"key\":\"\"}]}\n");
    (void)state;
    assert_true(ask_explain_read(&ask, body, &err));
    assert_true(span_eq_str(ask.message.topic, "a/b"));
    assert_true(span_eq(ask.message.payload, (struct span)SPAN_LIT("\0\xff")));
    assert_int_equal(ask.message.qos, 2);
    assert_true(ask.message.retain);
    assert_true(span_eq_str(ask.message.content_type, "xA"));
    assert_int_equal(ask.message.user_count, 2);
    assert_true(span_eq_str(ask.message.user[0].key, "k\n"));
    assert_true(span_eq_str(ask.message.user[1].value, "w"));
    ask_explain_fini(&ask);
}

static void only_the_topic_or_the_queue_is_needed(void **state)
{
    struct ask_explain ask;
    struct err err;
    (void)state;
    assert_true(ask_explain_read(&ask, span_of("{\"topic\":\"t\"}"), &err));
    assert_int_equal(ask.message.qos, 1);
    assert_int_equal(ask.message.payload.len, 0);
    assert_int_equal(ask.queue.len, 0);
    ask_explain_fini(&ask);
    assert_true(ask_explain_read(&ask, span_of("{\"queue\":\"q\",\"body\":\"b\"}"), &err));
    assert_true(span_eq_str(ask.queue, "q"));
    assert_true(span_eq_str(ask.message.payload, "b"));
    ask_explain_fini(&ask);
}

struct refusal {
    const char *body, *why;
};

static void messages_that_are_none_are_refused_with_why(void **state)
{
    static const struct refusal rows[] = {
        {"", "not one JSON object"},
        {"[]", "not one JSON object"},
        {"{\"topic\":\"t\"} x", "not one JSON object"},
        {"{\"topic\":\"t\",\"user\":[[[[[[[[[[]]]]]]]]]]}", "not one JSON object"},
        {"{}", "\"topic\" or \"queue\""},
        {"{\"payload\":\"x\"}", "\"topic\" or \"queue\""},
        {"{\"topic\":1}", "\"topic\" must be a string"},
        {"{\"topic\":\"a/#\"}", "\"topic\" is not valid"},
        {"{\"topic\":\"\"}", "\"topic\" is not valid"},
        {"{\"topic\":\"\\ud800\"}", "\"topic\" must be a string"},
        {"{\"topic\":\"t\",\"payload_base64\":\"A\"}", "\"payload_base64\" must be base64"},
        {"{\"topic\":\"t\",\"payload_base64\":1}", "\"payload_base64\" must be a string"},
        {"{\"topic\":\"t\",\"qos\":3}", "\"qos\" must be 0, 1 or 2"},
        {"{\"topic\":\"t\",\"qos\":\"1\"}", "\"qos\" must be 0, 1 or 2"},
        {"{\"topic\":\"t\",\"qos\":1.0}", "\"qos\" must be 0, 1 or 2"},
        {"{\"topic\":\"t\",\"retain\":1}", "\"retain\" must be true or false"},
        {"{\"topic\":\"t\",\"user\":{}}", "\"user\" must be an array"},
        {"{\"topic\":\"t\",\"user\":[1]}", "\"user\" must be an array of objects"},
        {"{\"topic\":\"t\",\"user\":[{\"key\":\"k\"}]}", "\"user\" must be an array of objects"},
        {"{\"topic\":\"t\",\"nope\":1}", "\"nope\" is not known"},
        {"{\"topic\":\"t\",\"body\":\"x\"}", "\"body\" goes with \"queue\""},
        {"{\"queue\":\"q\",\"topic\":\"t\"}", "\"body\" and nothing else"},
        {"{\"queue\":\"-\"}", "\"queue\" is not valid"},
        {"{\"queue\":\"\"}", "\"queue\" is not valid"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ask_explain ask;
        struct err err = {""};
        if (ask_explain_read(&ask, span_of(rows[i].body), &err))
            fail_msg("taken: %s", rows[i].body);
        if (!strstr(err.text, rows[i].why))
            fail_msg("%s: \"%s\"", rows[i].body, err.text);
        ask_explain_fini(&ask);
    }
}

static void too_many_properties_are_refused(void **state)
{
    struct buf body = BUF_INIT(1 << 16);
    struct ask_explain ask;
    struct err err;
    (void)state;
    buf_add_str(&body, "{\"topic\":\"t\",\"user\":[");
    for (int i = 0; i <= MQTT_MAX_USER_PROPERTIES; i++)
        buf_printf(&body, "%s{\"key\":\"k\",\"value\":\"v\"}", i ? "," : "");
    buf_add_str(&body, "]}");
    assert_false(ask_explain_read(&ask, buf_span(&body), &err));
    assert_non_null(strstr(err.text, "64 elements"));
    ask_explain_fini(&ask);
    buf_fini(&body);
}

static void letters_are_chosen_in_one_way(void **state)
{
    struct ask_letters ask;
    struct err err;
    (void)state;
    assert_true(ask_letters_read(&ask, span_of("{\"ids\":[3,1]}"), &err));
    assert_int_equal(ask.id_count, 2);
    assert_int_equal(ask.ids[1], 1);
    ask_letters_fini(&ask);
    assert_true(ask_letters_read(&ask, span_of("{\"rule\":\"r\\u0031\",\"after\":7}"), &err));
    assert_string_equal(ask.rule, "r1");
    assert_int_equal(ask.after, 7);
    ask_letters_fini(&ask);
    assert_true(ask_letters_read(&ask, span_of("{\"all\":true}"), &err));
    assert_true(ask.all);
    ask_letters_fini(&ask);
    assert_true(ask_listing_read(&ask, span_of("{}"), &err));
    assert_int_equal(ask.limit, 100);
    ask_letters_fini(&ask);
}

static void choices_that_are_none_are_refused_with_why(void **state)
{
    static const struct refusal rows[] = {
        {"", "not one JSON object"},
        {"{}", "exactly one of"},
        {"{\"after\":1}", "exactly one of"},
        {"{\"all\":false}", "\"all\" must be true"},
        {"{\"all\":true,\"rule\":\"r\"}", "exactly one of"},
        {"{\"ids\":[]}", "one id or more"},
        {"{\"ids\":3}", "one id or more"},
        {"{\"ids\":[-1]}", "an array of numbers"},
        {"{\"ids\":[\"1\"]}", "an array of numbers"},
        {"{\"ids\":[99999999999999999999]}", "an array of numbers"},
        {"{\"ids\":[1],\"after\":1}", "\"after\" goes without"},
        {"{\"rule\":\"\"}", "a rule's name"},
        {"{\"rule\":1}", "a rule's name"},
        {"{\"all\":true,\"limit\":1}", "\"limit\" is not known"},
    };
    static const struct refusal listings[] = {
        {"{\"limit\":0}", "1 to 1000"},
        {"{\"limit\":1001}", "1 to 1000"},
        {"{\"after\":null}", "an id"},
        {"{\"ids\":[1]}", "is not known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ask_letters ask;
        struct err err = {""};
        assert_false(ask_letters_read(&ask, span_of(rows[i].body), &err));
        if (!strstr(err.text, rows[i].why))
            fail_msg("%s: \"%s\"", rows[i].body, err.text);
        ask_letters_fini(&ask);
    }
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++) {
        struct ask_letters ask;
        struct err err = {""};
        assert_false(ask_listing_read(&ask, span_of(listings[i].body), &err));
        if (!strstr(err.text, listings[i].why))
            fail_msg("%s: \"%s\"", listings[i].body, err.text);
        ask_letters_fini(&ask);
    }
}

static void too_many_ids_are_refused(void **state)
{
    struct buf body = BUF_INIT(1 << 16);
    struct ask_letters ask;
    struct err err;
    (void)state;
    buf_add_str(&body, "{\"ids\":[1");
    for (int i = 0; i < ASK_MAX_IDS; i++)
        buf_add_str(&body, ",1");
    buf_add_str(&body, "]}");
    assert_false(ask_letters_read(&ask, buf_span(&body), &err));
    assert_non_null(strstr(err.text, "1000 elements"));
    ask_letters_fini(&ask);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_read_with_all_that_it_has),
        cmocka_unit_test(only_the_topic_or_the_queue_is_needed),
        cmocka_unit_test(messages_that_are_none_are_refused_with_why),
        cmocka_unit_test(too_many_properties_are_refused),
        cmocka_unit_test(letters_are_chosen_in_one_way),
        cmocka_unit_test(choices_that_are_none_are_refused_with_why),
        cmocka_unit_test(too_many_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
