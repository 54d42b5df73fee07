/*
 * request - the ten data actions as signed forms (CMQ.md 2, 3)
 *
 * A request is described by a struct and written as the body of a POST. Pure but for the signer;
 * everything that varies (time, nonce) is an argument.
 */
#ifndef CMQ_REQUEST_H
#define CMQ_REQUEST_H

#include "cmq/limits.h"
#include "cmq/sign.h"

enum cmq_action {
    CMQ_SEND_MESSAGE,
    CMQ_BATCH_SEND_MESSAGE,
    CMQ_RECEIVE_MESSAGE,
    CMQ_BATCH_RECEIVE_MESSAGE,
    CMQ_DELETE_MESSAGE,
    CMQ_BATCH_DELETE_MESSAGE,
    CMQ_PUBLISH_MESSAGE,
    CMQ_BATCH_PUBLISH_MESSAGE,
    CMQ_QUERY_QUEUE_ROUTE,
    CMQ_QUERY_TOPIC_ROUTE,
    CMQ_ACTION_COUNT
};

/* "SendMessage", ... */
const char *cmq_action_name(enum cmq_action action);

struct cmq_request {
    enum cmq_action action;
    struct span name;         /* queueName or topicName, by the action */
    const struct span *items; /* bodies to send or publish, or receipt handles to delete */
    size_t item_count;        /* 1 for the single actions, 1 to 16 for the batches */
    uint32_t delay_s;         /* send */
    bool has_route;           /* publish */
    struct span route;
    const struct span *tags;
    size_t tag_count;
    unsigned max_messages; /* batch receive: 1 to 16 */
    int wait_s;            /* receive: 0 to 30; -1 leaves it to the queue */
};

/* Who signs and what is said of the sender. Strings are borrowed. */
struct cmq_identity {
    struct span secret_id;
    struct span token; /* empty: none */
    enum cmq_signature kind;
    struct cmq_signer *signer;
    struct span host; /* as in the endpoint, with its port when given */
    struct span path; /* "/v2/index.php" unless the endpoint has one of its own */
};

/*
 * Bytes that a message body adds to the form: its URL-encoded length and the largest
 * "&msgBody.16=". For those who gather batches below CMQ_MAX_POST_BYTES.
 */
size_t cmq_form_cost(struct span body);

/* What a form without bodies takes at most, a temporary key's token of 4,096 bytes included. */
enum { CMQ_FORM_OVERHEAD = 8192 };

/*
 * Appends the URL-encoded, signed form to out. False and err when the request breaks a limit of
 * CMQ.md 4 or the form would be larger than out's ceiling; then out's content is of no use.
 */
MUST_CHECK bool cmq_request_form(const struct cmq_request *request,
                                 const struct cmq_identity *identity, int64_t timestamp_s,
                                 uint64_t nonce, struct buf *out, struct err *err);

#endif
