/* envelope_test - what CMQ can carry, and CloudEvents that come out again as they went in. */
#include "mapping/envelope.h"

#include "cmq/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct envelope_context context = {.gateway = SPAN_LIT("edge-1"), .id = 42};

/* The body, or how the error begins after a '!'. */
static void check(enum envelope_kind kind, struct mqtt_message message, const char *result)
{
    struct buf out = BUF_INIT(CMQ_MAX_BODY_BYTES);
    struct err err = {""};
    bool ok = envelope_write(kind, &message, &context, &out, &err);
    const char *got = ok ? buf_str(&out) : err.text;
    if (ok != (result[0] != '!') ||
        (ok ? strcmp(got, result) != 0 : !span_starts(span_of(got), result + 1)))
        fail_msg("%s\nand not\n%s", got, result);
    buf_fini(&out);
}

static struct mqtt_message payload(struct span bytes)
{
    return (struct mqtt_message){.topic = SPAN_LIT("a/b"), .payload = bytes};
}

static void raw_carries_only_what_cmq_leaves_unchanged(void **state)
{
    (void)state;
    static const struct {
        struct span payload;
        const char *result;
    } rows[] = {
        {SPAN_LIT("21.5"), "21.5"},
        {SPAN_LIT("a@b"), "a@b"},
        {SPAN_LIT("\x01\n\x7f"), "\x01\n\x7f"},
        {SPAN_LIT("\xe6\xb8\xa9"), "\xe6\xb8\xa9"},
        {SPAN_LIT(""), "!raw_empty: "},
        {SPAN_LIT("@file"), "!raw_at: "},
        {SPAN_LIT("a\0b"), "!raw_nul: "},
        {SPAN_LIT("\xff"), "!raw_not_utf8: "},
        {SPAN_LIT("\xe6\xb8"), "!raw_not_utf8: "},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check(ENVELOPE_RAW, payload(rows[i].payload), rows[i].result);
}

static void base64_carries_everything_but_nothing(void **state)
{
    (void)state;
    check(ENVELOPE_BASE64, payload((struct span)SPAN_LIT("@\0\xff")), "QAD/");
    check(ENVELOPE_BASE64, payload((struct span)SPAN_LIT("")), "!base64_empty: ");
}

static void what_cannot_fit_a_post_is_too_large(void **state)
{
    (void)state;
    enum { ROOM = CMQ_MAX_POST_BYTES - CMQ_FORM_OVERHEAD - sizeof "&msgBody.16=" + 1 };
    static char bytes[CMQ_MAX_BODY_BYTES + 1];
    struct err err;
    static const struct {
        char fill;
        size_t most;
    } rows[] = {{'a', ROOM}, {' ', ROOM / 3}, {'%', ROOM / 3}};
    for (size_t i = 0; i < ROWS(rows); i++) {
        memset(bytes, rows[i].fill, sizeof bytes);
        struct buf out = BUF_INIT(CMQ_MAX_BODY_BYTES);
        size_t most = rows[i].most;
        if (cmq_form_cost(span_make(" ", 1)) == 13 && rows[i].fill == ' ')
            most = ROOM; /* a space that is written '+' */
        struct mqtt_message m = payload(span_make(bytes, most));
        assert_true(envelope_write(ENVELOPE_RAW, &m, &context, &out, &err));
        buf_clear(&out);
        m.payload.len++;
        assert_false(envelope_write(ENVELOPE_RAW, &m, &context, &out, &err));
        assert_true(span_starts(span_of(err.text), "too_large: "));
        buf_fini(&out);
    }
    check(ENVELOPE_RAW, payload(span_make(bytes, sizeof bytes)), "!too_large: ");
    check(ENVELOPE_BASE64, payload(span_make(bytes, sizeof bytes)), "!too_large: ");
    check(ENVELOPE_CLOUDEVENTS, payload(span_make(bytes, sizeof bytes)), "!too_large: ");
}

#define EVENT_START                                                                                \
    "{\"specversion\":\"1.0\",\"id\":\"edge-1-42\",\"source\":\"/mqtt/edge-1\","                   \
    "\"type\":\"mqtt.message\",\"subject\":\"a/b\",\"time\":\"1970-01-01T00:00:00.000Z\","         \
    "\"mqttqos\":0,\"mqttretain\":false,\"cmqgwvia\":\"edge-1\""

/* RULES 2, attribute by attribute. */
static void an_event_has_all_its_attributes(void **state)
{
    (void)state;
    static const struct mqtt_user_property user[] = {
        {SPAN_LIT("k"), SPAN_LIT("v\"1")},       {SPAN_LIT("dup"), SPAN_LIT("a")},
        {SPAN_LIT("cmqgwvia"), SPAN_LIT("e-0")}, {SPAN_LIT("dup"), SPAN_LIT("b")},
        {SPAN_LIT("cmqgwvia"), SPAN_LIT("x,y")},
    };
    struct mqtt_message m = {
        .topic = SPAN_LIT("fleet/p1/\xc3\xa9"),
        .payload = SPAN_LIT("{\"t\": 91}"),
        .qos = 2,
        .retain = true,
        .received_ms = 1795438171123,
        .content_type = SPAN_LIT("application/json"),
        .response_topic = SPAN_LIT("reply/to"),
        .correlation = SPAN_LIT("\0\x01"),
        .has_expiry = true,
        .expiry_s = 60,
        .user = user,
        .user_count = ROWS(user),
    };
    check(ENVELOPE_CLOUDEVENTS, m,
          "{\"specversion\":\"1.0\",\"id\":\"edge-1-42\",\"source\":\"/mqtt/edge-1\","
          "\"type\":\"mqtt.message\",\"subject\":\"fleet/p1/\xc3\xa9\","
          "\"time\":\"2026-11-23T12:49:31.123Z\",\"mqttqos\":2,\"mqttretain\":true,"
          "\"mqttresponsetopic\":\"reply/to\",\"mqttcorrelation\":\"AAE=\",\"mqttexpiry\":60,"
          "\"cmqgwvia\":\"e-0,x,y,edge-1\","
          "\"mqttuser\":\"{\\\"k\\\":\\\"v\\\\\\\"1\\\",\\\"dup\\\":[\\\"a\\\",\\\"b\\\"]}\","
          "\"datacontenttype\":\"application/json\",\"data\":{\"t\": 91}}");
    static const struct mqtt_user_property traced[] = {
        {SPAN_LIT("tracestate"), SPAN_LIT("a=1")},
        {SPAN_LIT("k"), SPAN_LIT("v")},
        {SPAN_LIT("traceparent"),
         SPAN_LIT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
    };
    m = payload((struct span)SPAN_LIT("1"));
    m.user = traced;
    m.user_count = ROWS(traced);
    check(ENVELOPE_CLOUDEVENTS, m,
          EVENT_START ",\"traceparent\":"
                      "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\","
                      "\"tracestate\":\"a=1\",\"mqttuser\":\"{\\\"k\\\":\\\"v\\\"}\","
                      "\"datacontenttype\":\"application/json\",\"mqttuntyped\":true,\"data\":1}");
    m.user_count = 1; /* a state without a parent says nothing */
    check(ENVELOPE_CLOUDEVENTS, m,
          EVENT_START ",\"mqttuser\":\"{\\\"tracestate\\\":\\\"a=1\\\"}\","
                      "\"datacontenttype\":\"application/json\",\"mqttuntyped\":true,\"data\":1}");
    m = payload((struct span)SPAN_LIT("1"));
    m.has_expiry = true;
    m.expiry_s = UINT32_MAX; /* above what a CloudEvents integer holds */
    check(ENVELOPE_CLOUDEVENTS, m,
          "{\"specversion\":\"1.0\",\"id\":\"edge-1-42\",\"source\":\"/mqtt/edge-1\","
          "\"type\":\"mqtt.message\",\"subject\":\"a/b\",\"time\":\"1970-01-01T00:00:00.000Z\","
          "\"mqttqos\":0,\"mqttretain\":false,\"mqttexpiry\":\"4294967295\","
          "\"cmqgwvia\":\"edge-1\",\"datacontenttype\":\"application/json\",\"mqttuntyped\":true,"
          "\"data\":1}");
}

static void the_payload_goes_as_json_text_or_base64(void **state)
{
    (void)state;
    static const struct {
        const char *type; /* NULL: none */
        struct span payload;
        const char *tail;
    } rows[] = {
        {NULL, SPAN_LIT("{\"a\":1}"),
         ",\"datacontenttype\":\"application/json\",\"mqttuntyped\":true,\"data\":{\"a\":1}}"},
        {NULL, SPAN_LIT("hot"),
         ",\"datacontenttype\":\"text/plain\",\"mqttuntyped\":true,\"data\":\"hot\"}"},
        {NULL, SPAN_LIT("\xff\x01"),
         ",\"datacontenttype\":\"application/octet-stream\",\"mqttuntyped\":true,"
         "\"data_base64\":\"/wE=\"}"},
        {NULL, SPAN_LIT("a\0b"),
         ",\"datacontenttype\":\"application/octet-stream\",\"mqttuntyped\":true,"
         "\"data_base64\":\"YQBi\"}"},
        {NULL, SPAN_LIT(""), "}"},
        {NULL, SPAN_LIT(" 1\n"),
         ",\"datacontenttype\":\"application/json\",\"mqttuntyped\":true,\"data\": 1\n}"},
        {"application/json", SPAN_LIT("\"x\""),
         ",\"datacontenttype\":\"application/json\",\"data\":\"x\"}"},
        {"application/json", SPAN_LIT("{broken"),
         ",\"datacontenttype\":\"application/json\",\"data_base64\":\"e2Jyb2tlbg==\"}"},
        {"application/json", SPAN_LIT(""), ",\"datacontenttype\":\"application/json\"}"},
        {"a/b+JSON; x=y", SPAN_LIT("1"), ",\"datacontenttype\":\"a/b+JSON; x=y\",\"data\":1}"},
        {"text/plain", SPAN_LIT("{\"a\":1}"),
         ",\"datacontenttype\":\"text/plain\",\"data\":\"{\\\"a\\\":1}\"}"},
        {"image/png", SPAN_LIT("\x89P"),
         ",\"datacontenttype\":\"image/png\",\"data_base64\":\"iVA=\"}"},
        {"", SPAN_LIT("x"), ",\"datacontenttype\":\"\",\"data\":\"x\"}"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct mqtt_message m = payload(rows[i].payload);
        m.content_type = span_of(rows[i].type);
        char expected[512];
        (void)snprintf(expected, sizeof expected, "%s%s", EVENT_START, rows[i].tail);
        check(ENVELOPE_CLOUDEVENTS, m, expected);
    }
}

static void properties_that_json_cannot_carry_are_refused(void **state)
{
    (void)state;
    static const struct mqtt_user_property bad_key[] = {{SPAN_LIT("\xff"), SPAN_LIT("v")}};
    static const struct mqtt_user_property bad_value[] = {{SPAN_LIT("k"), SPAN_LIT("\xff")}};
    static const struct mqtt_user_property bad_via[] = {{SPAN_LIT("cmqgwvia"), SPAN_LIT("\xff")}};
    const struct span bad = SPAN_LIT("\xff"), fine = SPAN_LIT("x");
    const struct mqtt_message rows[] = {
        {.topic = bad, .payload = fine},
        {.topic = fine, .payload = fine, .content_type = bad},
        {.topic = fine, .content_type = bad},
        {.topic = fine, .payload = bad, .content_type = bad},
        {.topic = fine, .payload = SPAN_LIT("1"), .content_type = SPAN_LIT("\xff/json")},
        {.topic = fine, .payload = fine, .response_topic = bad},
        {.topic = fine, .payload = fine, .user = bad_key, .user_count = 1},
        {.topic = fine, .payload = fine, .user = bad_value, .user_count = 1},
        {.topic = fine, .payload = fine, .user = bad_via, .user_count = 1},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check(ENVELOPE_CLOUDEVENTS, rows[i], "!property_not_utf8: ");
}

static void json_content_types_are_known(void **state)
{
    (void)state;
    static const char *const json[] = {"application/json",
                                       "text/json",
                                       "application/senml+json",
                                       "APPLICATION/JSON",
                                       "application/json; charset=utf-8",
                                       "application/json \t;x=y"};
    static const char *const other[] = {"",
                                        "json",
                                        "text/plain",
                                        "application/xjson",
                                        "a/json5",
                                        "application/json-seq",
                                        "text/plain; x=a/json"};
    for (size_t i = 0; i < ROWS(json); i++)
        assert_true(envelope_type_is_json(span_of(json[i])));
    for (size_t i = 0; i < ROWS(other); i++)
        assert_false(envelope_type_is_json(span_of(other[i])));
}

static void a_parsed_payload_is_shared(void **state)
{
    (void)state;
    struct jsonview_once json = {0};
    struct envelope_context sharing = context;
    sharing.json = &json;
    struct mqtt_message m = payload((struct span)SPAN_LIT("[1]"));
    struct buf out = BUF_INIT(1024);
    struct err err;
    assert_true(envelope_write(ENVELOPE_CLOUDEVENTS, &m, &sharing, &out, &err));
    assert_true(json.tried && json.view.kind == JSONVIEW_ARRAY);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_carries_only_what_cmq_leaves_unchanged),
        cmocka_unit_test(base64_carries_everything_but_nothing),
        cmocka_unit_test(what_cannot_fit_a_post_is_too_large),
        cmocka_unit_test(an_event_has_all_its_attributes),
        cmocka_unit_test(the_payload_goes_as_json_text_or_base64),
        cmocka_unit_test(properties_that_json_cannot_carry_are_refused),
        cmocka_unit_test(json_content_types_are_known),
        cmocka_unit_test(a_parsed_payload_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
