/*
 * verdict - what became of a try, from one table over CMQ's codes (CMQ.md 7)
 *
 * A code has a verdict, and some of its module codes have another: the pair decides. Two rules fill
 * what the documents leave open. What no other message to the same place could escape (the account,
 * the key, the action, the missing queue) is a hold, whatever code it comes under: rejecting would
 * empty the spool into the dead letters for one wrong setting. A code that is not in the table is a
 * retry: nothing is lost and it is seen. Pure; any thread.
 */
#ifndef CMQ_VERDICT_H
#define CMQ_VERDICT_H

enum cmq_verdict {
    CMQ_DONE,
    CMQ_EMPTY,    /* 7000: nothing to receive; not a fault */
    CMQ_PARTIAL,  /* 6010, 6020: see faults, entry by entry */
    CMQ_RETRY,    /* later, with backoff: network, not 200, time-out, 6000, 4410, nonsense, ... */
    CMQ_THROTTLE, /* later, and slow the whole destination: 4420, 4480 */
    CMQ_HOLD,     /* configuration or account is wrong: 4100, 4300, 4440, ... */
    CMQ_UNROUTED, /* 6030: no subscription, or none matches */
    CMQ_REJECT,   /* this request can never work: 4000, 4400, 4470, 4430, ... */
};

/* "done", "retry", ... */
const char *cmq_verdict_name(enum cmq_verdict verdict);

/* The one table. module is 0 when the message carried none. */
enum cmq_verdict cmq_verdict_of(int code, int module);

/* What a person should do about it, one line for the log; never NULL. */
const char *cmq_advice(int code, int module);

#endif
