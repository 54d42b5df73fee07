/* push_body - see push_body.h */
#include "gateway/push_body.h"

#include "base/json.h"
#include "cmq/limits.h"
#include "mapping/jsonview.h"

/* Something that can be kept, compared and logged. */
static bool id_ok(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        if ((unsigned char)id.ptr[i] < ' ' || id.ptr[i] == 0x7f)
            return false;
    }
    return id.len > 0 && id.len <= CMQ_MAX_HANDLE_BYTES && utf8_valid(id);
}

static bool contains(struct span text, struct span part)
{
    return part.len > 0 && text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len);
}

/*
 * Whether body is the object that CMQ puts around the message with this id (any id when that is
 * empty). *message becomes its msgBody, which may be of any kind.
 */
static bool read_wrapper(struct push_body *out, struct span id, struct span body,
                         struct jsonview *message)
{
    static const struct span msg_id_key = SPAN_LIT("msgId"), msg_body_key = SPAN_LIT("msgBody");
    struct jsonview object, msg_id;
    if (!jsonview_parse(body, JSONVIEW_MAX_WRAPPED_DEPTH, &object) ||
        !jsonview_member(object, msg_body_key, message) ||
        !jsonview_member(object, msg_id_key, &msg_id))
        return false;
    if (msg_id.kind == JSONVIEW_NUMBER) /* as the sources differ about TopicOwner */
        out->msg_id = msg_id.text;
    else if (!jsonview_text(msg_id, &out->id_text, &out->msg_id))
        return false;
    return id_ok(out->msg_id) && (id.len == 0 || span_eq(out->msg_id, id));
}

/*
 * Whether body should have been a wrapper: it has the id that only CMQ can have written. To pass
 * that on as the message would send devices something that nobody meant for them.
 */
static bool is_broken_wrapper(struct span id, struct span body)
{
    return contains(body, id) && contains(body, span_of("\"msgBody\"")) &&
           contains(body, span_of("\"msgId\""));
}

bool push_body_read(struct push_body *out, struct span id_header, struct span body, struct err *err)
{
    struct jsonview message;
    *out = (struct push_body){.id_text = BUF_INIT(CMQ_MAX_HANDLE_BYTES),
                              .message_text = BUF_INIT(CMQ_MAX_BODY_BYTES)};
    if (id_header.len > 0 && !id_ok(id_header))
        return err_set(err, "x-cmq-message-id is not 1 to %d bytes of printable UTF-8",
                       CMQ_MAX_HANDLE_BYTES);
    if (read_wrapper(out, id_header, body, &message)) {
        if (!jsonview_text(message, &out->message_text, &out->message))
            return err_set(err, "msgBody is not a string that has a UTF-8 form of at most %d bytes",
                           CMQ_MAX_BODY_BYTES);
    } else if (id_header.len == 0) {
        return err_set(err, "it has no x-cmq-message-id and is no JSON with msgId and msgBody");
    } else if (is_broken_wrapper(id_header, body)) {
        return err_set(err,
                       "it looks like CMQ's JSON, but is none with a usable msgId and msgBody");
    } else {
        out->msg_id = id_header;
        out->message = body;
    }
    if (out->message.len > CMQ_MAX_BODY_BYTES)
        return err_set(err, "the message has %zu bytes, more than CMQ carries", out->message.len);
    return true;
}

void push_body_fini(struct push_body *body)
{
    buf_fini(&body->id_text);
    buf_fini(&body->message_text);
}
