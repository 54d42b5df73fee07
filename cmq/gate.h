/*
 * gate - whether a request to a destination may go now
 *
 * One gate a CMQ account, one door a queue or topic. A door keeps the request rate (a token
 * bucket), the number in flight (grows by one a round of successes, halves on a failure, at most
 * the gate's connections in all), the backoff after failures and the hold while the configuration
 * or account is wrong.
 *
 *   OPEN         a retry or throttle makes it BACKING_OFF, a hold makes it HOLDING
 *   BACKING_OFF  closed for 100 ms, doubling to 30 s, full jitter; then one request at a time:
 *                a success makes it OPEN, a failure closes it again (or makes it HOLDING)
 *   HOLDING      the same with 1 s, doubling to 30 s
 *
 * A success is every verdict but retry, throttle and hold: what is rejected was heard. Requests
 * that were in flight together and fail together count as one failure. A throttle also halves the
 * door's rate, which comes back within a minute. On the pump's thread only; time is an argument (of
 * clock_mono_ms), so it is pure otherwise.
 */
#ifndef CMQ_GATE_H
#define CMQ_GATE_H

#include "base/backoff.h"
#include "cmq/reply.h"

struct gate_options {
    unsigned connections; /* requests in flight at most, over all doors */
    unsigned rate;        /* requests a second to one door */
};

enum gate_health {
    GATE_OPEN,
    GATE_BACKING_OFF, /* retry or throttle: waiting, then one request at a time until one succeeds
                       */
    GATE_HOLDING,     /* configuration or account wrong: tried now and then */
};

struct gate;
struct gate_door;

struct gate *gate_new(const struct gate_options *options);
void gate_free(struct gate *gate);

/* Changes the limits; for a reload. */
void gate_limit(struct gate *gate, const struct gate_options *options);

/* What the doors wait for may have been put right: each that is not open may try now. */
void gate_try_now(struct gate *gate);

/*
 * The door of this key (e.g. "queue alarms"); made when new. Held until gate_leave, and then at
 * least while something is in flight.
 */
struct gate_door *gate_enter(struct gate *gate, struct span key);
/* One holder fewer; a door without holders, nothing in flight and in good health is forgotten. */
void gate_leave(struct gate *gate, struct gate_door *door);

/*
 * 0: a request may go now, and is counted as in flight until gate_result. Otherwise nothing was
 * counted, and the answer is how many milliseconds to wait before asking again, or GATE_WHEN_DONE:
 * ask again after some request has ended, whichever door's. Whoever asks again should ask for
 * everybody who waits: when the connections are all taken, the next free one is kept for a door
 * that has none, if it asked.
 */
enum { GATE_WHEN_DONE = -1 };
int64_t gate_admit(struct gate *gate, struct gate_door *door, int64_t now_ms);

/*
 * An admitted request ended. Returns true when the door's health changed. A door that has been left
 * may be gone afterwards.
 */
bool gate_result(struct gate *gate, struct gate_door *door, enum cmq_verdict verdict,
                 int64_t now_ms);

/* An admitted request was not sent after all. */
void gate_return(struct gate *gate, struct gate_door *door);

enum gate_health gate_door_health(const struct gate_door *door);
struct span gate_door_key(const struct gate_door *door);
unsigned gate_door_in_flight(const struct gate_door *door);
unsigned gate_in_flight(const struct gate *gate);

#endif
