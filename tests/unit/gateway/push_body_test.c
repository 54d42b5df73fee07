/* Pushes in both formats, told apart and taken apart; what is none is refused. */
#include "gateway/push_body.h"

#include "cmq/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* CMQ.md 6, [QD HTTP Endpoint]: the documents' own example. */
#define EXAMPLE                                                                                    \
    "{\"TopicOwner\":100015036,\"topicName\":\"MyTopic\",\"subscriptionName\":\"mysubscription\"," \
    "\"msgId\":\"6942316962\",\"msgBody\":\"test message\",\"publishTime\":11203432}"
#define AROUND(body) "{\"topicName\":\"t\",\"msgId\":\"6942316962\",\"msgBody\":" body "}"
#define ID "6942316962"

struct row {
    const char *id_header;
    struct span body;
    const char *msg_id; /* NULL: refused */
    struct span message;
};

static void check_row(const struct row *row, size_t index)
{
    struct push_body push;
    struct err err = {.text = ""};
    bool read = push_body_read(&push, span_of(row->id_header), row->body, &err);
    if (read != (row->msg_id != NULL))
        fail_msg("row %zu is %s: %s", index, read ? "read" : "refused", err.text);
    if (read) {
        if (!span_eq_str(push.msg_id, row->msg_id) || !span_eq(push.message, row->message))
            fail_msg("row %zu is read as \"%.*s\": \"%.*s\"", index, SPAN_ARG(push.msg_id),
                     SPAN_ARG(push.message));
    } else {
        assert_string_not_equal(err.text, "");
        assert_null(strstr(err.text, ID));
        assert_null(strstr(err.text, "secret"));
    }
    push_body_fini(&push);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(&rows[i], i);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void the_json_format_gives_msg_body_exactly(void **state)
{
    static const struct row rows[] = {
        {ID, SPAN_LIT(EXAMPLE), ID, SPAN_LIT("test message")},
        {"", SPAN_LIT(EXAMPLE), ID, SPAN_LIT("test message")},
        {ID, SPAN_LIT("\r\n " EXAMPLE "\n"), ID, SPAN_LIT("test message")},
        {ID, SPAN_LIT(AROUND("\"\"")), ID, SPAN_LIT("")},
        {ID, SPAN_LIT(AROUND("\"a\\\"b\\\\c\\/d\\n\\u00e9\\ud83d\\ude00\"")), ID,
         SPAN_LIT("a\"b\\c/d\n\xc3\xa9\xf0\x9f\x98\x80")},
        {ID, SPAN_LIT(AROUND("\"one\\u0000two\"")), ID, SPAN_LIT("one\0two")},
        {ID, SPAN_LIT(AROUND("\"{\\\"msgBody\\\":\\\"inner\\\"}\"")), ID,
         SPAN_LIT("{\"msgBody\":\"inner\"}")},
        {ID, SPAN_LIT("{\"msgId\":\"\\u0036942316962\",\"msgBody\":\"x\"}"), ID, SPAN_LIT("x")},
        {ID, SPAN_LIT("{\"msgId\":6942316962,\"msgBody\":\"x\"}"), ID, SPAN_LIT("x")},
        {"", SPAN_LIT("{\"msgId\":\"a b\",\"msgBody\":\"x\"}"), "a b", SPAN_LIT("x")},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void anything_else_with_an_id_is_the_message_itself(void **state)
{
    static const struct row rows[] = {
        {ID, SPAN_LIT("test message"), ID, SPAN_LIT("test message")},
        {ID, SPAN_LIT(""), ID, SPAN_LIT("")},
        {ID, SPAN_LIT("\0\xff\r\n"), ID, SPAN_LIT("\0\xff\r\n")},
        {ID, SPAN_LIT("{\"a\":1}"), ID, SPAN_LIT("{\"a\":1}")},
        {ID, SPAN_LIT("{\"msgBody\":\"x\"}"), ID, SPAN_LIT("{\"msgBody\":\"x\"}")},
        {ID, SPAN_LIT("{\"msgId\":\"" ID "\"}"), ID, SPAN_LIT("{\"msgId\":\"" ID "\"}")},
        {ID, SPAN_LIT("[\"msgId\",\"msgBody\"]"), ID, SPAN_LIT("[\"msgId\",\"msgBody\"]")},
        {"another", SPAN_LIT(EXAMPLE), "another", SPAN_LIT(EXAMPLE)},
        {"\xe4\xbd\xa0 7", SPAN_LIT("x"), "\xe4\xbd\xa0 7", SPAN_LIT("x")},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void a_wrapper_that_cannot_be_read_is_refused_and_not_passed_on(void **state)
{
    static const struct row rows[] = {
        {ID, SPAN_LIT(AROUND("\"secret\\ud83d\"")), NULL, SPAN_LIT("")}, /* half a character */
        {ID, SPAN_LIT(AROUND("\"secret\xff\"")), NULL, SPAN_LIT("")},    /* no UTF-8 */
        {ID, SPAN_LIT(AROUND("\"secret\n\"")), NULL, SPAN_LIT("")},      /* no JSON */
        {ID, SPAN_LIT(AROUND("7")), NULL, SPAN_LIT("")},
        {ID, SPAN_LIT(AROUND("{\"secret\":1}")), NULL, SPAN_LIT("")},
        {"", SPAN_LIT(AROUND("null")), NULL, SPAN_LIT("")},
        {ID, SPAN_LIT("{\"msgId\":\"" ID "\",\"msgBody\":\"sec"), NULL, SPAN_LIT("")}, /* cut */
        {ID, SPAN_LIT(EXAMPLE "secret"), NULL, SPAN_LIT("")},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void without_a_usable_id_it_is_refused(void **state)
{
    static const struct row rows[] = {
        {"", SPAN_LIT("test message"), NULL, SPAN_LIT("")},
        {"", SPAN_LIT(""), NULL, SPAN_LIT("")},
        {"", SPAN_LIT("{\"msgBody\":\"x\"}"), NULL, SPAN_LIT("")},
        {"", SPAN_LIT("{\"msgId\":\"\",\"msgBody\":\"x\"}"), NULL, SPAN_LIT("")},
        {"", SPAN_LIT("{\"msgId\":null,\"msgBody\":\"x\"}"), NULL, SPAN_LIT("")},
        {"", SPAN_LIT("{\"msgId\":\"\\u0000\",\"msgBody\":\"x\"}"), NULL, SPAN_LIT("")},
        {"", SPAN_LIT("{\"msgId\":\"a\\nb\",\"msgBody\":\"x\"}"), NULL, SPAN_LIT("")},
        {"\xff", SPAN_LIT("x"), NULL, SPAN_LIT("")},
        {"a\tb", SPAN_LIT("x"), NULL, SPAN_LIT("")},
        {"a\x7f", SPAN_LIT(EXAMPLE), NULL, SPAN_LIT("")},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void an_id_has_a_bound(void **state)
{
    char id[CMQ_MAX_HANDLE_BYTES + 2];
    (void)state;
    memset(id, '7', sizeof id);
    id[sizeof id - 1] = '\0';
    check_row(&(struct row){id, SPAN_LIT("x"), NULL, SPAN_LIT("")}, 0);
    struct buf body = BUF_INIT(1024);
    buf_printf(&body, "{\"msgId\":\"%s\",\"msgBody\":\"x\"}", id);
    check_row(&(struct row){"", buf_span(&body), NULL, SPAN_LIT("")}, 1);
    buf_clear(&body);
    buf_printf(&body, "{\"msgId\":\"\\u0037%s\",\"msgBody\":\"x\"}", id + 1);
    check_row(&(struct row){"", buf_span(&body), NULL, SPAN_LIT("")}, 2);
    buf_fini(&body);

    id[sizeof id - 2] = '\0';
    check_row(&(struct row){id, SPAN_LIT("x"), id, SPAN_LIT("x")}, 3);
}

static void a_message_has_the_bound_of_cmq(void **state)
{
    static const char *const forms[] = {"\\u0041", "A"};
    struct buf message = BUF_INIT(CMQ_MAX_BODY_BYTES + 1), body = BUF_INIT(8 << 20);
    (void)state;
    for (size_t i = 0; i < CMQ_MAX_BODY_BYTES; i++)
        buf_add_char(&message, 'A');
    check_row(&(struct row){ID, buf_span(&message), ID, buf_span(&message)}, 0);
    for (size_t form = 0; form < 2; form++) { /* all escaped, and plain */
        buf_clear(&body);
        buf_add_str(&body, "{\"msgId\":\"" ID "\",\"msgBody\":\"");
        for (size_t i = 0; i < CMQ_MAX_BODY_BYTES; i++)
            buf_add_str(&body, forms[form]);
        size_t end = body.len;
        buf_add_str(&body, "\"}");
        check_row(&(struct row){ID, buf_span(&body), ID, buf_span(&message)}, 1 + form);
        body.len = end;
        buf_add_str(&body, "A\"}");
        check_row(&(struct row){ID, buf_span(&body), NULL, SPAN_LIT("")}, 3 + form);
    }
    buf_add_char(&message, 'A');
    check_row(&(struct row){ID, buf_span(&message), NULL, SPAN_LIT("")}, 5);
    buf_fini(&message);
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_json_format_gives_msg_body_exactly),
        cmocka_unit_test(anything_else_with_an_id_is_the_message_itself),
        cmocka_unit_test(a_wrapper_that_cannot_be_read_is_refused_and_not_passed_on),
        cmocka_unit_test(without_a_usable_id_it_is_refused),
        cmocka_unit_test(an_id_has_a_bound),
        cmocka_unit_test(a_message_has_the_bound_of_cmq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
