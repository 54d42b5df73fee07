/*
 * copies - tells whether a message is one more copy of the message before
 *
 * Where several of our subscriptions match, many brokers send a message once for each, one behind
 * the other, with the identifier of that subscription (MQTT 5.0 s. 3.3.4). As long as the rules and
 * what the broker holds are the same, the identifier says which rules a copy is for. While they are
 * not, because the rules were changed a moment ago and the broker still has messages that it queued
 * before, only the row of arrival can tell: what has the same content as the message before, came
 * for other subscriptions, and right behind it, is another copy of it.
 *
 * Two publishes of the same content one behind the other could be taken for one. That is seen when
 * a subscription comes up twice, and then nothing counts as a copy until the content changes:
 * rather twice than not at all. It is always seen as long as a subscription that is given up
 * outlives the answer to the new one by more than COPIES_APART_MS, which mqtt/link.h sees to.
 *
 * One thread at a time; it has no lock of its own.
 */
#ifndef GATEWAY_COPIES_H
#define GATEWAY_COPIES_H

#include "base/buf.h"
#include "mqtt/message.h"

enum {
    COPIES_APART_MS = 2000,       /* what comes later than that is no copy */
    COPIES_MAX_BYTES = 256 << 10, /* larger messages are never taken for copies */
    COPIES_MAX_IDS = 64,          /* subscriptions that one message may come for */
};

struct copies {
    struct buf last, next; /* content of the last message; room for that of the next one */
    bool known;            /* there is a last one */
    bool repeated;         /* its content was published more than once */
    int64_t received_ms;
    uint32_t ids[COPIES_MAX_IDS]; /* that it and its copies so far came for */
    size_t id_count;
};

void copies_init(struct copies *copies);
void copies_fini(struct copies *copies);

/* Takes the next message; returns whether it is a copy of the one before. */
bool copies_take(struct copies *copies, const struct mqtt_message *message);

/* Forgets the last message: the next one is no copy, and what it follows is not known. */
void copies_forget(struct copies *copies);

#endif
