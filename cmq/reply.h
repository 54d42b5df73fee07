/*
 * reply - what CMQ answered, and the verdict on the try (CMQ.md 3, 7; DESIGN: verdict of a try)
 *
 * Bytes from outside: every field is checked where it enters. A 200 that is not the JSON that the
 * action promises is a retry, not a success. Pure; any thread.
 */
#ifndef CMQ_REPLY_H
#define CMQ_REPLY_H

#include "base/err.h"
#include "cmq/request.h"

enum cmq_verdict {
    CMQ_DONE,
    CMQ_EMPTY,   /* 7000: nothing to receive; not a fault */
    CMQ_PARTIAL, /* 6010, 6020: see faults, entry by entry */
    CMQ_RETRY, /* later, with backoff: network, not 200, time-out, 6000, 6040, 4410, 6070, nonsense
                */
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

struct cmq_message {
    struct span msg_id;
    struct span body;
    struct span handle;
    int64_t enqueue_s; /* Unix seconds */
    int64_t first_dequeue_s;
    int64_t next_visible_s;
    int64_t dequeue_count;
};

struct cmq_fault { /* an entry of errorList */
    struct span handle;
    enum cmq_verdict verdict;
    int code;
    int module;
};

struct cmq_reply {
    enum cmq_verdict verdict;
    int http_status; /* 0: no answer at all */
    int code;        /* CMQ's; -1 when there was no usable answer */
    int module;
    char text[256]; /* the message, or what went wrong with the transfer */
    char request_id[80];
    int64_t date_s; /* the answer's Date header, Unix; 0: none */

    struct span msg_ids[CMQ_MAX_BATCH]; /* send and publish, in request order */
    size_t msg_id_count;
    struct cmq_message messages[CMQ_MAX_BATCH]; /* receive */
    size_t message_count;
    struct cmq_fault faults[CMQ_MAX_BATCH]; /* delete */
    size_t fault_count;
    struct span addrs[CMQ_MAX_BATCH]; /* query route */
    size_t addr_count;

    void *json; /* keeps the spans alive */
};

/*
 * Reads an answer to an action that had item_count items. Always fills *reply; its spans live until
 * cmq_reply_fini.
 */
void cmq_reply_parse(struct cmq_reply *reply, enum cmq_action action, size_t item_count,
                     int http_status, struct span body);

/* A reply for a transfer that brought no answer: verdict retry, text from why. */
void cmq_reply_failed(struct cmq_reply *reply, const char *why);

void cmq_reply_fini(struct cmq_reply *reply);

#endif
