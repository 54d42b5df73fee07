/* origin_test - a message survives being a dead letter. */
#include "mapping/origin.h"

#include "mapping/jsonview.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void assert_same(struct span a, struct span b)
{
    assert_int_equal(a.ptr != NULL, b.ptr != NULL);
    assert_true(span_eq(a, b));
}

static void assert_round_trip(const struct mqtt_message *m)
{
    struct buf json = BUF_INIT(1 << 20);
    struct jsonview view;
    assert_true(origin_write(m, &json));
    assert_true(jsonview_parse(buf_span(&json), JSONVIEW_MAX_DEPTH, &view));
    struct mqtt_message back;
    struct origin *keep;
    if (!origin_read(buf_span(&json), m->payload, &back, &keep))
        fail_msg("%s", buf_str(&json));
    buf_fini(&json); /* what was read stands on its own */
    assert_same(back.topic, m->topic);
    assert_true(span_eq(back.payload, m->payload));
    assert_int_equal(back.qos, m->qos);
    assert_int_equal(back.retain, m->retain);
    assert_true(back.received_ms == m->received_ms);
    assert_same(back.content_type, m->content_type);
    assert_same(back.response_topic, m->response_topic);
    assert_same(back.correlation, m->correlation);
    assert_int_equal(back.has_expiry, m->has_expiry);
    assert_int_equal(back.expiry_s, m->expiry_s);
    assert_int_equal(back.user_count, m->user_count);
    for (size_t i = 0; i < m->user_count; i++) {
        assert_same(back.user[i].key, m->user[i].key);
        assert_same(back.user[i].value, m->user[i].value);
    }
    assert_int_equal(back.subscription_id_count, m->subscription_id_count);
    for (size_t i = 0; i < m->subscription_id_count; i++)
        assert_int_equal(back.subscription_ids[i], m->subscription_ids[i]);
    origin_free(keep);
}

static void every_property_comes_back(void **state)
{
    (void)state;
    static const uint32_t ids[] = {1, 268435455};
    static const struct mqtt_user_property user[] = {
        {SPAN_LIT("a"), SPAN_LIT("1")},
        {SPAN_LIT(""), SPAN_LIT("")},
        {SPAN_LIT("a"), SPAN_LIT("\0\xff")},
        {SPAN_LIT("\xff"), SPAN_LIT("\"\\\n\xc3\xa9")},
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (unsigned set = 0; set < 128; set++) {
        struct mqtt_message m = {.topic = SPAN_LIT("a/b"), .payload = SPAN_LIT("\0\xff")};
        m.qos = (int)set % 3;
        m.retain = set & 1;
        m.received_ms = set & 2 ? 1795438171123 : set & 4 ? INT64_MAX : 0;
        if (set & 2)
            m.content_type = span_make(bytes, set & 1 ? sizeof bytes : 128);
        if (set & 4)
            m.response_topic = span_make(bytes, set & 1 ? 0 : 200);
        if (set & 8)
            m.correlation = span_make(bytes, set & 1 ? 0 : sizeof bytes);
        m.has_expiry = set & 16;
        m.expiry_s = m.has_expiry ? UINT32_MAX : 0;
        m.user = user;
        m.user_count = set & 32 ? ROWS(user) : 0;
        m.subscription_ids = ids;
        m.subscription_id_count = set & 64 ? ROWS(ids) : 0;
        assert_round_trip(&m);
    }
}

static void every_byte_of_a_topic_comes_back(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        char topic[] = {'a', (char)b, 'c'};
        struct mqtt_message m = {.topic = span_make(topic, sizeof topic)};
        assert_round_trip(&m);
    }
}

static void an_origin_is_readable(void **state)
{
    (void)state;
    const struct mqtt_message m = {
        .topic = SPAN_LIT("a/\xff"), .qos = 1, .received_ms = 5, .correlation = SPAN_LIT("id")};
    struct buf json = BUF_INIT(1024);
    assert_true(origin_write(&m, &json));
    assert_string_equal(buf_str(&json), "{\"topic_base64\":\"YS//\",\"qos\":1,\"retain\":false,"
                                        "\"received_ms\":5,\"correlation_base64\":\"aWQ=\"}");
    buf_fini(&json);
    struct buf small = BUF_INIT(10);
    assert_false(origin_write(&m, &small));
    buf_fini(&small);
}

#define FINE "\"topic\":\"a\",\"qos\":1,\"retain\":false,\"received_ms\":5"

static void damaged_origins_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{" FINE,
        "{\"qos\":1,\"retain\":false,\"received_ms\":5}",
        "{\"topic\":1,\"qos\":1,\"retain\":false,\"received_ms\":5}",
        "{\"topic\":\"\\ud800\",\"qos\":1,\"retain\":false,\"received_ms\":5}",
        "{\"topic_base64\":\"A\",\"qos\":1,\"retain\":false,\"received_ms\":5}",
        "{\"topic_base64\":\"\\u0041AAA\",\"qos\":1,\"retain\":false,\"received_ms\":5}",
        "{\"topic\":\"a\",\"retain\":false,\"received_ms\":5}",
        "{\"topic\":\"a\",\"qos\":3,\"retain\":false,\"received_ms\":5}",
        "{\"topic\":\"a\",\"qos\":1,\"received_ms\":5}",
        "{\"topic\":\"a\",\"qos\":1,\"retain\":0,\"received_ms\":5}",
        "{\"topic\":\"a\",\"qos\":1,\"retain\":true}",
        "{\"topic\":\"a\",\"qos\":1,\"retain\":true,\"received_ms\":-1}",
        "{\"topic\":\"a\",\"qos\":1,\"retain\":true,\"received_ms\":9223372036854775808}",
        "{" FINE ",\"expiry_s\":4294967296}",
        "{" FINE ",\"expiry_s\":\"1\"}",
        "{" FINE ",\"content_type\":null}",
        "{" FINE ",\"correlation_base64\":\"*\"}",
        "{" FINE ",\"user\":{\"a\":1}}",
        "{" FINE ",\"user\":{}}",
        "{" FINE ",\"user\":[1]}",
        "{" FINE ",\"user\":[{\"key\":\"a\"}]}",
        "{" FINE ",\"user\":[{\"key\":1,\"value\":\"a\"}]}",
        "{" FINE ",\"subscription_ids\":1}",
        "{" FINE ",\"subscription_ids\":[-1]}",
        "{" FINE ",\"subscription_ids\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
        "1,1,1,1]}",
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct mqtt_message m;
        struct origin *keep = (struct origin *)&m;
        if (origin_read(span_of(rows[i]), (struct span){NULL, 0}, &m, &keep))
            fail_msg("taken: %s", rows[i]);
        assert_null(keep);
    }
    struct buf many = BUF_INIT(1 << 16);
    buf_add_str(&many, "{" FINE ",\"user\":[{\"key\":\"\",\"value\":\"\"}");
    for (size_t i = 0; i < MQTT_MAX_USER_PROPERTIES; i++)
        buf_add_str(&many, ",{\"key\":\"\",\"value\":\"\"}");
    buf_add_str(&many, "]}");
    struct mqtt_message m;
    struct origin *keep;
    assert_false(origin_read(buf_span(&many), (struct span){NULL, 0}, &m, &keep));
    buf_fini(&many);
    origin_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_property_comes_back),
        cmocka_unit_test(every_byte_of_a_topic_comes_back),
        cmocka_unit_test(an_origin_is_readable),
        cmocka_unit_test(damaged_origins_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
