/* Answers as the documents show them, and as no service should give them. */
#include "cmq/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define OK "{\"code\":0,\"message\":\"\",\"requestId\":\"r\","
#define TIMES                                                                                      \
    "\"enqueueTime\":1462351990,\"firstDequeueTime\":1462352990,\"nextVisibleTime\":1462352999,"   \
    "\"dequeueCount\":2"

static struct cmq_reply reply;

static enum cmq_verdict parse(enum cmq_action action, size_t items, const char *body)
{
    cmq_reply_fini(&reply);
    /* an exact copy, so that a read past its end is seen */
    size_t len = strlen(body);
    char *copy = test_malloc(len + !len);
    memcpy(copy, body, len);
    cmq_reply_parse(&reply, action, items, 200, span_make(copy, len));
    test_free(copy);
    return reply.verdict;
}

static int tear_down(void **state)
{
    (void)state;
    cmq_reply_fini(&reply);
    return 0;
}

static void a_sent_message_has_its_id(void **state)
{
    (void)state;
    const char *body = "{\"code\":0,\"message\":\"\",\"requestId\":\"14534664555\",\"msgId\":"
                       "\"123345346\"}";
    assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body), CMQ_DONE);
    assert_int_equal(reply.http_status, 200);
    assert_int_equal(reply.code, 0);
    assert_string_equal(reply.request_id, "14534664555");
    assert_int_equal(reply.msg_id_count, 1);
    assert_true(span_eq_str(reply.msg_ids[0], "123345346"));
    assert_int_equal(parse(CMQ_PUBLISH_MESSAGE, 1, body), CMQ_DONE);
}

static void a_sent_batch_has_its_ids_in_order(void **state)
{
    (void)state;
    const char *body = OK "\"msgList\":[{\"msgId\":\"123345346\"},{\"msgId\":\"456436346\"}]} \r\n";
    assert_int_equal(parse(CMQ_BATCH_SEND_MESSAGE, 2, body), CMQ_DONE);
    assert_int_equal(reply.msg_id_count, 2);
    assert_true(span_eq_str(reply.msg_ids[1], "456436346"));
    assert_int_equal(parse(CMQ_BATCH_PUBLISH_MESSAGE, 2, body), CMQ_DONE);
    /* not what was sent: which one is missing is not known */
    assert_int_equal(parse(CMQ_BATCH_SEND_MESSAGE, 3, body), CMQ_RETRY);
    assert_int_equal(reply.code, -1);
    assert_int_equal(reply.msg_id_count, 0);
    assert_int_equal(parse(CMQ_BATCH_SEND_MESSAGE, 1, body), CMQ_RETRY);
}

static void a_received_message_has_all_its_fields(void **state)
{
    (void)state;
    assert_int_equal(parse(CMQ_RECEIVE_MESSAGE, 1,
                           OK "\"msgBody\":\"helloworld1\",\"msgId\":\"123345346\","
                              "\"receiptHandle\":\"283748239349283\"," TIMES "}"),
                     CMQ_DONE);
    assert_int_equal(reply.message_count, 1);
    const struct cmq_message *message = &reply.messages[0];
    assert_true(span_eq_str(message->body, "helloworld1"));
    assert_true(span_eq_str(message->msg_id, "123345346"));
    assert_true(span_eq_str(message->handle, "283748239349283"));
    assert_int_equal(message->enqueue_s, 1462351990);
    assert_int_equal(message->first_dequeue_s, 1462352990);
    assert_int_equal(message->next_visible_s, 1462352999);
    assert_int_equal(message->dequeue_count, 2);
}

#define MESSAGE(id, body)                                                                          \
    "{\"msgId\":\"" id "\",\"receiptHandle\":\"h" id "\",\"msgBody\":" body "}"

static void a_received_batch_is_at_most_what_was_asked_for(void **state)
{
    (void)state;
    const char *body = OK "\"msgInfoList\":[" MESSAGE("1", "\"a\"") "," MESSAGE("2", "\"\"") "]}";
    assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 16, body), CMQ_DONE);
    assert_int_equal(reply.message_count, 2);
    assert_int_equal(reply.unusable, 0);
    assert_true(span_eq_str(reply.messages[1].handle, "h2"));
    assert_int_equal(reply.messages[1].body.len, 0);
    assert_int_equal(reply.messages[1].next_visible_s, 0);

    assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 1, body), CMQ_DONE);
    assert_int_equal(reply.message_count, 1);
    assert_int_equal(reply.unusable, 1);

    char many[2000] = OK "\"msgInfoList\":[" MESSAGE("1", "\"a\"");
    for (int i = 0; i < 19; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",%s",
                       MESSAGE("2", "\"b\""));
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), "]}");
    assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 16, many), CMQ_DONE);
    assert_int_equal(reply.message_count, 16);
    assert_int_equal(reply.unusable, 4);
}

static void an_unusable_message_does_not_keep_the_others(void **state)
{
    (void)state;
    assert_int_equal(
        parse(CMQ_BATCH_RECEIVE_MESSAGE, 16,
              OK "\"msgInfoList\":[" MESSAGE("1", "5") "," MESSAGE(
                  "2", "\"b\"") ",7,{},null,{\"msgId\":3,\"receiptHandle\":\"h\",\"msgBody\":\"\"},"
                                "{\"msgId\":\"\",\"receiptHandle\":\"h\",\"msgBody\":\"\"}]}"),
        CMQ_DONE);
    assert_int_equal(reply.message_count, 1);
    assert_true(span_eq_str(reply.messages[0].msg_id, "2"));
    assert_int_equal(reply.unusable, 6);
    assert_non_null(strstr(reply.text, "6 messages left out"));

    assert_int_equal(
        parse(CMQ_BATCH_RECEIVE_MESSAGE, 16, OK "\"msgInfoList\":[" MESSAGE("1", "5") "]}"),
        CMQ_RETRY);
    assert_int_equal(reply.message_count, 0);
}

static void a_nul_in_a_body_comes_out_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        struct span body;
    } rows[] = {
        {"\"a\\u0000b\\u0000\"", SPAN_LIT("a\0b\0")},
        {"\"\\u0000\"", SPAN_LIT("\0")},
        {"\"\\\\u0000\"", SPAN_LIT("\\u0000")},
        {"\"\\\\\\u0000\\\"\"", SPAN_LIT("\\\0\"")},
        {"\"\\u00000\\u0001\xC3\xBF\"", SPAN_LIT("\0"
                                                 "0\x01\xC3\xBF")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        (void)snprintf(text, sizeof text,
                       OK "\"msgInfoList\":[" MESSAGE("1", "%s") "," MESSAGE("2", "%s") "]}",
                       rows[i].json, rows[i].json);
        assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 2, text), CMQ_DONE);
        for (size_t k = 0; k < 2; k++)
            assert_true(span_eq(reply.messages[k].body, rows[i].body));
    }
}

static void a_nul_in_an_id_makes_the_message_unusable(void **state)
{
    (void)state;
    assert_int_equal(
        parse(CMQ_BATCH_RECEIVE_MESSAGE, 2,
              OK "\"msgInfoList\":[" MESSAGE("1", "\"a\"") "," MESSAGE("2\\u0000", "\"b\"") "]}"),
        CMQ_DONE);
    assert_int_equal(reply.message_count, 1);
    assert_int_equal(reply.unusable, 1);
    /* the stand-in itself, in a text that is not UTF-8 */
    assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 2,
                           OK "\"msgInfoList\":[" MESSAGE("1", "\"a\\u0000\xFF\"") "]}"),
                     CMQ_RETRY);
}

static void an_empty_queue_is_no_fault(void **state)
{
    (void)state;
    const char *body = "{\"code\":7000,\"message\":\"(10200)no message\",\"requestId\":\"1\"}";
    assert_int_equal(parse(CMQ_RECEIVE_MESSAGE, 1, body), CMQ_EMPTY);
    assert_int_equal(reply.code, 7000);
    assert_int_equal(reply.module, 10200);
    assert_string_equal(reply.text, "(10200)no message");
    assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 16, body), CMQ_EMPTY);
    /* but for a send it is nonsense */
    assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body), CMQ_RETRY);
}

static void a_delete_says_which_entries_failed(void **state)
{
    (void)state;
    assert_int_equal(parse(CMQ_DELETE_MESSAGE, 1, "{\"code\":0}"), CMQ_DONE);
    assert_int_equal(parse(CMQ_BATCH_DELETE_MESSAGE, 16, "{\"code\":0,\"message\":\"\"}"),
                     CMQ_DONE);
    const char *body =
        "{\"code\":6010,\"message\":\"delete message partially failed\",\"requestId\":\"1\","
        "\"errorList\":[{\"code\":4430,\"message\":\"invalid receiptHandle\",\"receiptHandle\":"
        "\"4364564575\"},{\"code\":6000,\"message\":\"(10140)delete\",\"receiptHandle\":\"2\"},"
        "{\"code\":4420,\"message\":\"\",\"receiptHandle\":\"3\"},"
        "{\"code\":0,\"receiptHandle\":\"4\"},{\"code\":4440,\"receiptHandle\":\"5\"}]}";
    static const enum cmq_verdict verdicts[] = {CMQ_REJECT, CMQ_RETRY, CMQ_THROTTLE, CMQ_RETRY,
                                                CMQ_HOLD};
    assert_int_equal(parse(CMQ_BATCH_DELETE_MESSAGE, 5, body), CMQ_PARTIAL);
    assert_int_equal(reply.fault_count, 5);
    assert_int_equal(reply.module, 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(reply.faults[i].verdict, verdicts[i]);
    assert_true(span_eq_str(reply.faults[0].handle, "4364564575"));
    assert_int_equal(reply.faults[0].code, 4430);
    assert_int_equal(reply.faults[1].module, 10140);
    /* more entries than handles, or of another request */
    assert_int_equal(parse(CMQ_BATCH_DELETE_MESSAGE, 4, body), CMQ_RETRY);
    assert_int_equal(reply.fault_count, 0);
    assert_int_equal(parse(CMQ_BATCH_SEND_MESSAGE, 5, body), CMQ_RETRY);
}

static void entries_that_are_not_named_are_all_tried_again(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "",
        ",\"errorList\":null",
        ",\"errorList\":[]",
        ",\"errorList\":{\"a\":{\"code\":4430,\"receiptHandle\":\"1\"}}",
        ",\"errorList\":[{\"code\":4430}]",
        ",\"errorList\":[{\"receiptHandle\":\"1\"}]",
        ",\"errorList\":[{\"code\":\"4430\",\"receiptHandle\":\"1\"}]",
        ",\"errorList\":[{\"code\":4430,\"receiptHandle\":1}]",
        ",\"errorList\":[7]",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{\"code\":6020,\"message\":\"(10290)failed\"%s}",
                       lists[i]);
        assert_int_equal(parse(CMQ_BATCH_DELETE_MESSAGE, 16, body), CMQ_RETRY);
        assert_int_equal(reply.fault_count, 0);
        assert_int_equal(reply.code, 6020);
    }
}

static void unrouted_belongs_to_publishing(void **state)
{
    (void)state;
    const char *body = "{\"code\":6030,\"message\":\"(10650)topic has no subscription\"}";
    assert_int_equal(parse(CMQ_PUBLISH_MESSAGE, 1, body), CMQ_UNROUTED);
    assert_int_equal(parse(CMQ_BATCH_PUBLISH_MESSAGE, 16, body), CMQ_UNROUTED);
    assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body), CMQ_RETRY);
}

static void a_route_query_gives_addresses(void **state)
{
    (void)state;
    assert_int_equal(parse(CMQ_QUERY_QUEUE_ROUTE, 0, OK "\"addr\":[\"h:12000\",\"i:12000\"]}"),
                     CMQ_DONE);
    assert_int_equal(reply.addr_count, 2);
    assert_true(span_eq_str(reply.addrs[1], "i:12000"));
    assert_int_equal(parse(CMQ_QUERY_TOPIC_ROUTE, 0, OK "\"addr\":[\"h\",1]}"), CMQ_RETRY);
    assert_int_equal(parse(CMQ_QUERY_TOPIC_ROUTE, 0, OK "\"addr\":[]}"), CMQ_RETRY);
    assert_int_equal(parse(CMQ_QUERY_TOPIC_ROUTE, 0,
                           OK "\"addr\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\","
                              "\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}"),
                     CMQ_RETRY);
}

static void the_module_code_is_read_where_there_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int module;
        enum cmq_verdict verdict;
    } rows[] = {
        {"\"(10100)queue is not existed, or deleted\"", 10100, CMQ_HOLD},
        {"\"(10120)message body can't be empty\"", 10120, CMQ_REJECT},
        {"\"queue is not existed\"", 0, CMQ_REJECT},
        {"\"\"", 0, CMQ_REJECT},
        {"\"(10100\"", 0, CMQ_REJECT},
        {"\"()\"", 0, CMQ_REJECT},
        {"\"(-10100)\"", 0, CMQ_REJECT},
        {"\"(99999999999999999999)\"", 0, CMQ_REJECT},
        {"\"(2147483648)\"", 0, CMQ_REJECT},
        {"null", 0, CMQ_REJECT},
        {"10100", 0, CMQ_REJECT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{\"code\":4000,\"message\":%s}", rows[i].message);
        assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body), rows[i].verdict);
        assert_int_equal(reply.module, rows[i].module);
        assert_int_equal(reply.code, 4000);
    }
}

static void what_is_not_the_promised_json_is_a_retry(void **state)
{
    (void)state;
    char deep[5000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    const char *const bodies[] = {
        "",
        " ",
        "<html>502</html>",
        "null",
        "0",
        "[]",
        "\"code\"",
        "{",
        "{}",
        "{\"code\":0",
        "{\"code\":0}",
        "{\"code\":\"0\",\"msgId\":\"1\"}",
        "{\"code\":0.5,\"msgId\":\"1\"}",
        "{\"code\":1e99,\"msgId\":\"1\"}",
        "{\"code\":-1e99,\"msgId\":\"1\"}",
        "{\"code\":null,\"msgId\":\"1\"}",
        "{\"code\":true,\"msgId\":\"1\"}",
        "{\"CODE\":0,\"msgId\":\"1\"}",
        "{\"code\":0,\"msgId\":1}",
        "{\"code\":0,\"msgId\":\"\"}",
        "{\"code\":0,\"msgId\":\"\\ud800\"}",
        "{\"code\":0,\"msgId\":\"\xFF\"}",
        "{\"code\":0,\"msgId\":[\"1\"]}",
        "{\"code\":0,\"msgid\":\"1\"}",
        "{\"code\":0,\"msgId\":\"1\"} x",
        "{\"code\":0,\"msgId\":\"1\"}{}",
        "{\"code\":0,\"msgId\":\"\\u000",
        deep,
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        if (parse(CMQ_SEND_MESSAGE, 1, bodies[i]) != CMQ_RETRY)
            fail_msg("%.60s", bodies[i]);
        assert_int_equal(reply.code, -1);
        assert_int_equal(reply.msg_id_count, 0);
        assert_int_not_equal(reply.text[0], '\0');
    }
    static const struct span nul = SPAN_LIT("{\"code\":0,\"msgId\":\"1\0\"}");
    cmq_reply_fini(&reply);
    cmq_reply_parse(&reply, CMQ_SEND_MESSAGE, 1, 200, nul);
    assert_int_equal(reply.verdict, CMQ_RETRY);

    static const char *const lists[] = {
        "",
        "\"msgList\":null,\"msgInfoList\":null,",
        "\"msgList\":\"1\",\"msgInfoList\":\"1\",",
        "\"msgList\":[],\"msgInfoList\":[],",
        "\"msgList\":[1],\"msgInfoList\":[1],",
        "\"msgList\":[[]],\"msgInfoList\":[[]],",
        "\"msgList\":[\"1\"],\"msgInfoList\":[\"1\"],",
        "\"msgList\":[{}],\"msgInfoList\":[{}],",
        "\"msgList\":{\"a\":{\"msgId\":\"1\"}},\"msgInfoList\":{\"a\":" MESSAGE("1", "\"\"") "},",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{%s\"code\":0}", lists[i]);
        assert_int_equal(parse(CMQ_BATCH_SEND_MESSAGE, 1, body), CMQ_RETRY);
        assert_int_equal(parse(CMQ_BATCH_RECEIVE_MESSAGE, 1, body), CMQ_RETRY);
        assert_int_equal(parse(CMQ_RECEIVE_MESSAGE, 1, body), CMQ_RETRY);
        assert_int_equal(parse(CMQ_PUBLISH_MESSAGE, 1, body), CMQ_RETRY);
        assert_int_equal(parse(CMQ_QUERY_QUEUE_ROUTE, 0, body), CMQ_RETRY);
    }
}

static void an_id_too_long_to_send_back_is_not_an_id(void **state)
{
    (void)state;
    char body[400];
    for (int len = CMQ_MAX_HANDLE_BYTES; len <= CMQ_MAX_HANDLE_BYTES + 1; len++) {
        (void)snprintf(body, sizeof body, "{\"code\":0,\"msgId\":\"%0*d\"}", len, 7);
        assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body),
                         len == CMQ_MAX_HANDLE_BYTES ? CMQ_DONE : CMQ_RETRY);
    }
}

static void counts_that_are_no_counts_are_zero(void **state)
{
    (void)state;
    static const char *const counts[] = {"\"5\"", "-5", "1e300", "null", "{}"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char body[300];
        (void)snprintf(body, sizeof body,
                       OK "\"msgBody\":\"b\",\"msgId\":\"1\",\"receiptHandle\":\"h\","
                          "\"nextVisibleTime\":%s,\"dequeueCount\":9007199254740992}",
                       counts[i]);
        assert_int_equal(parse(CMQ_RECEIVE_MESSAGE, 1, body), CMQ_DONE);
        assert_int_equal(reply.messages[0].next_visible_s, 0);
        assert_int_equal(reply.messages[0].dequeue_count, 9007199254740992);
    }
}

static void any_other_status_is_a_retry_whatever_the_body_says(void **state)
{
    (void)state;
    static const int statuses[] = {100, 201, 204, 301, 400, 403, 404, 429, 500, 502, 503, 999};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        cmq_reply_fini(&reply);
        cmq_reply_parse(&reply, CMQ_SEND_MESSAGE, 1, statuses[i],
                        span_of("{\"code\":0,\"msgId\":\"1\"}"));
        assert_int_equal(reply.verdict, CMQ_RETRY);
        assert_int_equal(reply.http_status, statuses[i]);
        assert_int_equal(reply.code, -1);
    }
    assert_string_equal(reply.text, "HTTP status 999");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char body[2000];
    (void)snprintf(body, sizeof body,
                   "{\"code\":4000,\"message\":\"%0600d\",\"requestId\":\"%0600d\"}", 1, 2);
    assert_int_equal(parse(CMQ_SEND_MESSAGE, 1, body), CMQ_REJECT);
    assert_int_equal(strlen(reply.text), sizeof reply.text - 1);
    assert_int_equal(strlen(reply.request_id), sizeof reply.request_id - 1);
}

static void no_answer_is_a_retry_with_the_reason(void **state)
{
    (void)state;
    cmq_reply_fini(&reply);
    cmq_reply_failed(&reply, "cannot connect 100%");
    assert_int_equal(reply.verdict, CMQ_RETRY);
    assert_int_equal(reply.http_status, 0);
    assert_int_equal(reply.code, -1);
    assert_string_equal(reply.text, "cannot connect 100%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sent_message_has_its_id),
        cmocka_unit_test(a_sent_batch_has_its_ids_in_order),
        cmocka_unit_test(a_received_message_has_all_its_fields),
        cmocka_unit_test(a_received_batch_is_at_most_what_was_asked_for),
        cmocka_unit_test(an_unusable_message_does_not_keep_the_others),
        cmocka_unit_test(a_nul_in_a_body_comes_out_as_it_is),
        cmocka_unit_test(a_nul_in_an_id_makes_the_message_unusable),
        cmocka_unit_test(an_empty_queue_is_no_fault),
        cmocka_unit_test(a_delete_says_which_entries_failed),
        cmocka_unit_test(entries_that_are_not_named_are_all_tried_again),
        cmocka_unit_test(unrouted_belongs_to_publishing),
        cmocka_unit_test(a_route_query_gives_addresses),
        cmocka_unit_test(the_module_code_is_read_where_there_is_one),
        cmocka_unit_test(what_is_not_the_promised_json_is_a_retry),
        cmocka_unit_test(an_id_too_long_to_send_back_is_not_an_id),
        cmocka_unit_test(counts_that_are_no_counts_are_zero),
        cmocka_unit_test(any_other_status_is_a_retry_whatever_the_body_says),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(no_answer_is_a_retry_with_the_reason),
    };
    return cmocka_run_group_tests_name("cmq/reply", tests, NULL, tear_down);
}
