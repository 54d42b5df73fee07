/* outbox - see outbox.h. */
#include "local/outbox.h"

#include "base/check.h"
#include "base/log.h"

#include <event2/event.h>
#include <event2/http.h>

/* An answer that is complete, but for its commit. */
struct outbox_answer {
    struct evhttp_request *req;
    int status;
    const char *reason;
};

static void on_change(void *ctx)
{
    struct outbox *outbox = ctx;
    event_active(outbox->commit, EV_TIMEOUT, 0);
}

static void commit(struct outbox *outbox)
{
    struct err err;
    if (!vault_commit(outbox->vault, &err)) {
        log_write(LOG_ERROR, "local.data", NULL, "%s; what was answered is in it", err.text);
        outbox->failed = true;
        (void)event_base_loopbreak(outbox->base);
        return;
    }
    for (size_t i = 0; i < outbox->count; i++) {
        const struct outbox_answer *answer = &outbox->held[i];
        evhttp_send_reply(answer->req, answer->status, answer->reason, NULL);
    }
    outbox->count = 0;
}

static void on_commit(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    commit(ctx);
}

void outbox_init(struct outbox *outbox, struct event_base *base, struct vault *vault)
{
    *outbox = (struct outbox){.base = base, .vault = vault};
    outbox->commit = check_alloc(event_new(base, -1, 0, on_commit, outbox));
}

void outbox_start(struct outbox *outbox)
{
    if (outbox->vault)
        vault_notify(outbox->vault, on_change, outbox);
}

void outbox_send(struct outbox *outbox, struct evhttp_request *req, int status, const char *reason)
{
    if (!outbox->vault) {
        evhttp_send_reply(req, status, reason, NULL);
        return;
    }
    if (outbox->count == outbox->room) {
        outbox->room = outbox->room ? outbox->room * 2 : 64;
        outbox->held = check_alloc(reallocarray(outbox->held, outbox->room, sizeof *outbox->held));
    }
    outbox->held[outbox->count++] = (struct outbox_answer){req, status, reason};
    on_change(outbox);
}

bool outbox_stop(struct outbox *outbox)
{
    if (outbox->vault && !outbox->failed)
        commit(outbox);
    return !outbox->failed;
}

void outbox_fini(struct outbox *outbox)
{
    if (outbox->vault)
        vault_notify(outbox->vault, NULL, NULL);
    event_free(outbox->commit);
    free(outbox->held);
}
