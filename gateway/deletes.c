/*
 * deletes - taking noted messages out of their queue, many at a time (downlink_impl.h).
 *
 * A delete whose answer is lost is tried again. When CMQ then says that the handle is not valid,
 * the message was deleted after all, or it has become visible again: it stays known as done, so
 * that a redelivery is recognised.
 */
#include "gateway/downlink_impl.h"

enum { DELETES_MAX_REQUESTS = 4 };

struct removal {
    struct source *source;
    struct inbound *items[CMQ_MAX_BATCH];
    char *handles[CMQ_MAX_BATCH]; /* as sent: a redelivery may have brought a newer one since */
    size_t count;
};

void deletes_add(struct inbound *in)
{
    DL_APPEND(in->source->deletes, in);
    in->source->delete_count++;
}

static void gone(struct inbound *in)
{
    struct downlink *d = in->source->downlink;
    counters_add(d->options.counters, COUNTER_DELETED, 1);
    figures_add(in->source->figures, FIGURE_DELETED, 1);
    spool_forget(d->options.spool, in->key);
    inbound_free(in);
}

static const struct cmq_fault *fault_of(const struct cmq_reply *reply, const char *handle)
{
    for (size_t i = 0; i < reply->fault_count; i++) {
        if (span_eq_str(reply->faults[i].handle, handle))
            return &reply->faults[i];
    }
    return NULL;
}

static void judge(struct inbound *in, const char *handle, enum cmq_verdict verdict)
{
    switch (verdict) {
    case CMQ_DONE:
        gone(in);
        break;
    case CMQ_REJECT: /* the handle is not valid (any more) */
        if (strcmp(in->handle, handle) != 0)
            deletes_add(in);
        else
            in->state = INBOUND_DONE;
        break;
    default:
        deletes_add(in);
    }
}

static void paused(void *ctx)
{
    struct source *source = ctx;
    source->delete_pausing = false;
    deletes_run(source);
}

static void removal_done(void *ctx, const struct cmq_reply *reply)
{
    struct removal *removal = ctx;
    struct source *source = removal->source;
    source->delete_requests--;
    bool again = false;
    for (size_t i = 0; i < removal->count; i++) {
        enum cmq_verdict verdict = reply->verdict;
        if (verdict == CMQ_PARTIAL) {
            const struct cmq_fault *fault = fault_of(reply, removal->handles[i]);
            verdict = fault ? fault->verdict : CMQ_DONE;
        }
        again = again || (verdict != CMQ_DONE && verdict != CMQ_REJECT);
        judge(removal->items[i], removal->handles[i], verdict);
        free(removal->handles[i]);
    }
    free(removal);
    if (again) {
        source->delete_pausing = true;
        source->delete_timer.fn = paused;
        source->delete_timer.ctx = source;
        pump_timer_set(source->downlink->options.pump, &source->delete_timer,
                       backoff_next(&source->delete_backoff));
    } else {
        backoff_reset(&source->delete_backoff);
    }
    downlink_run(source->downlink);
}

static void send_removal(struct source *source)
{
    struct removal *removal = check_alloc(calloc(1, sizeof *removal));
    removal->source = source;
    struct span handles[CMQ_MAX_BATCH];
    while (source->deletes && removal->count < CMQ_MAX_BATCH) {
        struct inbound *in = source->deletes;
        DL_DELETE(source->deletes, in);
        source->delete_count--;
        removal->handles[removal->count] = span_dup(span_of(in->handle));
        handles[removal->count] = span_of(removal->handles[removal->count]);
        removal->items[removal->count++] = in;
    }
    struct cmq_request request = {.action = removal->count == 1 ? CMQ_DELETE_MESSAGE
                                                                : CMQ_BATCH_DELETE_MESSAGE,
                                  .name = span_of(source->rule->queue),
                                  .items = handles,
                                  .item_count = removal->count};
    source->delete_requests++;
    (void)cmq_client_call(source->downlink->options.client, &request, removal_done, removal);
}

void deletes_run(struct source *source)
{
    while (!source->delete_pausing && source->deletes &&
           source->delete_requests < DELETES_MAX_REQUESTS &&
           (source->delete_requests == 0 || source->delete_count >= CMQ_MAX_BATCH))
        send_removal(source);
}
