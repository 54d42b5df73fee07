/*
 * plane - the data plane: one request, from its form to its answer, without HTTP
 *
 * The order is: read the form, misbehave if told to, verify the signature, act. A form that calls
 * API 3.0 goes to the management plane (api.h). One thread.
 */
#ifndef LOCAL_PLANE_H
#define LOCAL_PLANE_H

#include "base/log.h"
#include "local/actions.h"
#include "local/api.h"
#include "local/sabotage.h"
#include "local/verify.h"

struct plane {
    struct service service;
    struct verifier *verifier;
    struct sabotage *sabotage;
    struct api *api; /* borrowed */
    uint64_t last_request_id;
    struct form form; /* of the request that is being served */
    struct log_repeat unauthentic;
    struct log_repeat at_left_out;
};

struct plane_request {
    struct verify_target target; /* method: as requested */
    char *text;                  /* the form; decoded in place */
    size_t len;
    bool was_delayed; /* misbehaviour has had its turn */
};

enum plane_outcome {
    PLANE_ANSWERED, /* the answer is in call->out */
    PLANE_WAITS,    /* put it in line for queue, for wait_ms at most; see actions.h */
    PLANE_DELAYED,  /* nothing done: serve it again, from the same text, after wait_ms */
    PLANE_DROPPED,  /* nothing done: close the connection */
    PLANE_HTTP_500, /* nothing done */
};

struct plane_result {
    enum plane_outcome outcome;
    bool late_drop; /* when it is answered, close the connection instead */
    struct queue *queue;
    int64_t wait_ms;
    const char *why; /* a constant for the log, or NULL */
};

struct plane_result plane_serve(struct plane *plane, struct plane_request *request,
                                struct call *call, struct buf *out, int64_t now_ms);

/* The same for a call with TC3 headers. */
struct plane_result plane_serve_api3(struct plane *plane, const struct verify3_request *request,
                                     bool was_delayed, struct call *call, struct buf *out,
                                     int64_t now_ms);

#endif
