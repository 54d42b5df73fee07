/* TC3-HMAC-SHA256 against the vendor's own example (CMQ.md 8.3) and a captured request (8.1). */
#include "cmq/tc3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STARS "********************************"

static const char vendor_body[] = "{\"Limit\": 1, \"Filters\": [{\"Values\": "
                                  "[\"\\u672a\\u547d\\u540d\"], \"Name\": \"instance-name\"}]}";
static const struct tc3_header vendor_headers[] = {
    {SPAN_LIT("content-type"), SPAN_LIT("application/json; charset=utf-8")},
    {SPAN_LIT("host"), SPAN_LIT("cvm.tencentcloudapi.com")},
    {SPAN_LIT("x-tc-action"), SPAN_LIT("describeinstances")},
};
static const int64_t vendor_time = 1551113065;

static struct tc3_request vendor_request(size_t headers)
{
    return (struct tc3_request){.method = span_of("POST"),
                                .headers = vendor_headers,
                                .header_count = headers,
                                .body = span_of(vendor_body)};
}

static void assert_hex(const unsigned char bytes[TC3_KEY_BYTES], const char *expected)
{
    char hex[TC3_HEX_SIZE];
    for (size_t i = 0; i < TC3_KEY_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(hex, expected);
}

static void each_step_of_the_vendors_example_comes_out(void **state)
{
    (void)state;
    struct buf canonical = BUF_INIT(4096), text = BUF_INIT(4096);
    struct tc3_request request = vendor_request(3);
    char hash[TC3_HEX_SIZE];
    assert_int_equal(request.body.len, 86);
    tc3_hash(request.body, hash);
    assert_string_equal(hash, "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");

    assert_true(tc3_canonical(&request, &canonical));
    assert_string_equal(buf_str(&canonical),
                        "POST\n/\n\ncontent-type:application/json; charset=utf-8\n"
                        "host:cvm.tencentcloudapi.com\nx-tc-action:describeinstances\n\n"
                        "content-type;host;x-tc-action\n"
                        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
    tc3_hash(buf_span(&canonical), hash);
    assert_string_equal(hash, "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84");

    struct tc3_scope scope = {.service = span_of("cvm")};
    tc3_date(vendor_time, scope.date);
    assert_string_equal(scope.date, "2019-02-25");
    assert_true(tc3_text(vendor_time, &scope, buf_span(&canonical), &text));
    assert_string_equal(buf_str(&text),
                        "TC3-HMAC-SHA256\n1551113065\n2019-02-25/cvm/tc3_request\n"
                        "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84");

    unsigned char date[TC3_KEY_BYTES], service[TC3_KEY_BYTES], signing[TC3_KEY_BYTES];
    unsigned char whole[TC3_KEY_BYTES];
    tc3_hmac(span_of("TC3" STARS), span_of(scope.date), date);
    assert_hex(date, "da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0");
    tc3_hmac(span_make(date, sizeof date), span_of("cvm"), service);
    assert_hex(service, "8d70cbefb03939f929db64d32dc2ba89b1095620119fe3e050e2b18c5bd2752f");
    tc3_hmac(span_make(service, sizeof service), span_of("tc3_request"), signing);
    assert_hex(signing, "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af");
    tc3_signing_key(span_of(STARS), &scope, whole);
    assert_memory_equal(whole, signing, sizeof whole);

    char signature[TC3_HEX_SIZE];
    tc3_signature(signing, buf_span(&text), signature);
    assert_string_equal(signature,
                        "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f");
    buf_fini(&canonical);
    buf_fini(&text);
}

static void the_example_with_two_headers_comes_out(void **state)
{
    (void)state;
    struct buf canonical = BUF_INIT(4096);
    struct tc3_request request = vendor_request(2);
    char hash[TC3_HEX_SIZE];
    assert_true(tc3_canonical(&request, &canonical));
    tc3_hash(buf_span(&canonical), hash);
    assert_string_equal(hash, "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031");
    char signature[TC3_HEX_SIZE];
    assert_true(tc3_sign(&request, vendor_time, span_of("cvm"),
                         span_of("Gu5t9xGARNpq86cd98joQYCN3*******"), signature));
    assert_string_equal(signature,
                        "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c");
    buf_fini(&canonical);
}

static void a_captured_request_has_our_authorization(void **state)
{
    (void)state;
    static const struct {
        const char *host, *signature;
    } rows[] = {
        {"tdmq.localhost", "77ae4328795811db1f5eeb27696051ea7ae345d1192d9cfc42a2b00c0f79e180"},
        {"tdmq.localhost:18933",
         "f0ff685e69c5ba65116141df83f8fa0d4f109a921439a8fe689a6e682ee2f731"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tc3_header headers[] = {
            {SPAN_LIT("content-type"), SPAN_LIT("application/json")},
            {SPAN_LIT("host"), span_of(rows[i].host)},
        };
        const struct tc3_request request = {
            .method = span_of("POST"),
            .headers = headers,
            .header_count = 2,
            .body = span_of("{\"QueueName\":\"q1\",\"MaxMsgSize\":1024,"
                            "\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}"),
        };
        struct buf value = BUF_INIT(4096);
        char expected[512];
        assert_true(tc3_authorize(&request, 1795438171, span_of("tdmq"), span_of("AKIDx"),
                                  span_of("y"), &value));
        (void)snprintf(expected, sizeof expected,
                       "TC3-HMAC-SHA256 Credential=AKIDx/2026-11-23/tdmq/tc3_request, "
                       "SignedHeaders=content-type;host, Signature=%s",
                       rows[i].signature);
        assert_string_equal(buf_str(&value), expected);
        buf_fini(&value);
    }
}

static void a_date_is_that_of_utc_at_both_ends_of_a_day(void **state)
{
    (void)state;
    static const struct {
        int64_t time_s;
        const char *date;
    } rows[] = {
        {0, "1970-01-01"},         {-5, "1970-01-01"},         {86399, "1970-01-01"},
        {86400, "1970-01-02"},     {1709164799, "2024-02-28"}, {1709164800, "2024-02-29"},
        {INT64_MAX, "9999-12-31"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char date[TC3_DATE_SIZE];
        tc3_date(rows[i].time_s, date);
        assert_string_equal(date, rows[i].date);
    }
}

static void what_no_request_can_be_is_not_signed(void **state)
{
    (void)state;
    char signature[TC3_HEX_SIZE];
    struct tc3_request request = vendor_request(3);
    char *large = check_alloc(calloc(1, (10 << 20) + 1));
    request.body = span_make(large, (10 << 20) + 1);
    assert_false(tc3_sign(&request, 0, span_of("tdmq"), span_of("k"), signature));
    request.body.len--;
    assert_true(tc3_sign(&request, 0, span_of("tdmq"), span_of("k"), signature));
    assert_false(tc3_sign(&request, 0, span_of("tdmq"), span_make(large, 4096), signature));
    request.query = span_make(large, 64 << 10);
    assert_false(tc3_sign(&request, 0, span_of("tdmq"), span_of("k"), signature));

    struct buf small = BUF_INIT(20);
    request = vendor_request(3);
    assert_false(tc3_authorize(&request, 0, span_of("tdmq"), span_of("id"), span_of("k"), &small));
    buf_fini(&small);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_the_vendors_example_comes_out),
        cmocka_unit_test(the_example_with_two_headers_comes_out),
        cmocka_unit_test(a_captured_request_has_our_authorization),
        cmocka_unit_test(a_date_is_that_of_utc_at_both_ends_of_a_day),
        cmocka_unit_test(what_no_request_can_be_is_not_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
