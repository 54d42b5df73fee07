/*
 * request - what another process asks to be done with a dead letter
 *
 * A running gateway's memory knows what is on disk, so only it may move rows. Whoever else wants
 * something writes a row; the gateway's writer finds it, carries it out and answers in the row, all
 * in one transaction. With no gateway running the asker carries it out itself, the same way.
 * Private to spool/; everything here belongs inside a transaction of the caller's.
 */
#ifndef SPOOL_REQUEST_H
#define SPOOL_REQUEST_H

#include "base/buf.h"
#include "spool/rows.h"

#include <stdatomic.h>

enum {
    REQUEST_MAX_ROUND = 256,   /* carried out in one transaction */
    REQUEST_MAX_STAGED = 4096, /* deliveries that replace one letter */
};

enum request_verb {                  /* kept in the file: add at the end */
                    REQUEST_REPLAY,  /* a planned letter becomes a delivery again */
                    REQUEST_REPLACE, /* a letter gives way to the staged deliveries */
                    REQUEST_DROP,
                    REQUEST_RESERVE, /* gives a number */
};

struct request {
    uint64_t id; /* of the asker's choosing, random */
    enum request_verb verb;
    uint64_t letter;
    const struct delivery *deliveries; /* utlist, for REQUEST_REPLACE */
};

/* What carrying out changed, for the books of the running gateway. */
struct request_effect {
    struct buf lanes; /* uint64_t each: where deliveries appeared */
    uint64_t replayed;
    uint64_t letters_gone;
};

void request_effect_init(struct request_effect *effect);
void request_effect_fini(struct request_effect *effect);

MUST_CHECK bool request_file(struct store *store, const struct request *request);

/* Carries out and answers one that was filed. Numbers come from *next_id. */
MUST_CHECK bool request_carry_out(struct store *store, const struct request *request,
                                  _Atomic uint64_t *next_id, struct request_effect *effect);

/*
 * Carries out up to REQUEST_MAX_ROUND requests that have no answer yet and answers them; sweeps
 * those answered long ago. *served: how many.
 */
MUST_CHECK bool request_serve(struct store *store, _Atomic uint64_t *next_id,
                              struct request_effect *effect, unsigned *served);

enum request_answer { REQUEST_WAITING, REQUEST_DONE, REQUEST_REFUSED, REQUEST_GONE };

/* Looks for the answer: with REQUEST_DONE *value, with REQUEST_REFUSED err is filled. */
MUST_CHECK bool request_look(struct store *store, uint64_t id, enum request_answer *answer,
                             uint64_t *value, struct err *err);

/* Forgets one, answered or not. */
MUST_CHECK bool request_cancel(struct store *store, uint64_t id);

/* Forgets all requests: nobody waits for them any more. */
MUST_CHECK bool request_clear(struct store *store);

#endif
