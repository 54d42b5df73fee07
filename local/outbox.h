/*
 * outbox - answers on their way out, which no answer leaves before what it says is committed
 *
 * Without a vault they go at once. With one, the answers of a turn of the event loop are held: the
 * event of the commit comes after all others that were active already, so it writes what the whole
 * turn has changed, and then the answers go. One thread.
 */
#ifndef LOCAL_OUTBOX_H
#define LOCAL_OUTBOX_H

#include "local/vault.h"

struct event;
struct event_base;
struct evhttp_request;
struct outbox_answer;

struct outbox {
    struct event_base *base;
    struct vault *vault;
    struct event *commit; /* active while there is something to commit or an answer is held */
    struct outbox_answer *held;
    size_t count;
    size_t room;
    bool failed; /* a commit did; the event loop was told to end */
};

/* vault is borrowed; NULL: nothing is saved. */
void outbox_init(struct outbox *outbox, struct event_base *base, struct vault *vault);

/* Begins to commit what changes, whoever changes it. */
void outbox_start(struct outbox *outbox);

/* Sends an answer whose body is in the request's output buffer. reason is a constant or NULL. */
void outbox_send(struct outbox *outbox, struct evhttp_request *req, int status, const char *reason);

/* Commits what is left. False when this or an earlier commit failed, which the log has said. */
MUST_CHECK bool outbox_stop(struct outbox *outbox);

/* Forgets the answers that are held. */
void outbox_fini(struct outbox *outbox);

#endif
