/* codes - see codes.h. The spelling is the service's. */
#include "local/codes.h"

#include <stddef.h>

static const struct code codes[] = {
    {4000, 10000, "invalid request parameters"},
    {4000, 10010, "lacked of required parameters"},
    {4000, 10020, "queue name format error"},
    {4000, 10110, "request parameters error"},
    {4000, 10120, "message body can't be empty"},
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
    {4000, 10470, "receiptHandle error"},
    {4000, 10590, "topic name format error"},
    {4000, 10691, "too many delimeters"},
    {4000, 10692, "delay seconds is out of range"},
    {4000, 10700, "parameters lack of routingKey"},
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
    {6000, 10090, "send message failed"},
    {6000, 10130, "recieve message failed"},
    {6000, 10140, "delete message failed"},
    {6010, 10150, "delete message partially failed"},
    {6020, 10290, "batch delete message failed"},
    {6030, 10650,
     "topic has no subscription, please create a subscription before publishing message"},
    {6030, 10730, "no bindingKey or filterTag matches the routingKey or msgTag"},
    {6040, 10660, "resources of the previous queue/topic still being released"},
    {6050, 10670, "your queue cannot be rewinded"},
    {6070, 10690, "too many unacked(inactive) messages or delayed messages"},
    {7000, 10200, "no message"},
};

const struct code *code_find(int code, int module)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code && (module == 0 || codes[i].module == module))
            return &codes[i];
    }
    return NULL;
}
