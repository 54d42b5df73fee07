/* W3C Trace Context: what is one, and what is not. */
#include "mapping/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

/* s. 3.2 */
static void parents(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-00", true},
        {"cc-" TRACE "-" SPAN "-01", true}, /* a version to come */
        {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", true},
        {"cc-" TRACE "-" SPAN "-01.what", false},
        {"cc-" TRACE "-" SPAN "-01-\x7f", false},
        {"00-" TRACE "-" SPAN "-01-more", false}, /* version 00 has no more */
        {"00-" TRACE "-" SPAN "-01-", false},
        {"ff-" TRACE "-" SPAN "-01", false}, /* no version */
        {"00-00000000000000000000000000000000-" SPAN "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "-0g", false},
        {"00-" TRACE "-" SPAN "-1", false},
        {"0-" TRACE "-" SPAN "-01", false},
        {" 00-" TRACE "-" SPAN "-01", false},
        {"00_" TRACE "_" SPAN "_01", false},
        {"", false},
        {"00", false},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        if (trace_parent_ok(span_of(rows[i].text)) != rows[i].ok)
            fail_msg("%s", rows[i].text);
    }
    assert_false(trace_parent_ok((struct span)SPAN_LIT("00-" TRACE "-" SPAN "-0\0")));
}

/* s. 3.3 */
static void states(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"rojo=00f067aa0ba902b7", true},
        {"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", true},
        {"rojo=00f067aa0ba902b7 ,\t congo=t61rcWkgMzE", true},
        {"fw529a3039@dt=FfffDw a,,a-b_c*d/e=~", true},
        {"", false},
        {" , ", false},
        {"a", false},
        {"=1", false},
        {"a=", false},
        {"A=1", false},
        {"_a=1", false},
        {"a=b=c", false},
        {"a=1,b", false},
        {"a=\xc3\xa9", false},
    };
    char many[512] = "";
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        if (trace_state_ok(span_of(rows[i].text)) != rows[i].ok)
            fail_msg("%s", rows[i].text);
    }
    for (int i = 0; i < 32; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "k%d=1,", i);
    assert_true(trace_state_ok(span_of(many)));
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), "one=more");
    assert_false(trace_state_ok(span_of(many)));
}

static void long_ones_are_none(void **state)
{
    static char text[20000];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "cc-" TRACE "-" SPAN "-01-", 56);
    assert_true(trace_parent_ok(span_make(text, 512)));
    assert_false(trace_parent_ok(span_make(text, 513)));
    memset(text, 'a', sizeof text);
    text[256] = '=';
    assert_true(trace_state_ok(span_make(text, 513)));
    assert_false(trace_state_ok(span_make(text, 514)));
    assert_false(trace_state_ok(span_make(text + 1, 514)));
    memset(text, ',', sizeof text);
    memcpy(text, "a=1", 3);
    assert_true(trace_state_ok(span_make(text, 1000)));
    assert_false(trace_state_ok(span_make(text, sizeof text)));
}

static void a_message_has_one_trace_context_or_none(void **state)
{
    static const struct mqtt_user_property user[] = {
        {SPAN_LIT("tracestate"), SPAN_LIT("a=1")},
        {SPAN_LIT("traceparent"), SPAN_LIT("00-" TRACE "-" SPAN "-01")},
        {SPAN_LIT("tracestate"), SPAN_LIT("b=1")},
        {SPAN_LIT("traceparent"), SPAN_LIT("00-" TRACE "-" SPAN "-00")},
    };
    struct mqtt_message message = {.user = user, .user_count = 2};
    (void)state;
    struct trace trace = trace_of(&message);
    assert_ptr_equal(trace.parent, &user[1]);
    assert_ptr_equal(trace.state, &user[0]);
    message.user_count = 3; /* two states: neither */
    trace = trace_of(&message);
    assert_ptr_equal(trace.parent, &user[1]);
    assert_null(trace.state);
    message.user_count = 4; /* two parents: no trace */
    trace = trace_of(&message);
    assert_null(trace.parent);
    assert_null(trace.state);
    message.user_count = 1; /* a state alone */
    assert_null(trace_of(&message).state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parents),
        cmocka_unit_test(states),
        cmocka_unit_test(long_ones_are_none),
        cmocka_unit_test(a_message_has_one_trace_context_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
