/* A thread that does one thing after the other. */
#include "gateway/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scene {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open; /* jobs may end */
    bool begun;
    int done, cancelled;
};

static void job(void *ctx, bool cancelled)
{
    struct scene *scene = ctx;
    pthread_mutex_lock(&scene->mutex);
    scene->begun = true;
    pthread_cond_broadcast(&scene->changed);
    while (!cancelled && !scene->open)
        pthread_cond_wait(&scene->changed, &scene->mutex);
    scene->done += !cancelled;
    scene->cancelled += cancelled;
    pthread_mutex_unlock(&scene->mutex);
}

static void open_scene(struct scene *scene)
{
    pthread_mutex_lock(&scene->mutex);
    scene->open = true;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->mutex);
}

static void wait_begun(struct scene *scene)
{
    pthread_mutex_lock(&scene->mutex);
    while (!scene->begun)
        pthread_cond_wait(&scene->changed, &scene->mutex);
    pthread_mutex_unlock(&scene->mutex);
}

#define SCENE                                                                                      \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                    \
    }

static void *stop(void *worker)
{
    worker_stop(worker);
    return NULL;
}

static void what_waits_when_it_stops_is_cancelled_and_what_runs_is_waited_for(void **state)
{
    struct scene scene = SCENE;
    pthread_t stopper;
    (void)state;
    struct worker *worker = worker_new("test", 2);
    assert_true(worker_post(worker, job, &scene));
    wait_begun(&scene);
    assert_true(worker_post(worker, job, &scene));
    assert_true(worker_post(worker, job, &scene));
    assert_false(worker_post(worker, job, &scene)); /* two wait */
    assert_false(worker_stopping(worker));
    assert_int_equal(pthread_create(&stopper, NULL, stop, worker), 0);
    while (!worker_stopping(worker))
        continue;
    assert_false(worker_post(worker, job, &scene));
    open_scene(&scene);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(scene.done, 1);
    assert_int_equal(scene.cancelled, 2);
    worker_free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_when_it_stops_is_cancelled_and_what_runs_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
