/* Any bytes as a receipt handle: only the handle that was given out deletes. */
#include "local/queue.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    static const struct depot_limits limits = {1 << 20, 100, 100};
    const struct span bodies[] = {SPAN_LIT("a"), SPAN_LIT("b"), SPAN_LIT("c")};
    struct depot depot;
    struct queue queue;
    struct message *message;
    size_t count;
    char good[DEPOT_HANDLE_SIZE];
    depot_init(&depot, &limits, 1000);
    queue_init(&queue, &depot, span_of("q"), &plain);
    CHECK(queue_send(&queue, bodies, 3, 0, 1000, NULL) == QUEUE_OK);
    CHECK(queue_receive(&queue, 1, 1000, &message, &count) == QUEUE_OK && count == 1);
    size_t good_len = depot_handle(message, good);
    struct span given = span_make(data, size);
    while (given.len > 1 && given.ptr[0] == '0') /* the same number */
        given = span_slice(given, 1, given.len);
    bool is_good = span_eq(given, span_make(good, good_len));
    CHECK(queue_delete(&queue, span_make(data, size), 1000) == is_good);
    CHECK(queue.active_count == 2 && queue.inflight_count == !is_good);
    queue_fini(&queue);
    depot_fini(&depot);
    return 0;
}
