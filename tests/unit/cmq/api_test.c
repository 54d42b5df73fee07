/* The management plane's client against a little server: what it asks, and when it asks again. */
#include "cmq/api.h"
#include "cmq/tc3.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/cmq/api_server.h"
#include <cjson/cJSON.h>
#include <cmocka.h>

#define DONE "{\"Response\":{\"RequestId\":\"r\"}}"
#define ERROR(code)                                                                                \
    "{\"Response\":{\"Error\":{\"Code\":\"" code "\",\"Message\":\"m\"},\"RequestId\":\"r\"}}"

static const char *token;

static bool read_id(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx, (void)err;
    return buf_add_str(out, "AKIDtest");
}

static bool read_key(void *ctx, struct buf *out, struct err *err)
{
    return ctx ? err_set(err, "no key today") : buf_add_str(out, "key");
}

static bool read_token(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx, (void)err;
    return buf_add_str(out, token);
}

static char noted[4096]; /* all notes, a line each */

static void take_note(void *ctx, const char *text)
{
    (void)ctx;
    size_t len = strlen(noted);
    (void)snprintf(noted + len, sizeof noted - len, "%s\n", text);
}

static struct api_options options_for(const char *endpoint)
{
    return (struct api_options){
        .endpoint = endpoint,
        .region = "ap-test",
        .secrets = {.secret_id = read_id, .secret_key = read_key, .token = read_token},
        .timeout_ms = 30000,
        .longest_pause_ms = 2,
        .tls = {.verify = true},
        .note = take_note,
    };
}

static struct api *api_at(unsigned port)
{
    char endpoint[100];
    struct err err;
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", port);
    struct api_options options = options_for(endpoint);
    struct api *api = api_open(&options, &err);
    if (!api)
        fail_msg("%s", err.text);
    return api;
}

/* Calls the action with an empty object. The caller frees the reply. */
static struct api_reply call(struct api *api, enum api_action action)
{
    struct api_reply reply;
    cJSON *body = check_alloc(cJSON_CreateObject());
    api_call(api, action, body, &reply);
    cJSON_Delete(body);
    return reply;
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(setenv("no_proxy", "*", 1) == 0);
    token = "";
    noted[0] = '\0';
    return 0;
}

static void assert_header(const struct api_asked *asked, const char *name, const char *value)
{
    char *found = api_header(asked, name);
    if (value)
        assert_string_equal(found, value);
    else
        assert_null(found);
    free(found);
}

/* Whether the request's own signature is right for its body and headers. */
static void assert_signed(const struct api_asked *asked, unsigned port)
{
    char host[64];
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", port);
    const struct tc3_header headers[] = {
        {SPAN_LIT("content-type"), SPAN_LIT("application/json")},
        {SPAN_LIT("host"), span_of(host)},
        {SPAN_LIT("x-tc-action"), SPAN_LIT("createcmqqueue")},
    };
    const struct tc3_request request = {.method = SPAN_LIT("POST"),
                                        .headers = headers,
                                        .header_count = 3,
                                        .body = span_of(asked->body)};
    char *stamp = api_header(asked, "X-TC-Timestamp");
    struct buf expected = BUF_INIT(4096);
    uint64_t timestamp_s = 0;
    assert_true(span_to_u64(span_of(stamp), INT64_MAX, &timestamp_s));
    assert_true(tc3_authorize(&request, (int64_t)timestamp_s, span_of("tdmq"), span_of("AKIDtest"),
                              span_of("key"), &expected));
    assert_header(asked, "Authorization", buf_str(&expected));
    free(stamp);
    buf_fini(&expected);
}

static void a_call_carries_its_headers_and_signature(void **state)
{
    (void)state;
    static const char *const script[] = {
        "{\"Response\":{\"QueueId\":\"cmqq-1\",\"RequestId\":\"r-7\"}}", NULL};
    struct api_server *server = api_server_start(script);
    struct api *api = api_at(server->port);
    struct api_reply reply;
    cJSON *body = check_alloc(cJSON_CreateObject());
    CHECK(cJSON_AddStringToObject(body, "QueueName", "q"));
    api_call(api, API_CREATE_QUEUE, body, &reply);
    cJSON_Delete(body);
    assert_int_equal(reply.outcome, API_DONE);
    assert_string_equal(reply.request_id, "r-7");
    const cJSON *id = cJSON_GetObjectItem(reply.response, "QueueId");
    assert_string_equal(cJSON_GetStringValue(id), "cmqq-1");
    api_reply_fini(&reply);
    api_close(api);

    token = "tok";
    api = api_at(server->port);
    reply = call(api, API_DESCRIBE_QUEUES);
    api_reply_fini(&reply);
    api_close(api);
    api_server_stop(server);
    assert_int_equal(server->count, 2);
    const struct api_asked *asked = server->asked;
    assert_true(strncmp(asked->head, "POST / HTTP/1.1\r\n", 17) == 0);
    assert_string_equal(asked->body, "{\"QueueName\":\"q\"}");
    assert_header(asked, "Content-Type", "application/json");
    assert_header(asked, "X-TC-Action", "CreateCmqQueue");
    assert_header(asked, "X-TC-Version", "2020-02-17");
    assert_header(asked, "X-TC-Region", "ap-test");
    assert_header(asked, "X-TC-Token", NULL);
    assert_signed(asked, server->port);
    assert_header(&asked[1], "X-TC-Action", "DescribeCmqQueues");
    assert_header(&asked[1], "X-TC-Token", "tok");
    api_server_free(server);
}

static void only_what_is_safe_is_asked_again(void **state)
{
    (void)state;
    static const struct {
        enum api_action action;
        const char *script[3];
        size_t asked;
        enum api_outcome outcome;
    } rows[] = {
        /* too many requests: none was carried out */
        {API_CREATE_QUEUE, {ERROR("RequestLimitExceeded"), DONE}, 2, API_DONE},
        {API_CREATE_QUEUE, {ERROR("RequestLimitExceeded.UinLimitExceeded"), DONE}, 2, API_DONE},
        {API_CREATE_QUEUE, {ERROR("RequestLimitExceeded")}, 8, API_REFUSED},
        /* an answer is lost */
        {API_DESCRIBE_QUEUES, {"close", DONE}, 2, API_DONE},
        {API_MODIFY_QUEUE, {"500", "close", DONE}, 3, API_DONE},
        {API_DELETE_QUEUE, {"502", DONE}, 2, API_DONE},
        {API_CREATE_TOPIC, {"close", DONE}, 1, API_LOST},
        {API_CREATE_SUBSCRIPTION, {"500", DONE}, 1, API_LOST},
        {API_UNBIND_DEAD_LETTER, {"[]", DONE}, 1, API_LOST},
        {API_DESCRIBE_TOPICS, {"{}"}, 8, API_LOST},
        {API_CREATE_QUEUE, {ERROR("InternalError"), DONE}, 1, API_LOST},
        {API_DESCRIBE_SUBSCRIPTIONS, {ERROR("InternalError"), DONE}, 2, API_DONE},
        /* it says no */
        {API_DESCRIBE_QUEUES, {ERROR("AuthFailure.SignatureFailure"), DONE}, 1, API_REFUSED},
        {API_DESCRIBE_QUEUES, {ERROR("AuthFailure.SignatureExpire"), DONE}, 1, API_REFUSED},
        {API_CREATE_QUEUE, {ERROR("ResourceInUse.Queue"), DONE}, 1, API_REFUSED},
        {API_CREATE_QUEUE, {ERROR("LimitExceeded"), DONE}, 1, API_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *script[] = {rows[i].script[0], rows[i].script[1], rows[i].script[2], NULL};
        struct api_server *server = api_server_start(script);
        struct api *api = api_at(server->port);
        noted[0] = '\0';
        struct api_reply reply = call(api, rows[i].action);
        if (reply.outcome != rows[i].outcome)
            fail_msg("row %zu: %d, %s", i, reply.outcome, reply.text);
        assert_int_equal(noted[0] != '\0', rows[i].asked > 1);
        api_reply_fini(&reply);
        api_close(api);
        api_server_stop(server);
        assert_int_equal(server->count, rows[i].asked);
        api_server_free(server);
    }
}

static void requests_to_an_action_keep_below_twenty_a_second(void **state)
{
    (void)state;
    static const char *const script[] = {DONE, NULL};
    struct api_server *server = api_server_start(script);
    struct api *api = api_at(server->port);
    int64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 21; i++) {
        static const enum api_action three[] = {API_CREATE_QUEUE, API_CREATE_TOPIC,
                                                API_DESCRIBE_QUEUES};
        struct api_reply reply = call(api, three[i % 3]);
        assert_int_equal(reply.outcome, API_DONE);
        api_reply_fini(&reply);
    }
    assert_true(clock_mono_ms() - began_ms >= 6 * 50); /* seven to each, side by side */
    api_close(api);
    api_server_stop(server);
    for (size_t i = 3; i < server->count; i++)
        assert_true(server->asked[i].at_ms - server->asked[i - 3].at_ms >= 45);
    api_server_free(server);
}

static void the_services_clock_is_followed(void **state)
{
    (void)state;
    static const char *const script[] = {ERROR("AuthFailure.SignatureExpire"), DONE, NULL};
    struct api_server *server = api_server_start(script);
    server->date = "Wed, 01 Jan 2031 00:00:00 GMT";
    const int64_t theirs_s = 1924992000;
    struct api *api = api_at(server->port);
    struct api_reply reply = call(api, API_CREATE_QUEUE);
    assert_int_equal(reply.outcome, API_DONE);
    assert_non_null(strstr(noted, "set this machine's clock"));
    api_reply_fini(&reply);
    api_close(api);
    api_server_stop(server);
    assert_int_equal(server->count, 2);
    char *stamp = api_header(&server->asked[1], "X-TC-Timestamp");
    uint64_t sent_s = 0;
    assert_true(span_to_u64(span_of(stamp), INT64_MAX, &sent_s));
    assert_in_range(sent_s, theirs_s, theirs_s + 60);
    free(stamp);
    api_server_free(server);
}

static void nobody_there_is_said_with_what_to_check(void **state)
{
    (void)state;
    static const char *const script[] = {DONE, NULL};
    struct api_server *server = api_server_start(script);
    unsigned port = server->port;
    api_server_stop(server);
    api_server_free(server);
    struct api *api = api_at(port);
    struct api_reply reply = call(api, API_CREATE_QUEUE);
    assert_int_equal(reply.outcome, API_UNREACHED);
    assert_non_null(strstr(reply.text, "cannot connect to http://127.0.0.1"));
    assert_non_null(strstr(reply.text, "check cmq.management.endpoint and that the service is up"));
    assert_non_null(strstr(noted, "again in"));
    api_close(api);
}

/* Collects "Name" of each item. */
static bool take_name(void *ctx, const cJSON *item, struct err *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "Name"));
    if (!name)
        return err_set(err, "an item has no name");
    (void)strncat(ctx, name, 20);
    return true;
}

static void a_list_is_read_page_by_page(void **state)
{
    (void)state;
#define PAGE(total, names)                                                                         \
    "{\"Response\":{\"TotalCount\":" total ",\"L\":" names ",\"RequestId\":\"r\"}}"
    static const struct {
        const char *script[4];
        size_t asked;
        const char *names, *error;
    } rows[] = {
        {{PAGE("0", "[]")}, 1, "", NULL},
        {{PAGE("0", "null")}, 1, "", NULL},
        {{PAGE("3", "[{\"Name\":\"a\"},{\"Name\":\"b\"}]"), PAGE("3", "[{\"Name\":\"c\"}]")},
         2,
         "abc",
         NULL},
        {{PAGE("9", "[{\"Name\":\"a\"}]"), PAGE("9", "[]")}, 2, "a", NULL},
        {{PAGE("\"1\"", "[{\"Name\":\"a\"}]")}, 1, "a", NULL},
        {{PAGE("1", "{}")}, 1, NULL, "the answer to DescribeCmqQueues has no L"},
        {{DONE}, 1, NULL, "the answer to DescribeCmqQueues has no L"},
        {{PAGE("1", "[7]")}, 1, NULL, "an item has no name"},
        {{PAGE("2", "[{\"Name\":\"a\"}]"), ERROR("FailedOperation")},
         2,
         NULL,
         "DescribeCmqQueues: FailedOperation: m (RequestId r)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *script[] = {rows[i].script[0], rows[i].script[1], rows[i].script[2], NULL};
        struct api_server *server = api_server_start(script);
        struct api *api = api_at(server->port);
        char names[100] = "";
        struct err err = {""};
        cJSON *body = check_alloc(cJSON_CreateObject());
        bool ok = api_list(api, API_DESCRIBE_QUEUES, body, "L", take_name, names, &err);
        assert_int_equal(ok, rows[i].error == NULL);
        assert_string_equal(ok ? names : err.text, ok ? rows[i].names : rows[i].error);
        cJSON_Delete(body);
        api_close(api);
        api_server_stop(server);
        assert_int_equal(server->count, rows[i].asked);
        assert_string_equal(server->asked[0].body, "{\"Offset\":0,\"Limit\":50}");
        api_server_free(server);
    }
}

static void a_list_without_end_is_ended(void **state)
{
    (void)state;
    struct buf page = BUF_INIT(1 << 20);
    CHECK(buf_add_str(&page, "{\"Response\":{\"TotalCount\":999999,\"RequestId\":\"r\",\"L\":["));
    for (int i = 0; i < 10000; i++)
        CHECK(buf_printf(&page, "%s{\"Name\":\"\"}", i ? "," : ""));
    CHECK(buf_add_str(&page, "]}}"));
    const char *script[] = {buf_str(&page), NULL};
    struct api_server *server = api_server_start(script);
    struct api *api = api_at(server->port);
    char names[100] = "";
    struct err err = {""};
    cJSON *body = check_alloc(cJSON_CreateObject());
    assert_false(api_list(api, API_DESCRIBE_QUEUES, body, "L", take_name, names, &err));
    assert_string_equal(err.text, "DescribeCmqQueues gives more than the 20000 items that can be");
    cJSON_Delete(body);
    api_close(api);
    api_server_stop(server);
    assert_int_equal(server->count, 3);
    api_server_free(server);
    buf_fini(&page);
}

static void what_cannot_be_used_is_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *says;
        void *no_key;
    } rows[] = {
        {"tdmq.example", "cmq.management.endpoint must be http://", NULL},
        {"", "cmq.management.endpoint must be http://", NULL},
        {"http://u:secret@tdmq.example", "cmq.management.endpoint must be http://", NULL},
        {"http://tdmq.example/v2", "cmq.management.endpoint must have no path", NULL},
        {"http://tdmq.example", "no key today", &noted},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        struct api_options options = options_for(rows[i].endpoint);
        options.secrets.ctx = rows[i].no_key;
        assert_null(api_open(&options, &err));
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s", err.text);
        assert_null(strstr(err.text, "secret@"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_carries_its_headers_and_signature),
        cmocka_unit_test(only_what_is_safe_is_asked_again),
        cmocka_unit_test(requests_to_an_action_keep_below_twenty_a_second),
        cmocka_unit_test(the_services_clock_is_followed),
        cmocka_unit_test(nobody_there_is_said_with_what_to_check),
        cmocka_unit_test(a_list_is_read_page_by_page),
        cmocka_unit_test(a_list_without_end_is_ended),
        cmocka_unit_test(what_cannot_be_used_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
