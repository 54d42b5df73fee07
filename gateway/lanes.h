/*
 * lanes - deliveries on their way to CMQ, gathered into requests
 *
 * A lane holds deliveries that may share a request (mapping/destination.h says which). A lane with
 * nothing in flight sends at once what it has; while a request of it is under way, what arrives
 * gathers, and another one goes only when a whole batch is waiting. So batches grow with load, and
 * an idle gateway adds no delay. A strict lane never has more than one request in flight.
 *
 *                      ┌────────────── retry, hold: back to the front ◄──────────────┐
 *     committed ─► lane queue ─► batch (gate.h admits) ─► CMQ ─► verdict ─► settle   │
 *         ▲            │ too much, or the door is shut                  ├─► bury     │
 *     refilled ◄── spool (everything here is on disk too) ◄─────────────┴─► cut ─────┘
 *
 * Memory is a window onto the spool: a lane whose queue is full, or whose destination is not taking
 * anything, lets go of its deliveries and reads them back when their turn comes. Lanes exist only
 * while they have deliveries.
 *
 * Threads: lanes_add, lanes_refilled and lanes_appeared may be called by any thread; everything
 * else runs on the pump's.
 */
#ifndef GATEWAY_LANES_H
#define GATEWAY_LANES_H

#include "base/delivery.h"
#include "cmq/client.h"
#include "gateway/counters.h"
#include "gateway/health.h"
#include "spool/spool.h"

struct lanes;

struct lanes_options {
    unsigned connections;
    unsigned rate;
    size_t max_memory_bytes; /* for deliveries kept in memory; 0: 16 MiB */
};

/* Borrows all but the options, which must outlive it. */
struct lanes *lanes_new(const struct lanes_options *options, struct pump *pump,
                        struct cmq_client *client, struct spool *spool, struct counters *counters,
                        struct health *health);

/* With the pump stopped. What was in flight stays in the spool. NULL is fine. */
void lanes_free(struct lanes *lanes);

/* Takes deliveries that the spool has committed, in order of id. Never blocks. */
void lanes_add(struct lanes *lanes, struct delivery *deliveries);

/* Takes the spool's answer to a refill. Never blocks. */
void lanes_refilled(struct lanes *lanes, uint64_t lane, struct delivery *deliveries, bool more);

/* Deliveries of this lane are in the spool and not in memory. Never blocks. */
void lanes_appeared(struct lanes *lanes, uint64_t lane);

/*
 * Goes on with other connections and rate (max_memory_bytes stays), and tries every destination at
 * once that was backing off or on hold: what was wrong may have been put right. On the pump's
 * thread.
 */
void lanes_reconfigure(struct lanes *lanes, const struct lanes_options *options);

/*
 * Whether there is nothing left that could be sent now: no lane at all, or nothing in flight and
 * every destination that has deliveries is backing off or on hold. For an orderly stop. Any thread;
 * what it tells may be a moment old.
 */
bool lanes_at_rest(struct lanes *lanes);

/* From now on no new request is sent. Any thread; takes effect soon. */
void lanes_close(struct lanes *lanes);

/* Requests in flight, as of a moment ago. Any thread. */
unsigned lanes_in_flight(struct lanes *lanes);

#endif
