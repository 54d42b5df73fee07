/* session - see session.h. */
#include "mqtt/session.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "mqtt/ack.h"
#include "mqtt/options.h"
#include "mqtt/paho.h"
#include "mqtt/reason.h"
#include "mqtt/receive.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_SECRET = 65535,
    NO_SERVER = -1,
    CUT_OFF_PERIOD_MS = 60000,
    /* 3.1.1 brokers do not say what they take; mosquitto 2.0 loses QoS 2 messages when there are
     * more under way than its max_inflight_messages, by default 20. */
    RECEIVE_MAXIMUM_V3 = 21,
};

struct session {
    const struct mqtt_link_options *options;
    struct session_events events;
    MQTTAsync client;
    struct acks *acks;
    struct publishes *publishes;
    atomic_bool open;     /* `down` is still to come */
    atomic_bool trying;   /* so is the answer to connecting */
    atomic_bool ignoring; /* messages are left to the broker */
    atomic_bool silent;

    /* Written before connecting, then only by Paho's callbacks. */
    size_t server;
    int64_t known_server; /* the last one that had our session; NO_SERVER: none yet */
    int keep_alive_s;     /* the broker's, when it wants another than ours */
    struct err tls_fault; /* what OpenSSL said last */
    struct log_repeat cut_off;
};

/* A request on its way; the callback frees it. */
struct asked {
    struct session *session;
    uint64_t revision;
    char filter[];
};

static void set_trying(struct session *s, bool trying)
{
    if (atomic_exchange(&s->trying, trying) != trying)
        paho_hurry(trying);
}

static void went_down(struct session *s, const char *why, bool unreachable)
{
    set_trying(s, false);
    publishes_down(s->publishes);
    if (atomic_exchange(&s->open, false) && !atomic_load(&s->silent))
        s->events.down(s->events.ctx, why, unreachable);
}

/* ---- Connecting */

static int64_t number(MQTTProperties *properties, enum MQTTPropertyCodes code, int64_t otherwise)
{
    if (!properties || !MQTTProperties_hasProperty(properties, code))
        return otherwise;
    return (uint32_t)MQTTProperties_getNumericValue(properties, code);
}

static void came_up(struct session *s, bool session_present, MQTTProperties *properties)
{
    set_trying(s, false);
    bool known = s->known_server == (int64_t)s->server;
    if (!session_present || !known)
        acks_forget_session(s->acks);
    s->known_server = (int64_t)s->server;
    int64_t keep_alive = number(properties, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, 0);
    if (keep_alive > 0)
        s->keep_alive_s = (int)keep_alive; /* from the next connection on: Paho reads it there */
    struct session_facts facts = {
        .memory = !session_present ? SUBS_LOST
                  : known          ? SUBS_TRUSTED
                                   : SUBS_UNSURE,
        .identifiers =
            number(properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE, 1) != 0,
        .shared = number(properties, MQTTPROPERTY_CODE_SHARED_SUBSCRIPTION_AVAILABLE, 1) != 0,
        .wildcards = number(properties, MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE, 1) != 0,
        .expiry_s = number(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, -1),
    };
    const struct publish_limits limits = {
        .receive_maximum =
            !s->options->v5
                ? RECEIVE_MAXIMUM_V3
                : (unsigned)number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, UINT16_MAX),
        .packet_size = number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, INT64_MAX),
        .qos = (int)number(properties, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2),
        .retain = number(properties, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0,
    };
    publishes_up(s->publishes, &limits);
    if (atomic_load(&s->silent)) { /* stopped while connecting */
        session_disconnect(s);
        return;
    }
    s->events.up(s->events.ctx, &facts);
}

static void on_connected(void *ctx, MQTTAsync_successData *data)
{
    came_up(ctx, data->alt.connect.sessionPresent != 0, NULL);
}

static void on_connected5(void *ctx, MQTTAsync_successData5 *data)
{
    came_up(ctx, data->alt.connect.sessionPresent != 0, &data->properties);
}

static void connect_failed(struct session *s, int code, const char *message)
{
    struct err why;
    const char *uri = s->options->servers[s->server];
    if (code > 0) { /* Paho gives what the CONNACK said */
        struct err reason;
        reason_refused(&reason, s->options->v5, code);
        err_set(&why, "%s: %s", uri, reason.text);
    } else if (s->tls_fault.text[0]) {
        err_set(&why, "cannot connect to %s: TLS: %s: check mqtt.tls and the broker's certificate",
                uri, s->tls_fault.text);
    } else if (message && strcmp(message, "TCP connect timeout") == 0) {
        err_set(&why, "cannot connect to %s: no answer within %d s", uri,
                s->options->connect_timeout_s);
    } else if (message && strcmp(message, "TCP connect completion failure") == 0) {
        bool nameless = options_tls(s->options) && !s->options->tls.cert;
        err_set(&why, "cannot connect to %s: it closed the connection without an answer%s", uri,
                nameless ? "; if it wants a client certificate, set mqtt.tls.cert" : "");
    } else {
        err_set(&why, "cannot connect to %s", uri);
        went_down(s, why.text, true);
        return;
    }
    went_down(s, why.text, false);
}

static void on_connect_failed(void *ctx, MQTTAsync_failureData *data)
{
    connect_failed(ctx, data->code, data->message);
}

static void on_connect_failed5(void *ctx, MQTTAsync_failureData5 *data)
{
    connect_failed(ctx, data->code, data->message);
}

static void on_lost(void *ctx, char *cause)
{
    (void)cause; /* always NULL in Paho 1.3 */
    struct session *s = ctx;
    struct err why;
    err_set(&why, "the connection to %s was lost", s->options->servers[s->server]);
    went_down(s, why.text, false);
}

static void on_disconnected(void *ctx, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    struct session *s = ctx;
    char said[200] = "";
    const MQTTProperty *property =
        MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_REASON_STRING);
    if (property)
        (void)snprintf(said, sizeof(said), "%.*s", property->value.data.len,
                       property->value.data.data);
    struct err why;
    reason_disconnected(&why, (int)code, said);
    went_down(s, why.text, false);
}

/* What is between the n-th colon of text and the next one. */
static struct span field(struct span text, int n)
{
    for (; n > 0; n--)
        text = span_slice(text, span_find(text, ':') + 1, SIZE_MAX);
    return span_slice(text, 0, span_find(text, ':'));
}

/* A line of ERR_print_errors_cb(3): "THREAD:error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:DATA\n".
 */
static int on_tls_fault(const char *text, size_t len, void *ctx)
{
    struct session *s = ctx;
    struct span line = span_make(text, strnlen(text, len));
    struct span reason = field(line, 5);
    struct span data = field(line, 8);
    data.len = span_find(data, '\n');
    if (reason.len == 0 || s->tls_fault.text[0]) /* the first is the cause of the others */
        return 1;
    err_set(&s->tls_fault, "%.*s%s%.*s%s", SPAN_ARG(reason), data.len ? " (" : "", SPAN_ARG(data),
            data.len ? ")" : "");
    return 1;
}

static void wipe(struct buf *secret)
{
    if (secret->ptr)
        explicit_bzero(secret->ptr, secret->room);
    buf_fini(secret);
}

static bool read_secret(mqtt_secret_fn read, void *ctx, struct buf *out, struct err *err)
{
    return !read || read(ctx, out, err);
}

/* OpenSSL would only say that there is "no such file". */
static bool can_read(const char *option, const char *path, struct err *err)
{
    if (!path || access(path, R_OK) == 0)
        return true;
    char text[128];
    return err_set(err, "cannot read %s, \"%s\": %s", option, path,
                   strerror_r(errno, text, sizeof(text)));
}

static void add_number(MQTTProperties *to, enum MQTTPropertyCodes code, uint32_t value)
{
    MQTTProperty property = {.identifier = code};
    if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
        property.value.integer2 = (unsigned short)value;
    else
        property.value.integer4 = value;
    CHECK(MQTTProperties_add(to, &property) == 0);
}

bool session_connect(struct session *s, size_t server, struct err *err)
{
    const struct mqtt_link_options *o = s->options;
    struct buf password = BUF_INIT(MAX_SECRET);
    struct buf key_password = BUF_INIT(MAX_SECRET);
    bool ok = false;
    int rc;

    acks_forget(s->acks);
    s->server = server;
    s->tls_fault.text[0] = '\0';
    (void)MQTTAsync_isConnected(s->client); /* waits until Paho is done with the last connection */

    MQTTProperties properties = MQTTProperties_initializer;
    MQTTAsync_connectOptions c5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions c3 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions *c = o->v5 ? &c5 : &c3;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    if (!read_secret(o->password, o->password_ctx, &password, err) ||
        !read_secret(o->tls.key_password, o->tls.key_password_ctx, &key_password, err) ||
        !can_read("mqtt.tls.ca", o->tls.ca, err) || !can_read("mqtt.tls.cert", o->tls.cert, err) ||
        !can_read("mqtt.tls.key", o->tls.key, err))
        goto out;

    c->cleansession = 0;
    c->cleanstart = 0;
    c->keepAliveInterval = s->keep_alive_s;
    c->connectTimeout = o->connect_timeout_s;
    c->username = o->username;
    if (o->password) {
        c->binarypwd.data = buf_str(&password);
        c->binarypwd.len = (int)password.len;
    }
    char *uri = (char *)o->servers[server];
    c->serverURIs = &uri;
    c->serverURIcount = 1;
    c->context = s;
    if (o->v5) {
        add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                   (uint32_t)o->session_expiry_s);
        add_number(&properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, o->receive_maximum);
        c->connectProperties = &properties;
        c->onSuccess5 = on_connected5;
        c->onFailure5 = on_connect_failed5;
    } else {
        c->MQTTVersion = MQTTVERSION_3_1_1;
        c->onSuccess = on_connected;
        c->onFailure = on_connect_failed;
    }
    if (options_tls(o)) {
        tls.trustStore = o->tls.ca;
        tls.keyStore = o->tls.cert;
        tls.privateKey = o->tls.key;
        tls.privateKeyPassword = o->tls.key_password ? buf_str(&key_password) : NULL;
        tls.enableServerCertAuth = o->tls.verify;
        tls.verify = o->tls.verify;
        tls.ssl_error_cb = on_tls_fault;
        tls.ssl_error_context = s;
        c->ssl = &tls;
    }

    atomic_store(&s->open, true);
    set_trying(s, true);
    rc = MQTTAsync_connect(s->client, c); /* copies everything */
    ok = rc == MQTTASYNC_SUCCESS;
    if (!ok) {
        atomic_store(&s->open, false);
        set_trying(s, false);
        err_set(err, "cannot connect to %s: Paho refuses (%d: %s)", uri, rc,
                MQTTAsync_strerror(rc));
    }
out:
    MQTTProperties_free(&properties);
    wipe(&password);
    wipe(&key_password);
    return ok;
}

/* ---- Disconnecting */

static void on_left(void *ctx, MQTTAsync_successData *data)
{
    (void)data;
    went_down(ctx, "disconnected", false);
}

static void on_left5(void *ctx, MQTTAsync_successData5 *data)
{
    (void)data;
    went_down(ctx, "disconnected", false);
}

void session_disconnect(struct session *s)
{
    MQTTAsync_disconnectOptions d5 = MQTTAsync_disconnectOptions_initializer5;
    MQTTAsync_disconnectOptions d3 = MQTTAsync_disconnectOptions_initializer;
    d5.onSuccess5 = on_left5;
    d3.onSuccess = on_left;
    d5.context = d3.context = s;
    (void)MQTTAsync_disconnect(s->client, s->options->v5 ? &d5 : &d3);
}

/* ---- Messages */

static void hand_over(struct session *s, const char *topic, int topic_len,
                      const MQTTAsync_message *from)
{
    struct received received;
    receive_convert(topic, topic_len, from, &received);
    received.message.received_ms = clock_unix_ms();
    uint64_t ticket = 0;
    if (from->qos > 0) {
        struct ack_taken taken = acks_take(s->acks, from->msgid, from->qos, from->dup != 0);
        received.message.qos = taken.qos;
        ticket = taken.ticket;
        if (ticket == 0) {
            s->events.owed(s->events.ctx);
            return;
        }
    }
    uint64_t held_back;
    if (received.cut_off > 0 &&
        log_repeat_due(&s->cut_off, clock_mono_ms(), CUT_OFF_PERIOD_MS, &held_back))
        log_write(LOG_WARN, "mqtt.user_properties",
                  LOG_FIELDS(LOG_TEXT_FIELD("topic", received.message.topic),
                             LOG_NUM("dropped", received.cut_off), LOG_NUM("more", held_back)),
                  "a message has more than %d user properties; the rest is dropped",
                  MQTT_MAX_USER_PROPERTIES);
    s->events.message(s->events.ctx, &received.message, ticket);
}

static int on_message(void *ctx, char *topic, int topic_len, MQTTAsync_message *message)
{
    struct session *s = ctx;
    if (!atomic_load_explicit(&s->ignoring, memory_order_relaxed))
        hand_over(s, topic, topic_len, message);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- Subscriptions */

static void finish(struct asked *asked, const char *refusal)
{
    struct session *s = asked->session;
    if (!atomic_load(&s->silent))
        s->events.answered(s->events.ctx, asked->filter, asked->revision, refusal);
    free(asked);
}

static void finish_refused(struct asked *asked, int code)
{
    if (code < 0x80) { /* Paho gave up on it: the connection is gone */
        finish(asked, "");
        return;
    }
    struct err why;
    reason_subscription(&why, asked->session->options->v5, code);
    finish(asked, why.text);
}

static void on_agreed(void *ctx, MQTTAsync_successData *data)
{
    (void)data;
    finish(ctx, NULL);
}

static void on_agreed5(void *ctx, MQTTAsync_successData5 *data)
{
    (void)data;
    finish(ctx, NULL);
}

static void on_refused(void *ctx, MQTTAsync_failureData *data)
{
    finish_refused(ctx, data->code);
}

static void on_refused5(void *ctx, MQTTAsync_failureData5 *data)
{
    finish_refused(ctx, (int)data->reasonCode);
}

bool session_request(struct session *s, const struct subs_request *request, struct err *err)
{
    bool v5 = s->options->v5;
    size_t len = strlen(request->filter) + 1;
    struct asked *asked = check_alloc(malloc(sizeof(*asked) + len));
    asked->session = s;
    asked->revision = request->revision;
    memcpy(asked->filter, request->filter, len);

    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = asked;
    int rc;
    if (v5) {
        response.onSuccess5 = on_agreed5;
        response.onFailure5 = on_refused5;
        /* MQTT 5.0 s. 3.8.3.1: 1, retained copies for a new subscription only; 2, never. */
        response.subscribeOptions.retainHandling = request->retained_copies ? 1 : 2;
        if (request->id && !request->unsubscribe)
            add_number(&response.properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER,
                       request->id);
    } else {
        response.onSuccess = on_agreed;
        response.onFailure = on_refused;
    }
    if (request->unsubscribe)
        rc = MQTTAsync_unsubscribe(s->client, request->filter, &response);
    else
        rc = MQTTAsync_subscribe(s->client, request->filter, request->qos, &response);
    MQTTProperties_free(&response.properties);
    if (rc == MQTTASYNC_SUCCESS)
        return true;
    free(asked);
    return err_set(err, "Paho refuses (%d: %s)", rc, MQTTAsync_strerror(rc));
}

/* ---- Publishing */

enum publish_taken session_publish(struct session *s, const struct mqtt_message *message,
                                   mqtt_published_fn done, void *ctx)
{
    if (atomic_load(&s->ignoring))
        return PUBLISH_NOT_TAKEN;
    return publishes_give(s->publishes, message, done, ctx);
}

unsigned session_publish_room(struct session *s)
{
    return atomic_load(&s->ignoring) ? 0 : publishes_room(s->publishes);
}

void session_publish_tell_hopeless(struct session *s)
{
    publishes_tell_hopeless(s->publishes);
}

void session_publish_end(struct session *s)
{
    publishes_end(s->publishes);
}

/* ---- Life */

struct session *session_new(const struct mqtt_link_options *options,
                            const struct session_events *events, struct err *err)
{
    paho_prepare();
    struct session *s = check_alloc(calloc(1, sizeof(*s)));
    s->options = options;
    s->events = *events;
    s->known_server = NO_SERVER;
    s->keep_alive_s = options->keep_alive_s;
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    create.MQTTVersion = options->v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    create.maxBufferedMessages = UINT16_MAX; /* the window of publish.h is what counts */
    int rc = MQTTAsync_createWithOptions(&s->client, options->servers[0], options->client_id,
                                         MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_setCallbacks(s->client, s, on_lost, on_message, NULL);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_setDisconnected(s->client, s, on_disconnected);
    s->acks = acks_new();
    s->publishes = publishes_new(s->client, options->v5);
    if (rc == MQTTASYNC_SUCCESS)
        return s;
    err_set(err, "cannot make an MQTT client for %s: Paho refuses (%d: %s)", options->servers[0],
            rc, MQTTAsync_strerror(rc));
    session_free(s);
    return NULL;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    session_silence(s);
    if (s->client)
        MQTTAsync_destroy(&s->client);
    set_trying(s, false);
    publishes_free(s->publishes);
    acks_free(s->acks);
    free(s);
}

void session_reconfigured(struct session *s, bool same_servers)
{
    if (!same_servers)
        s->known_server = NO_SERVER;
    s->keep_alive_s = s->options->keep_alive_s;
}

void session_ignore(struct session *s, bool ignore)
{
    atomic_store(&s->ignoring, ignore);
}

void session_silence(struct session *s)
{
    atomic_store(&s->silent, true);
    atomic_store(&s->ignoring, true);
    if (s->client)
        (void)MQTTAsync_isConnected(s->client); /* waits for the callback that may be running */
}

bool session_release(struct session *s, uint64_t ticket)
{
    return acks_release(s->acks, ticket);
}

bool session_flush(struct session *s)
{
    return acks_flush(s->acks);
}

void session_forget(struct session *s)
{
    acks_forget(s->acks);
}
