/* Where pushes go: URLs of http subscriptions, by RFC 3986. */
#include "local/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_url_is_taken_apart(void **unused)
{
    (void)unused;
    static const struct {
        const char *url, *host;
        int port;
        bool by_name, tls;
        const char *authority, *target;
    } rows[] = {
        {"http://test.com/cgi", "test.com", 80, true, false, "test.com", "/cgi"},
        {"http://h", "h", 80, true, false, "h", "/"},
        {"http://h/", "h", 80, true, false, "h", "/"},
        {"http://h:8080", "h", 8080, true, false, "h:8080", "/"},
        {"http://h?a=/b", "h", 80, true, false, "h", "/?a=/b"},
        {"http://h:1/a/b?c=d&e", "h", 1, true, false, "h:1", "/a/b?c=d&e"},
        {"http://127.0.0.1:65535/x", "127.0.0.1", 65535, false, false, "127.0.0.1:65535", "/x"},
        {"http://[::1]/x", "::1", 80, false, false, "[::1]", "/x"},
        {"http://[::1]:81/x", "::1", 81, false, false, "[::1]:81", "/x"},
        {"http://a_b-c.d/%4a%4B;p~!$'()*+,:@", "a_b-c.d", 80, true, false, "a_b-c.d",
         "/%4a%4B;p~!$'()*+,:@"},
        {"https://h/x", "h", 443, true, true, "h", "/x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint got;
        struct err err;
        if (!endpoint_parse(span_of(rows[i].url), &got, &err))
            fail_msg("%s: %s", rows[i].url, err.text);
        assert_string_equal(got.host, rows[i].host);
        assert_int_equal(got.port, rows[i].port);
        assert_int_equal(got.by_name, rows[i].by_name);
        assert_int_equal(got.tls, rows[i].tls);
        assert_string_equal(got.authority, rows[i].authority);
        assert_string_equal(got.target, rows[i].target);
    }
}

static void other_forms_are_refused(void **unused)
{
    (void)unused;
    static const char *const urls[] = {
        "",
        "http:/h",
        "HTTP://h",
        "ftp://h/",
        "//h/",
        "http://",
        "http:///x",
        "http://?x",
        "http://:80/",
        "http://h:/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:+1/",
        "http://h:80x/",
        "http://user@h/",
        "http://user:word@h/",
        "http://h/a#b",
        "http://h#b",
        "http://h/a b",
        "http://h/\"",
        "http://h/%",
        "http://h/%4",
        "http://h/%zz",
        "http://h/\r\nX: y",
        "http://h\r\n/",
        "http://h/\xc3\xa9",
        "http://\xc3\xa9/",
        "http://[::1/x",
        "http://[::1]x/",
        "http://[127.0.0.1]/",
        "http://[]/",
        "http://::1/",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct endpoint got;
        struct err err;
        if (endpoint_parse(span_of(urls[i]), &got, &err))
            fail_msg("accepted %s", urls[i]);
        assert_true(strlen(err.text) > 0);
    }
}

static void lengths_are_limited(void **unused)
{
    (void)unused;
    struct endpoint got;
    struct err err;
    char url[CMQ_MAX_ENDPOINT_BYTES + 2] = "http://h/";
    memset(url + 9, 'x', sizeof url - 9);
    assert_true(endpoint_parse(span_make(url, CMQ_MAX_ENDPOINT_BYTES), &got, &err));
    assert_int_equal(strlen(got.target), CMQ_MAX_ENDPOINT_BYTES - 8);
    assert_false(endpoint_parse(span_make(url, CMQ_MAX_ENDPOINT_BYTES + 1), &got, &err));
    memset(url + 7, 'h', sizeof url - 7);
    assert_true(endpoint_parse(span_make(url, 7 + ENDPOINT_MAX_HOST), &got, &err));
    assert_int_equal(strlen(got.host), ENDPOINT_MAX_HOST);
    assert_false(endpoint_parse(span_make(url, 8 + ENDPOINT_MAX_HOST), &got, &err));
    url[7] = '?'; /* the longest target there can be: a slash is put before it */
    assert_false(endpoint_parse(span_make(url, CMQ_MAX_ENDPOINT_BYTES), &got, &err));
    url[7] = 'h';
    url[8] = '?';
    assert_true(endpoint_parse(span_make(url, CMQ_MAX_ENDPOINT_BYTES), &got, &err));
    assert_int_equal(strlen(got.target), CMQ_MAX_ENDPOINT_BYTES - 8 + 1);
    static const char nul[] = "http://a\0b/";
    assert_false(endpoint_parse(span_make(nul, sizeof nul - 1), &got, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(lengths_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
