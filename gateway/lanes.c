/*
 * lanes - see lanes.h: which lane sends next, and what of the spool is in memory.
 *
 * Every function that changes a lane ends with lane_update, which alone decides in which lists the
 * lane stands; lanes_run then goes through the lists. The spool's answers come through a mailbox in
 * the order in which the spool's writer did things, which the reasoning in take_refilled needs.
 */
#include "gateway/lanes_impl.h"

#include "mapping/destination.h"

/* ---- lanes and their places ---- */

static struct lane *lane_enter(struct lanes *lanes, uint64_t id)
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

/* ---- what is in memory and what only in the spool ---- */

/* The delivery with this id is in the spool only. */
static void mark_on_disk(struct lane *lane, uint64_t id)
{
    uint64_t before = id > 0 ? id - 1 : 0;
    if (lane->loading && before < lane->disk_after)
        lane->load_again = true;
    if (!lane->on_disk || before < lane->disk_after)
        lane->disk_after = before;
    lane->on_disk = true;
}

void lane_note_settled(struct lane *lane, uint64_t id)
{
    if (!lane->loading)
        return;
    if (lane->settled_count == lane->settled_room) {
        lane->settled_room = lane->settled_room ? lane->settled_room * 2 : 64;
        lane->settled =
            check_alloc(realloc(lane->settled, lane->settled_room * sizeof *lane->settled));
    }
    lane->settled[lane->settled_count++] = id;
}

/* Whether a delivery that the spool gave back is one that memory has, or just had. */
static bool is_known(const struct lane *lane, uint64_t id)
{
    if (id > lane->max_seen)
        return false;
    const struct item *item;
    DL_FOREACH(lane->queue, item)
    {
        if (item->delivery->id == id)
            return true;
    }
    const struct batch *batch;
    DL_FOREACH(lane->batches, batch)
    {
        DL_FOREACH(batch->items, item)
        {
            if (item->delivery->id == id)
                return true;
        }
    }
    for (size_t i = 0; i < lane->settled_count; i++) {
        if (lane->settled[i] == id)
            return true;
    }
    return false;
}

static void enqueue(struct lane *lane, struct delivery *delivery)
{
    if (!lane->outlet) {
        lane->outlet = outlet_enter(lane->lanes, destination_door(delivery->destination));
        DL_APPEND2(lane->outlet->all, lane, sibling_prev, sibling_next);
    }
    struct item *item = check_alloc(calloc(1, sizeof *item));
    item->delivery = delivery;
    DL_APPEND(lane->queue, item);
    lane->queued++;
    lane->queued_bytes += delivery->body.len;
    lane->strict = (delivery->flags & DELIVERY_STRICT) != 0;
    if (delivery->id > lane->max_seen)
        lane->max_seen = delivery->id;
}

static void take_added(struct lanes *lanes, struct delivery *delivery)
{
    struct lane *lane = lane_enter(lanes, delivery->lane);
    bool full = lane->queued >= LANE_MAX_QUEUED || lane->queued_bytes >= LANE_MAX_BYTES ||
                atomic_load(&lanes->memory) > lanes->options.max_memory_bytes;
    bool shut = lane->outlet && lane->outlet->shut;
    if (lane->on_disk || shut || (full && lane->queued > 0)) {
        mark_on_disk(lane, delivery->id);
        atomic_fetch_sub(&lanes->memory, delivery_bytes(delivery));
        free(delivery);
    } else {
        enqueue(lane, delivery);
    }
    lane_update(lane);
}

bool lane_load(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    size_t memory = atomic_load(&lanes->memory);
    bool room = lanes->loading < LANES_MAX_LOADING && memory < lanes->options.max_memory_bytes;
    if (!room && lanes->loading > 0)
        return false;
    if (!room && memory >= lanes->options.max_memory_bytes && !(lane->outlet && lane->outlet->shut))
        return false;
    lane->loading = true;
    lane->load_again = false;
    lane->settled_count = 0;
    lanes->loading++;
    spool_refill(lanes->spool, lane->id, lane->disk_after, LANE_LOAD_COUNT, LANE_LOAD_BYTES);
    return true;
}

/*
 * What the spool found above disk_after when it was asked. Whatever was committed to this lane
 * since comes behind this in the mailbox. Deliveries that are in memory, in flight, or were settled
 * after the question, are passed over.
 */
static void take_refilled(struct lanes *lanes, struct mail *mail)
{
    struct lane *lane = lane_enter(lanes, mail->lane);
    CHECK(lane->loading);
    lanes->loading--;
    uint64_t last = lane->disk_after;
    struct delivery *delivery = mail->deliveries;
    while (delivery) {
        struct delivery *next = delivery->next;
        if (delivery->id > last)
            last = delivery->id;
        if (lane->load_again || is_known(lane, delivery->id)) {
            atomic_fetch_sub(&lanes->memory, delivery_bytes(delivery));
            free(delivery);
        } else {
            enqueue(lane, delivery);
        }
        delivery = next;
    }
    lane->loading = false;
    if (!lane->load_again) {
        lane->disk_after = last;
        lane->on_disk = mail->more;
    }
    lane->load_again = false;
    if (lane->outlet)
        outlet_wake(lane->outlet);
    lane_update(lane);
}

static void take_appeared(struct lanes *lanes, uint64_t id, uint64_t from_id)
{
    struct lane *lane = lane_enter(lanes, id);
    mark_on_disk(lane, from_id);
    lane_update(lane);
}

/* ---- the mailbox ---- */

static void take_mail(void *ctx)
{
    struct lanes *lanes = ctx;
    pthread_mutex_lock(&lanes->mutex);
    struct mail *mail = lanes->mail;
    lanes->mail = NULL;
    lanes->mail_tail = &lanes->mail;
    lanes->posted = false;
    pthread_mutex_unlock(&lanes->mutex);
    while (mail) {
        struct mail *next = mail->next;
        struct delivery *delivery = mail->deliveries;
        switch (mail->kind) {
        case MAIL_ADD:
            while (delivery) {
                struct delivery *behind = delivery->next;
                take_added(lanes, delivery);
                delivery = behind;
            }
            break;
        case MAIL_APPEARED:
            take_appeared(lanes, mail->lane, mail->from_id);
            break;
        case MAIL_REFILLED:
            take_refilled(lanes, mail);
            break;
        }
        free(mail);
        mail = next;
    }
    lanes_run(lanes);
}

static void post_mail(struct lanes *lanes, struct mail *mail)
{
    mail->next = NULL;
    atomic_store(&lanes->at_rest, false);
    pthread_mutex_lock(&lanes->mutex);
    *lanes->mail_tail = mail;
    lanes->mail_tail = &mail->next;
    bool post = !lanes->posted;
    lanes->posted = true;
    pthread_mutex_unlock(&lanes->mutex);
    if (post)
        pump_post(lanes->pump, take_mail, lanes);
}

static struct mail *mail_new(enum mail_kind kind, uint64_t lane, struct delivery *deliveries)
{
    struct mail *mail = check_alloc(calloc(1, sizeof *mail));
    mail->kind = kind;
    mail->lane = lane;
    mail->deliveries = deliveries;
    return mail;
}

static void account(struct lanes *lanes, const struct delivery *list)
{
    size_t bytes = 0;
    for (const struct delivery *d = list; d; d = d->next)
        bytes += delivery_bytes(d);
    atomic_fetch_add(&lanes->memory, bytes);
}

void lanes_add(struct lanes *lanes, struct delivery *deliveries)
{
    if (!deliveries)
        return;
    if (atomic_load(&lanes->memory) <= lanes->options.max_memory_bytes * 2) {
        account(lanes, deliveries);
        post_mail(lanes, mail_new(MAIL_ADD, 0, deliveries));
        return;
    }
    /* The pump is far behind: keep no bodies, only say which lanes have more. */
    uint64_t lane = deliveries->lane, from = deliveries->id;
    bool open = false;
    for (struct delivery *next, *d = deliveries; d; d = next) {
        next = d->next;
        if (!open || d->lane != lane) {
            lane = d->lane;
            from = d->id;
            open = true;
        }
        if (!next || next->lane != lane) {
            struct mail *mail = mail_new(MAIL_APPEARED, lane, NULL);
            mail->from_id = from;
            post_mail(lanes, mail);
            open = false;
        }
        free(d);
    }
}

void lanes_refilled(struct lanes *lanes, uint64_t lane, struct delivery *deliveries, bool more)
{
    account(lanes, deliveries);
    struct mail *mail = mail_new(MAIL_REFILLED, lane, deliveries);
    mail->more = more;
    post_mail(lanes, mail);
}

void lanes_appeared(struct lanes *lanes, uint64_t lane)
{
    post_mail(lanes, mail_new(MAIL_APPEARED, lane, NULL));
}

/* ---- running ---- */

static void load_wanting(struct lanes *lanes)
{
    while (lanes->wanting) {
        struct lane *lane = lanes->wanting;
        if (!lane_load(lane))
            return;
        lane_update(lane);
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
                        struct cmq_client *client, struct spool *spool, struct counters *counters)
{
    struct lanes *lanes = check_alloc(calloc(1, sizeof *lanes));
    lanes->options = *options;
    if (lanes->options.max_memory_bytes == 0)
        lanes->options.max_memory_bytes = LANES_MEMORY;
    lanes->pump = pump;
    lanes->client = client;
    lanes->spool = spool;
    lanes->counters = counters;
    lanes->gate = gate_new(&(struct gate_options){options->connections, options->rate});
    lanes->mail_tail = &lanes->mail;
    CHECK(pthread_mutex_init(&lanes->mutex, NULL) == 0);
    atomic_store(&lanes->at_rest, true);
    return lanes;
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
