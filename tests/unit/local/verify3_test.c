/* Signatures of API 3.0: the vendor's own example, a captured request, and what must not pass. */
#include "local/verify3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include <cmocka.h>

struct header {
    const char *name, *value;
};

enum { MAX_HEADERS = 10, TOLERANCE_S = 300 };

struct sample {
    const char *secret_id, *secret_key, *method, *query, *body;
    int64_t timestamp_s;
    struct header headers[MAX_HEADERS];
};

#define STARS "********************************"

/* The vendor's worked example (CMQ.md 8.3). */
static const struct sample vendors = {
    .secret_id = "AKID" STARS,
    .secret_key = STARS,
    .method = "POST",
    .query = "",
    .body = "{\"Limit\": 1, \"Filters\": [{\"Values\": [\"\\u672a\\u547d\\u540d\"], "
            "\"Name\": \"instance-name\"}]}",
    .timestamp_s = 1551113065,
    .headers = {{"Authorization",
                 "TC3-HMAC-SHA256 Credential=AKID" STARS "/2019-02-25/cvm/tc3_request, "
                 "SignedHeaders=content-type;host;x-tc-action, Signature="
                 "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"},
                {"Content-Type", "application/json; charset=utf-8"},
                {"Host", "cvm.tencentcloudapi.com"},
                {"X-TC-Action", "DescribeInstances"},
                {"X-TC-Timestamp", "1551113065"}},
};

/* The same with two signed headers and another key (CMQ.md 8.3). */
static const struct sample two_headers = {
    .secret_id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******",
    .secret_key = "Gu5t9xGARNpq86cd98joQYCN3*******",
    .method = "POST",
    .query = "",
    .body = "{\"Limit\": 1, \"Filters\": [{\"Values\": [\"\\u672a\\u547d\\u540d\"], "
            "\"Name\": \"instance-name\"}]}",
    .timestamp_s = 1551113065,
    .headers = {{"Authorization",
                 "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/2019-02-25/cvm/"
                 "tc3_request, SignedHeaders=content-type;host, Signature="
                 "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"},
                {"Content-Type", "application/json; charset=utf-8"},
                {"Host", "cvm.tencentcloudapi.com"},
                {"X-TC-Action", "DescribeInstances"},
                {"X-TC-Timestamp", "1551113065"}},
};

#define CAPTURED(host_header, signature)                                                           \
    {                                                                                              \
        .secret_id = "AKIDx", .secret_key = "y", .method = "POST", .query = "",                    \
        .body = "{\"QueueName\":\"q1\",\"MaxMsgSize\":1024,\"Tags\":[{\"TagKey\":\"a\","           \
                "\"TagValue\":\"b\"}]}",                                                           \
        .timestamp_s = 1795438171, .headers = {                                                    \
            {"Authorization", "TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq/tc3_request, "     \
                              "SignedHeaders=content-type;host, Signature=" signature},            \
            {"Content-Type", "application/json"},                                                  \
            {"Host", host_header},                                                                 \
            {"X-TC-Action", "CreateCmqQueue"},                                                     \
            {"X-TC-Timestamp", "1795438171"},                                                      \
        }                                                                                          \
    }
#define WITHOUT_PORT "77ae4328795811db1f5eeb27696051ea7ae345d1192d9cfc42a2b00c0f79e180"
#define WITH_PORT "f0ff685e69c5ba65116141df83f8fa0d4f109a921439a8fe689a6e682ee2f731"

/* A captured request, whose SDK signs the host without its port (CMQ.md 8.1); one with it. */
static const struct sample captured = CAPTURED("tdmq.localhost:18933", WITHOUT_PORT);
static const struct sample with_port = CAPTURED("tdmq.localhost:18933", WITH_PORT);
static const struct sample no_port = CAPTURED("tdmq.localhost", WITHOUT_PORT);

static const char *find(void *ctx, const char *name)
{
    const struct sample *sample = ctx;
    for (size_t i = 0; i < MAX_HEADERS && sample->headers[i].name; i++) {
        if (strcasecmp(sample->headers[i].name, name) == 0)
            return sample->headers[i].value;
    }
    return NULL;
}

/* The code of the refusal, or NULL when the request is authentic. */
static const char *judge(struct sample *sample, int64_t now_s)
{
    struct verifier3 *verifier =
        verifier3_new(span_of(sample->secret_id), span_of(sample->secret_key), TOLERANCE_S);
    const struct verify3_request request = {.method = span_of(sample->method),
                                            .query = span_of(sample->query),
                                            .body = span_of(sample->body),
                                            .ctx = sample,
                                            .header = find};
    const char *code = NULL;
    struct err err = {""};
    bool ok = verify3_request(verifier, &request, now_s, &code, &err);
    verifier3_free(verifier);
    assert_int_equal(ok, code == NULL);
    assert_int_equal(ok, err.text[0] == '\0');
    return code;
}

static void set(struct sample *sample, const char *name, const char *value)
{
    size_t i = 0;
    while (i < MAX_HEADERS && sample->headers[i].name &&
           strcasecmp(sample->headers[i].name, name) != 0)
        i++;
    assert_true(i < MAX_HEADERS);
    sample->headers[i] = (struct header){name, value};
}

static void expect(struct sample *sample, int64_t now_s, const char *code)
{
    const char *is = judge(sample, now_s);
    if ((is || code) && (!is || !code || strcmp(is, code) != 0))
        fail_msg("%s instead of %s", is ? is : "authentic", code ? code : "authentic");
}

static void known_signatures_are_authentic(void **unused)
{
    (void)unused;
    const struct sample *samples[] = {&vendors, &two_headers, &captured, &with_port, &no_port};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct sample sample = *samples[i];
        expect(&sample, sample.timestamp_s, NULL);
    }
}

static void whatever_is_signed_cannot_change(void **unused)
{
    (void)unused;
    static const char failure[] = "AuthFailure.SignatureFailure";
    struct sample sample = vendors;
    sample.method = "GET";
    expect(&sample, sample.timestamp_s, failure);
    sample = vendors;
    sample.query = "a=b";
    expect(&sample, sample.timestamp_s, failure);
    sample = vendors;
    sample.body = "{}";
    expect(&sample, sample.timestamp_s, failure);
    sample = vendors;
    sample.secret_key = "another";
    expect(&sample, sample.timestamp_s, failure);
    static const struct header others[] = {{"Content-Type", "application/json"},
                                           {"Host", "cvm.example.com"},
                                           {"X-TC-Action", "DescribeImages"},
                                           {"X-TC-Timestamp", "1551113066"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        sample = vendors;
        set(&sample, others[i].name, others[i].value);
        expect(&sample, sample.timestamp_s, failure);
    }
}

static void what_is_not_signed_does_not_matter(void **unused)
{
    (void)unused;
    struct sample sample = two_headers;
    set(&sample, "X-TC-Action", "DescribeImages");
    expect(&sample, sample.timestamp_s, NULL);
}

static void values_count_in_lower_case_and_without_blanks(void **unused)
{
    (void)unused;
    struct sample sample = two_headers;
    set(&sample, "Content-Type", "  Application/JSON; charset=UTF-8 ");
    set(&sample, "Host", "CVM.tencentcloudapi.com:443");
    expect(&sample, sample.timestamp_s, NULL);
}

static void a_timestamp_may_be_five_minutes_off(void **unused)
{
    (void)unused;
    struct sample sample = captured;
    expect(&sample, sample.timestamp_s + TOLERANCE_S, NULL);
    expect(&sample, sample.timestamp_s - TOLERANCE_S, NULL);
    expect(&sample, sample.timestamp_s + TOLERANCE_S + 1, "AuthFailure.SignatureExpire");
    expect(&sample, sample.timestamp_s - TOLERANCE_S - 1, "AuthFailure.SignatureExpire");
}

#define START "TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq/tc3_request, "
#define SIGNED "SignedHeaders=content-type;host, "
#define THIRTY_HEADERS ";a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a;a"

static void an_authorization_of_another_form_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *authorization, *code;
    } rows[] = {
        {NULL, "AuthFailure.InvalidAuthorization"},
        {"", "AuthFailure.InvalidAuthorization"},
        {"Basic dXNlcjpwYXNz", "AuthFailure.InvalidAuthorization"},
        {"TC3-HMAC-SHA256", "AuthFailure.InvalidAuthorization"},
        {"TC3-HMAC-SHA256 ", "AuthFailure.InvalidAuthorization"},
        {START SIGNED, "AuthFailure.InvalidAuthorization"},
        {START "Signature=" WITHOUT_PORT, "AuthFailure.InvalidAuthorization"},
        {START "SignedHeaders=host, Signature=" WITHOUT_PORT, "AuthFailure.InvalidAuthorization"},
        {START "SignedHeaders=content-type, Signature=" WITHOUT_PORT,
         "AuthFailure.InvalidAuthorization"},
        {START "SignedHeaders=content-type;host" THIRTY_HEADERS ", Signature=" WITHOUT_PORT,
         "AuthFailure.InvalidAuthorization"},
        {"TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq, " SIGNED "Signature=" WITHOUT_PORT,
         "AuthFailure.InvalidAuthorization"},
        {"TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq/aws4_request, " SIGNED
         "Signature=" WITHOUT_PORT,
         "AuthFailure.InvalidAuthorization"},
        {"TC3-HMAC-SHA256 Credential=x/2026-11-23/tdmq/tc3_request, " SIGNED
         "Signature=" WITHOUT_PORT,
         "AuthFailure.InvalidSecretId"},
        {"TC3-HMAC-SHA256 Credential=AKIDz/2026-11-23/tdmq/tc3_request, " SIGNED
         "Signature=" WITHOUT_PORT,
         "AuthFailure.SecretIdNotFound"},
        {"TC3-HMAC-SHA256 Credential=AKIDx/2026-11-24/tdmq/tc3_request, " SIGNED
         "Signature=" WITHOUT_PORT,
         "AuthFailure.SignatureFailure"},
        {"TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/cvm/tc3_request, " SIGNED
         "Signature=" WITHOUT_PORT,
         "AuthFailure.SignatureFailure"},
        {START SIGNED "Signature=77ae", "AuthFailure.SignatureFailure"},
        {START SIGNED "Signature=" WITHOUT_PORT, NULL},
        {"TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq/tc3_request,SignedHeaders=content-type;"
         "host,Signature=" WITHOUT_PORT,
         NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sample sample = captured;
        set(&sample, "Authorization", rows[i].authorization);
        expect(&sample, sample.timestamp_s, rows[i].code);
    }
}

static void a_timestamp_is_a_number(void **unused)
{
    (void)unused;
    static const struct {
        const char *timestamp, *code;
    } rows[] = {{NULL, "MissingParameter"},
                {"", "MissingParameter"},
                {"now", "InvalidParameter"},
                {"-1", "InvalidParameter"},
                {"4294967296", "InvalidParameter"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sample sample = captured;
        set(&sample, "X-TC-Timestamp", rows[i].timestamp);
        expect(&sample, sample.timestamp_s, rows[i].code);
    }
}

static void headers_without_bound_do_not_pass(void **unused)
{
    (void)unused;
    static char large[64 * 1024 + 2];
    memset(large, 'x', sizeof large - 1);
    struct sample sample = captured;
    set(&sample, "Content-Type", large);
    expect(&sample, sample.timestamp_s, "AuthFailure.SignatureFailure");
}

/* Made with Python's hmac from CMQ.md 8.2: the body's hash is that of the words. */
static void an_unsigned_payload_must_be_announced(void **unused)
{
    (void)unused;
    struct sample sample = captured;
    set(&sample, "Authorization",
        START SIGNED "Signature=c9967b5dc0e782e23bfe805d8519a5410d8125044589a95be3e8d9463455c4d2");
    expect(&sample, sample.timestamp_s, "AuthFailure.SignatureFailure");
    set(&sample, "X-TC-Content-SHA256", "UNSIGNED-PAYLOAD");
    expect(&sample, sample.timestamp_s, NULL);
    sample.body = "{\"QueueName\":\"another\"}";
    expect(&sample, sample.timestamp_s, NULL);
    set(&sample, "X-TC-Content-SHA256", "anything");
    expect(&sample, sample.timestamp_s, "AuthFailure.SignatureFailure");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_signatures_are_authentic),
        cmocka_unit_test(whatever_is_signed_cannot_change),
        cmocka_unit_test(what_is_not_signed_does_not_matter),
        cmocka_unit_test(values_count_in_lower_case_and_without_blanks),
        cmocka_unit_test(a_timestamp_may_be_five_minutes_off),
        cmocka_unit_test(an_authorization_of_another_form_is_refused),
        cmocka_unit_test(a_timestamp_is_a_number),
        cmocka_unit_test(headers_without_bound_do_not_pass),
        cmocka_unit_test(an_unsigned_payload_must_be_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
