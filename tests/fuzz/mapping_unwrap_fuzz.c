/* CloudEvents from outside: what unwraps can be wrapped again, and comes out the same. */
#include "mapping/envelope.h"
#include "mapping/unwrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BODY = 1 << 22 };

static void compare(const struct mqtt_message *a, const struct mqtt_message *b)
{
    CHECK(span_eq(a->topic, b->topic) && span_eq(a->payload, b->payload));
    CHECK(span_eq(a->content_type, b->content_type));
    CHECK(!a->content_type.ptr == !b->content_type.ptr);
    CHECK(span_eq(a->response_topic, b->response_topic));
    CHECK(span_eq(a->correlation, b->correlation));
    CHECK(a->qos == b->qos && a->retain == b->retain);
    CHECK(a->has_expiry == b->has_expiry && a->expiry_s == b->expiry_s);
}

/* Without user properties: a wrapper takes cmqgwvia out of them. */
static void wrap_again(struct mqtt_message message)
{
    static const struct envelope_context context = {.gateway = SPAN_LIT("gw"), .id = 1};
    struct buf body = BUF_INIT(MAX_BODY);
    struct err err;
    message.user_count = 0;
    message.topic = message.topic.ptr ? message.topic : span_of("");
    if (envelope_write(ENVELOPE_CLOUDEVENTS, &message, &context, &body, &err)) {
        struct unwrapped again;
        CHECK(envelope_unwrap(buf_span(&body), &again, &err));
        compare(&message, &again.message);
        unwrapped_fini(&again);
    } else {
        CHECK(span_starts(span_of(err.text), "too_large: "));
    }
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unwrapped u;
    struct err err = {""};
    if (envelope_unwrap(span_make(data, size), &u, &err))
        wrap_again(u.message);
    else
        CHECK(span_starts(span_of(err.text), "event_invalid: "));
    unwrapped_fini(&u);
    return 0;
}
