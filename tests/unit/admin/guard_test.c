/* Who may ask, and from where. */
#include "admin/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
#define TEXT(s) SPAN_LIT(s)

struct row {
    struct guard_request request;
    enum guard_answer answer;
};

static void expect(const char *listen, const char *token, const struct row *rows, size_t count)
{
    struct guard *guard = guard_new(listen, span_of(token));
    for (size_t i = 0; i < count; i++) {
        enum guard_answer answer = guard_judge(guard, &rows[i].request, false);
        if (answer != rows[i].answer)
            fail_msg("row %zu of %s: %d, not %d", i, listen, (int)answer, (int)rows[i].answer);
    }
    guard_free(guard);
}

static void without_a_token_only_names_of_this_machine_are_answered(void **state)
{
    static const struct row rows[] = {
        {{.host = TEXT("evil.example")}, GUARD_HOST},
        {{.host = TEXT("evil.example:9780")}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1.evil.example")}, GUARD_HOST},
        {{.host = TEXT("localhost.evil.example:9780")}, GUARD_HOST},
        {{.host = TEXT("10.0.0.1")}, GUARD_HOST},
        {{.host = TEXT("128.0.0.1")}, GUARD_HOST},
        {{.host = TEXT("[::2]:9780")}, GUARD_HOST},
        {{.host = TEXT("[::1")}, GUARD_HOST},
        {{.host = TEXT("[::1]x")}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1:")}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1:99999")}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1:97 80")}, GUARD_HOST},
        {{.host = TEXT("127.1")}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1\0.evil")}, GUARD_HOST},
        {{.host = TEXT("")}, GUARD_HOST},
        {{.host = TEXT(":9780")}, GUARD_HOST},
        {{.host = NONE}, GUARD_HOST},
        {{.host = TEXT("127.0.0.1:9780")}, GUARD_PASS},
        {{.host = TEXT("127.0.0.1")}, GUARD_PASS},
        {{.host = TEXT("127.9.9.9:1")}, GUARD_PASS},
        {{.host = TEXT("localhost:8080")}, GUARD_PASS}, /* ssh -L 8080:127.0.0.1:9780 */
        {{.host = TEXT("LocalHost")}, GUARD_PASS},
        {{.host = TEXT("[::1]:9780")}, GUARD_PASS},
        {{.host = TEXT("[::1]")}, GUARD_PASS},
    };
    (void)state;
    expect("127.0.0.1:9780", "", rows, sizeof rows / sizeof *rows);
}

static void the_address_that_is_listened_on_is_answered(void **state)
{
    static const struct row v4[] = {{{.host = TEXT("10.1.2.3:9780")}, GUARD_PASS},
                                    {{.host = TEXT("10.1.2.4:9780")}, GUARD_HOST}};
    static const struct row v6[] = {{{.host = TEXT("[fd00::1]:9780")}, GUARD_PASS},
                                    {{.host = TEXT("[FD00::1]")}, GUARD_PASS},
                                    {{.host = TEXT("[fd00::2]")}, GUARD_HOST}};
    (void)state;
    expect("10.1.2.3:9780", "", v4, 2);
    expect("[fd00::1]:9780", "", v6, 3);
}

static void pages_of_other_places_are_refused(void **state)
{
    static const struct row rows[] = {
        {{TEXT("localhost:9780"), TEXT("http://evil.example"), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("http://localhost:3000"), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("http://localhost"), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("null"), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT(""), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("ftp://localhost:9780"), NONE, NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), NONE, TEXT("cross-site"), NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), NONE, TEXT("same-site"), NONE}, GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("http://localhost:9780"), TEXT("cross-site"), NONE},
         GUARD_ORIGIN},
        {{TEXT("localhost:9780"), TEXT("http://localhost:9780"), TEXT("same-origin"), NONE},
         GUARD_PASS},
        {{TEXT("localhost:9780"), TEXT("http://LOCALHOST:9780"), NONE, NONE}, GUARD_PASS},
        {{TEXT("localhost:9780"), NONE, TEXT("none"), NONE}, GUARD_PASS},
    };
    static const struct row behind_a_proxy[] = {
        {{TEXT("gw.example"), TEXT("https://gw.example"), TEXT("same-origin"),
          TEXT("Bearer secret")},
         GUARD_PASS},
        {{TEXT("gw.example"), TEXT("https://evil.example"), NONE, TEXT("Bearer secret")},
         GUARD_ORIGIN},
    };
    (void)state;
    expect("127.0.0.1:9780", "", rows, sizeof rows / sizeof *rows);
    expect("0.0.0.0:9780", "secret", behind_a_proxy, 2);
}

static void with_a_token_only_who_shows_it_is_answered(void **state)
{
    static const struct row rows[] = {
        {{.host = TEXT("a")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("secret")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer ")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer secre")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer secrets")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer secretsecret")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer Secret")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Basic secret")}, GUARD_TOKEN},
        {{.host = TEXT("a"), .authorization = TEXT("Bearer secret")}, GUARD_PASS},
        {{.host = TEXT("a"), .authorization = TEXT("bearer  secret")}, GUARD_PASS},
        {{.host = NONE, .authorization = TEXT("Bearer secret")}, GUARD_PASS},
    };
    (void)state;
    expect("0.0.0.0:9780", "secret", rows, sizeof rows / sizeof *rows);
}

static void what_is_open_wants_no_token_but_the_right_place(void **state)
{
    static const struct guard_request plain = {.host = TEXT("a")};
    static const struct guard_request foreign = {.host = TEXT("a"), .origin = TEXT("http://b")};
    struct guard *guard = guard_new("0.0.0.0:9780", span_of("secret"));
    (void)state;
    assert_int_equal(guard_judge(guard, &foreign, true), GUARD_ORIGIN);
    assert_int_equal(guard_judge(guard, &plain, true), GUARD_PASS);
    assert_false(guard_knows(guard, &plain));
    guard_free(guard);
    guard = guard_new("127.0.0.1:9780", span_of(""));
    assert_int_equal(guard_judge(guard, &plain, true), GUARD_HOST);
    assert_true(guard_knows(guard, &plain));
    guard_free(guard);
}

static void a_changed_token_replaces_the_old_one(void **state)
{
    static const struct guard_request old = {.authorization = TEXT("Bearer secret")};
    static const struct guard_request new = {.authorization = TEXT("Bearer other")};
    static const struct guard_request none = {.authorization = TEXT("Bearer ")};
    struct guard *guard = guard_new("0.0.0.0:9780", span_of("secret"));
    (void)state;
    guard_change_token(guard, span_of("other"));
    assert_false(guard_knows(guard, &old));
    assert_true(guard_knows(guard, &new));
    guard_change_token(guard, span_of("")); /* an empty one is shown by nobody */
    assert_false(guard_knows(guard, &none));
    assert_false(guard_knows(guard, &new));
    guard_free(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_token_only_names_of_this_machine_are_answered),
        cmocka_unit_test(the_address_that_is_listened_on_is_answered),
        cmocka_unit_test(pages_of_other_places_are_refused),
        cmocka_unit_test(with_a_token_only_who_shows_it_is_answered),
        cmocka_unit_test(what_is_open_wants_no_token_but_the_right_place),
        cmocka_unit_test(a_changed_token_replaces_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
