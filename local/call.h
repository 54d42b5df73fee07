/*
 * call - one request to the data plane and the JSON that answers it (CMQ.md 3.0)
 *
 * Every answer begins with code, message and requestId; clientRequestId comes back, as a number,
 * when the client sent one. One thread.
 */
#ifndef LOCAL_CALL_H
#define LOCAL_CALL_H

#include "base/buf.h"
#include "cmq/limits.h"
#include "local/form.h"

enum { CALL_MAX_ACTION_BYTES = 48 };

struct call {
    uint64_t request_id;
    uint64_t client_request_id;
    bool has_client_request_id;
    char action[CALL_MAX_ACTION_BYTES]; /* as sent, cut; "" when there was none */
    char name[CMQ_MAX_NAME_BYTES + 1];  /* of the queue or topic, cut */
    int code;                           /* of the answer, once there is one */
    int module;
    bool batch;          /* a receive: answers with msgInfoList */
    size_t max_messages; /* a receive */
    struct buf *out;     /* where the answer goes; borrowed */
};

/* A call with the action and the ids of form, to be answered in out. */
void call_init(struct call *call, uint64_t request_id, const struct form *form, struct buf *out);

/* Writes the head of a success: the caller adds ,"field":value and then the last brace. */
void call_begin(struct call *call);

/*
 * Writes the head of a failure, of a pair that code_find knows; name stands for the text's %s and
 * may be NULL when it has none. call_error writes the last brace too.
 */
void call_error_begin(struct call *call, int code, int module, const char *name);
void call_error(struct call *call, int code, int module, const char *name);

/* Appends what "message" holds for a pair: "(10200)no message". */
void call_message(struct buf *out, int code, int module, const char *name);

/* Keeps the queue's or topic's name, or its head, for the log. */
void call_set_name(struct call *call, struct span name);

#endif
