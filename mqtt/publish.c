/* publish - see publish.h. */
#include "mqtt/publish.h"

#include "base/json.h"
#include "mqtt/paho.h"
#include "mqtt/reason.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    WIDEST_WINDOW = 1024,
    MAX_TEXT = UINT16_MAX,
    MAX_PROPERTIES = MQTT_MAX_USER_PROPERTIES + 4,
    LARGEST_PACKET = 268435455, /* MQTT 5.0 s. 1.5.5, without the fixed header */
};

/*
 * A message given to Paho. Paho holds a pointer to it until it has called back, and does not always
 * do so: its memory is used again only after that, and freed only when the client is gone.
 */
struct publish {
    TAILQ_ENTRY(publish) link; /* in one of the first three lists below, or in none */
    SLIST_ENTRY(publish) all;
    struct publishes *owner;
    mqtt_published_fn done;
    void *ctx;
    const char *hopeless;
    int qos;
    bool waiting; /* `done` is still to come: in the waiting list */
};

TAILQ_HEAD(publish_list, publish);

struct publishes {
    MQTTAsync client;
    bool v5;

    pthread_mutex_t lock; /* guards what follows */
    bool open;
    bool ended;
    bool hurried; /* Paho must look often whether a write can go on */
    struct publish_limits limits;
    unsigned window;
    unsigned count; /* waiting ones */
    struct publish_list waiting;
    struct publish_list hopeless;
    struct publish_list unused;
    SLIST_HEAD(, publish) all;
};

static const char lost_connection[] = "the connection was lost; nobody knows whether it went out";
static const char lost_session[] =
    "the broker lost our session before it answered; nobody knows whether it has the message";
static const char lost_stop[] = "the link stopped before the broker answered";

struct publishes *publishes_new(MQTTAsync client, bool v5)
{
    struct publishes *p = check_alloc(calloc(1, sizeof(*p)));
    p->client = client;
    p->v5 = v5;
    pthread_mutex_init(&p->lock, NULL);
    TAILQ_INIT(&p->waiting);
    TAILQ_INIT(&p->hopeless);
    TAILQ_INIT(&p->unused);
    SLIST_INIT(&p->all);
    return p;
}

void publishes_free(struct publishes *p)
{
    if (!p)
        return;
    while (!SLIST_EMPTY(&p->all)) {
        struct publish *gone = SLIST_FIRST(&p->all);
        SLIST_REMOVE_HEAD(&p->all, all);
        free(gone);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- The lists */

static void hurry_locked(struct publishes *p)
{
    bool hurry = p->open && p->count > 0;
    if (hurry != p->hurried)
        paho_hurry(hurry);
    p->hurried = hurry;
}

static struct publish *add_locked(struct publishes *p)
{
    struct publish *one = TAILQ_FIRST(&p->unused);
    if (one) {
        TAILQ_REMOVE(&p->unused, one, link);
    } else {
        one = check_alloc(calloc(1, sizeof(*one)));
        one->owner = p;
        SLIST_INSERT_HEAD(&p->all, one, all);
    }
    TAILQ_INSERT_TAIL(&p->waiting, one, link);
    one->waiting = true;
    p->count++;
    hurry_locked(p);
    return one;
}

/* Whoever gets true calls `done`, once it has let go of the lock. */
static bool claim_locked(struct publish *one)
{
    struct publishes *p = one->owner;
    if (!one->waiting)
        return false;
    one->waiting = false;
    TAILQ_REMOVE(&p->waiting, one, link);
    p->count--;
    hurry_locked(p);
    return true;
}

/* Paho does not know it any more. */
static void retire_locked(struct publish *one)
{
    TAILQ_INSERT_HEAD(&one->owner->unused, one, link);
}

/* Paho is done with it. */
static void finish(struct publish *one, enum mqtt_publish_result result, const char *why)
{
    struct publishes *p = one->owner;
    pthread_mutex_lock(&p->lock);
    mqtt_published_fn done = one->done;
    void *ctx = one->ctx;
    bool tell = claim_locked(one);
    retire_locked(one);
    pthread_mutex_unlock(&p->lock);
    if (tell)
        done(ctx, result, why);
}

/* Tells the owners of those waiting, up to this QoS, that they are lost, the oldest first. */
static void lose(struct publishes *p, int qos, const char *why)
{
    struct owner {
        mqtt_published_fn done;
        void *ctx;
    };
    size_t count = 0;
    pthread_mutex_lock(&p->lock);
    struct owner *owners = check_alloc(calloc(p->count + 1, sizeof(*owners)));
    struct publish *next;
    for (struct publish *one = TAILQ_FIRST(&p->waiting); one; one = next) {
        next = TAILQ_NEXT(one, link);
        if (one->qos > qos)
            continue;
        owners[count++] = (struct owner){one->done, one->ctx};
        claim_locked(one);
    }
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < count; i++)
        owners[i].done(owners[i].ctx, MQTT_PUBLISH_LOST, why);
    free(owners);
}

/* ---- What Paho says */

static void on_published(void *ctx, MQTTAsync_successData *data)
{
    (void)data;
    finish(ctx, MQTT_PUBLISHED, NULL);
}

static void on_published5(void *ctx, MQTTAsync_successData5 *data)
{
    (void)data;
    finish(ctx, MQTT_PUBLISHED, NULL);
}

/* Paho has given up on it. */
static void failed(struct publish *one)
{
    finish(one, MQTT_PUBLISH_LOST, one->qos == 0 ? lost_connection : lost_session);
}

static void on_failed(void *ctx, MQTTAsync_failureData *data)
{
    (void)data;
    failed(ctx);
}

static void on_failed5(void *ctx, MQTTAsync_failureData5 *data)
{
    struct publish *one = ctx;
    if (one->qos == 0 || data->reasonCode < MQTTREASONCODE_UNSPECIFIED_ERROR) {
        failed(one);
        return;
    }
    char said[200] = "";
    const MQTTProperty *property =
        MQTTProperties_getProperty(&data->properties, MQTTPROPERTY_CODE_REASON_STRING);
    if (property)
        (void)snprintf(said, sizeof(said), "%.*s", property->value.data.len,
                       property->value.data.data);
    struct err why;
    reason_publish(&why, (int)data->reasonCode, said);
    finish(one, MQTT_PUBLISH_REFUSED, why.text);
}

/* ---- Connections */

void publishes_up(struct publishes *p, const struct publish_limits *limits)
{
    unsigned room = limits->receive_maximum > 1 ? limits->receive_maximum - 1 : 1;
    pthread_mutex_lock(&p->lock);
    p->limits = *limits;
    p->window = room < WIDEST_WINDOW ? room : WIDEST_WINDOW;
    p->open = !p->ended;
    hurry_locked(p);
    pthread_mutex_unlock(&p->lock);
}

void publishes_down(struct publishes *p)
{
    pthread_mutex_lock(&p->lock);
    p->open = false;
    hurry_locked(p);
    pthread_mutex_unlock(&p->lock);
    lose(p, 0, lost_connection);
}

unsigned publishes_room(struct publishes *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned room = p->open && p->count < p->window ? p->window - p->count : 0;
    pthread_mutex_unlock(&p->lock);
    return room;
}

void publishes_end(struct publishes *p)
{
    pthread_mutex_lock(&p->lock);
    p->open = false;
    p->ended = true;
    hurry_locked(p);
    pthread_mutex_unlock(&p->lock);
    lose(p, 2, lost_stop);
    publishes_tell_hopeless(p); /* last: what is in neither list now never will be */
}

/* ---- Publishing */

/*
 * Whether a broker may take this as text. Many close the connection at a text that is not as MQTT
 * wants it (MQTT 5.0 s. 1.5.4), control characters included; and would again, whenever the message
 * were sent again.
 */
static bool text_ok(struct span s)
{
    if (s.len > MAX_TEXT || !utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)s.ptr[i + 1] < 0xa0) /* U+0080 to U+009F */
            return false;
    }
    return true;
}

static bool topic_ok(struct span s)
{
    return s.len > 0 && text_ok(s) && span_find(s, '+') == s.len && span_find(s, '#') == s.len;
}

struct properties {
    MQTTProperties list;
    MQTTProperty array[MAX_PROPERTIES];
    int64_t size; /* on the wire, without their length */
};

static MQTTProperty *add(struct properties *to, enum MQTTPropertyCodes code)
{
    MQTTProperty *property = &to->array[to->list.count++];
    *property = (MQTTProperty){.identifier = code};
    to->size++;
    return property;
}

static MQTTLenString bytes(struct properties *to, struct span s)
{
    to->size += 2 + (int64_t)s.len;
    return (MQTTLenString){.data = (char *)s.ptr, .len = (int)s.len};
}

/* Fills in the message's properties; points into the message. NULL, or why they cannot be sent. */
static const char *list_properties(const struct mqtt_message *m, struct properties *to)
{
    to->list = (MQTTProperties){.array = to->array, .max_count = MAX_PROPERTIES};
    to->size = 0;
    if (m->content_type.ptr) {
        if (!text_ok(m->content_type))
            return "its content type is not a text that MQTT can carry";
        add(to, MQTTPROPERTY_CODE_CONTENT_TYPE)->value.data = bytes(to, m->content_type);
    }
    if (m->response_topic.ptr) {
        if (!topic_ok(m->response_topic))
            return "its response topic is not a valid topic";
        add(to, MQTTPROPERTY_CODE_RESPONSE_TOPIC)->value.data = bytes(to, m->response_topic);
    }
    if (m->correlation.ptr) {
        if (m->correlation.len > MAX_TEXT)
            return "its correlation data are longer than 65,535 bytes";
        add(to, MQTTPROPERTY_CODE_CORRELATION_DATA)->value.data = bytes(to, m->correlation);
    }
    if (m->has_expiry) {
        add(to, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL)->value.integer4 = m->expiry_s;
        to->size += 4;
    }
    if (m->user_count > MQTT_MAX_USER_PROPERTIES)
        return "it has more than 64 user properties";
    for (size_t i = 0; i < m->user_count; i++) {
        if (!text_ok(m->user[i].key) || !text_ok(m->user[i].value))
            return "a user property is not a text that MQTT can carry";
        MQTTProperty *property = add(to, MQTTPROPERTY_CODE_USER_PROPERTY);
        property->value.data = bytes(to, m->user[i].key);
        property->value.value = bytes(to, m->user[i].value);
    }
    return NULL;
}

static int64_t varint_size(int64_t n)
{
    return n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : 4;
}

/* Why the broker can never take the message: it would close the connection. NULL: it may. */
static const char *hopeless(const struct publishes *p, const struct publish_limits *limits,
                            const struct mqtt_message *m, struct properties *properties)
{
    properties->list.count = 0;
    if (!topic_ok(m->topic))
        return "its topic is not a valid topic to publish to";
    if (m->qos > limits->qos)
        return "the broker does not take this QoS: lower the rule's qos";
    if (m->retain && !limits->retain)
        return "the broker does not take retained messages: set retain = false";
    int64_t size = 2 + (int64_t)m->topic.len + (m->qos > 0 ? 2 : 0);
    if (p->v5) {
        const char *why = list_properties(m, properties);
        if (why)
            return why;
        size += varint_size(properties->size) + properties->size;
    }
    if (m->payload.len > LARGEST_PACKET || size + (int64_t)m->payload.len > LARGEST_PACKET ||
        1 + varint_size(size + (int64_t)m->payload.len) + size + (int64_t)m->payload.len >
            limits->packet_size)
        return "it is larger than the broker takes";
    return NULL;
}

static int send_one(struct publishes *p, struct publish *one, const struct mqtt_message *m,
                    const struct properties *properties)
{
    char topic[MAX_TEXT + 1];
    memcpy(topic, m->topic.ptr, m->topic.len);
    topic[m->topic.len] = '\0';
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = one;
    if (p->v5) {
        response.properties = properties->list;
        response.onSuccess5 = on_published5;
        response.onFailure5 = on_failed5;
    } else {
        response.onSuccess = on_published;
        response.onFailure = on_failed;
    }
    /* Copies everything. */
    return MQTTAsync_send(p->client, topic, (int)m->payload.len,
                          m->payload.len ? m->payload.ptr : "", m->qos, m->retain, &response);
}

enum publish_taken publishes_give(struct publishes *p, const struct mqtt_message *message,
                                  mqtt_published_fn done, void *ctx)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->open && p->count < p->window;
    const struct publish_limits limits = p->limits;
    struct publish *one = room ? add_locked(p) : NULL;
    if (one) {
        one->done = done;
        one->ctx = ctx;
        one->qos = message->qos;
    }
    pthread_mutex_unlock(&p->lock);
    if (!one)
        return PUBLISH_NOT_TAKEN;

    struct properties properties;
    const char *why = hopeless(p, &limits, message, &properties);
    int rc = why ? MQTTASYNC_SUCCESS : send_one(p, one, message, &properties);
    if (!why && rc == MQTTASYNC_SUCCESS)
        return PUBLISH_TAKEN;
    if (rc == MQTTASYNC_BAD_UTF8_STRING)
        why = "its topic is not a valid topic to publish to";

    pthread_mutex_lock(&p->lock);
    bool mine = claim_locked(one); /* else it was lost meanwhile, and its owner was told */
    if (!mine || !why) {
        retire_locked(one);
    } else {
        one->hopeless = why;
        TAILQ_INSERT_TAIL(&p->hopeless, one, link);
    }
    pthread_mutex_unlock(&p->lock);
    return !mine ? PUBLISH_TAKEN : why ? PUBLISH_HOPELESS : PUBLISH_NOT_TAKEN;
}

void publishes_tell_hopeless(struct publishes *p)
{
    struct publish *one;
    do {
        pthread_mutex_lock(&p->lock);
        one = TAILQ_FIRST(&p->hopeless);
        mqtt_published_fn done = one ? one->done : NULL;
        void *ctx = one ? one->ctx : NULL;
        const char *why = one ? one->hopeless : NULL;
        if (one) {
            TAILQ_REMOVE(&p->hopeless, one, link);
            retire_locked(one);
        }
        pthread_mutex_unlock(&p->lock);
        if (one)
            done(ctx, MQTT_PUBLISH_REFUSED, why);
    } while (one);
}
