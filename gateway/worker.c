/* worker - see worker.h. The mutex guards what waits. */
#include "gateway/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <utlist.h>

struct job {
    struct job *prev, *next;
    void (*fn)(void *ctx, bool cancelled);
    void *ctx;
};

struct worker {
    pthread_t thread;
    size_t max_waiting;
    atomic_bool stopping;
    bool stopped;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *jobs;
    size_t waiting;
};

static struct job *next_locked(struct worker *worker)
{
    struct job *job = worker->jobs;
    if (job) {
        DL_DELETE(worker->jobs, job);
        worker->waiting--;
    }
    return job;
}

static void *loop(void *arg)
{
    struct worker *worker = arg;
    for (;;) {
        pthread_mutex_lock(&worker->mutex);
        while (!worker->jobs && !atomic_load(&worker->stopping))
            pthread_cond_wait(&worker->changed, &worker->mutex);
        struct job *job = atomic_load(&worker->stopping) ? NULL : next_locked(worker);
        pthread_mutex_unlock(&worker->mutex);
        if (!job)
            return NULL;
        job->fn(job->ctx, false);
        free(job);
    }
}

struct worker *worker_new(const char *name, size_t max_waiting)
{
    struct worker *worker = check_alloc(calloc(1, sizeof *worker));
    worker->max_waiting = max_waiting;
    CHECK(pthread_mutex_init(&worker->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&worker->changed, NULL) == 0);
    CHECK(pthread_create(&worker->thread, NULL, loop, worker) == 0);
    (void)pthread_setname_np(worker->thread, name);
    return worker;
}

bool worker_post(struct worker *worker, void (*fn)(void *ctx, bool cancelled), void *ctx)
{
    pthread_mutex_lock(&worker->mutex);
    bool room = worker->waiting < worker->max_waiting && !atomic_load(&worker->stopping);
    if (room) {
        struct job *job = check_alloc(malloc(sizeof *job));
        job->fn = fn;
        job->ctx = ctx;
        DL_APPEND(worker->jobs, job);
        worker->waiting++;
        pthread_cond_signal(&worker->changed);
    }
    pthread_mutex_unlock(&worker->mutex);
    return room;
}

bool worker_stopping(const struct worker *worker)
{
    return atomic_load(&worker->stopping);
}

void worker_stop(struct worker *worker)
{
    if (worker->stopped)
        return;
    worker->stopped = true;
    pthread_mutex_lock(&worker->mutex);
    atomic_store(&worker->stopping, true);
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    CHECK(pthread_join(worker->thread, NULL) == 0);
    for (struct job *job; (job = next_locked(worker));) { /* nobody else is left */
        job->fn(job->ctx, true);
        free(job);
    }
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    worker_stop(worker);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}
