/*
 * call - one request and the JSON that answers it
 *
 * What is here writes the data plane's answers (CMQ.md 3.0); api.h has the management plane's.
 * Every answer begins with code, message and requestId; clientRequestId comes back, as a number,
 * when the client sent one. One thread.
 */
#ifndef LOCAL_CALL_H
#define LOCAL_CALL_H

#include "base/buf.h"
#include "cmq/limits.h"
#include "local/form.h"

enum { CALL_MAX_ACTION_BYTES = 48, CALL_ID_SIZE = 40 };

struct call {
    uint64_t request_id;
    uint64_t client_request_id;
    bool has_client_request_id;
    char action[CALL_MAX_ACTION_BYTES]; /* as sent, cut; "" when there was none */
    char name[CMQ_MAX_NAME_BYTES + 1];  /* of the queue or topic, cut */
    int code;                           /* of the answer, once there is one */
    int module;
    bool is_api3;        /* of the management plane: code and module mean nothing */
    const char *error;   /* its answer's code, a constant; NULL: none */
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

/* Writes a request's id as its answer has it: digits, or API 3.0's UUID. */
void call_print_id(uint64_t request_id, bool is_api3, char out[CALL_ID_SIZE]);

/* Keeps the action, or its head. */
void call_set_action(struct call *call, struct span action);

/* Keeps the queue's or topic's name, or its head, for the log. */
void call_set_name(struct call *call, struct span name);

#endif
