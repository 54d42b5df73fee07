/* Any bytes as a push, the first line being its id header: what comes out keeps its promises. */
#include "gateway/push_body.h"

#include "cmq/limits.h"
#include "mapping/jsonview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_push(const struct push_body *push, struct span header, struct span body)
{
    CHECK(push->msg_id.len > 0 && push->msg_id.len <= CMQ_MAX_HANDLE_BYTES);
    CHECK(memchr(push->msg_id.ptr, '\0', push->msg_id.len) == NULL);
    CHECK(push->message.len <= CMQ_MAX_BODY_BYTES && push->message.len <= body.len);
    CHECK(header.len == 0 || span_eq(header, push->msg_id));
    if (push->message.ptr != body.ptr || push->message.len != body.len) { /* the JSON format */
        struct jsonview object, value;
        CHECK(jsonview_parse(body, JSONVIEW_MAX_WRAPPED_DEPTH, &object));
        CHECK(jsonview_member(object, span_of("msgBody"), &value));
        CHECK(value.kind == JSONVIEW_STRING && push->message.len <= value.text.len - 2);
    } else {
        CHECK(header.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make(data, size);
    size_t line = span_find(all, '\n');
    struct span header = span_slice(all, 0, line), body = span_slice(all, line + 1, size);
    struct push_body push;
    struct err err = {.text = ""};
    if (push_body_read(&push, header, body, &err))
        check_push(&push, header, body);
    else
        CHECK(err.text[0]);
    push_body_fini(&push);
    return 0;
}
