/*
 * pump - see pump.h
 *
 * One thread turns: what was posted, the timers that are due, the exchanges; then it waits in
 * curl_multi_poll for a socket, the next timer or curl_multi_wakeup. Everything but the list of
 * posts and the wish to end belongs to that thread alone. It is stopped by pump_stop, and from then
 * on belongs to whoever called that.
 */
#include "cmq/pump_impl.h"

#include "base/clock.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <utlist.h>

enum { MAX_WAIT_MS = 60000 };

struct post {
    struct post *prev, *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct pump *pump_new(struct err *err)
{
    struct pump *pump = check_alloc(calloc(1, sizeof *pump));
    if (!transfers_init(&pump->transfers)) {
        free(pump);
        (void)err_set(err, "libcurl cannot be set up: no memory or no file descriptors");
        return NULL;
    }
    CHECK(pthread_mutex_init(&pump->lock, NULL) == 0);
    return pump;
}

static void wake(struct pump *pump)
{
    (void)curl_multi_wakeup(pump->transfers.multi);
}

void pump_post(struct pump *pump, void (*fn)(void *ctx), void *ctx)
{
    struct post *post = check_alloc(malloc(sizeof *post));
    *post = (struct post){.fn = fn, .ctx = ctx};
    CHECK(pthread_mutex_lock(&pump->lock) == 0);
    bool first = !pump->posts; /* of those behind it, each finds the pump already woken */
    DL_APPEND(pump->posts, post);
    CHECK(pthread_mutex_unlock(&pump->lock) == 0);
    if (first)
        wake(pump);
}

/* Whether there was one. Those that are posted meanwhile wait for the next turn. */
static bool run_posts(struct pump *pump)
{
    CHECK(pthread_mutex_lock(&pump->lock) == 0);
    struct post *posts = pump->posts, *post, *next;
    pump->posts = NULL;
    CHECK(pthread_mutex_unlock(&pump->lock) == 0);
    DL_FOREACH_SAFE(posts, post, next)
    {
        post->fn(post->ctx);
        free(post);
    }
    return posts != NULL;
}

struct errand {
    void (*fn)(void *ctx);
    void *ctx;
    sem_t done;
};

static void run_errand(void *ctx)
{
    struct errand *errand = ctx;
    errand->fn(errand->ctx);
    CHECK(sem_post(&errand->done) == 0);
}

void pump_call(struct pump *pump, void (*fn)(void *ctx), void *ctx)
{
    struct errand errand = {.fn = fn, .ctx = ctx};
    CHECK(sem_init(&errand.done, 0, 0) == 0);
    pump_post(pump, run_errand, &errand);
    while (sem_wait(&errand.done) != 0)
        CHECK(errno == EINTR);
    CHECK(sem_destroy(&errand.done) == 0);
}

/* One turn; it does not wait when *stop has become true. */
static void turn(struct pump *pump, const bool *stop)
{
    (void)run_posts(pump);
    timers_fire(&pump->timers, clock_mono_ms());
    if (transfers_move(&pump->transfers) || *stop)
        return; /* what ended is likely to have started something */
    transfers_wait(&pump->transfers, timers_wait(&pump->timers, clock_mono_ms(), MAX_WAIT_MS));
}

static bool is_ending(struct pump *pump)
{
    CHECK(pthread_mutex_lock(&pump->lock) == 0);
    bool ending = pump->ending;
    CHECK(pthread_mutex_unlock(&pump->lock) == 0);
    return ending;
}

static void *thread_main(void *ctx)
{
    struct pump *pump = ctx;
    (void)pthread_setname_np(pthread_self(), "pump");
    static const bool never = false; /* pump_stop wakes the waiting instead */
    while (!is_ending(pump))
        turn(pump, &never);
    return NULL;
}

bool pump_start(struct pump *pump, struct err *err)
{
    sigset_t all, before; /* signals are for the main thread */
    CHECK(!pump->started && sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(&pump->thread, NULL, thread_main, pump);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (error)
        return err_set(err, "the thread for requests cannot be started: %s", strerror(error));
    pump->started = true;
    return true;
}

void pump_run(struct pump *pump, const bool *stop)
{
    while (!*stop)
        turn(pump, stop);
}

void pump_stop(struct pump *pump)
{
    if (pump->started) {
        CHECK(pthread_mutex_lock(&pump->lock) == 0);
        pump->ending = true;
        CHECK(pthread_mutex_unlock(&pump->lock) == 0);
        wake(pump);
        CHECK(pthread_join(pump->thread, NULL) == 0);
        pump->started = false;
    }
    do {
        transfers_end(&pump->transfers);
    } while (run_posts(pump) || pump_in_flight(pump) > 0);
}

void pump_free(struct pump *pump)
{
    if (!pump)
        return;
    CHECK(!pump->started);
    pump_stop(pump);
    transfers_fini(&pump->transfers);
    timers_fini(&pump->timers);
    CHECK(pthread_mutex_destroy(&pump->lock) == 0);
    free(pump);
}
