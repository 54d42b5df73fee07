/* Requests as a server reads them: parameters, order of arrays, signature, refusals. */
#include "cmq/request.h"
#include "tests/unit/cmq/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ID "AKIDtestvectorid0000000000000000000"
#define KEY "testvectorkey0000000000000000000"
#define COMMON                                                                                     \
    "Nonce=7&RequestClient=cmqgw_" CMQGW_VERSION "&SecretId=" ID                                   \
    "&SignatureMethod=HmacSHA256&Timestamp=1700000000&"

static struct cmq_identity identity = {
    .secret_id = SPAN_LIT(ID),
    .kind = CMQ_HMAC_SHA256,
    .host = SPAN_LIT("127.0.0.1:8280"),
    .path = SPAN_LIT("/v2/index.php"),
};

static int set_up(void **state)
{
    (void)state;
    identity.signer = cmq_signer_new(identity.kind, span_of(KEY), NULL);
    return !identity.signer;
}

static int tear_down(void **state)
{
    (void)state;
    cmq_signer_free(identity.signer);
    return 0;
}

/* Builds, checks the signature as a server would, and compares what is before it. */
static void form_is(const struct cmq_request *request, const char *expected)
{
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    struct err err;
    if (!cmq_request_form(request, &identity, 1700000000, 7, &out, &err))
        fail_msg("%s", err.text);
    const char *signature = strstr(buf_str(&out), "&Signature=");
    assert_non_null(signature);
    struct span unsigned_part = span_make(out.ptr, (size_t)(signature - out.ptr));
    if (expected && !span_eq_str(unsigned_part, expected))
        fail_msg("%.*s", SPAN_ARG(unsigned_part));

    struct form form;
    assert_true(form_read(&form, buf_span(&out)));
    struct span sent = form_get(&form, "Signature");
    struct buf ours = BUF_INIT(44);
    assert_true(cmq_sign_params(identity.signer, span_of("POST"), identity.host, identity.path,
                                form.params, form.count, &ours));
    assert_true(cmq_signature_equal(sent, buf_span(&ours)));
    buf_fini(&ours);
    form_fini(&form);
    buf_fini(&out);
}

static void each_action_sends_its_parameters_and_no_empty_ones(void **state)
{
    (void)state;
    static const struct span two[] = {SPAN_LIT("one & only"), SPAN_LIT("100%")};
    static const struct span tags[] = {SPAN_LIT("t1"), SPAN_LIT("\xE4\xBD\xA0")};
    struct span q = SPAN_LIT("q");
    const struct {
        struct cmq_request request;
        const char *form;
    } rows[] = {
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = two, .item_count = 1},
         "Action=SendMessage&" COMMON "msgBody=one+%26+only&queueName=q"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = two, .item_count = 1, .delay_s = 60},
         "Action=SendMessage&" COMMON "delaySeconds=60&msgBody=one+%26+only&queueName=q"},
        {{.action = CMQ_BATCH_SEND_MESSAGE, .name = q, .items = two, .item_count = 2},
         "Action=BatchSendMessage&" COMMON "msgBody.1=one+%26+only&msgBody.2=100%25&queueName=q"},
        {{.action = CMQ_RECEIVE_MESSAGE, .name = q, .wait_s = -1},
         "Action=ReceiveMessage&" COMMON "queueName=q"},
        {{.action = CMQ_RECEIVE_MESSAGE, .name = q, .wait_s = 0},
         "Action=ReceiveMessage&" COMMON "pollingWaitSeconds=0&queueName=q"},
        {{.action = CMQ_BATCH_RECEIVE_MESSAGE, .name = q, .wait_s = 30, .max_messages = 16},
         "Action=BatchReceiveMessage&" COMMON "numOfMsg=16&pollingWaitSeconds=30&queueName=q"},
        {{.action = CMQ_DELETE_MESSAGE, .name = q, .items = two, .item_count = 1},
         "Action=DeleteMessage&" COMMON "queueName=q&receiptHandle=one+%26+only"},
        {{.action = CMQ_BATCH_DELETE_MESSAGE, .name = q, .items = two, .item_count = 2},
         "Action=BatchDeleteMessage&" COMMON
         "queueName=q&receiptHandle.1=one+%26+only&receiptHandle.2=100%25"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = two,
          .item_count = 1,
          .has_route = true,
          .route = SPAN_LIT("a.*.~"),
          .delay_s = 9},
         "Action=PublishMessage&" COMMON "msgBody=one+%26+only&routingKey=a.%2A.~&topicName=q"},
        {{.action = CMQ_BATCH_PUBLISH_MESSAGE,
          .name = q,
          .items = two,
          .item_count = 2,
          .tags = tags,
          .tag_count = 2},
         "Action=BatchPublishMessage&" COMMON "msgBody.1=one+%26+only&msgBody.2=100%25&"
         "msgTag.1=t1&msgTag.2=%E4%BD%A0&topicName=q"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = two,
          .item_count = 1,
          .has_route = true},
         "Action=PublishMessage&" COMMON "msgBody=one+%26+only&routingKey=&topicName=q"},
        {{.action = CMQ_QUERY_QUEUE_ROUTE, .name = q},
         "Action=QueryQueueRoute&" COMMON "queueName=q"},
        {{.action = CMQ_QUERY_TOPIC_ROUTE, .name = q},
         "Action=QueryTopicRoute&" COMMON "topicName=q"},
    };
    bool seen[CMQ_ACTION_COUNT] = {false};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        form_is(&rows[i].request, rows[i].form);
        seen[rows[i].request.action] = true;
    }
    for (size_t i = 0; i < CMQ_ACTION_COUNT; i++)
        assert_true(seen[i]);
    assert_string_equal(cmq_action_name(CMQ_QUERY_TOPIC_ROUTE), "QueryTopicRoute");
}

static void a_full_batch_is_signed_in_byte_order_and_starts_at_one(void **state)
{
    (void)state;
    struct span items[CMQ_MAX_BATCH];
    char texts[CMQ_MAX_BATCH][16];
    char expected[2000] = "Action=BatchSendMessage&" COMMON "delaySeconds=43200";
    static const int order[] = {1, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 5, 6, 7, 8, 9};
    for (int i = 0; i < CMQ_MAX_BATCH; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "m%d", i + 1);
        items[i] = span_of(texts[i]);
        size_t len = strlen(expected);
        (void)snprintf(expected + len, sizeof expected - len, "&msgBody.%d=m%d", order[i],
                       order[i]);
    }
    size_t len = strlen(expected);
    (void)snprintf(expected + len, sizeof expected - len, "&queueName=q");
    struct cmq_request request = {.action = CMQ_BATCH_SEND_MESSAGE,
                                  .name = SPAN_LIT("q"),
                                  .items = items,
                                  .item_count = CMQ_MAX_BATCH,
                                  .delay_s = CMQ_MAX_DELAY_S};
    form_is(&request, expected);
    struct span tags[CMQ_MAX_TAGS] = {items[0], items[1], items[2], items[3], items[4]};
    request = (struct cmq_request){.action = CMQ_BATCH_PUBLISH_MESSAGE,
                                   .name = SPAN_LIT("q"),
                                   .items = items,
                                   .item_count = CMQ_MAX_BATCH,
                                   .has_route = true,
                                   .route = SPAN_LIT("r"),
                                   .tags = tags,
                                   .tag_count = CMQ_MAX_TAGS};
    form_is(&request, NULL);
    request.action = CMQ_BATCH_DELETE_MESSAGE;
    form_is(&request, NULL);
}

static void every_byte_that_can_travel_comes_back(void **state)
{
    (void)state;
    char body[128 + 8];
    size_t len = 0;
    for (int c = 1; c < 128; c++)
        body[len++] = (char)c;
    memcpy(body + len, "\xC2\x80\xEF\xBF\xBF", 5);
    struct span item = span_make(body, len + 5);
    struct cmq_request request = {
        .action = CMQ_SEND_MESSAGE, .name = SPAN_LIT("q"), .items = &item, .item_count = 1};
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    assert_true(cmq_request_form(&request, &identity, 1700000000, UINT64_MAX, &out, NULL));
    struct form form;
    assert_true(form_read(&form, buf_span(&out)));
    assert_true(span_eq(form_get(&form, "msgBody"), item));
    assert_true(span_eq_str(form_get(&form, "Nonce"), "18446744073709551615"));
    assert_true(span_eq_str(form_get(&form, "SignatureMethod"), "HmacSHA256"));
    form_fini(&form);
    buf_fini(&out);
    form_is(&request, NULL);
}

static void a_token_and_sha1_are_said_when_used(void **state)
{
    (void)state;
    struct cmq_identity other = identity;
    other.kind = CMQ_HMAC_SHA1;
    other.token = span_of("tok/en=");
    other.signer = cmq_signer_new(CMQ_HMAC_SHA1, span_of(KEY), NULL);
    struct cmq_request request = {.action = CMQ_QUERY_QUEUE_ROUTE, .name = SPAN_LIT("q")};
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    assert_true(cmq_request_form(&request, &other, 1700000000, 7, &out, NULL));
    assert_non_null(strstr(buf_str(&out), "&SignatureMethod=HmacSHA1&"));
    assert_non_null(strstr(buf_str(&out), "&Token=tok%2Fen%3D&"));
    buf_fini(&out);
    cmq_signer_free(other.signer);
}

static void what_breaks_a_limit_is_refused_before_sending(void **state)
{
    (void)state;
    enum { OVER = CMQ_MAX_BODY_BYTES + 1 };
    char *big = test_malloc(OVER);
    memset(big, 'x', OVER);
    const struct span ok[17] = {SPAN_LIT("a"), SPAN_LIT("b"), SPAN_LIT("c"), SPAN_LIT("d"),
                                SPAN_LIT("e"), SPAN_LIT("f"), SPAN_LIT("g")};
    const struct span empty = SPAN_LIT(""), at = SPAN_LIT("@a"), nul = SPAN_LIT("a\0b"),
                      latin = SPAN_LIT("\xE9"), long_tag = SPAN_LIT("0123456789abcdefg"),
                      huge = {big, OVER}, handle = {big, 257};
    struct span q = SPAN_LIT("q");
    const struct {
        struct cmq_request request;
        const char *why;
    } rows[] = {
        {{.action = CMQ_SEND_MESSAGE, .name = SPAN_LIT("9"), .items = ok, .item_count = 1},
         "queue's name"},
        {{.action = CMQ_PUBLISH_MESSAGE, .name = SPAN_LIT(""), .items = ok, .item_count = 1},
         "topic's name"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = ok, .item_count = 0}, "1 to 1"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = ok, .item_count = 2}, "1 to 1"},
        {{.action = CMQ_BATCH_SEND_MESSAGE, .name = q, .items = ok, .item_count = 17}, "1 to 16"},
        {{.action = CMQ_BATCH_DELETE_MESSAGE, .name = q, .items = ok, .item_count = 0}, "1 to 16"},
        {{.action = CMQ_RECEIVE_MESSAGE, .name = q, .items = ok, .item_count = 1}, "0 to 0"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = &empty, .item_count = 1}, "empty"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = &at, .item_count = 1}, "'@'"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = &nul, .item_count = 1}, "NUL"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = &latin, .item_count = 1}, "UTF-8"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = &huge, .item_count = 1}, "1048577"},
        {{.action = CMQ_DELETE_MESSAGE, .name = q, .items = &handle, .item_count = 1}, "257"},
        {{.action = CMQ_DELETE_MESSAGE, .name = q, .items = &empty, .item_count = 1}, "handle"},
        {{.action = CMQ_SEND_MESSAGE, .name = q, .items = ok, .item_count = 1, .delay_s = 43201},
         "43201"},
        {{.action = CMQ_BATCH_RECEIVE_MESSAGE, .name = q, .max_messages = 0}, "1 to 16"},
        {{.action = CMQ_BATCH_RECEIVE_MESSAGE, .name = q, .max_messages = 17}, "1 to 16"},
        {{.action = CMQ_RECEIVE_MESSAGE, .name = q, .wait_s = 31}, "31"},
        {{.action = CMQ_RECEIVE_MESSAGE, .name = q, .wait_s = -2}, "-2"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = ok,
          .item_count = 1,
          .tags = ok,
          .tag_count = 6},
         "6 tags"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = ok,
          .item_count = 1,
          .tags = &long_tag,
          .tag_count = 1},
         "16 characters"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = ok,
          .item_count = 1,
          .tags = &at,
          .tag_count = 1},
         "'@'"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = ok,
          .item_count = 1,
          .has_route = true,
          .route = handle},
         "64 bytes"},
        {{.action = CMQ_PUBLISH_MESSAGE,
          .name = q,
          .items = ok,
          .item_count = 1,
          .has_route = true,
          .route = at},
         "'@'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT(2 * CMQ_MAX_POST_BYTES);
        struct err err = {""};
        if (cmq_request_form(&rows[i].request, &identity, 1, 1, &out, &err))
            fail_msg("row %zu (%s) was taken", i, rows[i].why);
        if (!strstr(err.text, rows[i].why))
            fail_msg("row %zu: %s does not say %s", i, err.text, rows[i].why);
        buf_fini(&out);
    }
    test_free(big);
}

static void a_form_larger_than_a_post_may_be_is_refused(void **state)
{
    (void)state;
    enum { LEN = CMQ_MAX_POST_BYTES - 1000 };
    char *big = test_malloc(LEN);
    memset(big, 'x', LEN);
    struct span item = {big, LEN};
    struct cmq_request request = {
        .action = CMQ_SEND_MESSAGE, .name = SPAN_LIT("q"), .items = &item, .item_count = 1};
    form_is(&request, NULL);
    memset(big, ' ', LEN);
    form_is(&request, NULL);
    memset(big, '"', LEN);
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    struct err err = {""};
    assert_false(cmq_request_form(&request, &identity, 1, 1, &out, &err));
    assert_non_null(strstr(err.text, "larger than the 1048576 bytes"));
    buf_fini(&out);

    item = (struct span){big, 1};
    for (size_t room = 1; room < 400; room++) { /* wherever the ceiling is met */
        buf_init(&out, room);
        bool ok = cmq_request_form(&request, &identity, 1, 1, &out, NULL);
        assert_true(!ok || out.len <= room);
        assert_true(ok || room < 350);
        buf_fini(&out);
    }
    test_free(big);
}

static void the_cost_of_a_body_is_what_the_form_grows_by(void **state)
{
    (void)state;
    const struct span rows[] = {SPAN_LIT("x"), SPAN_LIT("a b"), SPAN_LIT("{\"t\": 1}"),
                                SPAN_LIT("\xE4\xBD\xA0")};
    const size_t costs[] = {13, 15, 12 + 18, 12 + 9};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cmq_form_cost(rows[i]), costs[i]);

    struct span items[CMQ_MAX_BATCH], tags[CMQ_MAX_TAGS];
    char name[65] = "q", route[CMQ_MAX_ROUTE_BYTES];
    memset(name, 'q', 64);
    memset(route, '/', sizeof route);
    size_t bodies = 0;
    for (size_t i = 0; i < CMQ_MAX_BATCH; i++) {
        items[i] = rows[2];
        bodies += cmq_form_cost(rows[2]);
    }
    for (size_t i = 0; i < CMQ_MAX_TAGS; i++)
        tags[i] = span_of("\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                          "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                          "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                          "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80");
    struct cmq_identity wordy = identity;
    char token[4096];
    memset(token, 't', sizeof token);
    wordy.token = span_make(token, sizeof token);
    struct cmq_request request = {.action = CMQ_BATCH_PUBLISH_MESSAGE,
                                  .name = span_of(name),
                                  .items = items,
                                  .item_count = CMQ_MAX_BATCH,
                                  .has_route = true,
                                  .route = span_make(route, sizeof route),
                                  .tags = tags,
                                  .tag_count = CMQ_MAX_TAGS};
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    assert_true(cmq_request_form(&request, &wordy, INT64_MAX, UINT64_MAX, &out, NULL));
    assert_true(out.len <= bodies + CMQ_FORM_OVERHEAD);
    assert_true(out.len > bodies);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_sends_its_parameters_and_no_empty_ones),
        cmocka_unit_test(a_full_batch_is_signed_in_byte_order_and_starts_at_one),
        cmocka_unit_test(every_byte_that_can_travel_comes_back),
        cmocka_unit_test(a_token_and_sha1_are_said_when_used),
        cmocka_unit_test(what_breaks_a_limit_is_refused_before_sending),
        cmocka_unit_test(a_form_larger_than_a_post_may_be_is_refused),
        cmocka_unit_test(the_cost_of_a_body_is_what_the_form_grows_by),
    };
    return cmocka_run_group_tests_name("cmq/request", tests, set_up, tear_down);
}
