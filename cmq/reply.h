/*
 * reply - what CMQ answered, and the verdict on the try (CMQ.md 3, 7; DESIGN: verdict of a try)
 *
 * Bytes from outside: every field is checked where it enters. A 200 that is not the JSON that the
 * action promises is a retry, not a success: a list of msgIds that is shorter than what was sent,
 * "nothing to receive" for a send. A verdict other than done carries none of the action's fields,
 * but for partial, which carries faults.
 *
 * Bodies come out byte for byte, NUL included: JSON's \u0000 is a byte of the body like any other.
 * Of received messages, one without a usable msgId, receipt handle or body is left out and counted
 * in unusable, so that it cannot keep the others from being taken; nobody deletes it, so CMQ keeps
 * it or gives it to its dead letter queue. Pure; any thread.
 */
#ifndef CMQ_REPLY_H
#define CMQ_REPLY_H

#include "base/err.h"
#include "cmq/request.h"
#include "cmq/verdict.h"

struct cmq_message {
    struct span msg_id; /* 1 to 256 bytes; so is the handle */
    struct span body;
    struct span handle;
    int64_t enqueue_s; /* Unix seconds; these four are 0 when the answer did not say */
    int64_t first_dequeue_s;
    int64_t next_visible_s;
    int64_t dequeue_count;
};

struct cmq_fault { /* an entry of errorList */
    struct span handle;
    enum cmq_verdict verdict; /* retry, throttle, hold or reject */
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
    size_t unusable;                        /* receive: messages left out */
    struct cmq_fault faults[CMQ_MAX_BATCH]; /* delete */
    size_t fault_count;
    struct span addrs[CMQ_MAX_BATCH]; /* query route */
    size_t addr_count;

    void *json; /* keeps the spans alive */
};

/*
 * Reads an answer to an action that had item_count items; for receives, how many messages were
 * asked for (no more are taken from the answer). Always fills *reply; its spans live until
 * cmq_reply_fini.
 */
void cmq_reply_parse(struct cmq_reply *reply, enum cmq_action action, size_t item_count,
                     int http_status, struct span body);

/* A reply for a transfer that brought no answer: verdict retry, text from why. Fini is optional. */
void cmq_reply_failed(struct cmq_reply *reply, const char *why);

void cmq_reply_fini(struct cmq_reply *reply);

#endif
