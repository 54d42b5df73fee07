/* admin_reload - POST /api/v1/reload. */
#include "gateway/admin_impl.h"

static void reloaded(void *ctx, bool ok, struct span json)
{
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    buf_add(&out, json);
    admin_answer(ctx, ok ? 200 : 422, &out);
}

void admin_reload(struct admin *admin, struct http_request *request)
{
    reload_ask(admin->options.desk, reloaded, request);
}
