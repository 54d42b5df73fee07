/* Rates of the last minute, and what the process takes. */
#include "base/clock.h"
#include "gateway/process.h"
#include "gateway/sampler.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs the pump, here, until the clock has moved on by this much. */
struct pause {
    struct pump_timer timer;
    bool over;
};

static void end_pause(void *ctx)
{
    struct pause *pause = ctx;
    pause->over = true;
}

static void run_for(struct pump *pump, int64_t ms)
{
    struct pause pause = {.timer = {.fn = end_pause, .ctx = &pause}};
    pump_timer_set(pump, &pause.timer, ms);
    pump_run(pump, &pause.over);
}

static void rates_are_of_what_was_counted_since(void **state)
{
    struct err err;
    struct sampler_rates rates;
    struct counters *counters = counters_new();
    struct pump *pump = pump_new(&err);
    (void)state;
    counters_add(counters, COUNTER_RECEIVED, 1000); /* before it began */
    struct sampler *sampler = sampler_new(pump, counters);
    run_for(pump, 20);
    counters_add(counters, COUNTER_RECEIVED, 50);
    sampler_read(sampler, &rates);
    assert_true(rates.window_s >= 0.02);
    assert_true(fabs(rates.per_s[COUNTER_RECEIVED] * rates.window_s - 50) < 1e-6);
    assert_true(fabs(rates.per_s[COUNTER_DELIVERED]) < 1e-9);
    pump_stop(pump);
    sampler_free(sampler);
    pump_free(pump);
    counters_free(counters);
}

static void a_pump_that_takes_no_turn_is_seen(void **state)
{
    struct err err;
    struct counters *counters = counters_new();
    struct pump *pump = pump_new(&err);
    (void)state;
    struct sampler *sampler = sampler_new(pump, counters);
    while (sampler_silent_ms(sampler) < 30) /* the pump does not run */
        continue;
    pump_stop(pump);
    sampler_free(sampler);
    pump_free(pump);
    counters_free(counters);
}

static void the_process_is_known(void **state)
{
    struct process_figures before, after;
    (void)state;
    process_read(&before);
    assert_true(before.rss_bytes > 100000);
    assert_true(before.virtual_bytes >= before.rss_bytes);
    assert_int_equal(before.threads, 1);
    assert_true(before.open_files >= 3);
    assert_true(before.max_open_files >= before.open_files);
    double now_s = (double)clock_unix_ms() / 1000;
    assert_true(before.start_s > now_s - 3600 && before.start_s < now_s + 2);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    process_read(&after);
    assert_int_equal(after.open_files, before.open_files + 1);
    assert_true(after.cpu_s >= before.cpu_s);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_of_what_was_counted_since),
        cmocka_unit_test(a_pump_that_takes_no_turn_is_seen),
        cmocka_unit_test(the_process_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
