/* Dead letters as JSON. */
#include "gateway/letter_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(const struct dead_letter *letter, bool whole, const char *json)
{
    struct buf out = BUF_INIT(4096);
    struct emit emit = {.out = &out};
    letter_json(&emit, letter, whole);
    assert_string_equal(buf_str(&out), json);
    buf_fini(&out);
}

static void a_letter_is_listed_with_what_tells_it_from_others(void **state)
{
    struct dead_letter letter = {.id = 7,
                                 .received_ms = 1,
                                 .died_ms = 2,
                                 .attempts = 3,
                                 .rule = SPAN_LIT("r\"1"),
                                 .reason = SPAN_LIT("cmq_4400: no"),
                                 .destination = SPAN_LIT("queue q"),
                                 .body = {NULL, 9}}; /* as it is listed without its body */
    (void)state;
    expect(&letter, false,
           "{\"id\":7,\"rule\":\"r\\\"1\",\"direction\":\"up\",\"reason\":\"cmq_4400: no\","
           "\"destination\":\"queue q\",\"received\":\"1970-01-01T00:00:00.001Z\",\"attempts\":3,"
           "\"body_bytes\":9}");
}

static void a_body_is_shown_as_text_only_when_it_is_text(void **state)
{
    static const struct {
        struct span origin, body;
        const char *end;
    } rows[] = {
        {SPAN_LIT(""), SPAN_LIT("hi\n"), ",\"body\":\"hi\\n\",\"body_base64\":\"aGkK\"}"},
        {SPAN_LIT(" {\"topic\":\"t\"} "), SPAN_LIT("\xff"),
         ",\"origin\":{\"topic\":\"t\"},\"body_base64\":\"/w==\"}"},
        {SPAN_LIT("{damaged"), SPAN_LIT(""), ",\"body\":\"\",\"body_base64\":\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dead_letter letter = {.direction = DEAD_DOWN,
                                     .received_ms = 1,
                                     .died_ms = 2,
                                     .origin = rows[i].origin,
                                     .body = rows[i].body};
        struct buf json = BUF_INIT(4096);
        buf_printf(&json,
                   "{\"id\":0,\"rule\":\"\",\"direction\":\"down\",\"reason\":\"\","
                   "\"destination\":\"\",\"received\":\"1970-01-01T00:00:00.001Z\",\"attempts\":0,"
                   "\"body_bytes\":%zu,\"died\":\"1970-01-01T00:00:00.002Z\"%s",
                   rows[i].body.len, rows[i].end);
        expect(&letter, true, buf_str(&json));
        buf_fini(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_listed_with_what_tells_it_from_others),
        cmocka_unit_test(a_body_is_shown_as_text_only_when_it_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
