/* The management plane: which call is served, in what order it is judged, and its own limits. */
#include "api_caller.h"

#include "cmq/sign.h"

static struct form form;

/* Serves a call as a signed form. changes: pieces that replace or add, such as "Nonce=x". */
static struct api_result serve_form(const char *pieces, const char *key)
{
    static char text[4096];
    struct buf to_sign = BUF_INIT(1 << 20), signature = BUF_INIT(100);
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA1, span_of(key), NULL);
    (void)snprintf(text, sizeof text, "%s", pieces);
    assert_true(form_parse(&form, text, strlen(text)));
    assert_true(cmq_sign_text(span_of("POST"), span_of(HOST), span_of("/"), form.params, form.count,
                              false, &to_sign));
    assert_true(cmq_sign(signer, buf_span(&to_sign), &signature));
    if (form.count && !form_get(&form, "Signature"))
        form.params[form.count++] = (struct cmq_param){SPAN_LIT("Signature"), buf_span(&signature)};
    const struct verify_target target = {span_of("POST"), span_of(HOST), span_of("/")};
    buf_clear(&answer);
    call_init(&call, 78, &form, &answer);
    struct api_result result = api_serve_form(api, &target, &form, false, &call, now_ms);
    cmq_signer_free(signer);
    buf_fini(&to_sign);
    buf_fini(&signature);
    return result;
}

static void expect_form(const char *code, const char *pieces)
{
    assert_int_equal(serve_form(pieces, KEY).outcome, API_ANSWERED);
    const char *is = code_in(read_answer());
    if (strcmp(is, code) != 0)
        fail_msg("%s: %s instead of %s", pieces, buf_str(&answer), code);
}

#define COMMON "&SecretId=" ID "&Timestamp=1700000000&Nonce=1&Version=2020-02-17"

static void a_form_is_judged_in_order(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *form;
    } rows[] = {
        {"MissingParameter", "Action=CreateCmqQueue"},
        {"MissingParameter", "Action=CreateCmqQueue&Timestamp=1&Nonce=1"},
        {"AuthFailure.InvalidSecretId",
         "Action=CreateCmqQueue&SecretId=x&Timestamp=1700000000&Nonce=1"},
        {"InvalidParameter", "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=now&Nonce=1"},
        {"InvalidParameter", "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=1700000000&Nonce=x"},
        {"AuthFailure.SecretIdNotFound",
         "Action=CreateCmqQueue&SecretId=AKIDother&Timestamp=1700000000&Nonce=1"},
        {"AuthFailure.SignatureFailure", "Action=CreateCmqQueue&Signature=x" COMMON},
        {"AuthFailure.SignatureExpire",
         "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=1700000301&Nonce=1"},
        {"AuthFailure.SignatureExpire",
         "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=1699999699&Nonce=1"},
        {"MissingParameter",
         "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=1700000300&Nonce=1"}, /* the version */
        {"NoSuchVersion",
         "Action=CreateCmqQueue&SecretId=" ID "&Timestamp=1700000000&Nonce=1&Version=2019-03-04"},
        {"InvalidAction", "Action=CreateCmqThing" COMMON},
        {"MissingParameter", "Action=CreateCmqQueue" COMMON}, /* the name */
        {"ok", "Action=CreateCmqQueue&QueueName=q&Region=ap-guangzhou&Language=zh-CN"
               "&RequestClient=x&Token=&SignatureMethod=HmacSHA1" COMMON},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_form(rows[i].code, rows[i].form);
    assert_int_equal(serve_form("Action=DescribeCmqQueues" COMMON, "another key").outcome,
                     API_ANSWERED);
    assert_string_equal(code_in(read_answer()), "AuthFailure.SignatureFailure");
}

static void the_parameters_of_a_form_have_types(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *form;
    } rows[] = {
        {"ok", "Action=CreateCmqQueue&QueueName=a&VisibilityTimeout=5&Trace=true" COMMON},
        {"ok", "Action=CreateCmqQueue&QueueName=b&Trace=0&Tags.0.TagKey=k&Tags.0.TagValue=v"
               "&Tags.1.TagKey=l&Tags.1.TagValue=" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c&VisibilityTimeout=five" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c&VisibilityTimeout=" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c&VisibilityTimeout=-1" COMMON},
        {"InvalidParameterValue", "Action=CreateCmqQueue&QueueName=c&VisibilityTimeout=0" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c&Trace=yes" COMMON},
        {"ok", "Action=CreateCmqQueue&QueueName=d&Tags.0.TagKey=k" COMMON}, /* no value */
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c&Tags.0.TagValue=k" COMMON},
        {"UnknownParameter", "Action=CreateCmqQueue&QueueName=c&Tags.0.TagKey=k&Tags.0.TagValue=v"
                             "&Tags.2.TagKey=k&Tags.2.TagValue=v" COMMON}, /* a gap */
        {"UnknownParameter", "Action=CreateCmqQueue&QueueName=c&Tags.0.Value=v" COMMON},
        {"UnknownParameter", "Action=CreateCmqQueue&QueueName=c&queueName=d" COMMON},
        {"UnknownParameter", "Action=CreateCmqQueue&QueueName=c&QueueName=d" COMMON},
        {"UnknownParameter", "Action=DescribeCmqQueues&QueueNameList=a" COMMON},
        {"ok", "Action=DescribeCmqQueues&QueueNameList.0=a&QueueNameList.1=b" COMMON},
        {"ok", "Action=DescribeCmqQueues&QueueNameList.1=a&QueueNameList.2=b" COMMON},
        {"UnknownParameter", "Action=DescribeCmqQueues&QueueNameList.2=a" COMMON},
        {"ok", "Action=DescribeCmqQueues&Filters.0.Name=tag:k&Filters.0.Values.0=v"
               "&Filters.0.Values.1=w" COMMON},
        {"InvalidParameter", "Action=DescribeCmqQueues&Filters.0.Name=tag:k" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=%FF" COMMON},
        {"InvalidParameter", "Action=CreateCmqQueue&QueueName=c%00d" COMMON},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_form(rows[i].code, rows[i].form);
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"b\"}"), "QueueDescribe");
    assert_string_equal(text_at(queue, "Tags.1.TagKey"), "l");
    assert_true(cJSON_IsFalse(at(queue, "Trace")));
    queue = at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"a\"}"), "QueueDescribe");
    assert_true(number_at(queue, "VisibilityTimeout") == 5);
    assert_true(cJSON_IsTrue(at(queue, "Trace")));
    assert_null(store_queue(store, span_of("c")));
}

static void a_body_is_one_json_object(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *body;
    } rows[] = {
        {"MissingParameter", ""},
        {"MissingParameter", "{}"},
        {"MissingParameter", " {} \r\n"},
        {"InvalidParameter", "{"},
        {"InvalidParameter", "{}{}"},
        {"InvalidParameter", "[]"},
        {"InvalidParameter", "\"QueueName\""},
        {"InvalidParameter", "QueueName=q"},
        {"InvalidParameter", "{\"QueueName\":\"q\",\"QueueName\":\"q\"}"},
        {"InvalidParameter", "{\"QueueName\":\"q\\u0000x\"}"},
        {"InvalidParameter", "{\"QueueName\":\"\xff\"}"},
        {"InvalidParameterValue", "{\"QueueName\":\"\\\\u0000\"}"}, /* no NUL, but no name */
        {"UnknownParameter", "{\"QueueName\":\"q\",\"Constructor\":1}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "CreateCmqQueue", rows[i].body);
    char *large = check_alloc(malloc(API_MAX_BODY_BYTES + 2));
    memset(large, ' ', API_MAX_BODY_BYTES + 1);
    large[API_MAX_BODY_BYTES + 1] = '\0';
    memcpy(large, "{}", 2);
    struct asking asking = {"POST", "DescribeCmqQueues", "2020-02-17", "unsigned", NULL, ""};
    (void)serve_call(&asking, large);
    assert_string_equal(code_in(read_answer()), "InvalidRequest");
    large[API_MAX_BODY_BYTES] = '\0';
    expect("ok", "DescribeCmqQueues", large);
    free(large);
}

static void what_is_asked_for_must_be_there(void **unused)
{
    (void)unused;
    static const struct {
        const char *code;
        struct asking asking;
    } rows[] = {
        {"MissingParameter", {"POST", NULL, "2020-02-17", NULL, NULL, ""}},
        {"MissingParameter", {"POST", "DescribeCmqQueues", NULL, NULL, NULL, ""}},
        {"NoSuchVersion", {"POST", "DescribeCmqQueues", "2019-03-04", NULL, NULL, ""}},
        {"InvalidAction", {"POST", "DescribeQueues", "2020-02-17", NULL, NULL, ""}},
        {"InvalidAction", {"POST", "describecmqqueues", "2020-02-17", NULL, NULL, ""}},
        {"InvalidRequest", {"PUT", "DescribeCmqQueues", "2020-02-17", NULL, NULL, ""}},
        {"AuthFailure.InvalidAuthorization",
         {"POST", "DescribeCmqNothing", "1", "TC3-HMAC-SHA256 x", NULL, ""}},
        {"ok", {"GET", "DescribeCmqQueues", "2020-02-17", NULL, NULL, "Limit=5&Offset=0"}},
        {"InvalidParameterValue",
         {"GET", "DescribeCmqQueues", "2020-02-17", NULL, NULL, "Limit=0"}},
        {"ok", {"GET", "DescribeCmqQueues", "2020-02-17", NULL, NULL, ""}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asking asking = rows[i].asking;
        assert_int_equal(serve_call(&asking, strcmp(asking.method, "GET") == 0 ? "" : "{}").outcome,
                         API_ANSWERED);
        if (strcmp(code_in(read_answer()), rows[i].code) != 0)
            fail_msg("row %zu: %s", i, buf_str(&answer));
    }
    char *query = check_alloc(malloc(API_MAX_QUERY_BYTES + 2));
    memset(query, '&', API_MAX_QUERY_BYTES + 1);
    query[API_MAX_QUERY_BYTES + 1] = '\0';
    struct asking asking = {"GET", "DescribeCmqQueues", "2020-02-17", NULL, NULL, query};
    (void)serve_call(&asking, "");
    assert_string_equal(code_in(read_answer()), "InvalidRequest");
    free(query);
}

static void a_call_is_known_by_its_action_and_name(void **unused)
{
    (void)unused;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"Some\"}");
    assert_true(call.is_api3);
    assert_string_equal(call.action, "CreateCmqQueue");
    assert_string_equal(call.name, "Some");
    assert_string_equal(text_at(read_answer(), "RequestId"),
                        "00000000-0000-4000-8000-00000000004d");
    expect("ResourceNotFound", "UnbindCmqDeadLetter", "{\"SourceQueueName\":\"other\"}");
    assert_string_equal(call.name, "other");
    expect_form("ResourceNotFound.Topic", "Action=DeleteCmqTopic&TopicName=t" COMMON);
    assert_string_equal(call.name, "t");
}

static void an_action_may_be_called_so_often_a_second(void **unused)
{
    (void)unused;
    open_api(0, 20);
    for (int i = 0; i < 20; i++)
        expect("ok", "DescribeCmqQueues", "{}");
    expect("RequestLimitExceeded", "DescribeCmqQueues", "{}");
    expect("ok", "DescribeCmqTopics", "{}"); /* another action */
    expect("RequestLimitExceeded", "DescribeCmqQueues", "{}");
    now_ms += 500; /* the next second */
    expect("ok", "DescribeCmqQueues", "{}");
    open_api(0, 0);
    for (int i = 0; i < 50; i++)
        expect("ok", "DescribeCmqQueues", "{}");
}

static void a_deleted_name_rests(void **unused)
{
    (void)unused;
    char body[64];
    open_api(30000, 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(body, sizeof body, "{\"QueueName\":\"q%d\"}", i);
        expect("ok", "CreateCmqQueue", body);
        expect("ok", "DeleteCmqQueue", body);
    }
    expect("ok", "CreateCmqTopic", "{\"TopicName\":\"q0\"}"); /* not a queue */
    expect("ok", "DeleteCmqTopic", "{\"TopicName\":\"q0\"}");
    expect("ResourceUnavailable", "CreateCmqTopic", "{\"TopicName\":\"Q0\"}");
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"fresh\"}");
    now_ms += 29999;
    expect("ResourceUnavailable", "CreateCmqQueue", "{\"QueueName\":\"Q0\"}");
    expect("ResourceUnavailable", "CreateCmqQueue", "{\"QueueName\":\"q39\"}");
    now_ms += 1;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q0\"}");
    expect("ok", "DeleteCmqQueue", "{\"QueueName\":\"q0\"}");
    expect("ResourceUnavailable", "CreateCmqQueue", "{\"QueueName\":\"q0\"}");
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q39\"}");
}

static struct queue *gone;

static void note_queue(void *ctx, struct queue *queue)
{
    assert_ptr_equal(ctx, &gone);
    gone = queue;
    buf_clear(&answer); /* as who answers the polls in the line does */
    buf_add_str(&answer, "something else");
}

static void who_waits_is_told_before_a_queue_goes(void **unused)
{
    (void)unused;
    gone = NULL;
    api_free(api);
    api_options.ctx = &gone;
    api_options.queue_goes = note_queue;
    api = api_new(&api_options);
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    struct queue *queue = store_queue(store, span_of("q"));
    expect("ok", "DeleteCmqQueue", "{\"QueueName\":\"q\"}");
    assert_ptr_equal(gone, queue);
}

static void script(const char *json)
{
    struct err err;
    if (!sabotage_set(&sabotage, span_of(json), &err))
        fail_msg("%s", err.text);
}

static void the_script_counts_for_this_plane_too(void **unused)
{
    (void)unused;
    struct asking asking = {"POST", "CreateCmqQueue", "2020-02-17", NULL, NULL, ""};
    script("[{\"action\":\"CreateCmqQueue\",\"mode\":\"code\",\"code\":\"RequestLimitExceeded\","
           "\"count\":1}]");
    expect("RequestLimitExceeded", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    assert_null(store_queue(store, span_of("q")));
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    script("[{\"mode\":\"code\",\"code\":4420}]"); /* of the data plane */
    expect("ok", "DescribeCmqQueues", "{}");
    script("[{\"queue\":\"r\",\"mode\":\"http_500\"}]");
    expect("ok", "DescribeCmqQueues", "{}");
    struct api_result result = serve_call(&asking, "{\"QueueName\":\"R\"}");
    assert_int_equal(result.outcome, API_MISBEHAVE);
    assert_int_equal(result.rule->mode, SABOTAGE_HTTP_500);
    assert_null(store_queue(store, span_of("r")));
    assert_int_equal(serve_form("Action=CreateCmqQueue&QueueName=r" COMMON, KEY).outcome,
                     API_MISBEHAVE);
    script("[{\"mode\":\"late_drop\"}]");
    asking = (struct asking){"POST", "CreateCmqQueue", "2020-02-17", NULL, NULL, ""};
    result = serve_call(&asking, "{\"QueueName\":\"s\"}");
    assert_int_equal(result.outcome, API_ANSWERED);
    assert_true(result.late_drop);
    assert_non_null(store_queue(store, span_of("s")));
}

static void codes_of_the_script_go_with_its_actions(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "[{\"action\":\"CreateCmqQueue\",\"mode\":\"code\",\"code\":4420}]",
        "[{\"mode\":\"code\",\"code\":\"NoSuchCode\"}]",
        "[{\"mode\":\"code\",\"code\":\"\"}]",
        "[{\"mode\":\"code\"}]",
    };
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.text[0] = '\0';
        assert_false(sabotage_set(&sabotage, span_of(bad[i]), &err));
        assert_true(err.text[0] != '\0');
    }
    script("[{\"mode\":\"code\",\"code\":\"InternalError\"}]");
    struct buf printed = BUF_INIT(1000);
    sabotage_print(&sabotage, &printed);
    assert_non_null(strstr(buf_str(&printed), "\"code\":\"InternalError\""));
    buf_fini(&printed);
    expect("InternalError", "DescribeCmqQueues", "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_form_is_judged_in_order),
        TEST(the_parameters_of_a_form_have_types),
        TEST(a_body_is_one_json_object),
        TEST(what_is_asked_for_must_be_there),
        TEST(a_call_is_known_by_its_action_and_name),
        TEST(an_action_may_be_called_so_often_a_second),
        TEST(a_deleted_name_rests),
        TEST(who_waits_is_told_before_a_queue_goes),
        TEST(the_script_counts_for_this_plane_too),
        TEST(codes_of_the_script_go_with_its_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
