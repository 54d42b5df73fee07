/* client - see client.h. */
#include "cmq/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <utlist.h>

enum {
    MAX_SECRET_BYTES = 4096, /* a temporary key's token is the longest */
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
    char *url;
    char *host; /* as the Host header has it */
    char *path;
    struct buf secret_id, token;
    struct cmq_signer *signer;
    struct buf form;       /* of the request just being started */
    int64_t clock_ahead_s; /* the service's clock before ours, when that matters; else 0 */
    int64_t reload_at_ms;  /* not again before */
    struct log_repeat reload_failed;
    struct cmq_call *calls; /* under way */
};

/* Secrets never move while they are read, so wiping the buffer wipes the only copy. */
static void secret_init(struct buf *secret)
{
    buf_init(secret, MAX_SECRET_BYTES);
    CHECK(buf_reserve(secret, MAX_SECRET_BYTES));
}

static void wipe(struct buf *secret)
{
    if (secret->ptr)
        OPENSSL_cleanse(secret->ptr, secret->room);
    buf_fini(secret);
}

static bool get_secret(const struct cmq_client *client, cmq_secret_fn get, const char *name,
                       struct buf *out, struct err *err)
{
    if (!get)
        return true;
    if (!get(client->options.secret_ctx, out, err))
        return false;
    if (out->overflow)
        return err_set(err, "cmq.%s has more than the %d bytes possible", name, MAX_SECRET_BYTES);
    for (size_t i = 0; i < out->len; i++) {
        if (out->ptr[i] <= ' ' || out->ptr[i] > '~')
            return err_set(err, "cmq.%s contains characters that a key cannot have", name);
    }
    return true;
}

bool cmq_client_reload_secrets(struct cmq_client *client, struct err *err)
{
    struct buf id, key, token;
    secret_init(&id);
    secret_init(&key);
    secret_init(&token);
    const struct cmq_client_options *options = &client->options;
    struct cmq_signer *signer = NULL;
    bool ok = get_secret(client, options->secret_id, "secret_id", &id, err) &&
              get_secret(client, options->secret_key, "secret_key", &key, err) &&
              get_secret(client, options->token, "token", &token, err);
    if (ok && (id.len == 0 || key.len == 0))
        ok = err_set(err, "cmq.%s is empty", id.len ? "secret_key" : "secret_id");
    if (ok) {
        signer = cmq_signer_new(options->signature, buf_span(&key), err);
        ok = signer != NULL;
    }
    if (ok) {
        cmq_signer_free(client->signer);
        client->signer = signer;
        struct buf old_id = client->secret_id, old_token = client->token;
        client->secret_id = id;
        client->token = token;
        id = old_id;
        token = old_token;
    }
    wipe(&id);
    wipe(&key);
    wipe(&token);
    return ok;
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

/* Splits the endpoint into what is signed and what is asked for; these must agree (CMQ.md 2.2). */
static bool parse_endpoint(struct cmq_client *client, const char *endpoint, struct err *err)
{
    CURLU *url = check_alloc(curl_url());
    bool ok = endpoint && curl_url_set(url, CURLUPART_URL, endpoint, 0) == CURLUE_OK;
    char *scheme = url_part(url, CURLUPART_SCHEME), *host = url_part(url, CURLUPART_HOST);
    char *port = url_part(url, CURLUPART_PORT), *path = url_part(url, CURLUPART_PATH);
    char *user = url_part(url, CURLUPART_USER), *password = url_part(url, CURLUPART_PASSWORD);
    char *query = url_part(url, CURLUPART_QUERY), *fragment = url_part(url, CURLUPART_FRAGMENT);
    bool https = ok && strcmp(scheme, "https") == 0;
    ok = ok && (https || strcmp(scheme, "http") == 0) && host && !user && !password && !query &&
         !fragment;
    if (ok) {
        struct buf text = BUF_INIT(4096);
        /* A default port is not part of the Host header, whether it was written or not. */
        bool own_port = port && strcmp(port, https ? "443" : "80") != 0;
        bool own_path = path && strcmp(path, "/") != 0;
        ok = buf_printf(&text, "%s%s%s", host, own_port ? ":" : "", own_port ? port : "");
        client->host = buf_take(&text);
        client->path = span_dup(span_of(own_path ? path : "/v2/index.php"));
        ok = ok && buf_printf(&text, "%s://%s%s", scheme, client->host, client->path);
        client->url = buf_take(&text);
    }
    char *const parts[] = {scheme, host, port, path, user, password, query, fragment};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        curl_free(parts[i]);
    curl_url_cleanup(url);
    return ok || err_set(err, "cmq.endpoint must be http:// or https://, a host, and if need be a "
                              "port and a path");
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
    if (!parse_endpoint(client, options->endpoint, err) ||
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
    wipe(&x);
    wipe(&y);
    return same;
}

static bool same_account(struct cmq_client *a, struct cmq_client *b)
{
    const struct cmq_client_options *x = &a->options, *y = &b->options;
    return strcmp(a->url, b->url) == 0 && x->signature == y->signature &&
           x->timeout_ms == y->timeout_ms && strcmp(x->tls.ca, y->tls.ca) == 0 &&
           x->tls.verify == y->tls.verify &&
           span_eq(buf_span(&a->secret_id), buf_span(&b->secret_id)) &&
           span_eq(buf_span(&a->token), buf_span(&b->token)) && same_key(a, b);
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
    wipe(&client->secret_id);
    wipe(&client->token);
    wipe(&client->form);
    free(client->url);
    free(client->host);
    free(client->path);
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
    log_write(LOG_ERROR, "cmq.secrets", LOG_FIELDS(LOG_NUM("suppressed", suppressed)),
              "the service refuses the key, and reading it again fails: %s", err.text);
}

static void describe_failure(const struct cmq_client *client, const struct pump_result *result,
                             struct cmq_reply *reply)
{
    char text[sizeof reply->text];
    const char *tls = strncmp(client->url, "https:", 6) == 0 ? ", cmq.tls" : "";
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
        .url = client->url,
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
        .secret_id = buf_span(&client->secret_id),
        .token = buf_span(&client->token),
        .kind = client->options.signature,
        .signer = client->signer,
        .host = span_of(client->host),
        .path = span_of(client->path),
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
