/* ack - see ack.h. */
#include "mqtt/ack.h"

#include "mqtt/paho.h"
#include "mqtt/resend.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ACK_RING = 65536, /* as many as there are packet identifiers */
    ACK_RUN = 256,    /* sent in one go, with Paho's mutex held */
};

struct owed {
    uint16_t id;
    bool qos2;
    bool again; /* of a message released before: owed as soon as its turn comes */
};

struct acks {
    struct acks *next; /* of all; guarded by all_lock */

    /* Guarded by Paho's mutex: where the last message came from. */
    void *net;
    int socket;
    int version;

    pthread_mutex_t lock; /* guards what follows */
    uint64_t first;       /* the oldest ticket still owed */
    uint64_t next_ticket;
    bool busy;                      /* the socket did not take what was released */
    uint64_t released;              /* the highest ticket let go */
    struct owed ring[ACK_RING];     /* of ticket t: ring[t % ACK_RING] */
    uint64_t stored[ACK_RING / 64]; /* QoS 2 identifiers released, PUBREL not seen; bits */
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list of all */
static struct acks *all;

struct acks *acks_new(void)
{
    struct acks *acks = check_alloc(calloc(1, sizeof(*acks)));
    pthread_mutex_init(&acks->lock, NULL);
    acks->first = acks->next_ticket = 1;
    pthread_mutex_lock(&all_lock);
    acks->next = all;
    all = acks;
    pthread_mutex_unlock(&all_lock);
    return acks;
}

static void set_busy_locked(struct acks *acks, bool busy)
{
    if (acks->busy != busy)
        paho_hurry(busy);
    acks->busy = busy;
}

void acks_free(struct acks *acks)
{
    if (!acks)
        return;
    set_busy_locked(acks, false);
    pthread_mutex_lock(&all_lock);
    struct acks **link = &all;
    while (*link != acks)
        link = &(*link)->next;
    *link = acks->next;
    pthread_mutex_unlock(&all_lock);
    pthread_mutex_destroy(&acks->lock);
    free(acks);
}

static bool stored_has(const struct acks *acks, uint16_t id)
{
    return acks->stored[id / 64] >> id % 64 & 1;
}

static void stored_put(struct acks *acks, uint16_t id, bool on)
{
    uint64_t bit = UINT64_C(1) << id % 64;
    if (on)
        acks->stored[id / 64] |= bit;
    else
        acks->stored[id / 64] &= ~bit;
}

/* Moves on to ticket `to`; what was released on the way is stored, whether it was sent or not. */
static void advance_locked(struct acks *acks, uint64_t to)
{
    for (; acks->first < to; acks->first++) {
        const struct owed *owed = &acks->ring[acks->first % ACK_RING];
        if (owed->qos2 && acks->first <= acks->released)
            stored_put(acks, owed->id, true);
    }
}

void acks_forget(struct acks *acks)
{
    pthread_mutex_lock(&acks->lock);
    set_busy_locked(acks, false);
    advance_locked(acks, acks->next_ticket);
    pthread_mutex_unlock(&acks->lock);
}

void acks_forget_session(struct acks *acks)
{
    pthread_mutex_lock(&acks->lock);
    memset(acks->stored, 0, sizeof(acks->stored));
    pthread_mutex_unlock(&acks->lock);
}

#ifdef MQTT_CAN_WITHHOLD

/*
 * Of Paho 1.3.12's archive. A networkHandles begins with its socket; a packet as MQTTPacket_Factory
 * makes it begins with the first byte of the wire (MQTT 5.0 s. 2.1.1). mqttasync_mutex is held
 * around the Factory and the handling of what it made; socket_mutex guards the pending writes.
 */
extern pthread_mutex_t *mqttasync_mutex;
extern pthread_mutex_t *socket_mutex;
int Socket_noPendingWrites(int socket);
void *__real_MQTTPacket_Factory(int version, void *net, int *error);
int __real_MQTTPacket_send_puback(int version, int id, void *net, const char *client_id);
int __real_MQTTPacket_send_pubrec(int version, int id, void *net, const char *client_id);
int __real_MQTTPacket_send_pubcomp(int version, int id, void *net, const char *client_id);

void *__wrap_MQTTPacket_Factory(int version, void *net, int *error);
int __wrap_MQTTPacket_send_puback(int version, int id, void *net, const char *client_id);
int __wrap_MQTTPacket_send_pubrec(int version, int id, void *net, const char *client_id);
int __wrap_MQTTPacket_send_pubcomp(int version, int id, void *net, const char *client_id);

enum {
    PAHO_OK = 0,
    PAHO_ERROR = -1,
    PACKET_CONNACK = 0x20,
    PACKET_PUBLISH = 0x30,
    PACKET_PUBACK = 0x40,
    PACKET_PUBREC = 0x50,
    PACKET_PUBCOMP = 0x70,
    QOS_MASK = 0x06,
    QOS_2 = 0x04
};

static void set_tcp(int socket, int option, int value)
{
    (void)setsockopt(socket, IPPROTO_TCP, option, &value, sizeof(value)); /* speed only */
}

/* The packet that Paho's receiving thread is handling. */
static _Thread_local struct {
    void *net;
    int version;
    bool qos2;
} handling;

static int socket_of(const void *net)
{
    int socket;
    memcpy(&socket, net, sizeof(socket));
    return socket;
}

void *__wrap_MQTTPacket_Factory(int version, void *net, int *error)
{
    unsigned char *packet = __real_MQTTPacket_Factory(version, net, error);
    int type = packet ? *packet & 0xf0 : 0;
    handling.net = net;
    handling.version = version;
    handling.qos2 = type == PACKET_PUBLISH && (*packet & QOS_MASK) == QOS_2;
    if (handling.qos2)
        *packet ^= QOS_MASK; /* 2 becomes 1 */
    if (type == PACKET_CONNACK) {
        set_tcp(socket_of(net), TCP_NODELAY, 1);
        resend_begins(net);
    }
    if (version >= 5 && (type == PACKET_PUBACK || type == PACKET_PUBREC || type == PACKET_PUBCOMP))
        paho_keep(packet);
    return packet;
}

/* Every client of this process is a link's, whose message callback has taken note already. */
int __wrap_MQTTPacket_send_puback(int version, int id, void *net, const char *client_id)
{
    (void)version;
    (void)id;
    (void)net;
    (void)client_id;
    return PAHO_OK;
}

int __wrap_MQTTPacket_send_pubrec(int version, int id, void *net, const char *client_id)
{
    return __wrap_MQTTPacket_send_puback(version, id, net, client_id);
}

/* Paho answers a PUBREL: the identifier is free again. */
int __wrap_MQTTPacket_send_pubcomp(int version, int id, void *net, const char *client_id)
{
    pthread_mutex_lock(&all_lock);
    for (struct acks *acks = all; acks; acks = acks->next) {
        if (acks->net == net) {
            pthread_mutex_lock(&acks->lock);
            stored_put(acks, (uint16_t)id, false);
            pthread_mutex_unlock(&acks->lock);
        }
    }
    pthread_mutex_unlock(&all_lock);
    return __real_MQTTPacket_send_pubcomp(version, id, net, client_id);
}

bool acks_withhold(void)
{
    return true;
}

struct ack_taken acks_take(struct acks *acks, int id, int qos, bool dup)
{
    (void)qos;
    struct owed owed = {.id = (uint16_t)id, .qos2 = handling.qos2};
    acks->net = handling.net;
    acks->socket = socket_of(handling.net);
    acks->version = handling.version;

    pthread_mutex_lock(&acks->lock);
    owed.again = owed.qos2 && dup && stored_has(acks, owed.id);
    if (owed.qos2 && !owed.again)
        stored_put(acks, owed.id, false);
    if (acks->next_ticket - acks->first == ACK_RING)
        advance_locked(acks, acks->first + 1); /* a broker that uses identifiers twice */
    uint64_t ticket = acks->next_ticket++;
    acks->ring[ticket % ACK_RING] = owed;
    pthread_mutex_unlock(&acks->lock);
    return (struct ack_taken){.ticket = owed.again ? 0 : ticket, .qos = owed.qos2 ? 2 : 1};
}

/* Copies the run of acknowledgements that may go now; *first is the ticket of the first. */
static size_t next_run(struct acks *acks, struct owed *run, uint64_t *first)
{
    size_t count = 0;
    pthread_mutex_lock(&acks->lock);
    *first = acks->first;
    while (count < ACK_RUN && *first + count < acks->next_ticket) {
        const struct owed *owed = &acks->ring[(*first + count) % ACK_RING];
        if (*first + count > acks->released && !owed->again)
            break;
        run[count++] = *owed;
    }
    pthread_mutex_unlock(&acks->lock);
    return count;
}

/* Sends a run until the socket is busy; returns how many are done with. Paho's mutex held. */
static size_t send_run(const struct acks *acks, const struct owed *run, size_t count)
{
    if (!acks->net || socket_of(acks->net) != acks->socket || acks->socket <= 0)
        return count; /* the connection is gone, and with it what was owed there */
    size_t sent = 0;
    if (count > 1) /* one segment, not one for each */
        set_tcp(acks->socket, TCP_CORK, 1);
    pthread_mutex_lock(socket_mutex);
    while (sent < count && Socket_noPendingWrites(acks->socket)) {
        int rc = run[sent].qos2
                     ? __real_MQTTPacket_send_pubrec(acks->version, run[sent].id, acks->net, "")
                     : __real_MQTTPacket_send_puback(acks->version, run[sent].id, acks->net, "");
        sent++;
        if (rc == PAHO_ERROR) {
            sent = count; /* Paho's receiving thread will find the connection broken, too */
            break;
        }
    }
    pthread_mutex_unlock(socket_mutex);
    if (count > 1)
        set_tcp(acks->socket, TCP_CORK, 0);
    return sent;
}

/* wait: for Paho's mutex; else gives up when it is taken. */
static bool flush(struct acks *acks, bool wait)
{
    struct owed run[ACK_RUN];
    size_t count;
    size_t sent;
    do {
        uint64_t first;
        if (wait)
            pthread_mutex_lock(mqttasync_mutex);
        else if (pthread_mutex_trylock(mqttasync_mutex) != 0)
            return false;
        count = next_run(acks, run, &first);
        sent = count ? send_run(acks, run, count) : 0;
        pthread_mutex_lock(&acks->lock);
        if (acks->first == first) /* else they were forgotten meanwhile */
            advance_locked(acks, first + sent);
        set_busy_locked(acks, sent < count);
        pthread_mutex_unlock(&acks->lock);
        pthread_mutex_unlock(mqttasync_mutex);
    } while (count == ACK_RUN && sent == count);
    return sent == count;
}

bool acks_flush(struct acks *acks)
{
    return flush(acks, true);
}

bool acks_release(struct acks *acks, uint64_t ticket)
{
    pthread_mutex_lock(&acks->lock);
    if (ticket > acks->released)
        acks->released = ticket;
    bool any = acks->first <= acks->released && acks->first < acks->next_ticket;
    pthread_mutex_unlock(&acks->lock);
    return !any || flush(acks, false);
}

#else /* the fallback: Paho acknowledges by itself when the callback returns */

bool acks_withhold(void)
{
    return false;
}

struct ack_taken acks_take(struct acks *acks, int id, int qos, bool dup)
{
    (void)id;
    (void)dup;
    pthread_mutex_lock(&acks->lock);
    uint64_t ticket = acks->next_ticket++;
    pthread_mutex_unlock(&acks->lock);
    return (struct ack_taken){.ticket = ticket, .qos = qos};
}

bool acks_flush(struct acks *acks)
{
    (void)acks;
    return true;
}

bool acks_release(struct acks *acks, uint64_t ticket)
{
    (void)acks;
    (void)ticket;
    return true;
}

#endif
