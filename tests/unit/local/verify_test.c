/* Signatures: the vendor's vectors of CMQ.md 2.7, word for word, and all that must not pass. */
#include "local/verify.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct verify_options account = {
    .secret_id = SPAN_LIT("AKIDtestvectorid0000000000000000000"),
    .secret_key = SPAN_LIT("testvectorkey0000000000000000000"),
    .tolerance_s = 7200,
    .at_fallback = true,
};

#define ID "SecretId=AKIDtestvectorid0000000000000000000"
#define BODY_A                                                                                     \
    "Action=SendMessage&Nonce=1001&Timestamp=1700000000&" ID                                       \
    "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA1&queueName=farm-test&"                  \
    "msgBody=hello+world&delaySeconds=0"
#define SIGNED_A BODY_A "&Signature=L18qmWIUFhetAc3AuLkPHX2c%2BPo%3D"
#define BODY_D                                                                                     \
    "Action=ReceiveMessage&Nonce=1004&RequestClient=SDK_Python_1.3&" ID                            \
    "&SignatureMethod=HmacSHA256&Timestamp=1700000003&UserpollingWaitSeconds=0&"                   \
    "pollingWaitSeconds=0&queueName=farm-test"
#define BODY_E                                                                                     \
    "Action=SendMessage&Nonce=1005&RequestClient=SDK_Python_1.3&" ID                               \
    "&SignatureMethod=HmacSHA1&Timestamp=1700000004&delaySeconds=0&msgBody=%40file&"               \
    "queueName=farm-test"

static struct form form;

static struct verify_result judge(const struct verify_options *options, const char *method,
                                  const char *host, const char *path, const char *body,
                                  int64_t now_s)
{
    static char text[4096];
    struct verifier *verifier = verifier_new(options, NULL);
    assert_non_null(verifier);
    memcpy(text, body, strlen(body));
    assert_true(form_parse(&form, text, strlen(body)));
    const struct verify_target target = {span_of(method), span_of(host), span_of(path)};
    struct verify_result result = verify_request(verifier, &target, &form, now_s);
    verifier_free(verifier);
    return result;
}

static void the_vendors_requests_are_authentic(void **unused)
{
    (void)unused;
    static const struct {
        const char *method, *host, *body;
    } rows[] = {
        {"POST", "127.0.0.1:8080", SIGNED_A},
        {"POST", "cmq-gz.public.tencenttdmq.com",
         "Action=BatchSendMessage&Nonce=1002&Timestamp=1700000001&" ID
         "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA256&queueName=farm-test&"
         "delaySeconds=5&msgBody.1=%E4%BD%A0%E5%A5%BD+CMQ%2B%26%3D%25%3F%0A&msgBody.2=m2&"
         "msgBody.3=m3&msgBody.4=m4&msgBody.5=m5&msgBody.6=m6&msgBody.7=m7&msgBody.8=m8&"
         "msgBody.9=m9&msgBody.10=m10&msgBody.11=m11&"
         "Signature=TBpf4OiJ1g55R05epoaS5von%2FBiv%2BCADoFVo5p8%2Bd6k%3D"},
        {"POST", "gz.mqadapter.cmq.tencentyun.com",
         "Action=PublishMessage&Nonce=1003&Timestamp=1700000002&" ID
         "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA1&topicName=farm-topic&"
         "msgBody=a_b&routingKey=order.created&msgTag.1=t1&msgTag.2=t2&client_request_id=77&"
         "clientB=x&Signature=44ZVwkI1HV0vNkvxUVVsmbEN0Ds%3D"},
        {"GET", "127.0.0.1:8080", BODY_D "&Signature=Un0isGSd/N5MHDIy2mRrZdyqeJuNWMTHK7gxYPfcYes="},
        {"POST", "127.0.0.1:8080", BODY_E "&Signature=dvSmVEPlqOIWPmnmEarbLwIA%2BhY="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct verify_result result = judge(&account, rows[i].method, rows[i].host, "/v2/index.php",
                                            rows[i].body, 1700000000);
        if (result.code != 0 || result.at_left_out)
            fail_msg("row %zu: %d/%d", i, result.code, result.module);
    }
}

static void anything_else_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *method, *host, *path, *body;
        int code, module;
        const char *name;
    } rows[] = {
        {"GET", "127.0.0.1:8080", "/v2/index.php", SIGNED_A, 4100, 10030, NULL},
        {"POST", "127.0.0.1:8081", "/v2/index.php", SIGNED_A, 4100, 10030, NULL},
        {"POST", "127.0.0.1", "/v2/index.php", SIGNED_A, 4100, 10030, NULL},
        {"POST", "", "/v2/index.php", SIGNED_A, 4100, 10030, NULL},
        {"POST", "127.0.0.1:8080", "/", SIGNED_A, 4100, 10030, NULL},
        {"POST", "127.0.0.1:8080", "/v2/index.php", SIGNED_A "&x=1", 4100, 10030, NULL},
        {"POST", "127.0.0.1:8080", "/v2/index.php", BODY_A "&Signature=", 4100, 10030, NULL},
        {"POST", "127.0.0.1:8080", "/v2/index.php", BODY_A "&Signature=L18qmWIUFhetAc3AuLkPHX2c",
         4100, 10030, NULL},
        {"POST", "127.0.0.1:8080", "/v2/index.php", BODY_A, 4000, 10390, "Signature"},
        {"POST", "127.0.0.1:8080", "/", "", 4000, 10390, "Action"},
        {"POST", "h", "/", "Action=A", 4000, 10390, "Timestamp"},
        {"POST", "h", "/", "Action=A&Timestamp=1", 4000, 10390, "Nonce"},
        {"POST", "h", "/", "Action=A&Timestamp=1&Nonce=1", 4000, 10390, "SecretId"},
        {"POST", "h", "/", "Action=A&Timestamp=1&Nonce=1&SecretId=KIDA&Signature=x", 4000, 10450,
         NULL},
        {"POST", "h", "/", "Action=A&Timestamp=x&Nonce=1&SecretId=AKID&Signature=x", 4000, 10360,
         "Timestamp"},
        {"POST", "h", "/", "Action=A&Timestamp=-1&Nonce=1&SecretId=AKID&Signature=x", 4000, 10360,
         "Timestamp"},
        {"POST", "h", "/", "Action=A&Timestamp=1&Nonce=&SecretId=AKID&Signature=x", 4000, 10360,
         "Nonce"},
        {"POST", "h", "/", "Action=A&Timestamp=1&Nonce=1&SecretId=AKID&Signature=x", 4100, 10270,
         NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct verify_result r =
            judge(&account, rows[i].method, rows[i].host, rows[i].path, rows[i].body, 1700000000);
        if (r.code != rows[i].code || r.module != rows[i].module)
            fail_msg("row %zu: %d/%d", i, r.code, r.module);
        if (rows[i].name)
            assert_string_equal(r.name, rows[i].name);
    }
}

static void a_signature_without_the_port_is_accepted(void **unused)
{
    (void)unused;
    /* signed for "gz.mqadapter..." without a port, forwarded through a local one */
    static const char body[] =
        "Action=PublishMessage&Nonce=1003&Timestamp=1700000002&" ID
        "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA1&topicName=farm-topic&msgBody=a_b&"
        "routingKey=order.created&msgTag.1=t1&msgTag.2=t2&client_request_id=77&clientB=x&"
        "Signature=44ZVwkI1HV0vNkvxUVVsmbEN0Ds%3D";
    assert_int_equal(judge(&account, "POST", "gz.mqadapter.cmq.tencentyun.com:8280",
                           "/v2/index.php", body, 1700000000)
                         .code,
                     0);
    assert_int_equal(judge(&account, "POST", "gz.mqadapter.cmq.tencentyun.com:", "/v2/index.php",
                           body, 1700000000)
                         .code,
                     4100);
}

static void the_doubled_path_of_a_get_by_php_is_understood(void **unused)
{
    (void)unused;
    static const char body[] = BODY_D "&Signature=Un0isGSd/N5MHDIy2mRrZdyqeJuNWMTHK7gxYPfcYes=";
    static const struct {
        const char *host, *path;
        int code;
    } rows[] = {
        {"127.0.0.1:8080", "/v2/index.php/v2/index.php", 0},
        {"127.0.0.1:8080", "/v2/index.php/v2/index.php/v2/index.php", 4100},
        {"127.0.0.1:8080", "/v2/index.php/v2/index.ph", 4100},
        {"127.0.0.1", "/v2/index.php/v2/index.php", 4100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(judge(&account, "GET", rows[i].host, rows[i].path, body, 1700000000).code,
                         rows[i].code);
    }
}

static void values_that_begin_with_at_may_be_unsigned_if_allowed(void **unused)
{
    (void)unused;
    static const char omitted[] = BODY_E "&Signature=xQZVi7kQobY0i5umNtpSRtuFJ%2Bc=";
    struct verify_result result =
        judge(&account, "POST", "127.0.0.1:8080", "/v2/index.php", omitted, 1700000000);
    assert_int_equal(result.code, 0);
    assert_true(result.at_left_out);
    struct verify_options strict = account;
    strict.at_fallback = false;
    assert_int_equal(
        judge(&strict, "POST", "127.0.0.1:8080", "/v2/index.php", omitted, 1700000000).code, 4100);
}

static void a_plus_that_became_a_space_is_put_back(void **unused)
{
    (void)unused;
    assert_int_equal(judge(&account, "POST", "127.0.0.1:8080", "/v2/index.php",
                           BODY_A "&Signature=L18qmWIUFhetAc3AuLkPHX2c+Po=", 1700000000)
                         .code,
                     0);
}

static void the_clock_may_be_off_by_the_tolerance(void **unused)
{
    (void)unused;
    static const struct {
        int64_t now_s;
        int code;
    } rows[] = {
        {1700000000 + 7200, 0},
        {1700000000 - 7200, 0},
        {1700000000 + 7201, 4100},
        {1700000000 - 7201, 4100},
        {0, 4100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            judge(&account, "POST", "127.0.0.1:8080", "/v2/index.php", SIGNED_A, rows[i].now_s)
                .code,
            rows[i].code);
    }
}

static void sha256_is_chosen_by_its_two_spellings_alone(void **unused)
{
    (void)unused;
    static const struct {
        const char *method;
        bool sha256;
    } rows[] = {
        {"HmacSHA256", true},  {"sha256", true}, {"SHA256", true}, {"HmacSHA1", false},
        {"hmacsha256", false}, {"sha1", false},  {"", false},      {"md5", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cmq_param params[] = {
            {SPAN_LIT("Action"), SPAN_LIT("A")},
            {SPAN_LIT("Nonce"), SPAN_LIT("1")},
            {SPAN_LIT("SecretId"), account.secret_id},
            {SPAN_LIT("SignatureMethod"), span_of(rows[i].method)},
            {SPAN_LIT("Timestamp"), SPAN_LIT("1700000000")},
        };
        struct buf text = BUF_INIT(1000), body = BUF_INIT(1000);
        struct cmq_signer *signer = cmq_signer_new(rows[i].sha256 ? CMQ_HMAC_SHA256 : CMQ_HMAC_SHA1,
                                                   account.secret_key, NULL);
        assert_true(
            cmq_sign_text(span_of("GET"), span_of("h"), span_of("/"), params, 5, false, &text));
        buf_add_str(&body, "Signature=");
        assert_true(cmq_sign(signer, buf_span(&text), &body));
        for (size_t k = 0; k < 5; k++)
            buf_printf(&body, "&%.*s=%.*s", SPAN_ARG(params[k].key), SPAN_ARG(params[k].value));
        if (judge(&account, "GET", "h", "/", buf_str(&body), 1700000000).code != 0)
            fail_msg("%s", rows[i].method);
        cmq_signer_free(signer);
        buf_fini(&text);
        buf_fini(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vendors_requests_are_authentic),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_signature_without_the_port_is_accepted),
        cmocka_unit_test(the_doubled_path_of_a_get_by_php_is_understood),
        cmocka_unit_test(values_that_begin_with_at_may_be_unsigned_if_allowed),
        cmocka_unit_test(a_plus_that_became_a_space_is_put_back),
        cmocka_unit_test(the_clock_may_be_off_by_the_tolerance),
        cmocka_unit_test(sha256_is_chosen_by_its_two_spellings_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
