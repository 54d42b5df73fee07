/* outlet - a queue or topic as a destination: its lanes, its turn, and its troubles (lanes_impl.h).
 */
#include "gateway/lanes_impl.h"

static void timer_fired(void *ctx)
{
    struct outlet *outlet = ctx;
    outlet_wake(outlet);
    lanes_run(outlet->lanes);
}

struct outlet *outlet_enter(struct lanes *lanes, struct span key)
{
    struct outlet *outlet;
    HASH_FIND(hh, lanes->by_key, key.ptr, key.len, outlet);
    if (outlet)
        return outlet;
    outlet = check_alloc(calloc(1, sizeof *outlet));
    outlet->key = span_dup(key);
    outlet->lanes = lanes;
    outlet->door = gate_enter(lanes->gate, key);
    outlet->timer.fn = timer_fired;
    outlet->timer.ctx = outlet;
    HASH_ADD_KEYPTR(hh, lanes->by_key, outlet->key, key.len, outlet);
    return outlet;
}

void outlet_leave(struct outlet *outlet)
{
    struct lanes *lanes = outlet->lanes;
    if (outlet->all)
        return;
    CHECK(!outlet->ready);
    if (outlet->is_runnable)
        DL_DELETE2(lanes->runnable, outlet, run_prev, run_next);
    pump_timer_clear(lanes->pump, &outlet->timer);
    health_destination(lanes->health, outlet->key, GATE_OPEN, NULL);
    HASH_DEL(lanes->by_key, outlet);
    gate_leave(lanes->gate, outlet->door);
    free(outlet->key);
    free(outlet);
}

void outlet_make_runnable(struct outlet *outlet)
{
    if (outlet->parked || outlet->is_runnable || !outlet->ready)
        return;
    outlet->is_runnable = true;
    DL_APPEND2(outlet->lanes->runnable, outlet, run_prev, run_next);
}

void outlet_wake(struct outlet *outlet)
{
    outlet->parked = false;
    outlet_make_runnable(outlet);
}

/* Lets go of everything that waits in memory: the spool has it. */
static void evict(struct lane *lane)
{
    struct item *item, *next;
    DL_FOREACH_SAFE(lane->queue, item, next)
    {
        lane_mark_on_disk(lane, item->delivery->id);
        lane_forget(lane, item);
    }
    lane->queue = NULL;
    lane->queued = 0;
    lane->queued_bytes = 0;
}

static void update_all(struct outlet *outlet)
{
    struct lane *lane, *next;
    for (lane = outlet->all; lane; lane = next) {
        next = lane->sibling_next;
        lane_update(lane);
    }
}

void outlet_shut(struct outlet *outlet)
{
    if (outlet->shut)
        return;
    outlet->shut = true;
    struct lane *lane;
    DL_FOREACH2(outlet->all, lane, sibling_next)
    {
        evict(lane);
    }
    update_all(outlet);
}

void outlet_open(struct outlet *outlet)
{
    if (!outlet->shut)
        return;
    outlet->shut = false;
    update_all(outlet);
}

static void log_trouble(struct outlet *outlet, const struct cmq_reply *reply,
                        struct log_repeat *repeat)
{
    uint64_t held_back;
    if (!log_repeat_due(repeat, clock_mono_ms(), LANES_REPEAT_MS, &held_back))
        return;
    bool hold = reply->verdict == CMQ_HOLD;
    struct buf what = BUF_INIT(1024);
    health_explain(reply, &what);
    log_write(LOG_WARN, hold ? "cmq.hold" : "cmq.retry",
              LOG_FIELDS(LOG_STR("destination", outlet->key), LOG_NUM("http", reply->http_status),
                         LOG_NUM("code", reply->code), LOG_NUM("module", reply->module),
                         LOG_STR("request_id", reply->request_id), LOG_NUM("more", held_back)),
              "%s: deliveries wait in the spool and are tried again: %s", outlet->key,
              buf_str(&what));
    buf_fini(&what);
}

void outlet_report(struct outlet *outlet, const struct cmq_reply *reply, bool changed)
{
    struct lanes *lanes = outlet->lanes;
    health_destination(lanes->health, outlet->key, gate_door_health(outlet->door), reply);
    health_answer(lanes->health, reply);
    switch (reply->verdict) {
    case CMQ_RETRY:
    case CMQ_THROTTLE:
    case CMQ_PARTIAL:
        log_trouble(outlet, reply,
                    reply->http_status == 0 ? &lanes->network_trouble : &outlet->trouble);
        break;
    case CMQ_HOLD: /* an account's trouble is the same for every destination */
        log_trouble(outlet, reply,
                    reply->code == 4100 || reply->code == 4300 ? &lanes->account_trouble
                                                               : &outlet->trouble);
        break;
    default:
        if (changed && gate_door_health(outlet->door) == GATE_OPEN) {
            log_write(LOG_INFO, "cmq.resumed", LOG_FIELDS(LOG_STR("destination", outlet->key)),
                      "%s takes deliveries again", outlet->key);
            outlet->trouble = lanes->network_trouble = lanes->account_trouble =
                (struct log_repeat){0};
        }
    }
}
