/* sampler - see sampler.h. The mutex guards the ring. */
#include "gateway/sampler.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SAMPLER_PERIOD_MS = 1000, SAMPLER_SAMPLES = 61 };

struct sample {
    int64_t mono_ms;
    uint64_t values[COUNTER_COUNT];
};

struct sampler {
    struct pump *pump;
    const struct counters *counters;
    struct pump_timer timer;
    _Atomic int64_t turn_ms; /* clock_mono_ms */

    pthread_mutex_t mutex;
    struct sample ring[SAMPLER_SAMPLES];
    size_t count; /* ever taken */
};

static void take(const struct sampler *sampler, struct sample *sample)
{
    sample->mono_ms = clock_mono_ms();
    for (int i = 0; i < COUNTER_COUNT; i++)
        sample->values[i] = counters_get(sampler->counters, (enum counter)i);
}

static void ticked(void *ctx)
{
    struct sampler *sampler = ctx;
    pthread_mutex_lock(&sampler->mutex);
    struct sample *sample = &sampler->ring[sampler->count++ % SAMPLER_SAMPLES];
    take(sampler, sample);
    atomic_store(&sampler->turn_ms, sample->mono_ms);
    pthread_mutex_unlock(&sampler->mutex);
    pump_timer_set(sampler->pump, &sampler->timer, SAMPLER_PERIOD_MS);
}

int64_t sampler_silent_ms(const struct sampler *sampler)
{
    int64_t silent_ms = clock_mono_ms() - atomic_load(&sampler->turn_ms);
    return silent_ms > 0 ? silent_ms : 0;
}

void sampler_read(struct sampler *sampler, struct sampler_rates *out)
{
    struct sample now, then;
    *out = (struct sampler_rates){0};
    take(sampler, &now);
    pthread_mutex_lock(&sampler->mutex);
    size_t oldest = sampler->count > SAMPLER_SAMPLES ? sampler->count - SAMPLER_SAMPLES : 0;
    then = sampler->ring[oldest % SAMPLER_SAMPLES];
    pthread_mutex_unlock(&sampler->mutex);
    if (now.mono_ms <= then.mono_ms)
        return;
    out->window_s = (double)(now.mono_ms - then.mono_ms) / 1000;
    for (int i = 0; i < COUNTER_COUNT; i++)
        out->per_s[i] = (double)(now.values[i] - then.values[i]) / out->window_s;
}

struct sampler *sampler_new(struct pump *pump, const struct counters *counters)
{
    struct sampler *sampler = check_alloc(calloc(1, sizeof *sampler));
    sampler->pump = pump;
    sampler->counters = counters;
    sampler->timer = (struct pump_timer){.fn = ticked, .ctx = sampler};
    CHECK(pthread_mutex_init(&sampler->mutex, NULL) == 0);
    ticked(sampler);
    return sampler;
}

void sampler_free(struct sampler *sampler)
{
    if (!sampler)
        return;
    pump_timer_clear(sampler->pump, &sampler->timer);
    pthread_mutex_destroy(&sampler->mutex);
    free(sampler);
}
