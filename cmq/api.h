/*
 * api - a client of the management plane, cloud API 3.0, for commands (CMQ.md 8)
 *
 * Every call waits for its answer. The client keeps below the service's 20 requests a second to an
 * action, tries again what it safely can, and corrects its timestamps when the answers' Date shows
 * that this machine's clock is off. One thread. The program ignores SIGPIPE.
 */
#ifndef CMQ_API_H
#define CMQ_API_H

#include "cmq/api_reply.h"
#include "cmq/credentials.h"
#include "cmq/pump.h"

enum api_action {
    API_DESCRIBE_QUEUES,
    API_DESCRIBE_TOPICS,
    API_DESCRIBE_SUBSCRIPTIONS,
    API_CREATE_QUEUE,
    API_CREATE_TOPIC,
    API_CREATE_SUBSCRIPTION,
    API_MODIFY_QUEUE,
    API_MODIFY_TOPIC,
    API_MODIFY_SUBSCRIPTION,
    API_CLEAR_FILTER_TAGS,
    API_UNBIND_DEAD_LETTER,
    API_DELETE_QUEUE,
    API_DELETE_TOPIC,
    API_DELETE_SUBSCRIPTION,
    API_ACTION_COUNT,
};

/* "CreateCmqQueue". */
const char *api_action_name(enum api_action action);

struct api_options {      /* copied */
    const char *endpoint; /* http:// or https://, host, perhaps a port */
    const char *region;   /* "ap-guangzhou" */
    struct cmq_secrets secrets;
    int64_t timeout_ms;       /* of a request */
    int64_t longest_pause_ms; /* before a request is tried again; 0: four seconds */
    struct pump_tls tls;
    /* Told in a sentence when something takes longer: a wait, a clock that is off. NULL: nobody. */
    void (*note)(void *ctx, const char *text);
    void *note_ctx;
};

struct api;

/* NULL and err when the endpoint is no such URL or a secret cannot be had. Connects to nothing. */
struct api *api_open(const struct api_options *options, struct err *err);
void api_close(struct api *api); /* NULL is fine */

/*
 * Calls an action with body, a JSON object, and waits for what becomes of it. What has certainly
 * not been done (it did not arrive, or came too soon after others) is tried again for a while, with
 * growing pauses. What may have been done is tried again only where twice leaves the same as once;
 * creating and unbinding would be refused the second time, so there the outcome is API_LOST, and
 * the caller looks. What is deleted twice is not found. Always fills *reply; free it with
 * api_reply_fini.
 */
void api_call(struct api *api, enum api_action action, const struct cJSON *body,
              struct api_reply *reply);

/* Takes an item of a list. False and err end it. */
typedef bool (*api_item_fn)(void *ctx, const struct cJSON *item, struct err *err);

/*
 * Calls a Describe action page by page, with body (whose Offset and Limit it sets), and take for
 * each item of the array `field`. A list that changes meanwhile may show an item twice, or not at
 * all. False and err when a page cannot be had or is not a list.
 */
MUST_CHECK bool api_list(struct api *api, enum api_action action, struct cJSON *body,
                         const char *field, api_item_fn take, void *ctx, struct err *err);

/* Waits. */
void api_wait(struct api *api, int64_t wait_ms);

#endif
