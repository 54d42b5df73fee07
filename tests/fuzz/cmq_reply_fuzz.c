/* Any bytes as an answer to any action: what comes out keeps reply.h's promises. */
#include "cmq/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(struct span id)
{
    CHECK(id.len > 0 && id.len <= CMQ_MAX_HANDLE_BYTES);
    CHECK(memchr(id.ptr, '\0', id.len) == NULL);
}

static void check_reply(const struct cmq_reply *reply, enum cmq_action action, size_t items,
                        size_t size)
{
    CHECK(reply->msg_id_count <= items && reply->fault_count <= items);
    CHECK(reply->message_count <= items && reply->addr_count <= CMQ_MAX_BATCH);
    CHECK(memchr(reply->text, '\0', sizeof reply->text));
    CHECK(cmq_verdict_name(reply->verdict) && cmq_advice(reply->code, reply->module));
    bool bodies = action == CMQ_SEND_MESSAGE || action == CMQ_BATCH_SEND_MESSAGE ||
                  action == CMQ_PUBLISH_MESSAGE || action == CMQ_BATCH_PUBLISH_MESSAGE;
    if (reply->verdict == CMQ_DONE) {
        CHECK(reply->code == 0);
        CHECK(reply->msg_id_count == (bodies ? items : 0));
    } else {
        CHECK(reply->msg_id_count + reply->message_count + reply->addr_count == 0);
    }
    CHECK((reply->fault_count > 0) == (reply->verdict == CMQ_PARTIAL));
    for (size_t i = 0; i < reply->msg_id_count; i++)
        check_id(reply->msg_ids[i]);
    for (size_t i = 0; i < reply->message_count; i++) {
        check_id(reply->messages[i].msg_id);
        check_id(reply->messages[i].handle);
        CHECK(reply->messages[i].body.len <= size);
        CHECK(reply->messages[i].next_visible_s >= 0);
    }
    for (size_t i = 0; i < reply->fault_count; i++) {
        check_id(reply->faults[i].handle);
        CHECK(reply->faults[i].verdict >= CMQ_RETRY && reply->faults[i].verdict != CMQ_UNROUTED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (enum cmq_action action = 0; action < CMQ_ACTION_COUNT; action++) {
        bool batch = action == CMQ_BATCH_SEND_MESSAGE || action == CMQ_BATCH_RECEIVE_MESSAGE ||
                     action == CMQ_BATCH_DELETE_MESSAGE || action == CMQ_BATCH_PUBLISH_MESSAGE;
        size_t items = batch ? 2 : 1;
        struct cmq_reply reply;
        cmq_reply_parse(&reply, action, items, 200, span_make(data, size));
        check_reply(&reply, action, items, size);
        cmq_reply_fini(&reply);
    }
    return 0;
}
