/* Spans, buffers, base64, UTF-8 and JSON text: the bytes that everybody else relies on. */
#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_true(span_to_u64(span_of("0"), 10, &n));
    assert_int_equal(n, 0);
    assert_true(span_to_u64(span_of("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    n = 7;
    static const char *const bad[] = {"",  "-1", "+1", " 1", "1 ", "1x", "18446744073709551616",
                                      "11"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(span_to_u64(span_of(bad[i]), i == 7 ? 10 : UINT64_MAX, &n));
    assert_int_equal(n, 7);
}

static void a_slice_is_cut_to_what_there_is(void **state)
{
    (void)state;
    struct span s = span_of("abc");
    assert_true(span_eq_str(span_slice(s, 1, 1), "b"));
    assert_true(span_eq_str(span_slice(s, 1, SIZE_MAX), "bc"));
    assert_int_equal(span_slice(s, 9, 9).len, 0);
    assert_true(span_cmp(span_of("a"), span_of("ab")) < 0);
    assert_true(span_cmp(span_of("b"), span_of("ab")) > 0);
    assert_int_equal(span_cmp(s, s), 0);
    assert_int_equal(span_find(s, 'c'), 2);
    assert_int_equal(span_find(s, 'x'), 3);
}

static void a_buffer_never_grows_over_its_ceiling_and_remembers_that_it_would_have(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(4);
    assert_string_equal(buf_str(&buf), "");
    assert_true(buf_add_str(&buf, "abcd"));
    assert_false(buf_add_char(&buf, 'e'));
    assert_true(buf.overflow);
    assert_false(buf_add_str(&buf, ""));
    assert_string_equal(buf_str(&buf), "abcd");
    buf_clear(&buf);
    assert_true(buf_printf(&buf, "%d-%s", 1, "x"));
    assert_false(buf_printf(&buf, "%s", "toolong"));
    assert_string_equal(buf_str(&buf), "1-x");
    buf_clear(&buf);
    assert_true(buf_add_u64(&buf, 0) && buf_add_u64(&buf, 123));
    char *bytes = buf_take(&buf);
    assert_string_equal(bytes, "0123");
    free(bytes);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void base64_is_that_of_rfc_4648_both_ways(void **state)
{
    (void)state;
    static const char *const rows[][2] = {/* RFC 4648 s. 10 */
                                          {"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = BUF_INIT(100), bytes = BUF_INIT(100);
        assert_true(base64_encode(&text, span_of(rows[i][0])));
        assert_string_equal(buf_str(&text), rows[i][1]);
        assert_true(base64_decode(&bytes, span_of(rows[i][1])));
        assert_string_equal(buf_str(&bytes), rows[i][0]);
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void every_byte_value_survives_base64(void **state)
{
    (void)state;
    char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    for (size_t len = 254; len <= 256; len++) {
        struct buf text = BUF_INIT(1000), bytes = BUF_INIT(1000);
        assert_true(base64_encode(&text, span_make(all, len)));
        assert_int_equal(text.len, BASE64_LEN(len));
        assert_true(base64_decode(&bytes, buf_span(&text)));
        assert_true(span_eq(buf_span(&bytes), span_make(all, len)));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

static void what_is_not_base64_is_refused_and_leaves_the_buffer_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "====", "Z===", "Zm9v\n", "Zm-v", "Zh==", "Zm9=", "Zm 9v"};
    struct buf bytes = BUF_INIT(100);
    assert_true(buf_add_str(&bytes, "kept"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(base64_decode(&bytes, span_of(bad[i])));
        assert_string_equal(buf_str(&bytes), "kept");
        assert_int_equal(bytes.len, 4);
    }
    buf_fini(&bytes);
}

static void utf8_is_well_formed_or_not(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain ascii, more than one word",
                                       "\xc2\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xe4\xbd\xa0\xe5\xa5\xbd"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_valid(span_of(good[i])));
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc2",         "\xe4\xbd",         "12345678\xff",     "1234567\xe4\xbd",
        "\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(span_of(bad[i])));
    assert_true(utf8_valid(span_make("a\0b", 3)));
}

static void json_text_escapes_what_it_must(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(200);
    assert_true(json_string(&out, span_make("q\" b\\ n\n t\t z\0 d\x7f \xc3\xa9 \xff", 22)));
    assert_string_equal(buf_str(&out),
                        "\"q\\\" b\\\\ n\\n t\\t z\\u0000 d\\u007f \xc3\xa9 \\u00ff\"");
    buf_fini(&out);
}

static void the_hash_is_fnv_1a_on_every_machine(void **state)
{
    (void)state;
    assert_true(hash_add(HASH_SEED, span_of("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash_add(HASH_SEED, span_of("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(hash_add(HASH_SEED, span_of("foobar")) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(a_slice_is_cut_to_what_there_is),
        cmocka_unit_test(a_buffer_never_grows_over_its_ceiling_and_remembers_that_it_would_have),
        cmocka_unit_test(base64_is_that_of_rfc_4648_both_ways),
        cmocka_unit_test(every_byte_value_survives_base64),
        cmocka_unit_test(what_is_not_base64_is_refused_and_leaves_the_buffer_alone),
        cmocka_unit_test(utf8_is_well_formed_or_not),
        cmocka_unit_test(json_text_escapes_what_it_must),
        cmocka_unit_test(the_hash_is_fnv_1a_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
