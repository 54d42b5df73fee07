/* A request from its form to its answer: misbehaviour, then signature, then action. */
#include "local/plane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000500)
#define ID "AKIDplane"
#define KEY "key"

static struct store *store;
static struct sabotage sabotage;
static struct plane plane;
static struct call call;
static struct buf answer = BUF_INIT(16 << 20);
static struct buf text = BUF_INIT(16 << 20);

static int open_all(void **unused)
{
    (void)unused;
    static const struct depot_limits limits = {1 << 20, 40, 20};
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    static const struct verify_options account = {.secret_id = SPAN_LIT(ID),
                                                  .secret_key = SPAN_LIT(KEY),
                                                  .tolerance_s = 60,
                                                  .at_fallback = true};
    log_setup(LOG_ERROR, LOG_TEXT);
    store = store_new(&limits, NOW);
    assert_non_null(store_add_queue(store, span_of("q"), &plain, NULL));
    plane = (struct plane){.service = {.store = store, .address = "h:1"},
                           .verifier = verifier_new(&account, NULL),
                           .sabotage = &sabotage,
                           .last_request_id = 41};
    assert_non_null(plane.verifier);
    plane.api = api_new(&(struct api_options){
        .store = store, .verifier = plane.verifier, .sabotage = &sabotage, .tolerance_s = 60});
    return 0;
}

static int close_all(void **unused)
{
    (void)unused;
    store_free(store);
    api_free(plane.api);
    verifier_free(plane.verifier);
    sabotage_clear(&sabotage);
    buf_fini(&answer);
    buf_fini(&text);
    return 0;
}

/* Writes a signed form of plain "key=value" pieces, which need no encoding. */
static void write_form(const char *method, const char *pieces)
{
    static struct form form;
    struct buf to_sign = BUF_INIT(4 << 20), signature = BUF_INIT(100);
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA1, span_of(KEY), NULL);
    buf_clear(&text);
    buf_printf(&text, "%s&SecretId=" ID "&Timestamp=1700000000&Nonce=1", pieces);
    char *copy = span_dup(buf_span(&text));
    assert_true(form_parse(&form, copy, text.len));
    assert_true(cmq_sign_text(span_of(method), span_of("h:1"), span_of("/"), form.params,
                              form.count, false, &to_sign));
    assert_true(cmq_sign(signer, buf_span(&to_sign), &signature));
    buf_add_str(&text, "&Signature=");
    for (size_t i = 0; i < signature.len; i++)
        buf_printf(&text, "%%%02X", (unsigned)(unsigned char)signature.ptr[i]);
    cmq_signer_free(signer);
    buf_fini(&to_sign);
    buf_fini(&signature);
    free(copy);
}

/* Serves what is in text. */
static struct plane_result serve(const char *method, bool was_delayed)
{
    char *copy = span_dup(buf_span(&text));
    struct plane_request request = {.target = {span_of(method), span_of("h:1"), span_of("/")},
                                    .text = copy,
                                    .len = text.len,
                                    .was_delayed = was_delayed};
    buf_clear(&answer);
    struct plane_result result = plane_serve(&plane, &request, &call, &answer, NOW);
    free(copy);
    return result;
}

static void script(const char *json)
{
    struct err err;
    if (!sabotage_set(&sabotage, span_of(json), &err))
        fail_msg("%s", err.text);
}

static void a_signed_request_is_served(void **unused)
{
    (void)unused;
    write_form("POST", "Action=SendMessage&queueName=q&msgBody=x");
    assert_int_equal(serve("POST", false).outcome, PLANE_ANSWERED);
    assert_true(span_starts(buf_span(&answer),
                            "{\"code\":0,\"message\":\"\",\"requestId\":\"42\",\"msgId\":\""));
    assert_string_equal(call.action, "SendMessage");
    assert_string_equal(call.name, "q");
    assert_int_equal(serve("POST", false).outcome, PLANE_ANSWERED); /* the nonce may come again */
    assert_int_equal(call.code, 0);
    write_form("GET", "Action=ReceiveMessage&queueName=q");
    assert_int_equal(serve("GET", false).outcome, PLANE_ANSWERED);
    assert_int_equal(call.code, 0);
}

static void what_is_not_right_is_answered_in_order(void **unused)
{
    (void)unused;
    static const struct {
        const char *signed_for, *method, *form, *answer;
    } rows[] = {
        {"PUT", "PUT", "Action=SendMessage",
         "\"code\":4000,\"message\":\"(10410)unexpected http PUT only GET or POST is supported\""},
        {"GET", "POST", "Action=SendMessage&queueName=q&msgBody=x",
         "\"code\":4100,\"message\":\"(10030)authentication failed\""},
        {"POST", "POST", "Action=SendMessage&queueName=q&queueName=q&msgBody=x",
         "\"code\":4000,\"message\":\"(10330)parameter queueName is NOT a repeatable parameter\""},
        {"POST", "POST", "Action=CreateQueue&queueName=q",
         "\"code\":4000,\"message\":\"(10430)action name CreateQueue is not existed\""},
        {"POST", "POST", "Action=CreateCmqQueue&QueueName=q",
         "{\"Response\":{\"Error\":{\"Code\":\"MissingParameter\","},
        {"POST", "POST", "Action=CreateCmqQueue&QueueName=q&Version=2020-02-17",
         "{\"Response\":{\"Error\":{\"Code\":\"ResourceInUse.Queue\","},
        {"POST", "POST", "Action=CreateQueue&QueueName=q&Version=2020-02-17",
         "{\"Response\":{\"Error\":{\"Code\":\"InvalidAction\","},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_form(rows[i].signed_for, rows[i].form);
        assert_int_equal(serve(rows[i].method, false).outcome, PLANE_ANSWERED);
        if (!strstr(buf_str(&answer), rows[i].answer))
            fail_msg("%s", buf_str(&answer));
    }
    assert_int_equal(store_queue(store, span_of("q"))->active_count, 0);
}

static void too_large_a_form_is_not_read(void **unused)
{
    (void)unused;
    buf_clear(&text);
    for (size_t i = 0; i <= CMQ_MAX_POST_BYTES; i++)
        buf_add_char(&text, 'x');
    assert_int_equal(serve("POST", false).outcome, PLANE_ANSWERED);
    assert_non_null(strstr(buf_str(&answer), "\"code\":4000,\"message\":\"(10420)cannot parse "
                                             "parameters, or request size is more than 1MB\""));
    buf_clear(&text);
    for (size_t i = 0; i <= FORM_MAX_PARAMS; i++)
        buf_add_str(&text, "a=&");
    assert_int_equal(serve("POST", false).outcome, PLANE_ANSWERED);
    assert_int_equal(call.module, 10420);
}

static void a_poll_waits(void **unused)
{
    (void)unused;
    write_form("POST", "Action=ReceiveMessage&queueName=q&pollingWaitSeconds=3");
    struct plane_result result = serve("POST", false);
    assert_int_equal(result.outcome, PLANE_WAITS);
    assert_ptr_equal(result.queue, store_queue(store, span_of("q")));
    assert_int_equal(result.wait_ms, 3000);
}

static void the_script_decides_before_anything_is_done(void **unused)
{
    (void)unused;
    static const struct {
        const char *script;
        enum plane_outcome outcome;
        const char *answer;
        unsigned sent;
    } rows[] = {
        {"[{\"mode\":\"http_500\"}]", PLANE_HTTP_500, "", 0},
        {"[{\"mode\":\"drop\"}]", PLANE_DROPPED, "", 0},
        {"[{\"mode\":\"delay\",\"seconds\":2}]", PLANE_DELAYED, "", 0},
        {"[{\"mode\":\"garbage\"}]", PLANE_ANSWERED, "<html>", 0},
        {"[{\"mode\":\"code\",\"code\":4420}]", PLANE_ANSWERED, "(10250)qps throttling", 0},
        {"[{\"mode\":\"code\",\"code\":4000,\"module\":10390}]", PLANE_ANSWERED,
         "lacked of required parameter SendMessage", 0},
        {"[{\"mode\":\"late_drop\"}]", PLANE_ANSWERED, "\"code\":0", 1},
        {"[{\"mode\":\"drop\",\"queue\":\"other\"}]", PLANE_ANSWERED, "\"code\":0", 1},
    };
    const struct queue *queue = store_queue(store, span_of("q"));
    write_form("POST", "Action=SendMessage&queueName=q&msgBody=x");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t had = queue->active_count;
        script(rows[i].script);
        struct plane_result result = serve("POST", false);
        if (result.outcome != rows[i].outcome || !strstr(buf_str(&answer), rows[i].answer) ||
            queue->active_count - had != rows[i].sent)
            fail_msg("%s -> %s", rows[i].script, buf_str(&answer));
        assert_int_equal(result.late_drop, strstr(rows[i].script, "late_drop") != NULL);
    }
}

static void a_delayed_request_is_served_in_the_end(void **unused)
{
    (void)unused;
    script("[{\"mode\":\"delay\",\"seconds\":0.25}]");
    write_form("POST", "Action=SendMessage&queueName=q&msgBody=x");
    assert_int_equal(serve("POST", false).wait_ms, 250);
    assert_int_equal(serve("POST", true).outcome, PLANE_ANSWERED);
    assert_int_equal(store_queue(store, span_of("q"))->active_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signed_request_is_served),
        TEST(what_is_not_right_is_answered_in_order),
        TEST(too_large_a_form_is_not_read),
        TEST(a_poll_waits),
        TEST(the_script_decides_before_anything_is_done),
        TEST(a_delayed_request_is_served_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
