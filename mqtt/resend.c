/* resend - see resend.h. */
#include "mqtt/resend.h"

#ifdef MQTT_CAN_WITHHOLD /* a Paho that is known well enough */

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

/* Of Paho 1.3.12. All of this runs with Paho's process-wide mutex held. */
struct paho_publish {
    unsigned header;
    char *topic;
    int topic_len;
    int id;
};

int Socket_noPendingWrites(int socket);
int __real_MQTTPacket_send_publish(struct paho_publish *publish, int dup, int qos, int retained,
                                   void *net, const char *client_id);
int __real_MQTTPacket_send_pubrel(int version, int id, int dup, void *net, const char *client_id);
void __real_MQTTProtocol_retry(struct timeval now, int retry, int regardless);

int __wrap_MQTTPacket_send_publish(struct paho_publish *publish, int dup, int qos, int retained,
                                   void *net, const char *client_id);
int __wrap_MQTTPacket_send_pubrel(int version, int id, int dup, void *net, const char *client_id);
void __wrap_MQTTProtocol_retry(struct timeval now, int retry, int regardless);

enum { PAHO_COMPLETE = 0, PAHO_SOCKET_ERROR = -1, IDS = 65536 };

/* A connection: what has gone out on it. */
struct going {
    struct going *next;
    const void *net; /* only to know it again: the client may be gone */
    int socket;
    uint64_t gone[IDS / 64];
};

static struct going *all; /* one for each client there ever was: their memory is used again */
static bool unfinished;   /* there may be more to be sent again */
static bool again;        /* in Paho's sending again */

static struct going *find(const void *net)
{
    struct going *going = all;
    while (going && going->net != net)
        going = going->next;
    return going;
}

void resend_begins(void *net)
{
    struct going *going = find(net);
    if (!going) {
        going = check_alloc(calloc(1, sizeof(*going)));
        going->net = net;
        going->next = all;
        all = going;
    }
    memcpy(&going->socket, net, sizeof(going->socket)); /* a networkHandles begins with it */
    memset(going->gone, 0, sizeof(going->gone));
}

/* Whether a packet of this identifier goes out; when it is sent again, only if none has gone. */
static bool goes(const void *net, int id)
{
    struct going *going = find(net);
    if (!going)
        return true;
    uint64_t *word = &going->gone[(uint16_t)id / 64];
    uint64_t bit = UINT64_C(1) << id % 64;
    bool gone = *word & bit;
    *word |= bit;
    return !again || !gone;
}

int __wrap_MQTTPacket_send_publish(struct paho_publish *publish, int dup, int qos, int retained,
                                   void *net, const char *client_id)
{
    if (qos > 0 && !goes(net, publish->id))
        return PAHO_COMPLETE;
    int rc = __real_MQTTPacket_send_publish(publish, dup, qos, retained, net, client_id);
    /* When a write fails, Paho frees the topic and payload that it has just stored for sending
     * again, and later sends them again. So it does not fail: that the connection is gone, reading
     * from it will tell. */
    return qos > 0 && rc == PAHO_SOCKET_ERROR ? PAHO_COMPLETE : rc;
}

int __wrap_MQTTPacket_send_pubrel(int version, int id, int dup, void *net, const char *client_id)
{
    if (!goes(net, id))
        return PAHO_COMPLETE;
    return __real_MQTTPacket_send_pubrel(version, id, dup, net, client_id);
}

/*
 * Paho calls this after each packet, and with regardless when a connection has begun. Then it sends
 * again, to every client whose socket is free, until all is sent or the socket is full.
 */
void __wrap_MQTTProtocol_retry(struct timeval now, int retry, int regardless)
{
    (void)retry;
    again = unfinished || regardless;
    __real_MQTTProtocol_retry(now, again, again);
    unfinished = false;
    for (struct going *going = again ? all : NULL; going; going = going->next)
        if (!Socket_noPendingWrites(going->socket))
            unfinished = true;
    again = false;
}

#else

void resend_begins(void *net)
{
    (void)net;
}

#endif
