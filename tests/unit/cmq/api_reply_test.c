/* What an answer of the management plane is taken for. */
#include "cmq/api_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define ERROR(code)                                                                                \
    "{\"Response\":{\"Error\":{\"Code\":\"" code "\",\"Message\":\"m\"},"                          \
    "\"RequestId\":\"r-1\"}}"

static void each_answer_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
        enum api_outcome outcome;
        const char *code, *text;
    } rows[] = {
        {"{\"Response\":{\"QueueId\":\"q\",\"RequestId\":\"r-1\"}}", 200, API_DONE, "", ""},
        {ERROR("ResourceNotFound"), 200, API_REFUSED, "ResourceNotFound", "m"},
        {ERROR("ResourceInUse.Queue"), 200, API_REFUSED, "ResourceInUse.Queue", "m"},
        {ERROR("InternalError.BrokerService"), 200, API_LOST, "InternalError.BrokerService", "m"},
        {"{\"code\":4000,\"message\":\"old\",\"codeDesc\":\"InvalidParameter\"}", 200, API_REFUSED,
         "InvalidParameter", "old"},
        {"{\"Response\":{\"Error\":{\"Code\":\"A\",\"Message\":7},\"RequestId\":\"r\"}}", 200,
         API_REFUSED, "A", ""},
        {"{\"Response\":{\"Error\":{\"Code\":\"\",\"Message\":\"m\"},\"RequestId\":\"r\"}}", 200,
         API_LOST, "", "the answer is an error without a code"},
        {"{\"Response\":{\"Error\":{\"Code\":\"a b\"},\"RequestId\":\"r\"}}", 200, API_LOST, "",
         "the answer is an error without a code"},
        {"{\"Response\":{\"Error\":7,\"RequestId\":\"r\"}}", 200, API_LOST, "",
         "the answer is an error without a code"},
        {"{\"Response\":{\"QueueId\":\"q\"}}", 200, API_LOST, "", "the answer has no RequestId"},
        {"{\"Response\":{\"RequestId\":\"a\\nb\"}}", 200, API_LOST, "",
         "the answer has no RequestId"},
        {"{\"Response\":[]}", 200, API_LOST, "", "the answer is not a JSON object with a Response"},
        {"{\"code\":0}", 200, API_LOST, "", "the answer is not a JSON object with a Response"},
        {"[1]", 200, API_LOST, "", "the answer is not a JSON object with a Response"},
        {"", 200, API_LOST, "", "the answer is not a JSON object with a Response"},
        {"<html>", 200, API_LOST, "", "the answer is not a JSON object with a Response"},
        {ERROR("ResourceNotFound"), 502, API_LOST, "", "HTTP status 502"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct api_reply reply;
        api_reply_parse(&reply, rows[i].status, span_of(rows[i].body));
        if (reply.outcome != rows[i].outcome)
            fail_msg("%s", rows[i].body);
        assert_string_equal(reply.code, rows[i].code);
        assert_string_equal(reply.text, rows[i].text);
        assert_int_equal(reply.response != NULL, rows[i].outcome == API_DONE);
        api_reply_fini(&reply);
    }
}

static void a_code_is_known_by_its_beginning(void **state)
{
    (void)state;
    struct api_reply reply;
    api_reply_parse(&reply, 200, span_of(ERROR("ResourceInUse.Queue")));
    assert_true(api_reply_is(&reply, "ResourceInUse"));
    assert_true(api_reply_is(&reply, "ResourceInUse.Queue"));
    assert_false(api_reply_is(&reply, "ResourceIn"));
    assert_false(api_reply_is(&reply, "ResourceInUse.Queue.x"));
    api_reply_fini(&reply);
    api_reply_failed(&reply, API_UNREACHED, "nobody there");
    assert_false(api_reply_is(&reply, ""));
}

static void an_error_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } rows[] = {
        {ERROR("AuthFailure.SignatureFailure"),
         "DescribeCmqQueues: AuthFailure.SignatureFailure: m; check cmq.secret_key "
         "(RequestId r-1)"},
        {ERROR("AuthFailure.Other"), "DescribeCmqQueues: AuthFailure.Other: m; check "
                                     "cmq.secret_id, cmq.secret_key and cmq.token (RequestId r-1)"},
        {ERROR("FailedOperation"), "DescribeCmqQueues: FailedOperation: m (RequestId r-1)"},
        {"", "DescribeCmqQueues: the answer is not a JSON object with a Response"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct api_reply reply;
        struct err err;
        api_reply_parse(&reply, 200, span_of(rows[i].body));
        assert_false(api_reply_explain(&reply, "DescribeCmqQueues", &err));
        assert_string_equal(err.text, rows[i].says);
        api_reply_fini(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_outcome),
        cmocka_unit_test(a_code_is_known_by_its_beginning),
        cmocka_unit_test(an_error_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
