/*
 * The lanes against a simulated world: the spool, CMQ, the pump and the clock are fakes of this
 * file, stepped one event at a time in random but repeatable order, so that every interleaving of
 * commits, refills, answers and timers comes up. What must hold: each delivery is done exactly
 * once or buried exactly once, strict lanes keep their order, memory stays within its bound.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/lanes.h"
#include "mapping/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_ROWS = 20000, MAX_OPS = 100000, MAX_CALLS = 64, MAX_TIMERS = 256 };

/* ---- the simulated clock ---- */

static int64_t now_us;

int64_t clock_unix_ms(void)
{
    return 1700000000000 + now_us / 1000;
}
int64_t clock_mono_ms(void)
{
    return now_us / 1000;
}
int64_t clock_mono_us(void)
{
    return now_us;
}
void clock_iso(int64_t unix_ms, char out[CLOCK_ISO_SIZE])
{
    (void)unix_ms;
    (void)snprintf(out, CLOCK_ISO_SIZE, "simulated");
}
struct timespec clock_deadline(int64_t timeout_ms)
{
    return (struct timespec){.tv_nsec = timeout_ms};
}

/* ---- repeatable chance ---- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(chance_state >> 33) % below;
}

uint64_t random_u64(void)
{
    return (uint64_t)chance(1u << 31) << 32 | chance(1u << 31);
}
uint64_t random_below(uint64_t limit)
{
    return limit ? random_u64() % limit : 0;
}

/* ---- the simulated spool ---- */

struct row {
    uint64_t id;
    uint64_t lane;
    uint32_t flags;
    int64_t expires_ms;
    char destination[64];
    char body[32];
    bool gone;     /* settled or buried on disk */
    unsigned done; /* times CMQ took it */
    unsigned dead; /* times it was buried */
};

struct op {
    enum { OP_SETTLE, OP_BURY, OP_REFILL } kind;
    uint64_t id; /* or the lane */
    uint64_t after;
    unsigned max;
};

static struct row rows[MAX_ROWS + 1]; /* by id */
static uint64_t last_id;
static struct op ops[MAX_OPS];
static size_t op_first, op_last;
static struct lanes *lanes;

static void push_op(struct op op)
{
    assert_true(op_last - op_first < MAX_OPS);
    ops[op_last++ % MAX_OPS] = op;
}

void spool_settle(struct spool *spool, uint64_t id)
{
    (void)spool;
    push_op((struct op){.kind = OP_SETTLE, .id = id});
}
void spool_bury(struct spool *spool, uint64_t id, uint32_t attempts, struct span reason)
{
    (void)spool;
    (void)attempts;
    assert_true(span_find(reason, ':') < reason.len);
    rows[id].dead++;
    push_op((struct op){.kind = OP_BURY, .id = id});
}
void spool_retried(struct spool *spool, uint64_t id, uint32_t attempts)
{
    (void)spool;
    assert_true(id >= 1 && id <= last_id);
    assert_true(attempts >= 1);
}
void spool_refill(struct spool *spool, uint64_t lane, uint64_t after_id, unsigned max_count,
                  size_t max_bytes)
{
    (void)spool;
    (void)max_bytes;
    push_op((struct op){.kind = OP_REFILL, .id = lane, .after = after_id, .max = max_count});
}

static struct delivery *copy_of(const struct row *row)
{
    struct delivery *d = delivery_new(span_of("r"), span_of(row->destination), span_of(row->body));
    d->id = row->id;
    d->lane = row->lane;
    d->flags = row->flags;
    d->expires_ms = row->expires_ms;
    return d;
}

static void answer_refill(const struct op *op)
{
    struct delivery *list = NULL, **tail = &list;
    unsigned n = 0;
    bool more = false;
    for (uint64_t id = op->after + 1; id <= last_id; id++) {
        if (rows[id].gone || rows[id].lane != op->id)
            continue;
        if (n == op->max) {
            more = true;
            break;
        }
        *tail = copy_of(&rows[id]);
        tail = &(*tail)->next;
        n++;
    }
    lanes_refilled(lanes, op->id, list, more);
}

static bool writer_step(void)
{
    if (op_first == op_last)
        return false;
    struct op op = ops[op_first++ % MAX_OPS];
    if (op.kind == OP_REFILL) {
        answer_refill(&op);
    } else {
        assert_false(rows[op.id].gone);
        rows[op.id].gone = true;
    }
    return true;
}

/* Commits count deliveries to random destinations of this world. */
static void commit(unsigned count, unsigned destinations, bool strict, bool keep_in_memory)
{
    struct delivery *list = NULL, **tail = &list;
    for (unsigned i = 0; i < count && last_id < MAX_ROWS; i++) {
        struct row *row = &rows[++last_id];
        *row = (struct row){.id = last_id, .flags = strict ? DELIVERY_STRICT : 0};
        (void)snprintf(row->destination, sizeof row->destination, "topic t%u route k%u", chance(2),
                       chance(destinations));
        (void)snprintf(row->body, sizeof row->body, "body-%llu", (unsigned long long)row->id);
        row->lane = destination_lane(span_of(row->destination), strict);
        if (!keep_in_memory) {
            lanes_appeared(lanes, row->lane);
            continue;
        }
        *tail = copy_of(row);
        tail = &(*tail)->next;
    }
    lanes_add(lanes, list);
}

/* ---- the simulated pump ---- */

static struct {
    void (*fn)(void *ctx);
    void *ctx;
} posts[MAX_OPS];
static size_t post_first, post_last;
static struct pump_timer *timers[MAX_TIMERS];
static size_t timer_count;

void pump_post(struct pump *pump, void (*fn)(void *ctx), void *ctx)
{
    (void)pump;
    posts[post_last % MAX_OPS].fn = fn;
    posts[post_last++ % MAX_OPS].ctx = ctx;
}
void pump_timer_clear(struct pump *pump, struct pump_timer *timer)
{
    (void)pump;
    for (size_t i = 0; i < timer_count; i++) {
        if (timers[i] == timer) {
            timers[i] = timers[--timer_count];
            return;
        }
    }
}
void pump_timer_set(struct pump *pump, struct pump_timer *timer, int64_t delay_ms)
{
    pump_timer_clear(pump, timer);
    timer->due_ms = clock_mono_ms() + delay_ms;
    assert_true(timer_count < MAX_TIMERS);
    timers[timer_count++] = timer;
}

static bool pump_step(void)
{
    if (post_first == post_last)
        return false;
    size_t at = post_first++ % MAX_OPS;
    posts[at].fn(posts[at].ctx);
    return true;
}

static bool timer_step(void)
{
    size_t first = timer_count;
    for (size_t i = 0; i < timer_count; i++) {
        if (first == timer_count || timers[i]->due_ms < timers[first]->due_ms)
            first = i;
    }
    if (first == timer_count)
        return false;
    struct pump_timer *timer = timers[first];
    if (timer->due_ms * 1000 > now_us)
        now_us = timer->due_ms * 1000;
    timers[first] = timers[--timer_count];
    timer->fn(timer->ctx);
    return true;
}

/* ---- the simulated CMQ ---- */

static struct {
    cmq_done_fn done;
    void *ctx;
    uint64_t ids[CMQ_MAX_BATCH];
    size_t count;
    char route[64];
} calls[MAX_CALLS];
static size_t call_count, most_in_flight, most_in_batch;
static uint64_t poison; /* CMQ rejects batches with this id; 0: none */
static uint64_t broken; /* CMQ answers HTTP 500 to batches with this id; 0: none */

struct cmq_call *cmq_client_call(struct cmq_client *client, const struct cmq_request *request,
                                 cmq_done_fn done, void *ctx)
{
    (void)client;
    assert_true(call_count < MAX_CALLS);
    calls[call_count].done = done;
    calls[call_count].ctx = ctx;
    calls[call_count].count = request->item_count;
    (void)snprintf(calls[call_count].route, sizeof calls->route, "%.*s", SPAN_ARG(request->route));
    for (size_t i = 0; i < request->item_count; i++) {
        uint64_t id;
        assert_true(span_to_u64(span_slice(request->items[i], 5, 32), MAX_ROWS, &id));
        calls[call_count].ids[i] = id;
        char expected[128];
        (void)snprintf(expected, sizeof expected, "topic %.*s route %.*s", SPAN_ARG(request->name),
                       SPAN_ARG(request->route));
        assert_string_equal(rows[id].destination, expected);
    }
    call_count++;
    if (call_count > most_in_flight)
        most_in_flight = call_count;
    if (request->item_count > most_in_batch)
        most_in_batch = request->item_count;
    return NULL;
}

static bool carries(size_t call, uint64_t id)
{
    for (size_t i = 0; i < calls[call].count; i++) {
        if (calls[call].ids[i] == id)
            return true;
    }
    return false;
}

static void answer(size_t call, enum cmq_verdict verdict)
{
    struct cmq_reply reply = {.verdict = verdict, .http_status = 200};
    if (poison && carries(call, poison))
        reply.verdict = CMQ_REJECT;
    else if (broken && carries(call, broken))
        reply = (struct cmq_reply){.verdict = CMQ_RETRY, .http_status = 500, .code = -1};
    if (verdict == CMQ_RETRY && reply.verdict == CMQ_RETRY && chance(2))
        reply.http_status = 0;
    if (reply.verdict == CMQ_DONE) {
        for (size_t i = 0; i < calls[call].count; i++)
            rows[calls[call].ids[i]].done++;
    }
    cmq_done_fn done = calls[call].done;
    void *ctx = calls[call].ctx;
    calls[call] = calls[--call_count];
    done(ctx, &reply);
}

static bool answer_step(unsigned failures_percent)
{
    if (call_count == 0)
        return false;
    static const enum cmq_verdict failures[] = {CMQ_RETRY, CMQ_RETRY, CMQ_THROTTLE, CMQ_HOLD};
    enum cmq_verdict verdict = chance(100) < failures_percent ? failures[chance(4)] : CMQ_DONE;
    answer(chance((unsigned)call_count), verdict);
    return true;
}

/* ---- the world ---- */

static struct counters *counters;
static struct health *health;

static void begin(uint64_t seed, size_t max_memory)
{
    chance_state = seed;
    last_id = 0;
    op_first = op_last = post_first = post_last = 0;
    timer_count = call_count = most_in_flight = most_in_batch = 0;
    poison = broken = 0;
    now_us = 1000000;
    counters = counters_new();
    struct lanes_options options = {
        .connections = 8, .rate = 1000000, .max_memory_bytes = max_memory};
    health = health_new();
    lanes = lanes_new(&options, NULL, NULL, NULL, counters, health);
}

static void end(void)
{
    lanes_free(lanes);
    counters_free(counters);
    health_free(health);
}

static bool step(unsigned failures_percent)
{
    now_us += chance(2000);
    switch (chance(4)) {
    case 0:
        return pump_step() || writer_step() || answer_step(failures_percent) || timer_step();
    case 1:
        return writer_step() || answer_step(failures_percent) || pump_step() || timer_step();
    case 2:
        return answer_step(failures_percent) || pump_step() || writer_step() || timer_step();
    default:
        return pump_step() || answer_step(failures_percent) || writer_step() || timer_step();
    }
}

static void run_to_the_end(unsigned failures_percent)
{
    uint64_t steps = 0;
    while (step(failures_percent))
        assert_true(++steps < 5000000);
    assert_int_equal(call_count, 0);
    assert_true(lanes_at_rest(lanes));
}

static void check_each_done_once(void)
{
    for (uint64_t id = 1; id <= last_id; id++) {
        if (rows[id].done + rows[id].dead != 1 || !rows[id].gone)
            print_error("id %llu: done %u, dead %u, gone %d\n", (unsigned long long)id,
                        rows[id].done, rows[id].dead, rows[id].gone);
        assert_int_equal(rows[id].done + rows[id].dead, 1);
        assert_true(rows[id].gone);
    }
}

static void each_delivery_is_done_exactly_once_whatever_fails_and_in_whatever_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        unsigned failures = (unsigned)(seed % 4) * 15;
        size_t memory = seed % 3 == 0 ? 8 << 10 : 1 << 20;
        begin(seed, memory);
        while (last_id < 3000) {
            commit(1 + chance(200), 1 + (unsigned)(seed % 7), seed % 5 == 0, chance(20) != 0);
            for (unsigned i = chance(60); i > 0; i--)
                (void)step(failures);
        }
        run_to_the_end(failures);
        check_each_done_once();
        end();
    }
}

static void an_idle_lane_sends_a_single_delivery_at_once(void **state)
{
    (void)state;
    begin(1, 0);
    commit(1, 1, false, true);
    assert_true(pump_step());
    assert_int_equal(call_count, 1);
    run_to_the_end(0);
    check_each_done_once();
    end();
}

static void what_arrives_while_a_request_is_under_way_gathers_to_whole_batches(void **state)
{
    (void)state;
    begin(2, 0);
    last_id = 0;
    for (int i = 0; i < 2; i++) {
        struct row *row = &rows[++last_id];
        *row = (struct row){.id = last_id};
        (void)snprintf(row->destination, sizeof row->destination, "topic t route k");
        (void)snprintf(row->body, sizeof row->body, "body-%llu", (unsigned long long)row->id);
        row->lane = destination_lane(span_of(row->destination), false);
        lanes_add(lanes, copy_of(row));
        (void)pump_step();
    }
    assert_int_equal(call_count, 1); /* the second one waits for company */
    assert_int_equal(calls[0].count, 1);
    answer(0, CMQ_DONE);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0].count, 1);
    run_to_the_end(0);
    check_each_done_once();
    end();
}

static void under_load_batches_are_full_and_all_connections_are_used(void **state)
{
    (void)state;
    begin(3, 0);
    commit(2000, 1, false, true);
    run_to_the_end(0);
    check_each_done_once();
    assert_int_equal(most_in_batch, CMQ_MAX_BATCH);
    assert_true(most_in_flight >= 4);
    assert_true(most_in_flight <= 8);
    assert_true(counters_get(counters, COUNTER_REQUESTS) < 2000 / 8);
    end();
}

static void one_rejected_delivery_is_cut_out_and_buried_alone(void **state)
{
    (void)state;
    for (uint64_t victim = 1; victim <= 64; victim += 7) {
        begin(4, 0);
        poison = victim;
        commit(64, 1, false, true);
        run_to_the_end(0);
        check_each_done_once();
        assert_int_equal(rows[victim].dead, 1);
        assert_int_equal(counters_get(counters, COUNTER_DEAD), 1);
        end();
    }
}

static void one_that_cmq_always_fails_on_does_not_stop_the_others(void **state)
{
    (void)state;
    begin(5, 0);
    commit(100, 1, false, true);
    broken = 1;
    for (int i = 0; i < 20000 && counters_get(counters, COUNTER_DELIVERED) < 99; i++)
        assert_true(step(0));
    assert_int_equal(counters_get(counters, COUNTER_DELIVERED), 99);
    broken = 0;
    run_to_the_end(0);
    check_each_done_once();
    end();
}

static void a_strict_lane_keeps_its_order_whatever_fails(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        begin(seed, seed % 2 ? 4 << 10 : 0);
        uint64_t high[2] = {0, 0}; /* the highest id that CMQ took, a topic */
        while (last_id < 1500) {
            commit(1 + chance(100), 3, true, true);
            for (unsigned i = chance(50); i > 0; i--)
                (void)step(20);
        }
        unsigned done_before[MAX_ROWS / 10] = {0};
        for (bool going = true; going;) {
            going = step(20);
            for (uint64_t id = 1; id <= last_id; id++) {
                if (rows[id].done == done_before[id])
                    continue;
                done_before[id] = rows[id].done;
                size_t topic = (size_t)(rows[id].destination[7] - '0');
                if (id > high[topic])
                    high[topic] = id;
            }
            /* everything of a topic below the highest that was taken has been taken too */
            for (uint64_t id = 1; id <= last_id; id++) {
                size_t topic = (size_t)(rows[id].destination[7] - '0');
                if (id < high[topic])
                    assert_int_equal(rows[id].done, 1);
            }
        }
        check_each_done_once();
        end();
    }
}

static void an_expired_delivery_is_buried_and_not_sent(void **state)
{
    (void)state;
    begin(6, 0);
    struct row *row = &rows[++last_id];
    *row = (struct row){.id = last_id, .expires_ms = clock_unix_ms() - 1};
    (void)snprintf(row->destination, sizeof row->destination, "queue q");
    row->lane = destination_lane(span_of(row->destination), false);
    lanes_add(lanes, copy_of(row));
    run_to_the_end(0);
    assert_int_equal(row->dead, 1);
    check_each_done_once();
    end();
}

static void while_cmq_takes_nothing_memory_stays_within_its_bound(void **state)
{
    (void)state;
    begin(7, 64 << 10);
    while (last_id < MAX_ROWS) {
        commit(500, 5, false, true);
        for (int i = 0; i < 50; i++) { /* every answer is a hold */
            (void)(pump_step() || writer_step() || timer_step());
            if (call_count > 0)
                answer(0, CMQ_HOLD);
        }
    }
    run_to_the_end(0);
    check_each_done_once();
    end();
}

int main(void)
{
    log_setup(LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_lane_sends_a_single_delivery_at_once),
        cmocka_unit_test(what_arrives_while_a_request_is_under_way_gathers_to_whole_batches),
        cmocka_unit_test(under_load_batches_are_full_and_all_connections_are_used),
        cmocka_unit_test(one_rejected_delivery_is_cut_out_and_buried_alone),
        cmocka_unit_test(one_that_cmq_always_fails_on_does_not_stop_the_others),
        cmocka_unit_test(a_strict_lane_keeps_its_order_whatever_fails),
        cmocka_unit_test(an_expired_delivery_is_buried_and_not_sent),
        cmocka_unit_test(while_cmq_takes_nothing_memory_stays_within_its_bound),
        cmocka_unit_test(each_delivery_is_done_exactly_once_whatever_fails_and_in_whatever_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
