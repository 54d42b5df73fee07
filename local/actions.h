/*
 * actions - the ten actions of the data plane (CMQ.md 3): parameters in, JSON out
 *
 * Nothing here knows HTTP or signatures. A receive that finds nothing may wait: then its caller
 * puts it in the queue's line, and calls again when it is its turn or its time is up. One thread.
 */
#ifndef LOCAL_ACTIONS_H
#define LOCAL_ACTIONS_H

#include "local/call.h"
#include "local/form.h"
#include "local/store.h"

struct service {
    struct store *store;
    const char *address; /* what QueryQueueRoute and QueryTopicRoute answer */
    uint32_t rate;       /* calls of a kind to a queue or topic a second, then 4420; 0: no limit */
    int no_action;       /* of 4000, for an action that there is not: 10280; else 10430 */
};

struct action_wait {
    struct queue *queue; /* NULL: the answer is written */
    int64_t wait_ms;
};

/*
 * Serves a call with the form that it was made from and writes the answer, unless it returns a
 * queue to wait for. The form may go before the wait ends.
 */
struct action_wait actions_serve(const struct service *service, struct call *call,
                                 const struct form *form, int64_t now_ms);

/* Answers a receive that waited for queue with what is there. */
void actions_receive(struct call *call, struct queue *queue, int64_t now_ms);

/* Answers a receive whose time is up. */
void actions_give_up(struct call *call);

/* Whether this is a call of the management plane's API 3.0 in a form (CMQ.md 8.1). */
bool actions_is_management(const struct form *form);

#endif
