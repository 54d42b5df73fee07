/* verdict - see verdict.h. */
#include "cmq/verdict.h"

#include "base/check.h"

#include <stddef.h>

#define KEYS "check cmq.secret_id and cmq.secret_key"
#define NO_QUEUE "the queue does not exist: create it or correct the rule"
#define NO_TOPIC "the topic does not exist: create it or correct the rule"
#define NO_SUCH_ACTION "the endpoint does not know this request: check cmq.endpoint"
#define MANAGEMENT "this belongs to creating resources: see cmqgw provision"
#define TRANSACTIONS "the queue is for transactions, which HTTP cannot do: use another queue"
#define SERVICE "nothing, the service's own fault: it is tried again"
#define SLOWER "nothing, requests are slowed down; if it stays, lower cmq.rate or ask for more"
#define OUR_REQUEST "look at the dead letter and correct the rule that made it"

/* Of one code, the rows with a module come before the one for all others (module 0). */
static const struct row {
    int code, module;
    enum cmq_verdict verdict;
    const char *advice;
} rows[] = {
    {-1, 0, CMQ_RETRY,
     "nothing at first: it is tried again; if it stays, see the service"}, /* no usable answer */
    {0, 0, CMQ_DONE, "nothing"},

    {4000, 10030, CMQ_HOLD, KEYS " and the clock"},
    {4000, 10080, CMQ_HOLD, "the secret id is disabled: enable it or use another"},
    {4000, 10270, CMQ_HOLD, "the secret id does not exist: check cmq.secret_id"},
    {4000, 10440, CMQ_HOLD, "the account may not use CMQ: use the main account's key"},
    {4000, 10450, CMQ_HOLD, "the secret id must begin with AKID: check cmq.secret_id"},
    {4000, 10461, CMQ_HOLD, "the key lacks the permission: grant it in CAM"},
    {4000, 10100, CMQ_HOLD, NO_QUEUE},
    {4000, 10600, CMQ_HOLD, NO_TOPIC},
    {4000, 10280, CMQ_HOLD, NO_SUCH_ACTION},
    {4000, 10410, CMQ_HOLD, NO_SUCH_ACTION},
    {4000, 10430, CMQ_HOLD, NO_SUCH_ACTION},
    {4000, 10020, CMQ_REJECT, "the queue's name is not possible: correct the rule"},
    {4000, 10120, CMQ_REJECT, "a message must not be empty: correct the rule"},
    {4000, 10420, CMQ_REJECT, "the request is larger than 1 MB: send smaller messages"},
    {4000, 10590, CMQ_REJECT, "the topic's name is not possible: correct the rule"},
    {4000, 10691, CMQ_REJECT, "the route has more than 15 dots: correct the rule"},
    {4000, 10692, CMQ_REJECT, "the delay is longer than the queue allows: correct the rule"},
    {4000, 10700, CMQ_REJECT, "the topic filters by routing key: give the rule a route"},
    {4000, 10720, CMQ_REJECT, "more tags than the 5 possible: correct the rule"},
    {4000, 0, CMQ_REJECT, OUR_REQUEST},

    {4100, 10030, CMQ_HOLD, KEYS},
    {4100, 10080, CMQ_HOLD, "the secret id is disabled: enable it or use another"},
    {4100, 10270, CMQ_HOLD, "the secret id does not exist: check cmq.secret_id"},
    {4100, 0, CMQ_HOLD, KEYS},
    {4300, 0, CMQ_HOLD, "the account is overdue: settle it"},

    {4400, 0, CMQ_REJECT, "the message is larger than the queue allows: raise the queue's limit"},
    {4410, 0, CMQ_RETRY, "the queue is full: see that its messages are consumed"},
    {4420, 0, CMQ_THROTTLE, SLOWER},
    {4430, 0, CMQ_REJECT, "nothing, the message became visible again before it was deleted"},
    {4440, 10100, CMQ_HOLD, NO_QUEUE},
    {4440, 10600, CMQ_HOLD, NO_TOPIC},
    {4440, 0, CMQ_HOLD, "the queue or topic does not exist: create it or correct the rule"},
    {4450, 0, CMQ_REJECT, MANAGEMENT},
    {4460, 0, CMQ_REJECT, MANAGEMENT},
    {4470, 0, CMQ_REJECT, "the batch is larger than 1 MB: send smaller messages"},
    {4480, 0, CMQ_THROTTLE, SLOWER},
    {4490, 10770, CMQ_HOLD, TRANSACTIONS},
    {4490, 10780, CMQ_HOLD, TRANSACTIONS},
    {4490, 10790, CMQ_HOLD, TRANSACTIONS},
    {4490, 0, CMQ_REJECT, MANAGEMENT},
    {4500, 10480, CMQ_REJECT, MANAGEMENT},
    {4510, 0, CMQ_REJECT, MANAGEMENT},

    {6000, 0, CMQ_RETRY, SERVICE},
    {6010, 0, CMQ_PARTIAL, "nothing, see the entries"},
    {6020, 0, CMQ_PARTIAL, "nothing, see the entries"},
    {6030, 10650, CMQ_UNROUTED, "the topic has no subscription: create one"},
    {6030, 10730, CMQ_UNROUTED, "no subscription takes this route or these tags: add one"},
    {6030, 0, CMQ_UNROUTED, "no subscription takes this: see the topic's subscriptions"},
    {6040, 0, CMQ_RETRY, "nothing, a deleted queue or topic of this name is being released"},
    {6050, 0, CMQ_REJECT, MANAGEMENT},
    {6070, 0, CMQ_RETRY, "too many messages are unacknowledged or delayed: consume faster"},
    {7000, 0, CMQ_EMPTY, "nothing, there was no message"},
};

static const struct row *find(int code, int module)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].code == code && (rows[i].module == module || rows[i].module == 0))
            return &rows[i];
    }
    return NULL;
}

enum cmq_verdict cmq_verdict_of(int code, int module)
{
    const struct row *row = find(code, module);
    return row ? row->verdict : CMQ_RETRY;
}

const char *cmq_advice(int code, int module)
{
    const struct row *row = find(code, module);
    return row ? row->advice : "not a code we know: it is tried again; see the service's list";
}

const char *cmq_verdict_name(enum cmq_verdict verdict)
{
    static const char *const names[] = {
        [CMQ_DONE] = "done",         [CMQ_EMPTY] = "empty",       [CMQ_PARTIAL] = "partial",
        [CMQ_RETRY] = "retry",       [CMQ_THROTTLE] = "throttle", [CMQ_HOLD] = "hold",
        [CMQ_UNROUTED] = "unrouted", [CMQ_REJECT] = "reject",
    };
    CHECK(verdict < sizeof names / sizeof *names);
    return names[verdict];
}
