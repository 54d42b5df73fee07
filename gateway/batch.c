/*
 * batch - one request's deliveries: gathered from a lane's head, sent, judged (lanes_impl.h).
 *
 * What the verdicts mean for the deliveries is decided here and nowhere else:
 *     done      settled
 *     retry     back to the front; to the back of a relaxed lane once CMQ itself has refused it
 *               more than once, so that one that always fails does not stop the others
 *     hold      back to the front
 *     reject    cut in two until the guilty one is alone, which is buried
 *     unrouted  settled where the rule accepts that, else buried
 */
#include "gateway/lanes_impl.h"
#include "mapping/destination.h"

#include <stdio.h>

enum {
    BATCH_STORE_BYTES = 1024,   /* a destination's decoded bytes */
    BATCH_PATIENT_ATTEMPTS = 2, /* after so many refusals a relaxed delivery lets others go first */
};

static void queue_back(struct lane *lane, struct item *item)
{
    DL_APPEND(lane->queue, item);
    lane->queued++;
    lane->queued_bytes += item->delivery->body.len;
}

static void unqueue(struct lane *lane, struct item *item)
{
    DL_DELETE(lane->queue, item);
    lane->queued--;
    lane->queued_bytes -= item->delivery->body.len;
}

/* ---- counting ---- */

/* The row of the rule that planned it. Neighbours are mostly of one rule. */
static struct figures *rule_of(struct lanes *lanes, const struct delivery *d)
{
    if (!lanes->last_rule.figures || !span_eq_str(d->rule, lanes->last_rule.name)) {
        free(lanes->last_rule.name);
        lanes->last_rule.name = span_dup(d->rule);
        lanes->last_rule.figures = figures_of_delivery(counters_book(lanes->counters), d->rule);
    }
    return lanes->last_rule.figures;
}

static void count_delivered(struct lanes *lanes, const struct delivery *d, int64_t now_ms)
{
    figures_add(rule_of(lanes, d), FIGURE_DELIVERED, 1);
    int64_t took_ms = now_ms - d->received_ms;
    histogram_add(counters_spread(lanes->counters, SPREAD_DELIVERY),
                  took_ms > 0 ? (uint64_t)took_ms * 1000 : 0);
}

static void count_failed(struct lanes *lanes, const struct batch *batch,
                         const struct cmq_reply *reply)
{
    bool held = reply->verdict == CMQ_HOLD;
    struct figures *last = NULL;
    struct buf why = BUF_INIT(1024);
    buf_printf(&why, "%s: ", batch->lane->outlet->key);
    health_explain(reply, &why);
    counters_add(lanes->counters, held ? COUNTER_HELD : COUNTER_RETRIED, batch->count);
    const struct item *item;
    DL_FOREACH(batch->items, item)
    {
        struct figures *figures = rule_of(lanes, item->delivery);
        figures_add(figures, held ? FIGURE_HELD : FIGURE_RETRIED, 1);
        if (figures != last)
            figures_error(figures, buf_span(&why));
        last = figures;
    }
    buf_fini(&why);
}

/* ---- the ends of a delivery ---- */

static void settle(struct lane *lane, struct item *item)
{
    spool_settle(lane->lanes->spool, item->delivery->id);
    lane_note_settled(lane, item->delivery->id);
    lane_forget(lane, item);
}

/* The first is logged, then one a second: a wrong name can be that of everything that comes. */
static void log_dead(struct lanes *lanes, const struct delivery *d, const char *reason,
                     const char *request_id)
{
    uint64_t more;
    if (!log_repeat_due(&lanes->dead_letters, clock_mono_ms(), 1000, &more))
        return;
    log_write(LOG_WARN, "delivery.dead",
              LOG_FIELDS(LOG_NUM("id", d->id), LOG_TEXT_FIELD("rule", d->rule),
                         LOG_TEXT_FIELD("destination", d->destination),
                         LOG_STR("request_id", request_id), LOG_NUM("more", more)),
              "set aside as a dead letter: %s; look at it with: cmqgw dead-letters show %llu",
              reason, (unsigned long long)d->id);
}

/* request_id: of the answer that says so; "" when there was none. */
static void bury(struct lane *lane, struct item *item, const char *reason, const char *request_id)
{
    struct delivery *d = item->delivery;
    log_dead(lane->lanes, d, reason, request_id);
    counters_dead(lane->lanes->counters, rule_of(lane->lanes, d), span_of(reason));
    spool_bury(lane->lanes->spool, d->id, d->attempts, span_of(reason));
    lane_note_settled(lane, d->id);
    lane_forget(lane, item);
}

/* ---- gathering ---- */

static bool is_expired(const struct item *item, int64_t now_ms)
{
    return item->delivery->expires_ms > 0 && item->delivery->expires_ms <= now_ms;
}

static void bury_expired(struct lane *lane)
{
    int64_t now_ms = clock_unix_ms();
    while (lane->queue && is_expired(lane->queue, now_ms)) {
        struct item *item = lane->queue;
        unqueue(lane, item);
        bury(lane, item, "max_age: older than its rule's max_age", "");
    }
}

/* Takes from the lane's head what may share a request with it. */
static struct batch *gather(struct lane *lane)
{
    struct batch *batch = check_alloc(calloc(1, sizeof *batch));
    batch->lane = lane;
    struct span destination = lane->queue->delivery->destination;
    uint32_t cut = lane->queue->cut;
    size_t cost = CMQ_FORM_OVERHEAD;
    int64_t now_ms = clock_unix_ms();
    while (lane->queue) {
        struct item *item = lane->queue;
        cost += cmq_form_cost(item->delivery->body);
        bool fits =
            batch->count == 0 ||
            (batch->count < CMQ_MAX_BATCH && cost <= CMQ_MAX_POST_BYTES && item->cut == cut &&
             !is_expired(item, now_ms) && span_eq(item->delivery->destination, destination));
        if (!fits)
            break;
        unqueue(lane, item);
        DL_APPEND(batch->items, item);
        batch->count++;
    }
    return batch;
}

/* ---- judging ---- */

/* Puts a batch's items back, in their order, before everything else. */
static void back_to_front(struct lane *lane, struct batch *batch)
{
    struct item *item;
    DL_FOREACH(batch->items, item)
    {
        lane->queued++;
        lane->queued_bytes += item->delivery->body.len;
    }
    DL_CONCAT(batch->items, lane->queue);
    lane->queue = batch->items;
    batch->items = NULL;
}

static void judge_failed(struct lane *lane, struct batch *batch, const struct cmq_reply *reply)
{
    count_failed(lane->lanes, batch, reply);
    bool stubborn = false;
    struct item *item;
    DL_FOREACH(batch->items, item)
    {
        item->delivery->attempts++;
        spool_retried(lane->lanes->spool, item->delivery->id, item->delivery->attempts);
        stubborn = stubborn || item->delivery->attempts >= BATCH_PATIENT_ATTEMPTS;
    }
    bool refused = reply->http_status != 0 && reply->verdict == CMQ_RETRY;
    if (lane->strict || !stubborn || !refused) {
        back_to_front(lane, batch);
        return;
    }
    /* Alone, so that one that CMQ cannot stand does not take others along. */
    while (batch->items) {
        item = batch->items;
        DL_DELETE(batch->items, item);
        item->cut = ++lane->lanes->next_cut;
        queue_back(lane, item);
    }
}

static void judge_rejected(struct lane *lane, struct batch *batch, const struct cmq_reply *reply)
{
    if (batch->count == 1) {
        char reason[sizeof reply->text + 64];
        struct item *item = batch->items;
        DL_DELETE(batch->items, item);
        if (reply->http_status == 0)
            (void)snprintf(reason, sizeof reason, "request_refused: %s", reply->text);
        else
            (void)snprintf(reason, sizeof reason, "cmq_%d: %s", reply->code, reply->text);
        bury(lane, item, reason, reply->request_id);
        return;
    }
    counters_add(lane->lanes->counters, COUNTER_CUT, 1);
    uint32_t first = ++lane->lanes->next_cut, second = ++lane->lanes->next_cut;
    size_t i = 0;
    struct item *item;
    DL_FOREACH(batch->items, item)
    {
        item->cut = i++ < batch->count / 2 ? first : second;
    }
    back_to_front(lane, batch);
}

static void judge_done(struct lane *lane, struct batch *batch)
{
    int64_t now_ms = clock_unix_ms();
    counters_add(lane->lanes->counters, COUNTER_DELIVERED, batch->count);
    while (batch->items) {
        struct item *item = batch->items;
        DL_DELETE(batch->items, item);
        count_delivered(lane->lanes, item->delivery, now_ms);
        settle(lane, item);
    }
}

static void judge_unrouted(struct lane *lane, struct batch *batch, const struct cmq_reply *reply)
{
    char reason[sizeof reply->text + 64];
    (void)snprintf(reason, sizeof reason, "unrouted: %d %s", reply->code, reply->text);
    while (batch->items) {
        struct item *item = batch->items;
        DL_DELETE(batch->items, item);
        if (item->delivery->flags & DELIVERY_ACCEPT_UNROUTED) {
            counters_add(lane->lanes->counters, COUNTER_DELIVERED, 1);
            counters_add(lane->lanes->counters, COUNTER_UNROUTED_ACCEPTED, 1);
            count_delivered(lane->lanes, item->delivery, clock_unix_ms());
            settle(lane, item);
        } else {
            bury(lane, item, reason, reply->request_id);
        }
    }
}

static void judge(struct lane *lane, struct batch *batch, const struct cmq_reply *reply)
{
    switch (reply->verdict) {
    case CMQ_DONE:
        judge_done(lane, batch);
        break;
    case CMQ_UNROUTED:
        judge_unrouted(lane, batch, reply);
        break;
    case CMQ_REJECT:
        judge_rejected(lane, batch, reply);
        break;
    case CMQ_RETRY:
    case CMQ_THROTTLE:
    case CMQ_HOLD:
    case CMQ_PARTIAL: /* makes no sense for sending: try again */
    case CMQ_EMPTY:
        judge_failed(lane, batch, reply);
        break;
    }
}

static void batch_done(void *ctx, const struct cmq_reply *reply)
{
    struct batch *batch = ctx;
    struct lane *lane = batch->lane;
    struct lanes *lanes = lane->lanes;
    struct outlet *outlet = lane->outlet;

    histogram_add(counters_spread(lanes->counters, SPREAD_REQUEST),
                  (uint64_t)(clock_mono_us() - batch->sent_us));
    bool changed = gate_result(lanes->gate, outlet->door, reply->verdict, clock_mono_ms());
    outlet_report(outlet, reply, changed);
    if (gate_door_health(outlet->door) == GATE_OPEN)
        outlet_open(outlet); /* now, while this lane still has its request and so stays */
    DL_DELETE(lane->batches, batch);
    lane->requests--;
    judge(lane, batch, reply);
    CHECK(!batch->items);
    free(batch);

    outlet_wake(outlet);
    lane_update(lane); /* may free the lane, and with it the outlet */
    lanes_run(lanes);
}

/* ---- sending ---- */

static void send_request(struct batch *batch, const struct destination *to)
{
    struct span bodies[CMQ_MAX_BATCH];
    size_t count = 0;
    const struct item *item;
    DL_FOREACH(batch->items, item)
    {
        bodies[count++] = item->delivery->body;
    }
    struct cmq_request request = {
        .name = to->name,
        .items = bodies,
        .item_count = count,
        .delay_s = to->delay_s,
        .has_route = to->has_route,
        .route = to->route,
        .tags = to->tags,
        .tag_count = to->tag_count,
    };
    if (to->is_topic)
        request.action = count == 1 ? CMQ_PUBLISH_MESSAGE : CMQ_BATCH_PUBLISH_MESSAGE;
    else
        request.action = count == 1 ? CMQ_SEND_MESSAGE : CMQ_BATCH_SEND_MESSAGE;
    struct lanes *lanes = batch->lane->lanes;
    counters_add(lanes->counters, COUNTER_REQUESTS, 1);
    histogram_add(counters_spread(lanes->counters, SPREAD_BATCH), batch->count);
    batch->sent_us = clock_mono_us();
    (void)cmq_client_call(lanes->client, &request, batch_done, batch);
}

void batch_send(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    bury_expired(lane);
    if (!lane->queue) {
        gate_return(lanes->gate, lane->outlet->door);
        lane_update(lane);
        return;
    }
    struct batch *batch = gather(lane);
    struct destination to;
    struct buf store = BUF_INIT(BATCH_STORE_BYTES);
    if (!destination_parse(batch->items->delivery->destination, &to, &store)) {
        gate_return(lanes->gate, lane->outlet->door);
        while (batch->items) {
            struct item *item = batch->items;
            DL_DELETE(batch->items, item);
            bury(lane, item, "damaged: the spool's destination text cannot be read", "");
        }
        free(batch);
    } else {
        DL_APPEND(lane->batches, batch);
        lane->requests++;
        send_request(batch, &to);
    }
    buf_fini(&store);
    lane_update(lane);
}
