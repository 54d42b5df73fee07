/* What rules did, and how values are spread. */
#include "gateway/counters.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct figures_shot shot_of(struct figures_book *book, enum figures_direction direction,
                                   const char *rule)
{
    struct figures_shot shot;
    assert_true(figures_read(book, direction, span_of(rule), &shot));
    return shot;
}

static void a_rule_that_comes_back_finds_its_figures(void **state)
{
    struct figures_book *book = figures_book_new();
    (void)state;
    struct figures *row = figures_enter(book, FIGURES_FORWARD, span_of("r"));
    figures_add(row, FIGURE_MATCHED, 2);
    figures_add(row, FIGURE_DELIVERED, 3);
    figures_message(row, 1234);
    assert_ptr_equal(figures_enter(book, FIGURES_FORWARD, span_of("r")), row);
    struct figures_shot shot = shot_of(book, FIGURES_FORWARD, "r");
    assert_int_equal(shot.values[FIGURE_MATCHED], 2);
    assert_int_equal(shot.values[FIGURE_DELIVERED], 3);
    assert_int_equal(shot.message_ms, 1234);
    assert_int_equal(shot.error_ms, 0);
    assert_string_equal(shot.error, "");
    figures_book_free(book);
}

static void rules_of_both_directions_are_told_apart(void **state)
{
    struct figures_book *book = figures_book_new();
    struct figures_shot shot;
    (void)state;
    struct figures *up = figures_enter(book, FIGURES_FORWARD, span_of("r"));
    struct figures *down = figures_enter(book, FIGURES_REVERSE, span_of("r"));
    assert_ptr_not_equal(up, down);
    assert_ptr_equal(figures_of_delivery(book, span_of("r")), up);
    struct figures *only_down = figures_enter(book, FIGURES_REVERSE, span_of("parks"));
    assert_ptr_equal(figures_of_delivery(book, span_of("parks")), only_down);
    assert_false(figures_read(book, FIGURES_FORWARD, span_of("of an earlier run"), &shot));
    struct figures *earlier = figures_of_delivery(book, span_of("of an earlier run"));
    figures_add(earlier, FIGURE_DELIVERED, 1);
    assert_int_equal(shot_of(book, FIGURES_FORWARD, "of an earlier run").values[FIGURE_DELIVERED],
                     1);
    figures_book_free(book);
}

static void dead_letters_are_counted_by_code_and_are_the_last_error(void **state)
{
    struct figures_book *book = figures_book_new();
    char reason[64];
    (void)state;
    struct figures *row = figures_enter(book, FIGURES_FORWARD, span_of("r"));
    figures_dead(row, span_of("raw_nul: one"));
    figures_dead(row, span_of("raw_nul: two"));
    figures_dead(row, span_of("no colon"));
    struct figures_shot shot = shot_of(book, FIGURES_FORWARD, "r");
    assert_int_equal(shot.values[FIGURE_DEAD], 3);
    assert_int_equal(shot.reason_count, 2);
    assert_string_equal(shot.reasons[0].code, "raw_nul");
    assert_int_equal(shot.reasons[0].count, 2);
    assert_string_equal(shot.error, "no colon");
    assert_true(shot.error_ms > 0);
    for (int i = 0; i < 2 * FIGURES_MAX_REASONS; i++) {
        (void)snprintf(reason, sizeof reason, "code_%d: x", i);
        figures_dead(row, span_of(reason));
    }
    shot = shot_of(book, FIGURES_FORWARD, "r");
    assert_int_equal(shot.reason_count, FIGURES_MAX_REASONS);
    assert_string_equal(shot.reasons[FIGURES_MAX_REASONS - 1].code, "other");
    uint64_t sum = 0;
    for (size_t i = 0; i < shot.reason_count; i++)
        sum += shot.reasons[i].count;
    assert_int_equal(sum, shot.values[FIGURE_DEAD]);
    figures_book_free(book);
}

static void long_texts_are_cut(void **state)
{
    static char text[4096];
    struct figures_book *book = figures_book_new();
    (void)state;
    memset(text, 'x', sizeof text - 1);
    struct figures *row = figures_enter(book, FIGURES_FORWARD, span_of(text));
    assert_ptr_equal(figures_of_delivery(book, span_of(text)), row);
    figures_error(row, span_of(text));
    assert_int_equal(strlen(shot_of(book, FIGURES_FORWARD, text).error), FIGURES_ERROR_BYTES - 1);
    figures_book_free(book);
}

static void note_name(void *ctx, const struct figures_shot *shot)
{
    buf_printf(ctx, "%s%s ", shot->direction == FIGURES_FORWARD ? ">" : "<", shot->rule);
}

static void rows_come_forward_rules_first_as_they_were_entered(void **state)
{
    static const char *const rules[] = {"z", "a", "m"};
    struct figures_book *book = figures_book_new();
    struct buf names = BUF_INIT(256);
    (void)state;
    figures_enter(book, FIGURES_REVERSE, span_of("down"));
    for (int i = 0; i < 3; i++)
        figures_enter(book, FIGURES_FORWARD, span_of(rules[i]));
    figures_each(book, note_name, &names);
    assert_string_equal(buf_str(&names), ">z >a >m <down ");
    buf_fini(&names);
    figures_book_free(book);
}

enum { THREADS = 4, TURNS = 20000 };

static void *count_much(void *book)
{
    for (int i = 0; i < TURNS; i++) {
        struct figures *row = figures_enter(book, FIGURES_FORWARD, span_of(i % 2 ? "a" : "b"));
        figures_add(row, FIGURE_DELIVERED, 1);
        if (i % 100 == 0)
            figures_dead(row, span_of("code: x"));
    }
    return NULL;
}

static void threads_that_count_together_lose_nothing(void **state)
{
    pthread_t threads[THREADS];
    struct figures_book *book = figures_book_new();
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, book), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    struct figures_shot a = shot_of(book, FIGURES_FORWARD, "a");
    struct figures_shot b = shot_of(book, FIGURES_FORWARD, "b");
    assert_int_equal(a.values[FIGURE_DELIVERED], THREADS * TURNS / 2);
    assert_int_equal(b.reasons[0].count, THREADS * TURNS / 100);
    figures_book_free(book);
}

static void values_fall_into_the_bucket_that_includes_them(void **state)
{
    static const struct histogram_scale scale = {{10, 20}, 2};
    static const uint64_t values[] = {0, 10, 11, 20, 21, 1000};
    struct histogram histogram = {.scale = &scale};
    struct histogram_shot shot;
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        histogram_add(&histogram, values[i]);
    histogram_read(&histogram, &shot);
    assert_int_equal(shot.buckets[0], 2);
    assert_int_equal(shot.buckets[1], 2);
    assert_int_equal(shot.buckets[2], 2);
    assert_int_equal(shot.count, 6);
    assert_int_equal(shot.sum, 1062);
    assert_true(fabs(histogram_mean(&shot) - 177) < 1e-9);
}

static void quantiles_are_estimated_within_their_bucket(void **state)
{
    static const struct histogram_scale scale = {{10, 20}, 2};
    struct histogram histogram = {.scale = &scale};
    struct histogram_shot shot;
    (void)state;
    histogram_read(&histogram, &shot);
    assert_true(isnan(histogram_quantile(&shot, 0.5)));
    assert_true(isnan(histogram_mean(&shot)));
    for (int i = 0; i < 10; i++)
        histogram_add(&histogram, 15);
    histogram_read(&histogram, &shot);
    assert_true(fabs(histogram_quantile(&shot, 0.5) - 15) < 1e-9);
    assert_true(fabs(histogram_quantile(&shot, 1) - 20) < 1e-9);
    assert_true(fabs(histogram_quantile(&shot, 0) - 10) < 1e-9);
    for (int i = 0; i < 100; i++)
        histogram_add(&histogram, 99);
    histogram_read(&histogram, &shot);
    assert_true(fabs(histogram_quantile(&shot, 0.99) - 20) < 1e-9); /* as far as is known */
}

static void note_reason(void *ctx, const char *code, uint64_t count)
{
    buf_printf(ctx, "%s=%d ", code, (int)count);
}

static void a_dead_letter_counts_for_the_whole_and_for_its_rule(void **state)
{
    struct counters *counters = counters_new();
    struct buf reasons = BUF_INIT(256);
    (void)state;
    struct figures *rule = figures_enter(counters_book(counters), FIGURES_REVERSE, span_of("r"));
    counters_dead(counters, rule, span_of("b: x"));
    counters_dead(counters, rule, span_of("a: x"));
    counters_dead(counters, rule, span_of("b: y"));
    counters_each_reason(counters, note_reason, &reasons);
    assert_string_equal(buf_str(&reasons), "b=2 a=1 ");
    assert_int_equal(counters_get(counters, COUNTER_DEAD), 3);
    assert_int_equal(shot_of(counters_book(counters), FIGURES_REVERSE, "r").values[FIGURE_DEAD], 3);
    buf_fini(&reasons);
    counters_free(counters);
}

static void every_spread_has_growing_bounds(void **state)
{
    struct counters *counters = counters_new();
    (void)state;
    for (int i = 0; i < SPREAD_COUNT; i++) {
        const struct histogram_scale *scale = counters_spread(counters, (enum spread)i)->scale;
        assert_in_range(scale->count, 2, HISTOGRAM_MAX_BOUNDS);
        for (size_t k = 1; k < scale->count; k++)
            assert_true(scale->bounds[k] > scale->bounds[k - 1]);
    }
    counters_free(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_that_comes_back_finds_its_figures),
        cmocka_unit_test(rules_of_both_directions_are_told_apart),
        cmocka_unit_test(dead_letters_are_counted_by_code_and_are_the_last_error),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(rows_come_forward_rules_first_as_they_were_entered),
        cmocka_unit_test(threads_that_count_together_lose_nothing),
        cmocka_unit_test(values_fall_into_the_bucket_that_includes_them),
        cmocka_unit_test(quantiles_are_estimated_within_their_bucket),
        cmocka_unit_test(a_dead_letter_counts_for_the_whole_and_for_its_rule),
        cmocka_unit_test(every_spread_has_growing_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
