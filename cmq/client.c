/* client - see client.h. */
#include "cmq/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cmq/endpoint.h"

#include <stdio.h>
#include <utlist.h>

enum {
    RELOAD_PERIOD_MS = 1000,
    CLOCK_TOLERANCE_S = 30,
    REPORT_PERIOD_MS = 60000,
    MAX_REPLY_BYTES = 256 << 10, /* of what brings no bodies */
    /* A body came in a form of at most 1 MiB, where "%01" is half as long as JSON's "\u0001". */
    MAX_MESSAGE_BYTES = 2 * CMQ_MAX_BODY_BYTES + 4096,
};

struct cmq_call {
    struct cmq_call *prev, *next;
    struct cmq_client *client;
    struct pump_transfer *transfer; /* NULL: refused, and about to be answered by a post */
    struct err refusal;
    enum cmq_action action;
    size_t items;     /* as cmq_reply_parse wants them */
    cmq_done_fn done; /* NULL: refused and cancelled; the post has only to free it */
    void *ctx;
};

struct cmq_client {
    struct pump *pump;
    struct cmq_client_options options; /* its strings are ours */
    struct cmq_endpoint endpoint;
    struct cmq_credentials credentials; /* without the key, which the signer has */
    struct cmq_signer *signer;
    struct buf form;       /* of the request just being started */
    int64_t clock_ahead_s; /* the service's clock before ours, when that matters; else 0 */
    int64_t reload_at_ms;  /* not again before */
    struct log_repeat reload_failed;
    struct cmq_call *calls; /* under way */
};

bool cmq_client_reload_secrets(struct cmq_client *client, struct err *err)
{
    const struct cmq_client_options *options = &client->options;
    const struct cmq_secrets secrets = {options->secret_id, options->secret_key, options->token,
                                        options->secret_ctx};
    struct cmq_credentials read;
    if (!cmq_credentials_read(&read, &secrets, err))
        return false;
    struct cmq_signer *signer = cmq_signer_new(options->signature, buf_span(&read.secret_key), err);
    cmq_secret_wipe(&read.secret_key); /* the signer has it */
    if (!signer) {
        cmq_credentials_fini(&read);
        return false;
    }
    cmq_signer_free(client->signer);
    client->signer = signer;
    cmq_credentials_fini(&client->credentials);
    client->credentials = read;
    return true;
}

struct cmq_client *cmq_client_new(struct pump *pump, const struct cmq_client_options *options,
                                  struct err *err)
{
    CHECK(options->secret_id && options->secret_key && options->timeout_ms > 0);
    struct cmq_client *client = check_alloc(calloc(1, sizeof *client));
    client->pump = pump;
    client->options = *options;
    client->options.endpoint = NULL;
    client->options.tls.ca = span_dup(span_of(options->tls.ca));
    buf_init(&client->form, CMQ_MAX_POST_BYTES);
    if (!cmq_endpoint_parse(&client->endpoint, "cmq.endpoint", options->endpoint, "/v2/index.php",
                            err) ||
        !cmq_client_reload_secrets(client, err)) {
        cmq_client_free(client);
        return NULL;
    }
    return client;
}

/* Whether both sign the same way with the same key; which it is, a signer does not tell. */
static bool same_key(struct cmq_client *a, struct cmq_client *b)
{
    struct buf x = BUF_INIT(64), y = BUF_INIT(64);
    bool same = cmq_sign(a->signer, span_of("same"), &x) &&
                cmq_sign(b->signer, span_of("same"), &y) &&
                cmq_signature_equal(buf_span(&x), buf_span(&y));
    cmq_secret_wipe(&x);
    cmq_secret_wipe(&y);
    return same;
}

static bool same_account(struct cmq_client *a, struct cmq_client *b)
{
    const struct cmq_client_options *x = &a->options, *y = &b->options;
    return strcmp(a->endpoint.url, b->endpoint.url) == 0 && x->signature == y->signature &&
           x->timeout_ms == y->timeout_ms && strcmp(x->tls.ca, y->tls.ca) == 0 &&
           x->tls.verify == y->tls.verify &&
           span_eq(buf_span(&a->credentials.secret_id), buf_span(&b->credentials.secret_id)) &&
           span_eq(buf_span(&a->credentials.token), buf_span(&b->credentials.token)) &&
           same_key(a, b);
}

bool cmq_client_configure(struct cmq_client *client, const struct cmq_client_options *options,
                          bool *changed, struct err *err)
{
    struct cmq_client *next = cmq_client_new(client->pump, options, err);
    if (!next)
        return false;
    *changed = !same_account(client, next);
    /* The old one keeps its place, its clock and its calls, and gets all the rest of the new one.
     */
    struct cmq_client old = *client;
    *client = *next;
    client->clock_ahead_s = old.clock_ahead_s;
    client->calls = old.calls;
    *next = old;
    next->calls = NULL;
    cmq_client_free(next);
    return true;
}

void cmq_client_free(struct cmq_client *client)
{
    if (!client)
        return;
    CHECK(!client->calls);
    cmq_signer_free(client->signer);
    cmq_credentials_fini(&client->credentials);
    cmq_secret_wipe(&client->form);
    cmq_endpoint_fini(&client->endpoint);
    free((char *)client->options.tls.ca);
    free(client);
}

static void answer(struct cmq_call *call, struct cmq_reply *reply)
{
    DL_DELETE(call->client->calls, call);
    call->done(call->ctx, reply);
    cmq_reply_fini(reply);
}

static void refuse(void *ctx)
{
    struct cmq_call *call = ctx;
    if (call->done) {
        struct cmq_reply reply;
        cmq_reply_failed(&reply, call->refusal.text);
        reply.verdict = CMQ_REJECT;
        answer(call, &reply);
    }
    free(call);
}

/* The clock that a request is stamped with follows the service's when ours is off (CMQ.md 2.5). */
static void learn_clock(struct cmq_client *client, int64_t date_s)
{
    if (date_s == 0)
        return;
    int64_t ahead_s = date_s - clock_unix_ms() / 1000;
    bool off = ahead_s > CLOCK_TOLERANCE_S || ahead_s < -CLOCK_TOLERANCE_S;
    if (off && client->clock_ahead_s == 0)
        log_write(LOG_WARN, "cmq.clock", LOG_FIELDS(LOG_NUM("ahead_s", ahead_s)),
                  "the service's clock differs from ours by %lld s: requests are stamped with the "
                  "service's time; set this machine's clock",
                  (long long)ahead_s);
    if (!off && client->clock_ahead_s != 0)
        log_write(LOG_INFO, "cmq.clock", NULL, "the clock agrees with the service's again");
    client->clock_ahead_s = off ? ahead_s : 0;
}

static bool is_about_the_key(const struct cmq_reply *reply)
{
    return reply->code == 4100 ||
           (reply->code == 4000 && (reply->module == 10030 || reply->module == 10080 ||
                                    reply->module == 10270 || reply->module == 10450));
}

/* The secrets may have been changed since they were read: a file is read again. */
static void reload_after_refusal(struct cmq_client *client)
{
    int64_t now_ms = clock_mono_ms();
    struct err err;
    uint64_t suppressed;
    if (now_ms < client->reload_at_ms)
        return;
    client->reload_at_ms = now_ms + RELOAD_PERIOD_MS;
    if (cmq_client_reload_secrets(client, &err) ||
        !log_repeat_due(&client->reload_failed, now_ms, REPORT_PERIOD_MS, &suppressed))
        return;
    log_write(LOG_ERROR, "cmq.secrets", LOG_FIELDS(LOG_NUM("more", suppressed)),
              "the service refuses the key, and reading it again fails: %s", err.text);
}

static void describe_failure(const struct cmq_client *client, const struct pump_result *result,
                             struct cmq_reply *reply)
{
    char text[sizeof reply->text];
    const char *tls = client->endpoint.https ? ", cmq.tls" : "";
    if (result->connected || result->cancelled)
        (void)snprintf(text, sizeof text, "%s", result->error);
    else
        (void)snprintf(text, sizeof text, "%s: check cmq.endpoint%s and that the service is up",
                       result->error, tls);
    cmq_reply_failed(reply, text);
}

static void on_result(void *ctx, const struct pump_result *result)
{
    struct cmq_call *call = ctx;
    struct cmq_client *client = call->client;
    struct cmq_reply reply;
    if (result->http_status == 0)
        describe_failure(client, result, &reply);
    else
        cmq_reply_parse(&reply, call->action, call->items, result->http_status, result->body);
    reply.date_s = result->date_s;
    if (reply.code != -1) /* some proxy's clock is of no interest */
        learn_clock(client, result->date_s);
    if (is_about_the_key(&reply))
        reload_after_refusal(client);
    answer(call, &reply);
    free(call);
}

static void send_form(struct cmq_call *call, const struct cmq_request *request)
{
    struct cmq_client *client = call->client;
    struct pump_request exchange = {
        .url = client->endpoint.url,
        .body = buf_span(&client->form),
        .timeout_ms = client->options.timeout_ms,
        .max_reply_bytes = MAX_REPLY_BYTES,
        .tls = &client->options.tls,
    };
    if (request->action == CMQ_RECEIVE_MESSAGE || request->action == CMQ_BATCH_RECEIVE_MESSAGE) {
        int wait_s = request->wait_s < 0 ? CMQ_MAX_POLL_S : request->wait_s;
        exchange.timeout_ms += 1000 * (int64_t)wait_s;
        exchange.max_reply_bytes += call->items * MAX_MESSAGE_BYTES;
    }
    call->transfer = pump_transfer(client->pump, &exchange, on_result, call);
}

struct cmq_call *cmq_client_call(struct cmq_client *client, const struct cmq_request *request,
                                 cmq_done_fn done, void *ctx)
{
    struct cmq_call *call = check_alloc(calloc(1, sizeof *call));
    call->client = client;
    call->action = request->action;
    call->items = request->action == CMQ_BATCH_RECEIVE_MESSAGE ? request->max_messages
                  : request->action == CMQ_RECEIVE_MESSAGE     ? 1
                                                               : request->item_count;
    call->done = done;
    call->ctx = ctx;
    DL_APPEND(client->calls, call);
    const struct cmq_identity identity = {
        .secret_id = buf_span(&client->credentials.secret_id),
        .token = buf_span(&client->credentials.token),
        .kind = client->options.signature,
        .signer = client->signer,
        .host = span_of(client->endpoint.host),
        .path = span_of(client->endpoint.path),
    };
    int64_t timestamp_s = clock_unix_ms() / 1000 + client->clock_ahead_s;
    uint64_t nonce = random_u64() >> 1; /* it fits every server's integer */
    buf_clear(&client->form);
    if (cmq_request_form(request, &identity, timestamp_s, nonce, &client->form, &call->refusal))
        send_form(call, request);
    else
        pump_post(client->pump, refuse, call);
    return call;
}

void cmq_client_cancel(struct cmq_client *client, struct cmq_call *call)
{
    CHECK(call->client == client);
    if (call->transfer) {
        pump_cancel(client->pump, call->transfer); /* comes back through on_result */
        return;
    }
    struct cmq_reply reply;
    cmq_reply_failed(&reply, "cancelled");
    answer(call, &reply);
    call->done = NULL;
}
