/*
 * client - an account's CMQ: signs requests, sends them on the pump, reads the replies
 *
 * Lives on the pump's thread (see pump.h). Keeps the difference to the service's clock as the
 * answers' Date header shows it: when it is above 30 s the timestamps are corrected, and that is
 * logged when it begins and when it ends. Does not decide how often or how many: that is gate.h and
 * its callers.
 */
#ifndef CMQ_CLIENT_H
#define CMQ_CLIENT_H

#include "cmq/credentials.h"
#include "cmq/pump.h"
#include "cmq/reply.h"

struct cmq_client_options {  /* copied; strings may be NULL or "" for none */
    const char *endpoint;    /* http:// or https://, host, perhaps a port and a path */
    cmq_secret_fn secret_id; /* these again after each refusal, so a changed file is read */
    cmq_secret_fn secret_key;
    cmq_secret_fn token; /* NULL: none */
    void *secret_ctx;    /* of all three */
    enum cmq_signature signature;
    int64_t timeout_ms;  /* of a request; a long poll gets its wait on top */
    struct pump_tls tls; /* its strings, too, are copied */
};

struct cmq_client;

/*
 * NULL and err when the endpoint is not such a URL (one with a user, a query or a fragment is not
 * either) or a secret cannot be had. Without a path in the endpoint it is "/v2/index.php".
 */
struct cmq_client *cmq_client_new(struct pump *pump, const struct cmq_client_options *options,
                                  struct err *err);
void cmq_client_free(struct cmq_client *client); /* with none of its calls under way */

/*
 * Goes on with these options, as cmq_client_new would begin with them; what is under way ends as it
 * began. *changed: something is different now, a secret's value included. False and err when they
 * cannot work: then nothing changes.
 */
MUST_CHECK bool cmq_client_configure(struct cmq_client *client,
                                     const struct cmq_client_options *options, bool *changed,
                                     struct err *err);

/*
 * Reads the secrets again. Called by the client itself when the service refuses them, at most once
 * a second. False and err when one cannot be had: then the old ones stay.
 */
MUST_CHECK bool cmq_client_reload_secrets(struct cmq_client *client, struct err *err);

typedef void (*cmq_done_fn)(void *ctx, const struct cmq_reply *reply);

/*
 * Sends a request; done is called exactly once, later, never from within; the reply is valid during
 * the call. The request's bytes are borrowed until this returns. A request that breaks a limit is
 * answered with verdict reject and http_status 0.
 */
struct cmq_call;
struct cmq_call *cmq_client_call(struct cmq_client *client, const struct cmq_request *request,
                                 cmq_done_fn done, void *ctx);

/* Ends a call now: done is called with a retry before this returns. */
void cmq_client_cancel(struct cmq_client *client, struct cmq_call *call);

#endif
