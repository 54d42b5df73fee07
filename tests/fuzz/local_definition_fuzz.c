/*
 * Any bytes as the definitions of a data file: the first line a queue, the rest a topic. What is
 * taken is written and taken again, and is then the same.
 */
#include "base/check.h"
#include "local/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct depot_limits limits = {1 << 16, 50, 10};

/* Adds both and writes what came of them; false when one was refused. */
static bool round_trip(struct span queue, struct span topic, struct buf *queue_out,
                       struct buf *topic_out)
{
    struct err err;
    struct store *store = store_new(&limits, 1000000);
    bool ok = definition_add_queue(store, 7, queue, &err) && definition_bind(store, queue, &err) &&
              definition_add_topic(store, 8, topic, &err);
    if (ok) {
        definition_of_queue(store_next_queue(store, NULL), queue_out);
        definition_of_topic(store_next_topic(store, NULL), topic_out);
        CHECK(!queue_out->overflow && !topic_out->overflow);
    }
    store_free(store);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make((const char *)data, size);
    size_t end = span_find(all, '\n');
    struct buf queue[2] = {BUF_INIT(1 << 24), BUF_INIT(1 << 24)};
    struct buf topic[2] = {BUF_INIT(1 << 24), BUF_INIT(1 << 24)};
    if (round_trip(span_slice(all, 0, end), span_slice(all, end + 1, all.len), &queue[0],
                   &topic[0])) {
        CHECK(round_trip(buf_span(&queue[0]), buf_span(&topic[0]), &queue[1], &topic[1]));
        CHECK(span_eq(buf_span(&queue[0]), buf_span(&queue[1])));
        CHECK(span_eq(buf_span(&topic[0]), buf_span(&topic[1])));
    }
    for (size_t i = 0; i < 2; i++) {
        buf_fini(&queue[i]);
        buf_fini(&topic[i]);
    }
    return 0;
}
