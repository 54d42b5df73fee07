/* The golden vectors A to E of CMQ.md 2.7, made with the vendor's own SDK. */
#include "cmq/sign.h"
#include "tests/unit/cmq/form.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ID "AKIDtestvectorid0000000000000000000"
#define KEY "testvectorkey0000000000000000000"

static const struct vector {
    const char *name;
    enum cmq_signature kind;
    const char *method, *host;
    size_t text_len;
    const char *text_sha256; /* NULL: not given */
    const char *text;
    const char *signature;
    const char *wire; /* of D, whose wire form is a query: in an order of ours */
} vectors[] = {
    {"A", CMQ_HMAC_SHA1, "POST", "127.0.0.1:8080", 236,
     "0909bd5254a38c2a0cef1d219a37fc580bd33db85f6f4641e8d8d801a82fa902",
     "POST127.0.0.1:8080/v2/index.php?Action=SendMessage&Nonce=1001&RequestClient=SDK_Python_1.3&"
     "SecretId=" ID "&SignatureMethod=HmacSHA1&Timestamp=1700000000&delaySeconds=0&"
     "msgBody=hello world&queueName=farm-test",
     "L18qmWIUFhetAc3AuLkPHX2c+Po=",
     "Action=SendMessage&Nonce=1001&Timestamp=1700000000&SecretId=" ID
     "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA1&queueName=farm-test&"
     "msgBody=hello+world&delaySeconds=0&Signature=L18qmWIUFhetAc3AuLkPHX2c%2BPo%3D"},
    {"B", CMQ_HMAC_SHA256, "POST", "cmq-gz.public.tencenttdmq.com", 399,
     "ac72368e2f4628d16d41273157ae548fe8d44e33f5e9c60f57428949707d47e3",
     "POSTcmq-gz.public.tencenttdmq.com/v2/index.php?Action=BatchSendMessage&Nonce=1002&"
     "RequestClient=SDK_Python_1.3&SecretId=" ID "&SignatureMethod=HmacSHA256&"
     "Timestamp=1700000001&delaySeconds=5&"
     "msgBody.1=\xE4\xBD\xA0\xE5\xA5\xBD CMQ+&=%?\n&msgBody.10=m10&msgBody.11=m11&msgBody.2=m2&"
     "msgBody.3=m3&msgBody.4=m4&msgBody.5=m5&msgBody.6=m6&msgBody.7=m7&msgBody.8=m8&msgBody.9=m9&"
     "queueName=farm-test",
     "TBpf4OiJ1g55R05epoaS5von/Biv+CADoFVo5p8+d6k=",
     "Action=BatchSendMessage&Nonce=1002&Timestamp=1700000001&SecretId=" ID
     "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA256&queueName=farm-test&delaySeconds=5&"
     "msgBody.1=%E4%BD%A0%E5%A5%BD+CMQ%2B%26%3D%25%3F%0A&msgBody.2=m2&msgBody.3=m3&msgBody.4=m4&"
     "msgBody.5=m5&msgBody.6=m6&msgBody.7=m7&msgBody.8=m8&msgBody.9=m9&msgBody.10=m10&"
     "msgBody.11=m11&Signature=TBpf4OiJ1g55R05epoaS5von%2FBiv%2BCADoFVo5p8%2Bd6k%3D"},
    {"C", CMQ_HMAC_SHA1, "POST", "gz.mqadapter.cmq.tencentyun.com", 314,
     "5271018abbb7f985516ff807d7d49ddb83cc9953eba5a0c910d5f6f7d26d5996",
     "POSTgz.mqadapter.cmq.tencentyun.com/v2/index.php?Action=PublishMessage&Nonce=1003&"
     "RequestClient=SDK_Python_1.3&SecretId=" ID "&SignatureMethod=HmacSHA1&"
     "Timestamp=1700000002&clientB=x&client.request.id=77&msgBody=a_b&msgTag.1=t1&msgTag.2=t2&"
     "routingKey=order.created&topicName=farm-topic",
     "44ZVwkI1HV0vNkvxUVVsmbEN0Ds=",
     "Action=PublishMessage&Nonce=1003&Timestamp=1700000002&SecretId=" ID
     "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA1&topicName=farm-topic&msgBody=a_b&"
     "routingKey=order.created&msgTag.1=t1&msgTag.2=t2&client_request_id=77&clientB=x&"
     "Signature=44ZVwkI1HV0vNkvxUVVsmbEN0Ds%3D"},
    {"D", CMQ_HMAC_SHA256, "GET", "127.0.0.1:8080", 251, NULL,
     "GET127.0.0.1:8080/v2/index.php?Action=ReceiveMessage&Nonce=1004&"
     "RequestClient=SDK_Python_1.3&SecretId=" ID "&SignatureMethod=HmacSHA256&"
     "Timestamp=1700000003&UserpollingWaitSeconds=0&pollingWaitSeconds=0&queueName=farm-test",
     "Un0isGSd/N5MHDIy2mRrZdyqeJuNWMTHK7gxYPfcYes=",
     "queueName=farm-test&pollingWaitSeconds=0&UserpollingWaitSeconds=0&Action=ReceiveMessage&"
     "Nonce=1004&Timestamp=1700000003&SecretId=" ID
     "&RequestClient=SDK_Python_1.3&SignatureMethod=HmacSHA256"},
};

static const struct span post = SPAN_LIT("POST");
static const struct span path = SPAN_LIT("/v2/index.php");

static void sha256_hex(struct span bytes, char out[65])
{
    unsigned char digest[32];
    assert_true(EVP_Q_digest(NULL, "SHA256", NULL, bytes.ptr, bytes.len, digest, NULL));
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void the_vendors_vectors_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        struct form form;
        assert_true(form_read(&form, span_of(v->wire)));
        struct span sent = form_get(&form, "Signature");

        struct buf text = BUF_INIT(1000), signature = BUF_INIT(44);
        assert_true(cmq_sign_text(span_of(v->method), span_of(v->host), path, form.params,
                                  form.count, false, &text));
        assert_string_equal(buf_str(&text), v->text);
        assert_int_equal(text.len, v->text_len);
        char sha256[65];
        sha256_hex(buf_span(&text), sha256);
        if (v->text_sha256)
            assert_string_equal(sha256, v->text_sha256);

        struct cmq_signer *signer = cmq_signer_new(v->kind, span_of(KEY), NULL);
        assert_non_null(signer);
        for (int again = 0; again < 3; again++) { /* keyed once, good for many */
            buf_clear(&signature);
            assert_true(cmq_sign(signer, buf_span(&text), &signature));
            assert_string_equal(buf_str(&signature), v->signature);
        }
        buf_clear(&signature);
        assert_true(cmq_sign_params(signer, span_of(v->method), span_of(v->host), path, form.params,
                                    form.count, &signature));
        assert_string_equal(buf_str(&signature), v->signature);
        if (sent.ptr)
            assert_true(cmq_signature_equal(sent, buf_span(&signature)));
        cmq_signer_free(signer);
        buf_fini(&signature);
        buf_fini(&text);
        form_fini(&form);
    }
}

/* Vector E. */
static void a_value_that_begins_with_an_at_sign_has_two_readings(void **state)
{
    (void)state;
    struct form form;
    assert_true(form_read(&form, span_of("Action=SendMessage&Nonce=1005&"
                                         "RequestClient=SDK_Python_1.3&SecretId=" ID "&"
                                         "SignatureMethod=HmacSHA1&Timestamp=1700000004&"
                                         "delaySeconds=0&msgBody=%40file&queueName=farm-test")));
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA1, span_of(KEY), NULL);
    for (int skip_at = 0; skip_at < 2; skip_at++) {
        struct buf text = BUF_INIT(1000), signature = BUF_INIT(44);
        assert_true(cmq_sign_text(post, span_of("127.0.0.1:8080"), path, form.params, form.count,
                                  skip_at, &text));
        assert_true(cmq_sign(signer, buf_span(&text), &signature));
        assert_string_equal(buf_str(&signature), skip_at ? "xQZVi7kQobY0i5umNtpSRtuFJ+c="
                                                         : "dvSmVEPlqOIWPmnmEarbLwIA+hY=");
        buf_fini(&signature);
        buf_fini(&text);
    }
    cmq_signer_free(signer);
    form_fini(&form);
}

static void text_of(struct cmq_param *params, size_t count, const char *expected)
{
    struct buf text = BUF_INIT(200);
    assert_true(cmq_sign_text(post, span_of("h"), span_of("/"), params, count, false, &text));
    assert_string_equal(buf_str(&text), expected);
    buf_fini(&text);
}

static void keys_are_sorted_byte_by_byte_as_given(void **state)
{
    (void)state;
    struct cmq_param params[] = {
        {SPAN_LIT("b"), SPAN_LIT("")},    {SPAN_LIT("a.2"), SPAN_LIT("2")},
        {SPAN_LIT("a.1"), SPAN_LIT("1")}, {SPAN_LIT("a.10"), SPAN_LIT("10")},
        {SPAN_LIT("Z"), SPAN_LIT("&=_")}, {SPAN_LIT("a_1"), SPAN_LIT("u")},
    };
    text_of(params, 6, "POSTh/?Z=&=_&a.1=1&a.10=10&a.2=2&a.1=u&b=");
}

static void a_request_without_parameters_has_a_text_too(void **state)
{
    (void)state;
    struct cmq_param signature = {SPAN_LIT("Signature"), SPAN_LIT("x")};
    text_of(NULL, 0, "POSTh/?");
    text_of(&signature, 1, "POSTh/?");
}

static void a_ceiling_in_the_way_is_an_answer(void **state)
{
    (void)state;
    struct cmq_param param = {SPAN_LIT("key"), SPAN_LIT("value")};
    struct buf text = BUF_INIT(10), signature = BUF_INIT(43);
    assert_false(cmq_sign_text(post, span_of("h"), path, &param, 1, false, &text));
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA256, span_of(KEY), NULL);
    assert_false(cmq_sign(signer, span_of("text"), &signature));
    assert_false(cmq_sign_params(signer, post, span_of("h"), path, &param, 1, &signature));

    enum { HUGE_BYTES = 3 << 20 };
    char *huge = test_calloc(1, HUGE_BYTES);
    param.value = span_make(huge, HUGE_BYTES);
    signature.max_len = 44;
    buf_clear(&signature);
    assert_false(cmq_sign_params(signer, post, span_of("h"), path, &param, 1, &signature));
    param.value = span_of("value");
    assert_true(cmq_sign_params(signer, post, span_of("h"), path, &param, 1, &signature));
    test_free(huge);
    cmq_signer_free(signer);
    buf_fini(&signature);
    buf_fini(&text);
}

static void signatures_differ_in_any_byte_or_in_length(void **state)
{
    (void)state;
    assert_true(cmq_signature_equal(span_of("abc="), span_of("abc=")));
    assert_true(cmq_signature_equal(span_of(""), span_of("")));
    assert_false(cmq_signature_equal(span_of("abc="), span_of("abd=")));
    assert_false(cmq_signature_equal(span_of("abc"), span_of("abc=")));
    assert_false(cmq_signature_equal(span_of(""), span_of("a")));
}

static void an_empty_key_signs_and_freeing_nothing_is_fine(void **state)
{
    (void)state;
    struct buf signature = BUF_INIT(44);
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA256, (struct span){NULL, 0}, NULL);
    assert_non_null(signer);
    assert_true(cmq_sign(signer, span_of(""), &signature));
    /* RFC 4231 has no empty key; this one is HMAC_SHA256("", "") as everybody prints it. */
    assert_string_equal(buf_str(&signature), "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0=");
    cmq_signer_free(signer);
    cmq_signer_free(NULL);
    buf_fini(&signature);
}

static void a_missing_algorithm_is_said(void **state)
{
    (void)state;
    struct err err = {""};
    assert_true(EVP_set_default_properties(NULL, "provider=nobody"));
    assert_null(cmq_signer_new(CMQ_HMAC_SHA1, span_of(KEY), &err));
    assert_true(EVP_set_default_properties(NULL, ""));
    assert_non_null(strstr(err.text, "SHA1"));
    assert_null(strstr(err.text, KEY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vendors_vectors_come_out),
        cmocka_unit_test(a_value_that_begins_with_an_at_sign_has_two_readings),
        cmocka_unit_test(keys_are_sorted_byte_by_byte_as_given),
        cmocka_unit_test(a_request_without_parameters_has_a_text_too),
        cmocka_unit_test(a_ceiling_in_the_way_is_an_answer),
        cmocka_unit_test(signatures_differ_in_any_byte_or_in_length),
        cmocka_unit_test(an_empty_key_signs_and_freeing_nothing_is_fine),
        cmocka_unit_test(a_missing_algorithm_is_said),
    };
    return cmocka_run_group_tests_name("cmq/sign", tests, NULL, NULL);
}
