/*
 * window - what of the spool is in memory, and the mailbox through which it comes (lanes_impl.h).
 *
 * A lane has the oldest of its deliveries in memory, up to a bound, and the rest only in the spool.
 * The spool's news comes through the mailbox in the order in which its writer did things, which the
 * reasoning in take_refilled needs.
 */
#include "gateway/lanes_impl.h"

#include "mapping/destination.h"

/* ---- what is in memory and what only in the spool ---- */

void lane_mark_on_disk(struct lane *lane, uint64_t id)
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
        lane_mark_on_disk(lane, delivery->id);
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
    lane_mark_on_disk(lane, from_id);
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
