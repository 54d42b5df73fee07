/*
 * api - the management plane: one call of cloud API 3.0, from its request to its answer (CMQ.md 8)
 *
 * A call comes with TC3 headers and JSON (or a query), or as a form with signature v1. The answer
 * has API 3.0's shape either way. The order is: read the parameters, misbehave if told to, verify
 * the signature, look at version and action, limit the rate, check the parameters, act. One thread.
 */
#ifndef LOCAL_API_H
#define LOCAL_API_H

#include "local/call.h"
#include "local/sabotage.h"
#include "local/store.h"
#include "local/verify.h"
#include "local/verify3.h"

enum {
    API_MAX_QUEUES = 10000, /* of an account (CMQ.md 4) */
    API_MAX_TOPICS = 10000,
    API_MAX_SUBSCRIPTIONS = 1000, /* of a topic */
    API_MAX_SOURCES = 6,          /* queues with the same dead letter queue (CMQ.md 5) */
    API_MAX_BODY_BYTES = 10 << 20,
    API_MAX_QUERY_BYTES = 32 * 1024,
};

struct api_options {
    struct store *store; /* borrowed, as all of these */
    struct verifier *verifier;
    struct verifier3 *verifier3;
    struct sabotage *sabotage;
    int64_t tolerance_s;  /* how far a form's Timestamp may be off */
    int64_t reuse_bar_ms; /* so long the name of what was deleted cannot be had again */
    uint32_t rate;        /* calls of one action in a second; 0: no limit */
    void *ctx;
    void (*queue_goes)(void *ctx, struct queue *queue); /* must empty its line */
};

struct api;

struct api *api_new(const struct api_options *options); /* copied */
void api_free(struct api *api);                         /* NULL is fine */

enum api_outcome {
    API_ANSWERED,  /* the answer is in call->out */
    API_MISBEHAVE, /* nothing done: the script's rule says what happens instead */
};

struct api_result {
    enum api_outcome outcome;
    bool late_drop;                   /* when it is answered, close the connection instead */
    const struct sabotage_rule *rule; /* API_MISBEHAVE */
    const char *why;                  /* a constant for the log, or NULL */
};

/* A call with TC3 headers. call and its out are filled; was_delayed: the script had its turn. */
struct api_result api_serve(struct api *api, const struct verify3_request *request,
                            bool was_delayed, struct call *call, int64_t now_ms);

/* A call as a form, for which call_init was called. */
struct api_result api_serve_form(struct api *api, const struct verify_target *target,
                                 struct form *form, bool was_delayed, struct call *call,
                                 int64_t now_ms);

#endif
