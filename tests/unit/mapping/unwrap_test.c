/* unwrap_test - every message comes out of its CloudEvent as it went in; hostile events do not. */
#include "mapping/unwrap.h"

#include "mapping/envelope.h"
#include "tests/unit/mapping/generate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static void assert_same(struct span a, struct span b)
{
    assert_int_equal(a.ptr != NULL, b.ptr != NULL);
    assert_true(span_eq(a, b));
}

/* The values of a key, in order, and how many. */
static size_t values_of(const struct mqtt_message *m, struct span key, struct span *values)
{
    size_t n = 0;
    for (size_t i = 0; i < m->user_count; i++) {
        if (span_eq(m->user[i].key, key))
            values[n++] = m->user[i].value;
    }
    return n;
}

static void assert_same_message(const struct mqtt_message *a, const struct mqtt_message *b)
{
    assert_same(a->topic, b->topic);
    assert_true(span_eq(a->payload, b->payload));
    assert_int_equal(a->qos, b->qos);
    assert_int_equal(a->retain, b->retain);
    assert_same(a->content_type, b->content_type);
    assert_same(a->response_topic, b->response_topic);
    assert_same(a->correlation, b->correlation);
    assert_int_equal(a->has_expiry, b->has_expiry);
    assert_int_equal(a->expiry_s, b->expiry_s);
    assert_int_equal(a->user_count, b->user_count);
    for (size_t i = 0; i < a->user_count; i++) {
        struct span x[MQTT_MAX_USER_PROPERTIES], y[MQTT_MAX_USER_PROPERTIES];
        size_t n = values_of(a, a->user[i].key, x);
        assert_int_equal(values_of(b, a->user[i].key, y), n);
        for (size_t k = 0; k < n; k++)
            assert_same(x[k], y[k]);
    }
}

static void wrap(const struct mqtt_message *m, struct buf *body)
{
    const struct envelope_context context = {.gateway = SPAN_LIT("edge-1"), .id = 7};
    struct err err;
    if (!envelope_write(ENVELOPE_CLOUDEVENTS, m, &context, body, &err))
        fail_msg("%s", err.text);
    struct jsonview event;
    assert_true(jsonview_parse(buf_span(body), JSONVIEW_MAX_WRAPPED_DEPTH, &event));
}

static void assert_round_trip(const struct mqtt_message *m)
{
    struct buf body = BUF_INIT(1 << 20);
    wrap(m, &body);
    struct unwrapped u;
    struct err err;
    if (!envelope_unwrap(buf_span(&body), &u, &err))
        fail_msg("%s: %s", buf_str(&body), err.text);
    assert_same_message(m, &u.message);
    assert_true(span_eq_str(u.via, "edge-1"));
    unwrapped_fini(&u);
    buf_fini(&body);
}

static const char *const types[] = {
    NULL, "", "application/json", "text/plain", "x/y+json; a=b", "application/octet-stream"};

static void every_payload_comes_back_under_every_content_type(void **state)
{
    (void)state;
    static const struct span payloads[] = {
        SPAN_LIT(""),
        SPAN_LIT("{\"a\": [1, 2.50]}"),
        SPAN_LIT("\"text\""),
        SPAN_LIT("text"),
        SPAN_LIT("null"),
        SPAN_LIT(" {} "),
        SPAN_LIT("\r\n[1]\t\n"),
        SPAN_LIT(" "),
        SPAN_LIT("\n"),
        SPAN_LIT("1,\"x\":2"),
        SPAN_LIT("1}"),
        SPAN_LIT("{\"a\":1,\"a\":2}"),
        SPAN_LIT("\"\\u0000\""),
        SPAN_LIT("\"\\ud800\""),
        SPAN_LIT("\xef\xbb\xbf{}"),
        SPAN_LIT("\xc3\xa9\xf0\x9f\x98\x80"),
        SPAN_LIT("\"\\/\xc3\xa9\\u00e9\""),
        SPAN_LIT("@"),
        SPAN_LIT("\x7f\x1b\\u0041\\"),
        SPAN_LIT("true"),
        SPAN_LIT("-0.0e-0"),
        SPAN_LIT("\xed\xa0\x80"),
        SPAN_LIT("\0"),
    };
    for (size_t t = 0; t < ROWS(types); t++) {
        for (size_t i = 0; i < ROWS(payloads); i++) {
            struct mqtt_message m = {.topic = SPAN_LIT("a/b"),
                                     .payload = payloads[i],
                                     .content_type = span_of(types[t])};
            assert_round_trip(&m);
        }
    }
}

static void every_byte_comes_back_alone_and_among_others(void **state)
{
    (void)state;
    char all[256];
    for (size_t t = 0; t < ROWS(types); t++) {
        for (size_t b = 0; b < 256; b++) {
            all[b] = (char)b;
            char quoted[] = {'"', (char)b, '"'}, doubled[] = {'x', (char)b, (char)b};
            const struct span payloads[] = {span_make(all + b, 1), span_make(quoted, 3),
                                            span_make(doubled, 3)};
            for (size_t i = 0; i < ROWS(payloads); i++) {
                struct mqtt_message m = {.topic = SPAN_LIT("a"),
                                         .payload = payloads[i],
                                         .content_type = span_of(types[t])};
                assert_round_trip(&m);
            }
        }
        struct mqtt_message m = {.topic = SPAN_LIT("a"),
                                 .payload = span_make(all, sizeof all),
                                 .content_type = span_of(types[t])};
        assert_round_trip(&m);
    }
}

static void random_payloads_come_back(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:\\u0041 \n\tetrufalsn-+.19\0\xc3\xa9\xff";
    struct generator g = {.seed = 11};
    for (int round = 0; round < 20000; round++) {
        char bytes[12];
        size_t len = generate_below(&g, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[generate_below(&g, sizeof alphabet - 1)];
        struct mqtt_message m = {.topic = SPAN_LIT("a"),
                                 .payload = span_make(bytes, len),
                                 .content_type = span_of(types[generate_below(&g, ROWS(types))])};
        assert_round_trip(&m);
    }
}

static void deep_payloads_come_back(void **state)
{
    (void)state;
    char text[2 * JSONVIEW_MAX_DEPTH + 8];
    for (size_t depth = JSONVIEW_MAX_DEPTH - 1; depth <= JSONVIEW_MAX_DEPTH + 2; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        for (size_t t = 0; t < ROWS(types); t++) {
            struct mqtt_message m = {.topic = SPAN_LIT("a"),
                                     .payload = span_make(text, 2 * depth),
                                     .content_type = span_of(types[t])};
            assert_round_trip(&m);
        }
    }
}

static void every_property_comes_back(void **state)
{
    (void)state;
    static const struct mqtt_user_property user[] = {
        {SPAN_LIT("a"), SPAN_LIT("1")},
        {SPAN_LIT(""), SPAN_LIT("empty key")},
        {SPAN_LIT("b"), SPAN_LIT("")},
        {SPAN_LIT("a"), SPAN_LIT("2")},
        {SPAN_LIT("\"\\\n\xc3\xa9"), SPAN_LIT("\"\\\n\x01\xc3\xa9")},
        {SPAN_LIT("a"), SPAN_LIT("1")},
        {SPAN_LIT("[1]"), SPAN_LIT("[\"x\"]")},
        {SPAN_LIT("b"), SPAN_LIT("null")},
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    /* Each property alone, absent, empty and set, and all together. */
    for (unsigned set = 0; set < 64; set++) {
        struct mqtt_message m = {.topic = SPAN_LIT("a/\"b\\/\xc3\xa9"), .payload = SPAN_LIT("x")};
        m.qos = (int)set % 3;
        m.retain = set & 1;
        m.content_type = span_of(set & 2 ? "t/\"x" : NULL);
        m.response_topic = span_of(set & 4 ? "r/\"\\" : NULL);
        if (set & 8)
            m.correlation = span_make(bytes, set & 1 ? 0 : sizeof bytes);
        m.has_expiry = set & 16;
        m.expiry_s = m.has_expiry ? (set & 1 ? UINT32_MAX : set & 2 ? INT32_MAX : 0) : 0;
        m.user = user;
        m.user_count = set & 32 ? ROWS(user) : 0;
        assert_round_trip(&m);
    }
}

static void the_most_user_properties_come_back(void **state)
{
    (void)state;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    for (size_t i = 0; i < ROWS(user); i++)
        user[i] = (struct mqtt_user_property){SPAN_LIT("k"), span_make("0123456789", i % 10)};
    struct mqtt_message m = {.topic = SPAN_LIT("a"), .user = user, .user_count = ROWS(user)};
    assert_round_trip(&m);
}

static void the_way_so_far_comes_out_of_the_user_properties(void **state)
{
    (void)state;
    static const struct mqtt_user_property user[] = {{SPAN_LIT("cmqgwvia"), SPAN_LIT("e-0,e-\"9")},
                                                     {SPAN_LIT("k"), SPAN_LIT("v")}};
    struct mqtt_message m = {.topic = SPAN_LIT("a"), .user = user, .user_count = 2};
    struct buf body = BUF_INIT(4096);
    wrap(&m, &body);
    struct unwrapped u;
    struct err err;
    assert_true(envelope_unwrap(buf_span(&body), &u, &err));
    assert_true(span_eq_str(u.via, "e-0,e-\"9,edge-1"));
    assert_int_equal(u.message.user_count, 1);
    assert_true(span_eq_str(u.message.user[0].value, "v"));
    struct jsonview subject;
    assert_true(jsonview_member(u.event, span_of("subject"), &subject));
    assert_true(span_eq_str(subject.text, "\"a\""));
    unwrapped_fini(&u);
    buf_fini(&body);
}

static void a_trace_context_comes_back(void **state)
{
    (void)state;
    static const struct mqtt_user_property user[] = {
        {SPAN_LIT("traceparent"),
         SPAN_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
        {SPAN_LIT("tracestate"), SPAN_LIT("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")},
        {SPAN_LIT("k"), SPAN_LIT("v")},
    };
    static const struct mqtt_user_property broken[] = {
        {SPAN_LIT("traceparent"), SPAN_LIT("00-nonsense")},
        {SPAN_LIT("tracestate"), SPAN_LIT("a=1")},
        {SPAN_LIT("traceparent"), SPAN_LIT("")},
    };
    assert_round_trip(
        &(struct mqtt_message){.topic = SPAN_LIT("a"), .user = user, .user_count = 3});
    assert_round_trip(
        &(struct mqtt_message){.topic = SPAN_LIT("a"), .user = user, .user_count = 1});
    assert_round_trip(
        &(struct mqtt_message){.topic = SPAN_LIT("a"), .user = broken, .user_count = 3});
}

#define ANY "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"com.example\","

/* Events of others: CloudEvents 1.0.2 JSON format s. 2 and 3. */
static void events_of_others_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type, *payload;
    } rows[] = {
        {ANY "\"data\": {\"a\": 1} }", NULL, "{\"a\": 1}"},
        {ANY "\"data\": \"x\"}", NULL, "\"x\""},
        {ANY "\"datacontenttype\":\"text/xml\",\"data\":\"<much wow=\\\"xml\\\"/>\"}", "text/xml",
         "<much wow=\"xml\"/>"},
        {ANY "\"datacontenttype\":\"text/xml\",\"data\": [1] }", "text/xml", "[1]"},
        {ANY "\"datacontenttype\":\"application/vnd.x+json\",\"data\": 1 }",
         "application/vnd.x+json", "1"},
        {ANY "\"data\":\"\\ud800\"}", NULL, "\"\\ud800\""},
        {ANY "\"data_base64\":\"AQI=\"}", NULL, "\x01\x02"},
        {ANY "\"data_base64\":null,\"datacontenttype\":null,\"mqttqos\":null,\"data\":null}", NULL,
         "null"},
        {ANY "\"mqttqos\":\"2\"}", NULL, ""},
        {ANY "\"mqttuser\":\"{}\"}", NULL, ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct unwrapped u;
        struct err err;
        if (!envelope_unwrap(span_of(rows[i].body), &u, &err))
            fail_msg("%s: %s", rows[i].body, err.text);
        assert_same(u.message.content_type, span_of(rows[i].type));
        if (!span_eq_str(u.message.payload, rows[i].payload))
            fail_msg("%s: %.*s", rows[i].body, SPAN_ARG(u.message.payload));
        assert_null(u.message.topic.ptr);
        unwrapped_fini(&u);
    }
}

static void bodies_that_are_no_events_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"specversion\":\"0.3\"}",
        "{\"specversion\":1.0}",
        "{\"specversion\":\"1.0\"",
        ANY "\"data\":1,\"data_base64\":\"\"}",
        ANY "\"data_base64\":1}",
        ANY "\"data_base64\":\"A\"}",
        ANY "\"data_base64\":\"AQ=\"}",
        ANY "\"datacontenttype\":\"t/x\",\"data\":\"\\ud800\"}",
        ANY "\"datacontenttype\":1}",
        ANY "\"datacontenttype\":\"a\\u0000b\"}",
        ANY "\"subject\":[]}",
        ANY "\"subject\":\"\\udc00\"}",
        ANY "\"mqttqos\":3}",
        ANY "\"mqttqos\":1.0}",
        ANY "\"mqttqos\":-1}",
        ANY "\"mqttqos\":true}",
        ANY "\"mqttqos\":\"\\ud800\"}",
        ANY "\"mqttretain\":1}",
        ANY "\"mqttuntyped\":\"true\"}",
        ANY "\"mqttexpiry\":4294967296}",
        ANY "\"mqttexpiry\":{}}",
        ANY "\"mqttresponsetopic\":\"a/+\"}",
        ANY "\"mqttresponsetopic\":\"\"}",
        ANY "\"mqttcorrelation\":\"*\"}",
        ANY "\"cmqgwvia\":1}",
        ANY "\"mqttuser\":{}}",
        ANY "\"mqttuser\":\"[]\"}",
        ANY "\"mqttuser\":\"{\"}",
        ANY "\"mqttuser\":\"{\\\"a\\\":1}\"}",
        ANY "\"mqttuser\":\"{\\\"a\\\":[null]}\"}",
        ANY "\"mqttuser\":\"{\\\"a\\\":\\\"\\\\u0000\\\"}\"}",
        ANY "\"mqttuser\":\"{\\\"\\\\u0000\\\":\\\"\\\"}\"}",
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct unwrapped u;
        struct err err;
        if (envelope_unwrap(span_of(rows[i]), &u, &err))
            fail_msg("taken: %s", rows[i]);
        assert_true(span_starts(span_of(err.text), "event_invalid: "));
        unwrapped_fini(&u);
    }
}

/* Puts an event with one long attribute into body: name, and count times c. */
static void long_event(struct buf *body, const char *name, char c, size_t count)
{
    buf_clear(body);
    buf_add_str(body, ANY "\"");
    buf_add_str(body, name);
    buf_add_str(body, "\":\"");
    for (size_t i = 0; i < count; i++)
        buf_add_char(body, c);
    buf_add_str(body, "\"}");
}

static void properties_longer_than_mqtt_has_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        char c;
        size_t most, step;
    } rows[] = {{"subject", 'a', 65535, 1},
                {"mqttresponsetopic", 'a', 65535, 1},
                {"mqttcorrelation", 'A', 87380, 4}};
    struct buf body = BUF_INIT(1 << 20);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct unwrapped u;
        struct err err;
        long_event(&body, rows[i].name, rows[i].c, rows[i].most);
        assert_true(envelope_unwrap(buf_span(&body), &u, &err));
        unwrapped_fini(&u);
        long_event(&body, rows[i].name, rows[i].c, rows[i].most + rows[i].step);
        assert_false(envelope_unwrap(buf_span(&body), &u, &err));
        unwrapped_fini(&u);
    }
    buf_clear(&body);
    buf_add_str(&body, ANY "\"mqttuser\":\"{\\\"k\\\":[\\\"\\\"");
    for (size_t i = 0; i < MQTT_MAX_USER_PROPERTIES; i++)
        buf_add_str(&body, ",\\\"\\\"");
    buf_add_str(&body, "]}\"}");
    struct unwrapped u;
    struct err err;
    assert_false(envelope_unwrap(buf_span(&body), &u, &err));
    assert_non_null(strstr(err.text, "more than 64"));
    unwrapped_fini(&u);
    buf_fini(&body);
}

static void the_trace_context_of_others_becomes_user_properties(void **state)
{
    (void)state;
    static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    static const struct {
        const char *attributes;
        size_t count;
    } rows[] = {
        {"\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}", 1},
        {"\"tracestate\":\"a=1\","
         "\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}",
         2},
        {"\"tracestate\":\"a=1\"}", 0}, /* of no trace */
        {"\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\","
         "\"tracestate\":\"=\"}",
         1},
        {"\"traceparent\":\"x\"}", 0},
        {"\"traceparent\":1}", 0},
        {"\"traceparent\":null}", 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf body = BUF_INIT(4096);
        struct unwrapped u;
        struct err err;
        buf_printf(&body, "%s%s", ANY, rows[i].attributes);
        assert_true(envelope_unwrap(buf_span(&body), &u, &err));
        assert_int_equal(u.message.user_count, rows[i].count);
        if (rows[i].count > 0) {
            assert_true(span_eq_str(u.message.user[0].key, "traceparent"));
            assert_true(span_eq_str(u.message.user[0].value, parent));
        }
        if (rows[i].count > 1)
            assert_true(span_eq_str(u.message.user[1].value, "a=1"));
        unwrapped_fini(&u);
        buf_fini(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_payload_comes_back_under_every_content_type),
        cmocka_unit_test(every_byte_comes_back_alone_and_among_others),
        cmocka_unit_test(random_payloads_come_back),
        cmocka_unit_test(deep_payloads_come_back),
        cmocka_unit_test(every_property_comes_back),
        cmocka_unit_test(the_most_user_properties_come_back),
        cmocka_unit_test(the_way_so_far_comes_out_of_the_user_properties),
        cmocka_unit_test(a_trace_context_comes_back),
        cmocka_unit_test(the_trace_context_of_others_becomes_user_properties),
        cmocka_unit_test(events_of_others_are_understood),
        cmocka_unit_test(bodies_that_are_no_events_are_refused),
        cmocka_unit_test(properties_longer_than_mqtt_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
