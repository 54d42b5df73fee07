/* Every code of CMQ.md 7, with the verdict that it must have. */
#include "cmq/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
    int code, module;
    enum cmq_verdict verdict;
} rows[] = {
    {0, 0, CMQ_DONE},
    /* what is wrong with one request */
    {4000, 0, CMQ_REJECT},
    {4000, 10000, CMQ_REJECT},
    {4000, 10010, CMQ_REJECT},
    {4000, 10020, CMQ_REJECT},
    {4000, 10110, CMQ_REJECT},
    {4000, 10120, CMQ_REJECT},
    {4000, 10310, CMQ_REJECT},
    {4000, 10320, CMQ_REJECT},
    {4000, 10330, CMQ_REJECT},
    {4000, 10350, CMQ_REJECT},
    {4000, 10360, CMQ_REJECT},
    {4000, 10370, CMQ_REJECT},
    {4000, 10380, CMQ_REJECT},
    {4000, 10390, CMQ_REJECT},
    {4000, 10400, CMQ_REJECT},
    {4000, 10420, CMQ_REJECT},
    {4000, 10470, CMQ_REJECT},
    {4000, 10490, CMQ_REJECT},
    {4000, 10500, CMQ_REJECT},
    {4000, 10540, CMQ_REJECT},
    {4000, 10590, CMQ_REJECT},
    {4000, 10640, CMQ_REJECT},
    {4000, 10670, CMQ_REJECT},
    {4000, 10680, CMQ_REJECT},
    {4000, 10691, CMQ_REJECT},
    {4000, 10692, CMQ_REJECT},
    {4000, 10700, CMQ_REJECT},
    {4000, 10710, CMQ_REJECT},
    {4000, 10720, CMQ_REJECT},
    {4000, 99999, CMQ_REJECT},
    {4400, 10230, CMQ_REJECT},
    {4430, 10260, CMQ_REJECT},
    {4430, 0, CMQ_REJECT},
    {4470, 10300, CMQ_REJECT},
    /* what is wrong with all requests to a place */
    {4000, 10030, CMQ_HOLD},
    {4000, 10080, CMQ_HOLD},
    {4000, 10100, CMQ_HOLD},
    {4000, 10270, CMQ_HOLD},
    {4000, 10280, CMQ_HOLD},
    {4000, 10410, CMQ_HOLD},
    {4000, 10430, CMQ_HOLD},
    {4000, 10440, CMQ_HOLD},
    {4000, 10450, CMQ_HOLD},
    {4000, 10461, CMQ_HOLD},
    {4000, 10600, CMQ_HOLD},
    {4100, 0, CMQ_HOLD},
    {4100, 10030, CMQ_HOLD},
    {4100, 10080, CMQ_HOLD},
    {4100, 10270, CMQ_HOLD},
    {4100, 10031, CMQ_HOLD},
    {4300, 10040, CMQ_HOLD},
    {4440, 0, CMQ_HOLD},
    {4440, 10100, CMQ_HOLD},
    {4440, 10600, CMQ_HOLD},
    {4490, 10770, CMQ_HOLD},
    {4490, 10780, CMQ_HOLD},
    {4490, 10790, CMQ_HOLD},
    /* what passes */
    {4410, 10240, CMQ_RETRY},
    {6000, 10050, CMQ_RETRY},
    {6000, 10090, CMQ_RETRY},
    {6040, 10660, CMQ_RETRY},
    {6040, 10750, CMQ_RETRY},
    {6070, 10690, CMQ_RETRY},
    {4420, 10250, CMQ_THROTTLE},
    {4480, 10460, CMQ_THROTTLE},
    {4420, 0, CMQ_THROTTLE},
    /* what is no fault, or one of entries */
    {6010, 10150, CMQ_PARTIAL},
    {6020, 10290, CMQ_PARTIAL},
    {6030, 10650, CMQ_UNROUTED},
    {6030, 10730, CMQ_UNROUTED},
    {6030, 0, CMQ_UNROUTED},
    {7000, 10200, CMQ_EMPTY},
    {7000, 0, CMQ_EMPTY},
    /* what only the management of resources gives */
    {4450, 10220, CMQ_REJECT},
    {4460, 10550, CMQ_REJECT},
    {4490, 10470, CMQ_REJECT},
    {4500, 10480, CMQ_REJECT},
    {4510, 10570, CMQ_REJECT},
    {6050, 10670, CMQ_REJECT},
    /* what nobody has documented, the front end's own 4500 (replay) included */
    {4500, 0, CMQ_RETRY},
    {4200, 0, CMQ_RETRY},
    {5100, 100004, CMQ_RETRY},
    {1, 0, CMQ_RETRY},
    {-1, 0, CMQ_RETRY},
    {INT32_MAX, INT32_MAX, CMQ_RETRY},
    {INT32_MIN, 0, CMQ_RETRY},
};

static void every_code_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum cmq_verdict verdict = cmq_verdict_of(rows[i].code, rows[i].module);
        if (verdict != rows[i].verdict)
            fail_msg("%d/%d: %s", rows[i].code, rows[i].module, cmq_verdict_name(verdict));
    }
}

static void every_code_comes_with_one_line_of_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *advice = cmq_advice(rows[i].code, rows[i].module);
        assert_non_null(advice);
        assert_in_range(strlen(advice), 7, 120);
        assert_null(strchr(advice, '\n'));
    }
    assert_string_equal(cmq_advice(4100, 10030), "check cmq.secret_id and cmq.secret_key");
    assert_string_equal(cmq_advice(4440, 10100),
                        "the queue does not exist: create it or correct the rule");
    assert_non_null(strstr(cmq_advice(4000, 10600), "topic does not exist"));
    assert_non_null(strstr(cmq_advice(31337, 0), "not a code we know"));
}

static void verdicts_have_names(void **state)
{
    (void)state;
    assert_string_equal(cmq_verdict_name(CMQ_DONE), "done");
    assert_string_equal(cmq_verdict_name(CMQ_REJECT), "reject");
    for (enum cmq_verdict v = CMQ_DONE; v <= CMQ_REJECT; v++)
        assert_non_null(cmq_verdict_name(v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_verdict),
        cmocka_unit_test(every_code_comes_with_one_line_of_advice),
        cmocka_unit_test(verdicts_have_names),
    };
    return cmocka_run_group_tests_name("cmq/verdict", tests, NULL, NULL);
}
