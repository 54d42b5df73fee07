/*
 * gate - see gate.h
 *
 * What fails together counts once. A failure marks everything that its door still has in flight as
 * stale: sent before the failure was known. Of stale results, failures say nothing new; a success
 * says that a backing off was for one request only, so it opens the door (holding is about the
 * configuration, where only a fresh success counts). Which result is stale is decided by order, as
 * the caller does not tell: exact while the door is closed, good enough once it is open again.
 */
#include "cmq/gate.h"

#include <uthash.h>

enum {
    FIRST_LIMIT = 4, /* in flight of a new door */
    BURST_MS = 100,  /* how much of the rate may come at once */
    RETRY_FIRST_MS = 100,
    HOLD_FIRST_MS = 1000,
    CAP_MS = 30000,
    SLOW_MS = 60000, /* a rate halved by a throttle is back to the full after half of that */
    MAX_LEFT_DOORS = 256,
};

struct gate_door {
    UT_hash_handle hh;
    struct span key; /* the bytes follow the struct */
    unsigned holders;
    unsigned in_flight;
    unsigned stale;     /* so many of the next results are of requests from before a failure */
    unsigned limit;     /* of in_flight, but for the gate's connections */
    unsigned successes; /* towards the next step of limit */
    bool full;          /* the limit was reached since its last step */
    double tokens;      /* requests that may go at once */
    double rate;        /* a second; the gate's, or less after a throttle */
    int64_t filled_ms;
    enum gate_health health;
    int64_t closed_until_ms; /* unless open */
    struct backoff retry, hold;
};

struct gate {
    struct gate_options options;
    struct gate_door *doors; /* uthash, by key */
    unsigned in_flight;
    unsigned left; /* doors without holders */
    /*
     * A door with nothing in flight that found all connections taken: the last free one is kept for
     * it, so that busy doors cannot starve it. For so many results only, as it may never ask again.
     */
    const struct gate_door *waiting;
    unsigned waiting_results;
};

struct gate *gate_new(const struct gate_options *options)
{
    struct gate *gate = check_alloc(calloc(1, sizeof *gate));
    gate_limit(gate, options);
    return gate;
}

static void forget(struct gate *gate, struct gate_door *door)
{
    if (gate->waiting == door)
        gate->waiting = NULL;
    gate->left -= door->holders == 0;
    HASH_DEL(gate->doors, door);
    free(door);
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    struct gate_door *door, *next;
    HASH_ITER(hh, gate->doors, door, next) forget(gate, door);
    free(gate);
}

void gate_limit(struct gate *gate, const struct gate_options *options)
{
    CHECK(options->connections > 0 && options->rate > 0);
    gate->options = *options;
}

void gate_try_now(struct gate *gate)
{
    for (struct gate_door *door = gate->doors; door; door = door->hh.next) {
        door->closed_until_ms = 0;
        backoff_reset(&door->retry);
        backoff_reset(&door->hold);
    }
}

static struct gate_door *door_new(const struct gate *gate, struct span key)
{
    struct gate_door *door = check_alloc(calloc(1, sizeof *door + key.len));
    char *bytes = (char *)(door + 1);
    if (key.len)
        memcpy(bytes, key.ptr, key.len);
    door->key = span_make(bytes, key.len);
    door->limit = FIRST_LIMIT;
    door->rate = door->tokens = gate->options.rate;
    door->retry = (struct backoff){.first_ms = RETRY_FIRST_MS, .cap_ms = CAP_MS};
    door->hold = (struct backoff){.first_ms = HOLD_FIRST_MS, .cap_ms = CAP_MS};
    return door;
}

/* Doors in bad health stay when left, for when their key comes again; not without end, though. */
static void sweep(struct gate *gate)
{
    struct gate_door *door, *next;
    HASH_ITER(hh, gate->doors, door, next)
    {
        if (door->holders == 0 && door->in_flight == 0)
            forget(gate, door);
    }
}

struct gate_door *gate_enter(struct gate *gate, struct span key)
{
    struct gate_door *door;
    HASH_FIND(hh, gate->doors, key.ptr, key.len, door);
    if (door) {
        gate->left -= door->holders == 0;
    } else {
        if (gate->left > MAX_LEFT_DOORS + gate->in_flight)
            sweep(gate);
        door = door_new(gate, key);
        HASH_ADD_KEYPTR(hh, gate->doors, door->key.ptr, door->key.len, door);
    }
    door->holders++;
    return door;
}

static void forget_if_idle(struct gate *gate, struct gate_door *door)
{
    if (door->holders == 0 && door->in_flight == 0 && door->health == GATE_OPEN &&
        door->rate >= gate->options.rate)
        forget(gate, door);
}

void gate_leave(struct gate *gate, struct gate_door *door)
{
    CHECK(door->holders > 0);
    gate->left += --door->holders == 0;
    forget_if_idle(gate, door);
}

static void refill(const struct gate *gate, struct gate_door *door, int64_t now_ms)
{
    double full = gate->options.rate;
    double elapsed_ms = now_ms > door->filled_ms ? (double)(now_ms - door->filled_ms) : 0;
    door->filled_ms = now_ms;
    door->rate += full * elapsed_ms / SLOW_MS;
    if (door->rate > full)
        door->rate = full;
    double burst = door->rate * BURST_MS / 1000;
    door->tokens += door->rate * elapsed_ms / 1000;
    if (door->tokens > burst)
        door->tokens = burst > 1 ? burst : 1;
}

/* Whether the last free connection is kept for a door that has none. */
static bool must_yield(const struct gate *gate, const struct gate_door *door)
{
    return gate->waiting && gate->waiting != door && gate->waiting_results > 0 &&
           door->in_flight > 0 && gate->in_flight + 1 >= gate->options.connections;
}

int64_t gate_admit(struct gate *gate, struct gate_door *door, int64_t now_ms)
{
    if (door->health != GATE_OPEN) {
        if (door->in_flight > 0)
            return GATE_WHEN_DONE;
        if (now_ms < door->closed_until_ms)
            return door->closed_until_ms - now_ms;
    } else if (door->in_flight >= door->limit) {
        return GATE_WHEN_DONE;
    }
    if (gate->in_flight >= gate->options.connections) {
        if (door->in_flight == 0 && (!gate->waiting || gate->waiting_results == 0)) {
            gate->waiting = door;
            gate->waiting_results = gate->options.connections;
        }
        return GATE_WHEN_DONE;
    }
    if (must_yield(gate, door))
        return GATE_WHEN_DONE;
    refill(gate, door, now_ms);
    if (door->tokens < 1)
        return 1 + (int64_t)((1 - door->tokens) * 1000 / door->rate);
    door->tokens -= 1;
    door->in_flight++;
    door->full = door->full || door->in_flight >= door->limit;
    gate->in_flight++;
    if (gate->waiting == door)
        gate->waiting = NULL;
    return 0;
}

static void one_less(struct gate *gate, struct gate_door *door)
{
    CHECK(door->in_flight > 0 && gate->in_flight > 0);
    door->in_flight--;
    gate->in_flight--;
    gate->waiting_results -= gate->waiting_results > 0;
}

static void succeed(const struct gate *gate, struct gate_door *door)
{
    if (door->health != GATE_OPEN) {
        door->health = GATE_OPEN;
        backoff_reset(&door->retry);
        backoff_reset(&door->hold);
        return;
    }
    /* A limit that is not reached has not been tried, so it must not grow. */
    if (!door->full || door->limit >= gate->options.connections)
        return;
    if (++door->successes >= door->limit) {
        door->limit++;
        door->successes = 0;
        door->full = false;
    }
}

static void fail(struct gate_door *door, enum cmq_verdict verdict, int64_t now_ms)
{
    bool hold = verdict == CMQ_HOLD;
    door->health = hold ? GATE_HOLDING : GATE_BACKING_OFF;
    door->closed_until_ms = now_ms + backoff_next(hold ? &door->hold : &door->retry);
    door->stale = door->in_flight;
    door->limit = door->limit > 1 ? door->limit / 2 : 1;
    door->successes = 0;
    door->full = false;
    if (verdict == CMQ_THROTTLE)
        door->rate = door->rate > 2 ? door->rate / 2 : 1;
}

bool gate_result(struct gate *gate, struct gate_door *door, enum cmq_verdict verdict,
                 int64_t now_ms)
{
    one_less(gate, door);
    bool stale = door->stale > 0;
    door->stale -= stale;
    enum gate_health before = door->health;
    bool failed = verdict == CMQ_RETRY || verdict == CMQ_THROTTLE || verdict == CMQ_HOLD;
    if (!failed && !(stale && before == GATE_HOLDING))
        succeed(gate, door);
    else if (failed && !stale)
        fail(door, verdict, now_ms);
    bool changed = door->health != before;
    forget_if_idle(gate, door);
    return changed;
}

void gate_return(struct gate *gate, struct gate_door *door)
{
    one_less(gate, door);
    door->tokens += 1;
    if (door->stale > door->in_flight)
        door->stale = door->in_flight;
    forget_if_idle(gate, door);
}

enum gate_health gate_door_health(const struct gate_door *door)
{
    return door->health;
}

struct span gate_door_key(const struct gate_door *door)
{
    return door->key;
}

unsigned gate_door_in_flight(const struct gate_door *door)
{
    return door->in_flight;
}

unsigned gate_in_flight(const struct gate *gate)
{
    return gate->in_flight;
}
