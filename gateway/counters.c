/* counters - see counters.h. The mutex guards the reasons; the plain counters are atomics. */
#include "gateway/counters.h"

#include <pthread.h>
#include <stdatomic.h>

enum { COUNTERS_MAX_REASONS = 64, COUNTERS_MAX_REASON_LEN = 47 };

#define MS 1000
#define S 1000000
static const struct histogram_scale scales[SPREAD_COUNT] = {
    [SPREAD_BATCH] = {{1, 2, 4, 8, 12, 15, 16}, 7},
    [SPREAD_REQUEST] = {{1 * MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS,
                         500 * MS, 1 * S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S},
                        15},
    [SPREAD_DELIVERY] = {{2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS,
                          1 * S, 2 * S, 5 * S, 10 * S, 30 * S, 60 * S, UINT64_C(300) * S,
                          UINT64_C(1800) * S, UINT64_C(7200) * S, UINT64_C(43200) * S},
                         18},
    [SPREAD_PUBLISH] = {{1 * MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS,
                         500 * MS, 1 * S, 2 * S, 5 * S, 10 * S, 30 * S},
                        14},
};

struct reason {
    char code[COUNTERS_MAX_REASON_LEN + 1];
    uint64_t count;
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
    struct histogram spreads[SPREAD_COUNT];
    struct figures_book *book;
    pthread_mutex_t mutex;
    struct reason reasons[COUNTERS_MAX_REASONS]; /* the last one also takes what finds no room */
    size_t reason_count;
};

static const char *const names[COUNTER_COUNT] = {
    [COUNTER_RECEIVED] = "received",
    [COUNTER_MATCHED] = "matched",
    [COUNTER_PLANNED] = "planned",
    [COUNTER_PLANNED_BYTES] = "planned_bytes",
    [COUNTER_DELIVERED] = "delivered",
    [COUNTER_UNROUTED_ACCEPTED] = "unrouted_accepted",
    [COUNTER_REQUESTS] = "requests",
    [COUNTER_RETRIED] = "retried",
    [COUNTER_HELD] = "held",
    [COUNTER_CUT] = "cut",
    [COUNTER_DEAD] = "dead",
    [COUNTER_COPIES] = "copies",
    [COUNTER_DROPPED_NO_RULE] = "dropped_no_rule",
    [COUNTER_DROPPED_RETAINED] = "dropped_retained",
    [COUNTER_DROPPED_LOOP] = "dropped_loop",
    [COUNTER_DROPPED_QOS0] = "dropped_qos0",
    [COUNTER_REFUSED] = "refused",
    [COUNTER_POLLS] = "polls",
    [COUNTER_TAKEN] = "taken",
    [COUNTER_PUBLISHED] = "published",
    [COUNTER_PARKED] = "parked",
    [COUNTER_RECOGNISED] = "recognised",
    [COUNTER_TOO_LATE] = "too_late",
    [COUNTER_DELETED] = "deleted",
};

struct counters *counters_new(void)
{
    struct counters *counters = check_alloc(calloc(1, sizeof *counters));
    CHECK(pthread_mutex_init(&counters->mutex, NULL) == 0);
    counters->book = figures_book_new();
    for (int i = 0; i < SPREAD_COUNT; i++)
        counters->spreads[i].scale = &scales[i];
    return counters;
}

void counters_free(struct counters *counters)
{
    if (!counters)
        return;
    figures_book_free(counters->book);
    pthread_mutex_destroy(&counters->mutex);
    free(counters);
}

void counters_add(struct counters *counters, enum counter which, uint64_t n)
{
    atomic_fetch_add_explicit(&counters->values[which], n, memory_order_relaxed);
}

uint64_t counters_get(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->values[which], memory_order_relaxed);
}

void counters_dead(struct counters *counters, struct figures *rule, struct span reason)
{
    counters_add(counters, COUNTER_DEAD, 1);
    figures_dead(rule, reason);
    struct span code = span_slice(reason, 0, span_find(reason, ':'));
    code = span_slice(code, 0, COUNTERS_MAX_REASON_LEN);
    pthread_mutex_lock(&counters->mutex);
    size_t i = 0;
    while (i < counters->reason_count && !span_eq_str(code, counters->reasons[i].code))
        i++;
    if (i == COUNTERS_MAX_REASONS) {
        i--;
    } else if (i == counters->reason_count) {
        counters->reason_count++;
        if (code.len)
            memcpy(counters->reasons[i].code, code.ptr, code.len);
    }
    counters->reasons[i].count++;
    pthread_mutex_unlock(&counters->mutex);
}

struct figures_book *counters_book(const struct counters *counters)
{
    return counters->book;
}

struct histogram *counters_spread(struct counters *counters, enum spread which)
{
    return &counters->spreads[which];
}

void counters_each_reason(struct counters *counters,
                          void (*fn)(void *ctx, const char *code, uint64_t count), void *ctx)
{
    struct reason copy[COUNTERS_MAX_REASONS];
    pthread_mutex_lock(&counters->mutex);
    size_t count = counters->reason_count;
    memcpy(copy, counters->reasons, count * sizeof *copy);
    pthread_mutex_unlock(&counters->mutex);
    for (size_t i = 0; i < count; i++)
        fn(ctx, copy[i].code, copy[i].count);
}

const char *counter_name(enum counter which)
{
    return names[which];
}

static void print_reasons(struct counters *counters, struct buf *out)
{
    pthread_mutex_lock(&counters->mutex);
    for (size_t i = 0; i < counters->reason_count; i++) {
        buf_add_str(out, i == 0 ? " (" : ", ");
        buf_printf(out, "%s %llu", counters->reasons[i].code,
                   (unsigned long long)counters->reasons[i].count);
    }
    if (counters->reason_count > 0)
        buf_add_char(out, ')');
    pthread_mutex_unlock(&counters->mutex);
}

void counters_print(struct counters *counters, struct buf *out)
{
    bool first = true;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        uint64_t n = counters_get(counters, (enum counter)i);
        if (n == 0)
            continue;
        buf_printf(out, "%s%s %llu", first ? "" : ", ", names[i], (unsigned long long)n);
        first = false;
        if (i == COUNTER_DEAD)
            print_reasons(counters, out);
    }
    if (first)
        buf_add_str(out, "nothing yet");
}
