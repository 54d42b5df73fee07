/* JSON written member by member. */
#include "base/emit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void commas_stand_between_members_and_nowhere_else(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct emit e = {.out = &out};
    (void)state;
    emit_object(&e, NULL);
    emit_object(&e, "empty");
    emit_object_end(&e);
    emit_array(&e, "list");
    emit_u64(&e, NULL, 18446744073709551615u);
    emit_object(&e, NULL);
    emit_i64(&e, "a", -1);
    emit_bool(&e, "b", false);
    emit_object_end(&e);
    emit_array(&e, NULL);
    emit_array_end(&e);
    emit_array_end(&e);
    emit_null(&e, "none");
    emit_raw(&e, "raw", span_of("[1]"));
    emit_object_end(&e);
    assert_string_equal(buf_str(&out), "{\"empty\":{},\"list\":[18446744073709551615,"
                                       "{\"a\":-1,\"b\":false},[]],\"none\":null,\"raw\":[1]}");
    buf_fini(&out);
}

static void texts_are_escaped_keys_included(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct emit e = {.out = &out};
    (void)state;
    emit_object(&e, NULL);
    emit_text(&e, "a\"b", "c\\d\n");
    emit_text(&e, "none", NULL);
    emit_span(&e, "bytes", (struct span)SPAN_LIT("\0\xff"));
    emit_object_end(&e);
    assert_string_equal(buf_str(&out),
                        "{\"a\\\"b\":\"c\\\\d\\n\",\"none\":null,\"bytes\":\"\\u0000\\u00ff\"}");
    buf_fini(&out);
}

static void numbers_and_times_that_are_none_are_null(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct emit e = {.out = &out};
    (void)state;
    emit_array(&e, NULL);
    emit_number(&e, NULL, 1.5);
    emit_number(&e, NULL, 0);
    emit_number(&e, NULL, -100);
    emit_number(&e, NULL, 0.0004);
    emit_number(&e, NULL, 0.0000004);
    emit_number(&e, NULL, NAN);
    emit_number(&e, NULL, INFINITY);
    emit_time(&e, NULL, 0);
    emit_time(&e, NULL, 1);
    emit_array_end(&e);
    assert_string_equal(buf_str(&out),
                        "[1.5,0.0,-100.0,0.0004,0.0,null,null,null,\"1970-01-01T00:00:00.001Z\"]");
    buf_fini(&out);
}

static void the_longest_number_has_room(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct emit e = {.out = &out};
    (void)state;
    emit_number(&e, NULL, -1.7976931348623157e308);
    assert_int_equal(out.len, 1 + 309 + 2);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_and_nowhere_else),
        cmocka_unit_test(texts_are_escaped_keys_included),
        cmocka_unit_test(numbers_and_times_that_are_none_are_null),
        cmocka_unit_test(the_longest_number_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
