/* admin_explain - what would become of a message, with the rules that run (docs/admin.md). */
#include "gateway/admin_impl.h"

#include "base/base64.h"
#include "base/emit.h"
#include "base/json.h"
#include "gateway/ask.h"
#include "gateway/explain_print.h"

enum { MAX_EXPLANATION_BYTES = 8 << 20 };

/* A stream into a buffer; what is beyond the ceiling shows as its overflow. */
static ssize_t write_to_buf(void *cookie, const char *bytes, size_t len)
{
    (void)buf_add(cookie, span_make(bytes, len));
    return (ssize_t)len;
}

static FILE *open_stream(struct buf *out)
{
    const cookie_io_functions_t functions = {.write = write_to_buf};
    return check_alloc(fopencookie(out, "w", functions));
}

static void explain(struct admin *admin, const struct config *config, const struct ask_explain *ask,
                    FILE *out)
{
    if (ask->queue.len > 0) {
        struct reverse_explanation *e =
            reverse_explanation_new(config, ask->queue, ask->message.payload, admin->jq);
        explain_print_reverse_json(out, e);
        reverse_explanation_free(e);
    } else {
        struct explanation *e = explanation_new(config, &ask->message, admin->jq);
        explain_print_json(out, e);
        explanation_free(e);
    }
}

static void answer(struct admin_call *call)
{
    struct ask_explain ask;
    struct err err;
    if (!ask_explain_read(&ask, span_of(call->arg), &err)) {
        admin_refuse(call->request, 400, err.text);
        ask_explain_fini(&ask);
        return;
    }
    const struct config *config = admin_config(call->admin);
    struct buf out = BUF_INIT(MAX_EXPLANATION_BYTES);
    FILE *stream = open_stream(&out);
    explain(call->admin, config, &ask, stream);
    CHECK(fclose(stream) == 0);
    config_free(config);
    ask_explain_fini(&ask);
    if (out.overflow)
        admin_refuse(call->request, 413, "the explanation is too large");
    else
        admin_answer_as(call->request, 200, "application/json", NULL, buf_span(&out));
    buf_fini(&out);
}

/* Bytes that are no UTF-8 go as base64. */
static void emit_bytes(struct emit *e, const char *key, const char *key_base64, struct span value)
{
    if (!value.ptr)
        return;
    if (utf8_valid(value)) {
        emit_span(e, key, value);
        return;
    }
    struct buf text = BUF_INIT(BASE64_LEN(value.len));
    CHECK(base64_encode(&text, value));
    emit_span(e, key_base64, buf_span(&text));
    buf_fini(&text);
}

/* The query's arguments as the body that says the same. */
static char *query_as_body(const struct http_request *request)
{
    struct buf out = BUF_INIT(8 * HTTP_MAX_HEADER_BYTES);
    struct emit e = {.out = &out};
    struct span text;
    emit_object(&e, NULL);
    if ((text = http_query(request, "topic")).ptr)
        emit_span(&e, "topic", text);
    if ((text = http_query(request, "queue")).ptr)
        emit_span(&e, "queue", text);
    emit_bytes(&e, "payload", "payload_base64", http_query(request, "payload"));
    emit_bytes(&e, "body", "body_base64", http_query(request, "body"));
    if ((text = http_query(request, "content_type")).ptr)
        emit_span(&e, "content_type", text);
    if ((text = http_query(request, "qos")).ptr) {
        uint64_t qos;
        if (span_to_u64(text, 2, &qos))
            emit_u64(&e, "qos", qos);
        else
            emit_null(&e, "qos"); /* which is refused */
    }
    if ((text = http_query(request, "retain")).ptr)
        emit_bool(&e, "retain", span_eq_str(text, "true") || span_eq_str(text, "1"));
    emit_object_end(&e);
    return buf_take(&out);
}

void admin_explain(struct admin *admin, struct http_request *request)
{
    bool post = strcmp(http_method(request), "POST") == 0;
    /* A body with a NUL in it is no JSON, and neither is what stands before that. */
    admin_later(admin, request, answer,
                post ? span_dup(http_body(request)) : query_as_body(request));
}
