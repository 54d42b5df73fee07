/* Destinations out of a damaged spool: what parses is canonical. */
#include "mapping/destination.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make(data, size);
    struct buf store = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
    struct destination d;
    if (destination_parse(text, &d, &store)) {
        CHECK(destination_format(&d, &back));
        CHECK(span_eq(buf_span(&back), text));
    }
    struct span door = destination_door(text);
    CHECK(door.len <= text.len && span_eq(destination_door(door), door));
    buf_fini(&store);
    buf_fini(&back);
    return 0;
}
