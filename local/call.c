/* call - see call.h. */
#include "local/call.h"

#include "base/check.h"
#include "base/json.h"
#include "local/codes.h"

#include <inttypes.h>
#include <stdio.h>

static void keep(char *to, size_t size, struct span text)
{
    text = span_slice(text, 0, size - 1);
    if (text.len)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
}

void call_init(struct call *call, uint64_t request_id, const struct form *form, struct buf *out)
{
    *call = (struct call){.request_id = request_id, .out = out};
    const struct span *action = form_get(form, "Action");
    if (action)
        call_set_action(call, *action);
    const struct span *id = form_get(form, "clientRequestId");
    call->has_client_request_id = id && span_to_u64(*id, UINT64_MAX, &call->client_request_id);
}

static void add_ids(struct call *call)
{
    buf_add_str(call->out, ",\"requestId\":\"");
    buf_add_u64(call->out, call->request_id);
    buf_add_char(call->out, '"');
    if (call->has_client_request_id) {
        buf_add_str(call->out, ",\"clientRequestId\":");
        buf_add_u64(call->out, call->client_request_id);
    }
}

void call_begin(struct call *call)
{
    call->code = 0;
    call->module = 0;
    buf_clear(call->out);
    buf_add_str(call->out, "{\"code\":0,\"message\":\"\"");
    add_ids(call);
}

void call_message(struct buf *out, int code, int module, const char *name)
{
    const struct code *entry = code_find(code, module);
    CHECK(entry);
    buf_add_char(out, '(');
    buf_add_u64(out, (uint64_t)module);
    buf_add_char(out, ')');
    struct span text = span_of(entry->text);
    size_t hole = span_find(text, '%');
    buf_add(out, span_slice(text, 0, hole));
    if (hole < text.len) {
        json_escape(out, span_of(name));
        buf_add(out, span_slice(text, hole + 2, text.len));
    }
}

void call_error_begin(struct call *call, int code, int module, const char *name)
{
    call->code = code;
    call->module = module;
    buf_clear(call->out);
    buf_add_str(call->out, "{\"code\":");
    buf_add_u64(call->out, (uint64_t)code);
    buf_add_str(call->out, ",\"message\":\"");
    call_message(call->out, code, module, name);
    buf_add_char(call->out, '"');
    add_ids(call);
}

void call_error(struct call *call, int code, int module, const char *name)
{
    call_error_begin(call, code, module, name);
    buf_add_char(call->out, '}');
}

void call_set_name(struct call *call, struct span name)
{
    keep(call->name, sizeof call->name, name);
}

void call_set_action(struct call *call, struct span action)
{
    keep(call->action, sizeof call->action, action);
}

void call_print_id(uint64_t request_id, bool is_api3, char out[CALL_ID_SIZE])
{
    if (is_api3) {
        (void)snprintf(out, CALL_ID_SIZE, "%08" PRIx64 "-%04" PRIx64 "-4000-8000-%012" PRIx64,
                       request_id >> 32, request_id >> 16 & 0xffff, request_id & 0xffff);
    } else {
        (void)snprintf(out, CALL_ID_SIZE, "%" PRIu64, request_id);
    }
}
