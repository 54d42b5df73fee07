/* timers - the pump's binary heap: see pump.h and pump_impl.h. */
#include "cmq/pump_impl.h"

#include "base/clock.h"

enum { FIRST_ROOM = 64 };

void timers_fini(struct timers *timers)
{
    free(timers->at);
    *timers = (struct timers){0};
}

static void place(struct timers *timers, size_t at, struct pump_timer *timer)
{
    timers->at[at] = timer;
    timer->place = at + 1;
}

static void sift_up(struct timers *timers, size_t at)
{
    struct pump_timer *timer = timers->at[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (timers->at[parent]->due_ms <= timer->due_ms)
            break;
        place(timers, at, timers->at[parent]);
        at = parent;
    }
    place(timers, at, timer);
}

static void sift_down(struct timers *timers, size_t at)
{
    struct pump_timer *timer = timers->at[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->at[child + 1]->due_ms < timers->at[child]->due_ms)
            child++;
        if (timer->due_ms <= timers->at[child]->due_ms)
            break;
        place(timers, at, timers->at[child]);
        at = child;
    }
    place(timers, at, timer);
}

static void take_out(struct timers *timers, struct pump_timer *timer)
{
    size_t at = timer->place - 1;
    CHECK(at < timers->count && timers->at[at] == timer);
    timer->place = 0;
    struct pump_timer *last = timers->at[--timers->count];
    if (last == timer)
        return;
    place(timers, at, last);
    sift_up(timers, at);
    sift_down(timers, last->place - 1);
}

void pump_timer_set(struct pump *pump, struct pump_timer *timer, int64_t delay_ms)
{
    struct timers *timers = &pump->timers;
    CHECK(timer->fn);
    if (timer->place)
        take_out(timers, timer);
    timer->due_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
    if (timers->count == timers->room) {
        timers->room = timers->room ? 2 * timers->room : FIRST_ROOM;
        timers->at = check_alloc(realloc(timers->at, timers->room * sizeof(struct pump_timer *)));
    }
    place(timers, timers->count++, timer);
    sift_up(timers, timer->place - 1);
}

void pump_timer_clear(struct pump *pump, struct pump_timer *timer)
{
    if (timer->place)
        take_out(&pump->timers, timer);
}

void timers_fire(struct timers *timers, int64_t now_ms)
{
    /* One that sets itself anew for now must not keep the loop here: so many, then the others. */
    for (size_t left = timers->count; left > 0 && timers->count > 0; left--) {
        struct pump_timer *timer = timers->at[0];
        if (timer->due_ms > now_ms)
            break;
        take_out(timers, timer);
        timer->fn(timer->ctx);
    }
}

int64_t timers_wait(const struct timers *timers, int64_t now_ms, int64_t max_ms)
{
    if (timers->count == 0)
        return max_ms;
    int64_t wait_ms = timers->at[0]->due_ms - now_ms;
    return wait_ms < 0 ? 0 : wait_ms > max_ms ? max_ms : wait_ms;
}
