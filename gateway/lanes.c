/*
 * lanes - see lanes.h: which lane sends next.
 *
 * Every function that changes a lane ends with lane_update, which alone decides in which lists the
 * lane stands; lanes_run then goes through the lists. What of a lane is in memory is window.c's.
 */
#include "gateway/lanes_impl.h"

/* ---- lanes and their places ---- */

struct lane *lane_enter(struct lanes *lanes, uint64_t id)
{
    struct lane *lane;
    HASH_FIND(hh, lanes->by_id, &id, sizeof id, lane);
    if (lane)
        return lane;
    lane = check_alloc(calloc(1, sizeof *lane));
    lane->id = id;
    lane->lanes = lanes;
    HASH_ADD(hh, lanes->by_id, id, sizeof lane->id, lane);
    return lane;
}

void lane_forget(struct lane *lane, struct item *item)
{
    atomic_fetch_sub(&lane->lanes->memory, delivery_bytes(item->delivery));
    free(item->delivery);
    free(item);
}

static void set_ready(struct lane *lane, bool ready)
{
    if (ready == lane->is_ready)
        return;
    lane->is_ready = ready;
    if (ready)
        DL_APPEND2(lane->outlet->ready, lane, ready_prev, ready_next);
    else
        DL_DELETE2(lane->outlet->ready, lane, ready_prev, ready_next);
}

static void set_wanting(struct lane *lane, bool wanting)
{
    struct lanes *lanes = lane->lanes;
    if (wanting == lane->is_wanting)
        return;
    lane->is_wanting = wanting;
    if (wanting)
        DL_APPEND2(lanes->wanting, lane, want_prev, want_next);
    else
        DL_DELETE2(lanes->wanting, lane, want_prev, want_next);
}

static void lane_free(struct lane *lane)
{
    if (lane->outlet)
        set_ready(lane, false);
    set_wanting(lane, false);
    HASH_DEL(lane->lanes->by_id, lane);
    if (lane->outlet) {
        DL_DELETE2(lane->outlet->all, lane, sibling_prev, sibling_next);
        outlet_leave(lane->outlet);
    }
    free(lane->settled);
    free(lane);
}

/* A whole batch is waiting, so it is worth another request beside those under way. */
static bool batch_waits(const struct lane *lane)
{
    return lane->queued >= CMQ_MAX_BATCH || lane->queued_bytes >= CMQ_MAX_POST_BYTES / 2 ||
           (lane->queue && lane->queue->cut != 0);
}

void lane_update(struct lane *lane)
{
    if (lane->queued == 0 && lane->requests == 0 && !lane->on_disk && !lane->loading) {
        lane_free(lane);
        return;
    }
    struct outlet *outlet = lane->outlet;
    bool shut = outlet && outlet->shut;
    bool has_some = lane->queued > 0 || (shut && lane->on_disk && !lane->loading);
    bool may_send = lane->requests == 0 || (!lane->strict && batch_waits(lane));
    if (outlet) {
        set_ready(lane, has_some && may_send);
        if (lane->is_ready)
            outlet_make_runnable(outlet);
    }
    set_wanting(lane, lane->on_disk && !lane->loading && lane->queued < LANE_LOW && !shut);
}

/* ---- running ---- */

static void load_wanting(struct lanes *lanes)
{
    while (lanes->wanting) {
        struct lane *lane = lanes->wanting;
        if (!lane_load(lane))
            return;
        set_wanting(lane, false); /* it is loading */
    }
}

/* One turn of an outlet: one request, or a reason to wait. False when no request may go at all. */
static bool run_outlet(struct lanes *lanes, struct outlet *outlet)
{
    struct lane *lane = outlet->ready;
    if (lane->queued == 0) { /* shut: what the next try sends is in the spool */
        outlet->parked = lane_load(lane);
        lane_update(lane);
        return outlet->parked;
    }
    int64_t wait = gate_admit(lanes->gate, outlet->door, clock_mono_ms());
    bool all_taken = gate_in_flight(lanes->gate) >= lanes->options.connections;
    if (wait == GATE_WHEN_DONE && (all_taken || gate_door_in_flight(outlet->door) == 0))
        return false; /* stays first: asked again when any request ends */
    if (wait != 0) {
        outlet->parked = true;
        if (wait > 0)
            pump_timer_set(lanes->pump, &outlet->timer, wait);
        if (wait >= OUTLET_SHUT_MS || gate_door_health(outlet->door) == GATE_HOLDING)
            outlet_shut(outlet);
        return true;
    }
    /* Lanes take turns. */
    DL_DELETE2(outlet->ready, lane, ready_prev, ready_next);
    DL_APPEND2(outlet->ready, lane, ready_prev, ready_next);
    batch_send(lane);
    return true;
}

static bool nothing_to_send(const struct lanes *lanes)
{
    if (gate_in_flight(lanes->gate) > 0 || lanes->runnable || lanes->loading > 0)
        return false;
    if (!lanes->by_id)
        return true;
    for (const struct outlet *o = lanes->by_key; o; o = o->hh.next) {
        if (gate_door_health(o->door) == GATE_OPEN)
            return false;
    }
    return !lanes->wanting;
}

void lanes_run(struct lanes *lanes)
{
    if (!atomic_load(&lanes->closed)) {
        while (lanes->runnable) {
            struct outlet *outlet = lanes->runnable;
            DL_DELETE2(lanes->runnable, outlet, run_prev, run_next);
            outlet->is_runnable = false;
            if (!outlet->ready || outlet->parked)
                continue;
            bool go_on = run_outlet(lanes, outlet);
            /* run_outlet may have freed the outlet with its last lane; batch_send never does
             * while its request is under way. */
            if (!go_on) {
                if (!outlet->is_runnable) {
                    outlet->is_runnable = true;
                    DL_PREPEND2(lanes->runnable, outlet, run_prev, run_next);
                }
                break;
            }
        }
        load_wanting(lanes);
    }
    atomic_store(&lanes->in_flight, gate_in_flight(lanes->gate));
    pthread_mutex_lock(&lanes->mutex);
    bool mail_waits = lanes->mail != NULL;
    pthread_mutex_unlock(&lanes->mutex);
    atomic_store(&lanes->at_rest, !mail_waits && nothing_to_send(lanes));
}

/* ---- life ---- */

struct lanes *lanes_new(const struct lanes_options *options, struct pump *pump,
                        struct cmq_client *client, struct spool *spool, struct counters *counters,
                        struct health *health)
{
    struct lanes *lanes = check_alloc(calloc(1, sizeof *lanes));
    lanes->options = *options;
    if (lanes->options.max_memory_bytes == 0)
        lanes->options.max_memory_bytes = LANES_MEMORY;
    lanes->pump = pump;
    lanes->client = client;
    lanes->spool = spool;
    lanes->counters = counters;
    lanes->health = health;
    lanes->gate = gate_new(&(struct gate_options){options->connections, options->rate});
    lanes->mail_tail = &lanes->mail;
    CHECK(pthread_mutex_init(&lanes->mutex, NULL) == 0);
    atomic_store(&lanes->at_rest, true);
    return lanes;
}

void lanes_reconfigure(struct lanes *lanes, const struct lanes_options *options)
{
    lanes->options.connections = options->connections;
    lanes->options.rate = options->rate;
    gate_limit(lanes->gate, &(struct gate_options){options->connections, options->rate});
    gate_try_now(lanes->gate);
    for (struct outlet *o = lanes->by_key; o; o = o->hh.next)
        outlet_wake(o);
    lanes_run(lanes);
}

static void free_items(struct lane *lane, struct item *items)
{
    struct item *item, *next;
    DL_FOREACH_SAFE(items, item, next)
    {
        lane_forget(lane, item);
    }
}

void lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return;
    while (lanes->mail) {
        struct mail *mail = lanes->mail;
        lanes->mail = mail->next;
        while (mail->deliveries) {
            struct delivery *next = mail->deliveries->next;
            free(mail->deliveries);
            mail->deliveries = next;
        }
        free(mail);
    }
    struct lane *lane, *next;
    HASH_ITER(hh, lanes->by_id, lane, next)
    {
        CHECK(!lane->batches); /* the pump ended each request with its callback */
        free_items(lane, lane->queue);
        lane_free(lane);
    }
    gate_free(lanes->gate);
    free(lanes->last_rule.name);
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes);
}

bool lanes_at_rest(struct lanes *lanes)
{
    return atomic_load(&lanes->at_rest);
}

static void run_again(void *ctx)
{
    lanes_run(ctx);
}

void lanes_close(struct lanes *lanes)
{
    atomic_store(&lanes->closed, true);
    pump_post(lanes->pump, run_again, lanes);
}

unsigned lanes_in_flight(struct lanes *lanes)
{
    return atomic_load(&lanes->in_flight);
}
