/* Origins out of a damaged spool: what reads can be written, and reads the same. */
#include "mapping/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_JSON = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mqtt_message message, again;
    struct origin *keep, *keep_again;
    struct span payload = {"p", 1};
    if (!origin_read(span_make(data, size), payload, &message, &keep))
        return 0;
    struct buf json = BUF_INIT(MAX_JSON), same = BUF_INIT(MAX_JSON);
    CHECK(origin_write(&message, &json));
    CHECK(origin_read(buf_span(&json), payload, &again, &keep_again));
    CHECK(origin_write(&again, &same));
    CHECK(span_eq(buf_span(&json), buf_span(&same)));
    buf_fini(&json);
    buf_fini(&same);
    origin_free(keep);
    origin_free(keep_again);
    return 0;
}
