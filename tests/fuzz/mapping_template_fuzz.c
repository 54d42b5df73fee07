/* Templates: the first byte picks the use; then template, topic and payload, a line each. */
#include "mapping/template.h"

#include "cmq/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take_line(struct span *rest)
{
    struct span line = span_slice(*rest, 0, span_find(*rest, '\n'));
    *rest = span_slice(*rest, line.len + 1, rest->len);
    return line;
}

static void check_result(enum template_use use, struct span s)
{
    if (use == TEMPLATE_NAME)
        CHECK(cmq_name_ok(s, NULL));
    if (use == TEMPLATE_ROUTE)
        CHECK(s.len > 0 && cmq_route_ok(s, NULL));
    if (use == TEMPLATE_TAG)
        CHECK(cmq_tag_ok(s, NULL));
    if (use == TEMPLATE_TOPIC)
        CHECK(topic_name_ok(s, NULL));
}

static void render(const struct template *t, enum template_use use, const struct filter *filter,
                   struct span topic, struct span payload)
{
    static const struct mqtt_user_property user[] = {{SPAN_LIT("k"), SPAN_LIT("v/+ .")}};
    struct topic_captures captures;
    if (!topic_name_ok(topic, NULL) || !topic_match(span_of(filter->plain), topic, &captures))
        return;
    struct mqtt_message message = {
        .topic = topic, .payload = payload, .user = user, .user_count = 1};
    struct template_scope scope = {
        .message = &message,
        .filter = filter,
        .captures = &captures,
        .rule = SPAN_LIT("rule"),
        .gateway = SPAN_LIT("gw"),
        .payload = payload,
        .replace = SPAN_LIT("_"),
        .replace_reject = payload.len % 2,
    };
    jsonview_parse(payload, JSONVIEW_MAX_DEPTH, &scope.envelope);
    struct buf out = BUF_INIT(4096);
    struct err err = {""};
    if (template_render(t, &scope, &out, &err))
        check_result(use, buf_span(&out));
    else
        CHECK(out.len == 0 && strstr(err.text, ": "));
    buf_fini(&out);
    template_scope_fini(&scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum template_use use = (enum template_use)(data[0] % 4);
    struct span rest = span_make(data + 1, size - 1);
    struct span text = take_line(&rest), topic = take_line(&rest);
    struct err err = {""};
    struct filter *filter = filter_new(span_of("+a/+/#rest"), &err);
    struct template *t = template_new(text, use, filter, true, &err);
    if (t) {
        CHECK(span_eq(template_text(t), text));
        render(t, use, filter, topic, rest);
    } else {
        CHECK(err.text[0] != '\0');
    }
    template_free(t);
    filter_free(filter);
    return 0;
}
