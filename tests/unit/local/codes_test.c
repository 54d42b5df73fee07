/* The error texts, word for word from the service's own list, misspellings included (CMQ.md 7). */
#include "local/call.h"
#include "local/codes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void texts_are_the_services_own(void **unused)
{
    (void)unused;
    static const struct code rows[] = {
        {4000, 10000, "invalid request parameters"},
        {4000, 10010, "lacked of required parameters"},
        {4000, 10110, "request parameters error"},
        {4000, 10280, "action is not existed"},
        {4000, 10310, "error: parameter %s key format error"},
        {4000, 10320, "no such parameter %s"},
        {4000, 10330, "parameter %s is NOT a repeatable parameter"},
        {4000, 10350, "parameter %s value or length is out of range"},
        {4000, 10360, "parameter %s error type"},
        {4000, 10370, "%s parameter batch size is out of range"},
        {4000, 10380, "%s parameter is not consequent"},
        {4000, 10390, "lacked of required parameter %s"},
        {4000, 10400, "cannot find parameter %s in uri"},
        {4000, 10410, "unexpected http %s only GET or POST is supported"},
        {4000, 10420, "cannot parse %s, or request size is more than 1MB"},
        {4000, 10430, "action name %s is not existed"},
        {4000, 10440, "account illegal, it may be an assistant account"},
        {4000, 10450, "secret id dosen't begin with AKID"},
        {4000, 10461, "no cam authentication"},
        {4000, 10020, "queue name format error"},
        {4000, 10120, "message body can't be empty"},
        {4000, 10470, "receiptHandle error"},
        {4000, 10692, "delay seconds is out of range"},
        {4000, 10490, "number of filterTag exceed limit"},
        {4000, 10500, "endpoint format error"},
        {4000, 10510, "undefined protocol"},
        {4000, 10520, "undefined notify retry stragety"},
        {4000, 10530, "undefined notify content format"},
        {4000, 10540,
         "there exists subscriptions under this topic, please unsubscribe all of them before "
         "DeleteTopic"},
        {4000, 10630, "illegal endpoint"},
        {4000, 10640, "notifyContentFormat of protocol queue must be SIMPLIFIED"},
        {4000, 10670, "too many filterTag"},
        {4000, 10680, "too many bindingKey"},
        {4000, 10691, "too many delimeters"},
        {4000, 10700, "parameters lack of routingKey"},
        {4000, 10710, "parameters lack of bindingKey"},
        {4000, 10720, "too many msgTag"},
        {4100, 10030, "authentication failed"},
        {4100, 10080, "secret id status error"},
        {4100, 10270, "secret id is not existed"},
        {4300, 10040, "charge overdue"},
        {4400, 10230, "exceed maximum message size"},
        {4410, 10240, "reach maximum retention number of message"},
        {4420, 10250, "qps throttling"},
        {4430, 10260, "receipt handle is invalid"},
        {4440, 10100, "queue is not existed, or deleted"},
        {4440, 10600, "topic is not existed, or deleted"},
        {4450, 10220, "queues limit"},
        {4450, 10610, "topics limit"},
        {4460, 10550, "topic exists"},
        {4470, 10300, "total message size exceed 1MB"},
        {4480, 10460, "exceed interface frequency limit, please slow down"},
        {4490, 10470, "subscribtion is already existed"},
        {4500, 10480, "subscriptions limit"},
        {4510, 10570, "url connot contain any blank characters"},
        {6000, 10050, "server internal error"},
        {6000, 10190, "list queue failed"},
        {6010, 10150, "delete message partially failed"},
        {6020, 10290, "batch delete message failed"},
        {6030, 10650,
         "topic has no subscription, please create a subscription before publishing message"},
        {6030, 10730, "no bindingKey or filterTag matches the routingKey or msgTag"},
        {6040, 10660, "resources of the previous queue/topic still being released"},
        {6050, 10670, "your queue cannot be rewinded"},
        {6050, 10740, "too many filterTag or bindingKey"},
        {6070, 10690, "too many unacked(inactive) messages or delayed messages"},
        {7000, 10200, "no message"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct code *found = code_find(rows[i].code, rows[i].module);
        if (!found || strcmp(found->text, rows[i].text) != 0)
            fail_msg("%d (%d): %s", rows[i].code, rows[i].module, found ? found->text : "none");
    }
}

static void only_pairs_that_there_are_are_found(void **unused)
{
    (void)unused;
    assert_int_equal(code_find(4420, 0)->module, 10250);
    assert_null(code_find(4420, 10260));
    assert_null(code_find(0, 0));
    assert_null(code_find(200, 10200));
}

static void messages_have_their_module_code_in_front(void **unused)
{
    (void)unused;
    struct buf out = BUF_INIT(200);
    call_message(&out, 7000, 10200, NULL);
    assert_string_equal(buf_str(&out), "(10200)no message");
    buf_clear(&out);
    call_message(&out, 4000, 10380, "msg\"Body");
    assert_string_equal(buf_str(&out), "(10380)msg\\\"Body parameter is not consequent");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_the_services_own),
        cmocka_unit_test(only_pairs_that_there_are_are_found),
        cmocka_unit_test(messages_have_their_module_code_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
