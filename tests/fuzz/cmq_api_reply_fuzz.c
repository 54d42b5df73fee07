/* Any bytes as an answer of the management plane: what comes out keeps api_reply.h's promises. */
#include "cmq/api_reply.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_reply reply;
    struct err err;
    api_reply_parse(&reply, 200, span_make(data, size));
    CHECK(memchr(reply.code, '\0', sizeof reply.code));
    CHECK(memchr(reply.request_id, '\0', sizeof reply.request_id));
    CHECK(memchr(reply.text, '\0', sizeof reply.text));
    CHECK((reply.response != NULL) == (reply.outcome == API_DONE));
    CHECK((reply.outcome == API_REFUSED) <= (reply.code[0] != '\0'));
    CHECK(reply.outcome != API_UNREACHED);
    CHECK(reply.outcome != API_DONE || reply.request_id[0]);
    CHECK(!api_reply_explain(&reply, "Action", &err) && err.text[0]);
    for (const char *c = reply.code; *c; c++)
        CHECK(*c > ' ' && *c < 0x7f);
    api_reply_fini(&reply);
    return 0;
}
