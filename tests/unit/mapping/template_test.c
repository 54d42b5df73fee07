/* template_test - placeholders, functions and what may stand where. */
#include "mapping/template.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* One message and its match, as the tests want them; free with fixture_fini. */
struct fixture {
    struct filter *filter;
    struct topic_captures captures;
    struct mqtt_message message;
    struct template_scope scope;
};

static const struct mqtt_user_property user[] = {
    {SPAN_LIT("site"), SPAN_LIT("Berlin 1")},
    {SPAN_LIT("site"), SPAN_LIT("second")},
    {SPAN_LIT("empty"), SPAN_LIT("")},
    {SPAN_LIT("raw"), SPAN_LIT("a\0b")},
};

static void fixture_init(struct fixture *f, const char *filter, const char *topic,
                         const char *payload)
{
    *f = (struct fixture){0};
    struct err err;
    f->filter = filter_new(span_of(filter), &err);
    assert_non_null(f->filter);
    assert_true(topic_match(span_of(f->filter->plain), span_of(topic), &f->captures));
    f->message = (struct mqtt_message){
        .topic = span_of(topic),
        .payload = span_of(payload),
        .qos = 1,
        .content_type = SPAN_LIT("application/json"),
        .user = user,
        .user_count = ROWS(user),
    };
    f->scope = (struct template_scope){
        .message = &f->message,
        .filter = f->filter,
        .captures = &f->captures,
        .rule = SPAN_LIT("telemetry"),
        .gateway = SPAN_LIT("edge-1"),
        .payload = f->message.payload,
        .replace = SPAN_LIT("_"),
    };
}

static void fixture_fini(struct fixture *f)
{
    template_scope_fini(&f->scope);
    filter_free(f->filter);
}

/* Renders text and compares: with the result, or with how the error begins when result is "!...".
 */
static void check(struct fixture *f, enum template_use use, const char *text, const char *result)
{
    struct err err = {""};
    struct template *t = template_new(span_of(text), use, f->filter, false, &err);
    if (!t)
        fail_msg("%s does not compile: %s", text, err.text);
    struct buf out = BUF_INIT(4096);
    buf_add_str(&out, "before ");
    bool ok = template_render(t, &f->scope, &out, &err);
    assert_true(ok || strcmp(buf_str(&out), "before ") == 0);
    const char *got = ok ? buf_str(&out) + 7 : err.text;
    if (ok != (result[0] != '!') ||
        (ok ? strcmp(got, result) != 0 : !span_starts(span_of(got), result + 1)))
        fail_msg("%s: \"%s\" and not \"%s\"", text, got, result);
    buf_fini(&out);
    template_free(t);
}

struct row {
    const char *text, *result;
};

static void check_rows(struct fixture *f, enum template_use use, const struct row *rows,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(f, use, rows[i].text, rows[i].result);
}

/* The examples of RULES 2. */
static void the_example_rules_render(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "fleet/+product/+device/telemetry/#metric", "fleet/p1/d7/telemetry/temp/max",
                 "{\"t\": 91}");
    check(&f, TEMPLATE_ROUTE, "{product}.{device}.{metric}", "p1.d7.temp.max");
    fixture_fini(&f);
    fixture_init(&f, "fleet/+product/+device/alarm", "fleet/p1/d7/alarm", "{\"level\":\"HIGH\"}");
    check(&f, TEMPLATE_TAG, "alarm", "alarm");
    check(&f, TEMPLATE_TAG, "{json:/level|lower}", "high");
    fixture_fini(&f);
}

static void every_placeholder_gives_its_value(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{product}", "p1"},
        {"{1}", "x9"},
        {"{qos}", "1"},
        {"{retain}", "false"},
        {"{gateway}", "edge-1"},
        {"{rule}", "telemetry"},
        {"{topic}", "fleet/p1/x9"},
        {"{content_type}", "application/json"},
        {"{user:site}", "Berlin 1"},
        {"{json:/s}", "text"},
        {"{json:/i}", "007e1"},
        {"{json:/n/0}", "1.50"},
        {"{json:/b}", "true"},
        {"{json:/e}", "\"\n"},
        {"{{{product}}}", "{p1}"},
        {"{{}}", "{}"},
        {"a{product}b{1}c", "ap1bx9c"},
    };
    struct fixture f;
    fixture_init(&f, "fleet/+product/+", "fleet/p1/x9",
                 "{\"s\":\"text\",\"i\":\"007e1\",\"n\":[1.50],\"b\":true,\"e\":\"\\\"\\n\"}");
    check_rows(&f, TEMPLATE_TAG, rows, ROWS(rows));
    fixture_fini(&f);
}

static void a_missing_value_without_default_is_an_error(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{user:nobody}", "!template_missing: {user:nobody} is not among the user properties"},
        {"{json:/none}", "!template_missing: {json:/none} is not in the payload"},
        {"{json:/null}", "!template_missing: {json:/null} is null"},
        {"{json:/none|lower|slice:0:2|shard:4}", "!template_missing: "},
        {"{json:/object}", "!template_value: {json:/object} is an object or array"},
        {"{json:/object|default:x}", "!template_value: "},
        {"{json:/list}", "!template_value: "},
        {"{json:/half}", "!template_value: {json:/half} is not text"},
        {"{user:nobody|default:none}", "none"},
        {"{json:/null|default:none}", "none"},
        {"{json:/none|default:A:b|lower}", "a:b"},
        {"{json:/none|lower|default:A}", "A"},
        {"{user:empty|default:none}", "!tag_empty"}, /* empty is not missing */
        {"x{user:empty|default:none}", "x"},
        {"{json:/none|default:}x", "x"},
    };
    struct fixture f;
    fixture_init(&f, "a", "a", "{\"null\":null,\"object\":{},\"list\":[],\"half\":\"\\ud800\"}");
    check_rows(&f, TEMPLATE_TAG, rows, ROWS(rows));
    f.message.content_type = (struct span){NULL, 0};
    check(&f, TEMPLATE_TAG, "{content_type}", "!template_missing: {content_type} is not set");
    fixture_fini(&f);
    fixture_init(&f, "a", "a", "not json");
    check(&f, TEMPLATE_TAG, "{json:/t}",
          "!template_missing: {json:/t} cannot be found: the payload");
    check(&f, TEMPLATE_TAG, "{json:/t|default:d}", "d");
    f.scope.message = NULL;
    check(&f, TEMPLATE_TAG, "{qos|default:q}{retain|default:r}{topic|default:t}", "qrt");
    check(&f, TEMPLATE_TAG, "{user:site|default:u}", "u");
    fixture_fini(&f);
}

static void a_capture_of_another_filter_of_the_rule_is_missing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a/+", "a/x", "");
    struct err err;
    struct filter *other = filter_new(span_of("b/c"), &err);
    f.scope.filter = other;
    f.captures.count = 0;
    check(&f, TEMPLATE_TAG, "{1}", "!template_missing: {1} is not in the filter that matched");
    check(&f, TEMPLATE_TAG, "{1|default:d}", "d");
    filter_free(other);
    fixture_fini(&f);
}

static void functions_apply_from_left_to_right(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{x|lower}", "abc\xc3\x89-1"},
        {"{x|upper}", "ABC\xc3\x89-1"},
        {"{x|slice:0:3}", "aBc"},
        {"{x|slice:3:1}", "\xc3\x89"},
        {"{x|slice:2:3}", "c\xc3\x89-"},
        {"{x|slice:4:100}", "-1"},
        {"x{x|slice:100:1}", "x"},
        {"{x|slice:1:4|slice:1:2|upper}", "C\xc3\x89"},
        {"{x|upper|slice:0:2|lower|upper}", "AB"},
        {"{json:/esc|upper|slice:1:2}", "\"B"},
        {"{json:/esc|slice:2:1|upper}", "B"},
        /* FNV-1a, 64 bits, of "a" is af63dc4c8601ec8c (draft-eastlake-fnv, test vectors). */
        {"{json:/a|shard:1000000}", "641996"},
        {"{json:/a|shard:16}", "12"},
        {"{json:/a|shard:1}", "0"},
        {"{json:/a|upper|lower|shard:16}", "12"},
        {"{json:/a|shard:16|default:x|slice:1:1}", "2"},
    };
    struct fixture f;
    fixture_init(&f, "+x", "aBc\xc3\x89-1", "{\"a\":\"a\",\"esc\":\"a\\\"bc\"}");
    assert_int_equal(UINT64_C(0xaf63dc4c8601ec8c) % 1000000, 641996);
    check_rows(&f, TEMPLATE_TAG, rows, ROWS(rows));
    fixture_fini(&f);
}

static void values_in_a_route_are_made_safe(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{json:/v}", "a_b_c_d_e_f_g"}, /* each character by itself */
        {"x.{json:/v}.y", "x.a_b_c_d_e_f_g.y"},
        {"{json:/slash}", "a/b"},
        {"{user:site}", "Berlin_1"},
        {"{user:empty}", "_"},
        {"{json:/none|default:a.b/c}", "a.b/c"}, /* the author's own */
        {"{topic}", "p.d_1._.x_.y"},
        {"{1}", "d_1"},
        {"{2}", "_"},
        {"{3}", "x_.y"},
        {"{3|upper}", "X_.Y"},
        {"{3|slice:0:1}", "x"},
        {"*.#.{1}", "*.#.d_1"}, /* what the author writes stays */
    };
    struct fixture f;
    fixture_init(&f, "p/+/+/#", "p/d.1//x#/y",
                 "{\"v\":\"a.b*c#d e\\tf\\u000bg\",\"slash\":\"a/b\"}");
    f.message.topic = span_of("p/d.1//x#/y");
    check_rows(&f, TEMPLATE_ROUTE, rows, ROWS(rows));
    f.scope.replace = span_of("--");
    check(&f, TEMPLATE_ROUTE, "{topic}", "p.d--1.--.x--.y");
    fixture_fini(&f);
}

static void replace_reject_refuses_what_would_break_a_route(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "p/+/#", "p/a b/c//d", "{}");
    f.scope.replace_reject = true;
    check(&f, TEMPLATE_ROUTE, "{1}", "!route_unsafe: {1} would put '.', '*', '#' or white space");
    check(&f, TEMPLATE_ROUTE, "{2}", "!route_unsafe: {2} would put an empty word");
    check(&f, TEMPLATE_ROUTE, "{user:empty}", "!route_unsafe: ");
    check(&f, TEMPLATE_ROUTE, "{2|slice:0:1}.{rule}", "c.telemetry");
    fixture_fini(&f);
}

static void a_hash_that_stands_for_nothing_takes_a_dot_along(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{p}.{rest}", "p1"},
        {"{rest}.{p}", "p1"},
        {"{p}.{rest}.x", "p1.x"},
        {"{p}.x{rest}", "p1.x"},
        {"{p}.{rest}x", "p1.x"},
        {"a.{rest}{p}", "a.p1"},
        {"{rest}", "!route_empty"},
        {"{rest}.{rest}", "!route_empty"},
        {"{p}.{rest|upper|slice:0:3|shard:7}", "p1"},
        {"{p}.{rest|default:all}", "p1.all"},
        {"{p}.{rest|default:}", "p1"},
        {"..{rest}", "."},
    };
    struct fixture f;
    fixture_init(&f, "fleet/+p/#rest", "fleet/p1", "");
    check_rows(&f, TEMPLATE_ROUTE, rows, ROWS(rows));
    check(&f, TEMPLATE_NAME, "{p}{rest}", "p1");
    check(&f, TEMPLATE_TAG, "{rest|default:all}", "all");
    fixture_fini(&f);
    fixture_init(&f, "fleet/+p/#rest", "fleet/p1/", "");
    check(&f, TEMPLATE_ROUTE, "{p}.{rest}", "p1._"); /* one empty level */
    check(&f, TEMPLATE_ROUTE, "{p}.{rest|default:all}", "p1._");
    fixture_fini(&f);
}

static void the_whole_must_be_what_cmq_takes(void **state)
{
    (void)state;
    struct fixture f;
    char long_topic[128] = "x/";
    memset(long_topic + 2, 'a', 70);
    fixture_init(&f, "x/+", long_topic, "{\"dots\":\"1/2\"}");
    check(&f, TEMPLATE_NAME, "{1|slice:0:64}", long_topic + 2 + 6);
    check(&f, TEMPLATE_NAME, "{1}", "!name_too_long: ");
    check(&f, TEMPLATE_NAME, "9{1|slice:0:1}", "!name_invalid: ");
    check(&f, TEMPLATE_NAME, "{user:empty}", "!name_invalid: ");
    check(&f, TEMPLATE_NAME, "a{user:site}", "!name_invalid: ");
    check(&f, TEMPLATE_NAME, "{1|slice:0:3}-dlq", "!name_invalid: ");
    check(&f, TEMPLATE_ROUTE, "{1|slice:0:64}", long_topic + 2 + 6);
    check(&f, TEMPLATE_ROUTE, "{1}", "!route_too_long: the route has 70 bytes, above 64");
    check(&f, TEMPLATE_ROUTE, "{rule}................", "!route_invalid: ");
    check(&f, TEMPLATE_ROUTE, "{user:raw}", "!route_invalid: ");
    check(&f, TEMPLATE_ROUTE, "@{rule}", "!route_invalid: ");
    check(&f, TEMPLATE_TAG, "{1|slice:0:16}", "aaaaaaaaaaaaaaaa");
    check(&f, TEMPLATE_TAG, "{1|slice:0:17}", "!tag_too_long: the tag has 17 characters, above 16");
    check(&f, TEMPLATE_TAG, "{user:raw}", "!tag_invalid: ");
    check(&f, TEMPLATE_TAG, "@{rule}", "!tag_invalid: ");
    fixture_fini(&f);
}

static void a_value_that_fits_nowhere_is_refused_and_not_cut(void **state)
{
    (void)state;
    static char topic[5000] = "x/";
    memset(topic + 2, 'a', sizeof topic - 3);
    struct fixture f;
    fixture_init(&f, "x/+", topic, "");
    check(&f, TEMPLATE_ROUTE, "{1}", "!template_too_large");
    check(&f, TEMPLATE_ROUTE, "{1|slice:4990:100}", "aaaaaaa");
    fixture_fini(&f);

    static char payload[70000];
    memset(payload, 'a', sizeof payload - 1);
    payload[0] = '"';
    payload[sizeof payload - 2] = '"';
    fixture_init(&f, "x", "x", payload);
    check(&f, TEMPLATE_ROUTE, "{json:|slice:3:4|upper}", "AAAA");
    check(&f, TEMPLATE_ROUTE, "{json:|upper}", "!template_value: {json:|upper} is longer than");
    payload[1] = '\\';
    payload[2] = 'n';
    template_scope_fini(&f.scope);
    f.scope.json.tried = false;
    check(&f, TEMPLATE_ROUTE, "{json:}", "!template_value: {json:} is not text that can be used");
    fixture_fini(&f);
}

/* ---- reverse rules ---- */

static void check_topic(const char *payload, const char *text, const char *result)
{
    struct err err = {""};
    struct template *t = template_new(span_of(text), TEMPLATE_TOPIC, NULL, true, &err);
    if (!t)
        fail_msg("%s does not compile: %s", text, err.text);
    struct mqtt_message message = {.topic = span_of("w/x"), .user = user, .user_count = 3};
    struct template_scope scope = {
        .message = &message, .payload = span_of(payload), .rule = SPAN_LIT("commands")};
    assert_true(jsonview_parse(span_of("{\"subject\":\"s/t\",\"id\":\"i/1\",\"mqttqos\":1}"),
                               JSONVIEW_MAX_DEPTH, &scope.envelope));
    struct buf out = BUF_INIT(TOPIC_MAX_BYTES);
    bool ok = template_render(t, &scope, &out, &err);
    const char *got = ok ? buf_str(&out) : err.text;
    if (ok != (result[0] != '!') ||
        (ok ? strcmp(got, result) != 0 : !span_starts(span_of(got), result + 1)))
        fail_msg("%s: \"%s\" and not \"%s\"", text, got, result);
    buf_fini(&out);
    template_scope_fini(&scope);
    template_free(t);
}

static void values_in_a_topic_may_not_reach_beyond_their_level(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *text, *result;
    } rows[] = {
        {"{\"product\":\"p1\",\"device\":\"d7\"}", "fleet/{json:/product}/{json:/device}/cmd",
         "fleet/p1/d7/cmd"},
        {"\"a+\"", "x/{json:}", "!topic_unsafe: {json:} would put '+', '#', NUL or '/'"},
        {"\"#\"", "x/{json:}", "!topic_unsafe: "},
        {"\"a\\u0000b\"", "x/{json:}", "!topic_unsafe: "},
        {"\"a/b\"", "x/{json:}", "!topic_unsafe: "},
        {"\"a/b\"", "x/{json:|levels}", "x/a/b"},
        {"\"A/B\"", "x/{json:|levels|lower}", "x/a/b"},
        {"\"a/#\"", "x/{json:|levels}",
         "!topic_unsafe: {json:|levels} would put '+', '#', NUL into"},
        {"\"$SYS\"", "{json:}/x", "!topic_unsafe: {json:} would begin the topic with '$'"},
        {"\"$SYS\"", "x/{json:}", "x/$SYS"},
        {"\"x\"", "$own/{json:}", "$own/x"},
        {"\"\"", "{json:}", "!topic_invalid: "},
        {"\"\"", "a/{json:}", "a/"},
        {"{}", "{json:/x|default:a/b}", "a/b"},
        {"{}", "a/+/{rule}", "!topic_invalid: "},
        {"{}", "{ce:subject}", "s/t"},
        {"{}", "{topic}", "w/x"},
        {"{}", "{ce:id}", "!topic_unsafe: "},
        {"{}", "{ce:id|levels}/{ce:mqttqos}", "i/1/1"},
        {"{}", "{ce:nothing}", "!template_missing: {ce:nothing} is not an attribute of the event"},
        {"{}", "{user:site}", "Berlin 1"},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check_topic(rows[i].payload, rows[i].text, rows[i].result);
}

/* ---- compiling ---- */

static void what_does_not_compile_is_named(void **state)
{
    (void)state;
    static const struct {
        enum template_use use;
        const char *text, *says;
    } rows[] = {
        {TEMPLATE_ROUTE, "{prodct}",
         "{prodct} is not a placeholder that can be used here; did you "
         "mean {product}?"},
        {TEMPLATE_ROUTE, "{topc}", "did you mean {topic}?"},
        {TEMPLATE_ROUTE, "{jsn:/a}", "did you mean {json:...}?"},
        {TEMPLATE_ROUTE, "{user}", "did you mean {user:...}?"},
        {TEMPLATE_ROUTE, "{2}", "{2} is not a placeholder"},
        {TEMPLATE_ROUTE, "{entirelyother}", "{entirelyother} is not a placeholder"},
        {TEMPLATE_ROUTE, "{}", "{} is not a placeholder"},
        {TEMPLATE_ROUTE, "{ product}", "is not a placeholder"},
        {TEMPLATE_ROUTE, "{qosx}", "did you mean {qos}?"},
        {TEMPLATE_ROUTE, "a{product", "has no '}'"},
        {TEMPLATE_ROUTE, "a}b", "written '}}'"},
        {TEMPLATE_ROUTE, "{product}}", "written '}}'"},
        {TEMPLATE_ROUTE, "{json:a}", "a JSON pointer begins with '/'"},
        {TEMPLATE_ROUTE, "{json:/~}", "'~' is written ~0"},
        {TEMPLATE_ROUTE, "{user:}", "a name must follow"},
        {TEMPLATE_ROUTE, "{ce:id}", "needs payload = \"cloudevents\""},
        {TEMPLATE_ROUTE, "{product|lowr}", "'lowr' is not a function; did you mean 'lower'?"},
        {TEMPLATE_ROUTE, "{product|lower:}", "'lower:' is not a function"},
        {TEMPLATE_ROUTE, "{product|}", "'' is not a function"},
        {TEMPLATE_ROUTE, "{product|slice:1}", "slice:FROM:LEN"},
        {TEMPLATE_ROUTE, "{product|slice:-1:2}", "slice:FROM:LEN"},
        {TEMPLATE_ROUTE, "{product|slice:1:0}", "slice:FROM:LEN"},
        {TEMPLATE_ROUTE, "{product|slice:1:2:3}", "slice:FROM:LEN"},
        {TEMPLATE_ROUTE, "{product|shard:0}", "shard:N"},
        {TEMPLATE_ROUTE, "{product|shard:x}", "shard:N"},
        {TEMPLATE_ROUTE, "{product|shard}", "did you mean 'shard:'?"},
        {TEMPLATE_ROUTE, "{product|default}", "did you mean 'default:'?"},
        {TEMPLATE_ROUTE, "{product|levels}", "'levels' is for MQTT topics"},
        {TEMPLATE_ROUTE, "{product|lower|lower|lower|lower|lower|lower|lower|lower|lower}",
         "more than 8 functions"},
        {TEMPLATE_ROUTE, "\xff", "UTF-8"},
        {TEMPLATE_TOPIC, "{topic}", "payload = \"cloudevents\""},
        {TEMPLATE_TOPIC, "{user:a}", "payload = \"cloudevents\""},
    };
    struct err err;
    struct filter *names = filter_new(span_of("a/+product/+"), &err);
    for (size_t i = 0; i < ROWS(rows); i++) {
        err.text[0] = '\0';
        if (template_new(span_of(rows[i].text), rows[i].use, names, false, &err))
            fail_msg("%s compiles", rows[i].text);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, err.text);
    }
    assert_null(template_new(span_make("a\0b", 3), TEMPLATE_NAME, names, false, &err));
    assert_null(template_new(span_of("{product}"), TEMPLATE_TOPIC, NULL, true, &err));
    filter_free(names);
}

static void constants_are_known_as_such(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"fleet", "fleet"}, {"", ""}, {"a{{b}}", "a{b}"}, {"{gateway}", NULL}, {"a{rule}b", NULL}};
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct err err;
        struct template *t = template_new(span_of(rows[i].text), TEMPLATE_NAME, NULL, false, &err);
        assert_non_null(t);
        assert_true(span_eq_str(template_text(t), rows[i].text));
        struct span constant = template_constant(t);
        assert_int_equal(constant.ptr != NULL, rows[i].result != NULL);
        assert_true(!rows[i].result || span_eq_str(constant, rows[i].result));
        template_free(t);
    }
    template_free(NULL);
}

static void a_capture_goes_before_a_word_of_the_same_name(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a/+topic/+rule", "a/b/c", "");
    check(&f, TEMPLATE_ROUTE, "{topic}.{rule}.{gateway}", "b.c.edge-1");
    fixture_fini(&f);
}

static void the_pieces_of_a_template_can_be_looked_at(void **state)
{
    (void)state;
    static const struct {
        bool literal, levels, has_default;
        const char *text, *fallback;
    } pieces[] = {
        {true, false, false, "a{", ""},  {false, true, false, "", ""},
        {true, false, false, "/b/", ""}, {false, true, true, "", "x/y"},
        {false, false, true, "", ""},    {false, true, false, "", ""},
    };
    enum { COUNT = sizeof pieces / sizeof pieces[0] };
    struct err err;
    struct span text = SPAN_LIT(
        "a{{{json:/d|levels}/b/{topic|lower|default:x/y|default:z}{user:k|default:}{ce:subject}");
    struct template *t = template_new(text, TEMPLATE_TOPIC, NULL, true, &err);
    assert_non_null(t);
    assert_int_equal(template_piece_count(t), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct template_piece piece = template_piece(t, i);
        assert_int_equal(piece.literal, pieces[i].literal);
        assert_int_equal(piece.levels, pieces[i].levels);
        assert_int_equal(piece.has_default, pieces[i].has_default);
        assert_true(span_eq_str(piece.text, pieces[i].text));
        assert_true(span_eq_str(piece.fallback, pieces[i].fallback));
    }
    template_free(t);

    struct filter *filter = filter_new(span_of("+a/#"), &err);
    t = template_new(span_of("{a}{1|upper}"), TEMPLATE_ROUTE, filter, false, &err);
    assert_non_null(t);
    assert_true(span_eq_str(template_piece(t, 0).text, "a"));
    assert_true(span_eq_str(template_piece(t, 1).text, "1"));
    template_free(t);
    filter_free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_rules_render),
        cmocka_unit_test(every_placeholder_gives_its_value),
        cmocka_unit_test(a_missing_value_without_default_is_an_error),
        cmocka_unit_test(a_capture_of_another_filter_of_the_rule_is_missing),
        cmocka_unit_test(functions_apply_from_left_to_right),
        cmocka_unit_test(values_in_a_route_are_made_safe),
        cmocka_unit_test(replace_reject_refuses_what_would_break_a_route),
        cmocka_unit_test(a_hash_that_stands_for_nothing_takes_a_dot_along),
        cmocka_unit_test(the_whole_must_be_what_cmq_takes),
        cmocka_unit_test(a_value_that_fits_nowhere_is_refused_and_not_cut),
        cmocka_unit_test(values_in_a_topic_may_not_reach_beyond_their_level),
        cmocka_unit_test(what_does_not_compile_is_named),
        cmocka_unit_test(constants_are_known_as_such),
        cmocka_unit_test(a_capture_goes_before_a_word_of_the_same_name),
        cmocka_unit_test(the_pieces_of_a_template_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
