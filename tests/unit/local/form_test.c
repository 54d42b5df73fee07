/* Reading forms: CMQ.md 2.3 and 2.4, and what hostile clients send. */
#include "local/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct form form;
static char text[16384];

static bool parse(const char *given)
{
    size_t len = strlen(given);
    assert_true(len < sizeof text);
    memcpy(text, given, len);
    return form_parse(&form, text, len);
}

static void names_and_values_are_decoded(void **unused)
{
    (void)unused;
    static const struct {
        const char *given, *key, *value; /* value NULL: not there */
    } rows[] = {
        {"a=b", "a", "b"},
        {"a=b+c%20d", "a", "b c d"},
        {"a%2Eb=1", "a.b", "1"},
        {"a=b=c", "a", "b=c"},
        {"a=", "a", ""},
        {"a", "a", ""},
        {"&&a=1&", "a", "1"},
        {"=1&a=2", "", "1"},
        {"a=%e4%bd%A0", "a", "\xe4\xbd\xa0"},
        {"a=%", "a", "%"},
        {"a=%4", "a", "%4"},
        {"a=%zz%41", "a", "%zzA"},
        {"a=%2541", "a", "%41"},
        {"a=x%26b%3Dy", "b", NULL},
        {"", "a", NULL},
        {"aa=1", "a", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(parse(rows[i].given));
        const struct span *value = form_get(&form, rows[i].key);
        if (!rows[i].value) {
            assert_null(value);
        } else if (!value || !span_eq_str(*value, rows[i].value)) {
            fail_msg("%s", rows[i].given);
        }
    }
}

static void a_nul_in_a_value_is_kept(void **unused)
{
    (void)unused;
    assert_true(parse("a=x%00y"));
    assert_true(span_eq(*form_get(&form, "a"), span_make("x\0y", 3)));
}

static void too_many_parameters_are_refused(void **unused)
{
    (void)unused;
    char many[2 * (FORM_MAX_PARAMS + 1) + 1] = "";
    for (size_t i = 0; i < FORM_MAX_PARAMS; i++)
        memcpy(many + 2 * i, "a&", 3);
    assert_true(parse(many));
    assert_int_equal(form.count, FORM_MAX_PARAMS);
    memcpy(many + 2 * (size_t)FORM_MAX_PARAMS, "a&", 3);
    assert_false(parse(many));
}

static void lists_start_at_0_or_1_and_have_no_holes(void **unused)
{
    (void)unused;
    static const struct {
        const char *given;
        enum form_list result;
        const char *joined;
    } rows[] = {
        {"m.0=a&m.1=b", FORM_LIST_OK, "ab"},
        {"m.1=a&m.2=b", FORM_LIST_OK, "ab"},
        {"m.2=b&m.1=a&x=y", FORM_LIST_OK, "ab"},
        {"m.1=a&m.10=j&m.11=k&m.2=b&m.3=c&m.4=d&m.5=e&m.6=f&m.7=g&m.8=h&m.9=i", FORM_LIST_OK,
         "abcdefghijk"},
        {"m.1=a&m.2=b&m.3=c&m.4=d&m.5=e&m.6=f&m.7=g&m.8=h&m.9=i&m.10=j&m.11=k&m.12=l&m.13=m&"
         "m.14=n&m.15=o&m.16=p",
         FORM_LIST_OK, "abcdefghijklmnop"},
        {"m.0=a&m.1=b&m.2=c&m.3=d&m.4=e&m.5=f&m.6=g&m.7=h&m.8=i&m.9=j&m.10=k&m.11=l&m.12=m&"
         "m.13=n&m.14=o&m.15=p",
         FORM_LIST_OK, "abcdefghijklmnop"},
        {"m.0=a&m.1=b&m.2=c&m.3=d&m.4=e&m.5=f&m.6=g&m.7=h&m.8=i&m.9=j&m.10=k&m.11=l&m.12=m&"
         "m.13=n&m.14=o&m.15=p&m.16=q",
         FORM_LIST_TOO_MANY, ""},
        {"", FORM_LIST_OK, ""},
        {"m=a&mm.1=b", FORM_LIST_OK, ""},
        {"m.1=", FORM_LIST_OK, ""},
        {"m.2=a", FORM_LIST_GAP, ""},
        {"m.1=a&m.3=c", FORM_LIST_GAP, ""},
        {"m.0=a&m.2=c", FORM_LIST_GAP, ""},
        {"m.0=a&m.17=c", FORM_LIST_GAP, ""},
        {"m.4000000000=c", FORM_LIST_GAP, ""},
        {"m.1=a&m.1=b", FORM_LIST_GAP, ""},
        {"m.x=a", FORM_LIST_BAD_KEY, ""},
        {"m.=a", FORM_LIST_BAD_KEY, ""},
        {"m.01=a", FORM_LIST_BAD_KEY, ""},
        {"m.-1=a", FORM_LIST_BAD_KEY, ""},
        {"m.1.2=a", FORM_LIST_BAD_KEY, ""},
        {"m.99999999999999999999=a", FORM_LIST_BAD_KEY, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span items[CMQ_MAX_BATCH];
        size_t count;
        char joined[64] = "";
        assert_true(parse(rows[i].given));
        enum form_list result = form_list(&form, "m", CMQ_MAX_BATCH, items, &count);
        for (size_t k = 0; k < count; k++)
            memcpy(joined + strlen(joined), items[k].ptr, items[k].len);
        if (result != rows[i].result || strcmp(joined, rows[i].joined) != 0)
            fail_msg("%s: %d \"%s\"", rows[i].given, (int)result, joined);
    }
}

static void a_name_sent_twice_is_found_once_sorted(void **unused)
{
    (void)unused;
    struct buf sorted = BUF_INIT(1000);
    assert_true(parse("b=1&a=2&b=3"));
    assert_true(cmq_sign_text(span_of(""), span_of(""), span_of(""), form.params, form.count, false,
                              &sorted));
    assert_true(span_eq_str(*form_repeated(&form), "b"));
    assert_true(parse("a=2&b=3"));
    assert_null(form_repeated(&form));
    buf_fini(&sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_decoded),
        cmocka_unit_test(a_nul_in_a_value_is_kept),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(lists_start_at_0_or_1_and_have_no_holes),
        cmocka_unit_test(a_name_sent_twice_is_found_once_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
