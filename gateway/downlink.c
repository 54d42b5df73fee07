/*
 * downlink - see downlink.h: who polls when, and how much is taken.
 *
 * How much may be taken follows from how fast the broker takes it: at most what it acknowledged
 * lately in a third of the time that CMQ leaves us, so that everything taken is published before it
 * becomes visible to others again.
 */
#include "gateway/downlink_impl.h"

enum { DOWNLINK_EMPTY_MS = 60000 }; /* an empty answer speaks for what could have come by then */

/* ---- polling ---- */

static void log_trouble(struct source *source, const struct cmq_reply *reply)
{
    uint64_t held_back;
    if (!log_repeat_due(&source->trouble, clock_mono_ms(), DOWNLINK_REPEAT_MS, &held_back))
        return;
    const char *advice = reply->code > 0 ? cmq_advice(reply->code, reply->module) : "";
    log_write(LOG_WARN, "cmq.poll_failed",
              LOG_FIELDS(LOG_STR("rule", source->rule->name), LOG_STR("queue", source->rule->queue),
                         LOG_NUM("http", reply->http_status), LOG_NUM("code", reply->code),
                         LOG_NUM("module", reply->module), LOG_STR("request_id", reply->request_id),
                         LOG_NUM("more", held_back)),
              "queue %s cannot be read and is tried again: %s%s%s", source->rule->queue,
              reply->text, advice[0] ? ": " : "", advice);
}

/* What the answer says of the queue as a place to read from. */
static void tell_health(struct source *source, const struct cmq_reply *reply)
{
    struct health *health = source->downlink->options.health;
    enum gate_health state = !reply                        ? GATE_OPEN
                             : reply->verdict == CMQ_HOLD  ? GATE_HOLDING
                             : reply->verdict == CMQ_DONE  ? GATE_OPEN
                             : reply->verdict == CMQ_EMPTY ? GATE_OPEN
                                                           : GATE_BACKING_OFF;
    struct buf name = BUF_INIT(HEALTH_NAME_BYTES);
    buf_printf(&name, "reading queue %s", source->rule->queue);
    health_destination(health, buf_str(&name), state, reply);
    if (reply)
        health_answer(health, reply);
    buf_fini(&name);
}

static void poll_pause(struct poller *poller)
{
    poller->pausing = true;
    pump_timer_set(poller->source->downlink->options.pump, &poller->timer,
                   backoff_next(&poller->backoff));
}

/* The queue was empty after these could have come again: they were deleted after all. */
static void forget_done(struct source *source, int64_t polled_since_ms)
{
    struct downlink *d = source->downlink;
    struct inbound *in, *next;
    HASH_ITER(hh, d->known, in, next)
    {
        if (in->source != source || in->state != INBOUND_DONE ||
            in->next_visible_ms + DOWNLINK_EMPTY_MS > polled_since_ms)
            continue;
        spool_forget(d->options.spool, in->key);
        inbound_free(in);
    }
}

static void poll_done(void *ctx, const struct cmq_reply *reply)
{
    struct poller *poller = ctx;
    struct source *source = poller->source;
    struct downlink *d = source->downlink;
    poller->call = NULL;
    d->polling -= poller->batch;
    switch (reply->verdict) {
    case CMQ_DONE:
    case CMQ_EMPTY:
        backoff_reset(&poller->backoff);
        tell_health(source, reply);
        if (source->trouble.next_ms > 0)
            log_write(LOG_INFO, "cmq.poll_resumed",
                      LOG_FIELDS(LOG_STR("queue", source->rule->queue)),
                      "queue %s can be read again", source->rule->queue);
        source->trouble = (struct log_repeat){0};
        for (size_t i = 0; i < reply->message_count; i++)
            inbound_take(source, &reply->messages[i]);
        if (reply->verdict == CMQ_EMPTY)
            forget_done(source, poller->started_ms);
        break;
    default:
        if (d->online && !d->closed && !source->gone) {
            log_trouble(source, reply);
            tell_health(source, reply);
            figures_error(source->figures, span_of(reply->text));
            poll_pause(poller);
        }
    }
    downlink_run(d);
}

static void poll_start(struct poller *poller)
{
    struct source *source = poller->source;
    struct downlink *d = source->downlink;
    const struct reverse_rule *rule = source->rule;
    struct cmq_request request = {.action = CMQ_BATCH_RECEIVE_MESSAGE,
                                  .name = span_of(rule->queue),
                                  .max_messages = (unsigned)rule->batch,
                                  .wait_s = rule->wait_s};
    poller->started_ms = clock_unix_ms();
    poller->batch = (size_t)rule->batch;
    d->polling += poller->batch;
    counters_add(d->options.counters, COUNTER_POLLS, 1);
    poller->call = cmq_client_call(d->options.client, &request, poll_done, poller);
}

static void poll_where_due(struct downlink *d)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        for (int p = 0; p < source->poller_count; p++) {
            struct poller *poller = source->pollers[p];
            size_t batch = (size_t)source->rule->batch;
            /* A long poll that may bring nothing must not keep the others from polling: what polls
             * may bring counts only against the part that is in use. */
            bool room = d->taken + batch <= d->max_taken &&
                        (d->taken == 0 || d->taken + d->polling + batch <= d->max_taken * 2);
            if (!poller->call && !poller->pausing && room)
                poll_start(poller);
        }
    }
}

static void stop_source(struct source *source)
{
    struct downlink *d = source->downlink;
    for (int p = 0; p < source->poller_room; p++) {
        struct poller *poller = source->pollers[p];
        pump_timer_clear(d->options.pump, &poller->timer);
        poller->pausing = false;
        if (poller->call)
            cmq_client_cancel(d->options.client, poller->call);
    }
    if (source->poller_room > 0) /* nothing is known of a queue that is not read */
        tell_health(source, NULL);
    while (source->waiting) /* CMQ still has them, and gives them out again */
        inbound_free(source->waiting);
}

static void stop_polling(struct downlink *d)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        stop_source(source);
    }
}

/* ---- once a second: how much may be taken ---- */

static void ticked(void *ctx)
{
    struct downlink *d = ctx;
    size_t rate = d->noted_in_tick * 1000u / DOWNLINK_TICK_MS;
    d->noted_in_tick = 0;
    size_t fits = rate * (size_t)(d->visibility_ms / 3) / 1000;
    size_t aim = fits < DOWNLINK_MIN_TAKEN   ? DOWNLINK_MIN_TAKEN
                 : fits > DOWNLINK_MAX_TAKEN ? DOWNLINK_MAX_TAKEN
                                             : fits;
    d->max_taken = aim > d->max_taken ? aim : (d->max_taken * 3 + aim) / 4;
    d->ticking = d->taken > 0 || d->max_taken > DOWNLINK_MIN_TAKEN;
    if (d->ticking)
        pump_timer_set(d->options.pump, &d->tick, DOWNLINK_TICK_MS);
    downlink_run(d);
}

/* ---- running ---- */

static size_t count_busy(const struct downlink *d)
{
    size_t busy = 0;
    for (const struct inbound *in = d->known; in; in = in->hh.next)
        busy += in->state == INBOUND_PUBLISHING || in->state == INBOUND_NOTING ||
                in->state == INBOUND_DELETING;
    return busy;
}

void downlink_run(struct downlink *d)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        if (d->online && !d->closed)
            inbound_publish_waiting(source);
        deletes_run(source);
    }
    if (d->online && !d->closed)
        poll_where_due(d);
    if (d->taken > 0 && !d->ticking) {
        d->ticking = true;
        pump_timer_set(d->options.pump, &d->tick, DOWNLINK_TICK_MS);
    }
    if (d->closed)
        atomic_store(&d->busy, count_busy(d));
}

/* ---- the mailbox ---- */

static void take_mail(void *ctx)
{
    struct downlink *d = ctx;
    pthread_mutex_lock(&d->mutex);
    struct inbound *in = d->mail;
    d->mail = NULL;
    d->mail_tail = &d->mail;
    d->posted = false;
    bool changed = d->mail_online_changed, online = d->mail_online;
    d->mail_online_changed = false;
    pthread_mutex_unlock(&d->mutex);
    while (in) {
        struct inbound *next = in->mail_next;
        if (in->mail == INBOUND_PUBLISHED)
            inbound_published(in);
        else
            inbound_noted(in, in->mail == INBOUND_NOTED);
        in = next;
    }
    if (changed && online != d->online) {
        d->online = online;
        if (!online)
            stop_polling(d);
    }
    downlink_run(d);
}

static void post_locked(struct downlink *d, bool *post)
{
    *post = !d->posted;
    d->posted = true;
}

void downlink_mail(struct inbound *in, enum inbound_mail what)
{
    struct downlink *d = in->source->downlink;
    bool post;
    in->mail = what;
    in->mail_next = NULL;
    pthread_mutex_lock(&d->mutex);
    *d->mail_tail = in;
    d->mail_tail = &in->mail_next;
    post_locked(d, &post);
    pthread_mutex_unlock(&d->mutex);
    if (post)
        pump_post(d->options.pump, take_mail, d);
}

void downlink_noted(void *cookie, bool committed)
{
    downlink_mail(cookie, committed ? INBOUND_NOTED : INBOUND_NOT_NOTED);
}

void downlink_online(struct downlink *d, bool online)
{
    bool post;
    pthread_mutex_lock(&d->mutex);
    d->mail_online = online;
    d->mail_online_changed = true;
    post_locked(d, &post);
    pthread_mutex_unlock(&d->mutex);
    if (post)
        pump_post(d->options.pump, take_mail, d);
}

static void close_now(void *ctx)
{
    struct downlink *d = ctx;
    d->closed = true;
    stop_polling(d);
    downlink_run(d);
}

void downlink_close(struct downlink *d)
{
    atomic_store(&d->busy, SIZE_MAX);
    pump_post(d->options.pump, close_now, d);
}

size_t downlink_busy(struct downlink *d)
{
    return atomic_load(&d->busy);
}

/* ---- pushes ---- */

struct push_mail {
    struct downlink *downlink;
    char *rule;
    char *msg_id;
    struct span body;
    downlink_pushed_fn done;
    void *ctx;
};

static void take_push(void *ctx)
{
    struct push_mail *push = ctx;
    struct downlink *d = push->downlink;
    struct source *source = source_of_pushes(d, push->rule);
    if (!source || !d->online || d->closed || d->taken >= d->max_taken)
        push->done(push->ctx, DOWNLINK_PUSH_AWAY);
    else
        inbound_take_push(source, span_of(push->msg_id), push->body, push->done, push->ctx);
    free(push->rule);
    free(push->msg_id);
    free((char *)(uintptr_t)push->body.ptr);
    free(push);
    downlink_run(d);
}

void downlink_push(struct downlink *d, const char *rule, struct span msg_id, struct span body,
                   downlink_pushed_fn done, void *ctx)
{
    struct push_mail *push = check_alloc(malloc(sizeof *push));
    *push = (struct push_mail){.downlink = d,
                               .rule = span_dup(span_of(rule)),
                               .msg_id = span_dup(msg_id),
                               .body = {span_dup(body), body.len},
                               .done = done,
                               .ctx = ctx};
    pump_post(d->options.pump, take_push, push);
}

/* ---- other rules ---- */

void downlink_reload(struct downlink *d, const struct config *config)
{
    sources_keep(d, config);
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        if (source->kept || source->gone)
            continue;
        source->gone = true;
        source->poller_count = 0;
        stop_source(source);
    }
    sources_drop(d);
    downlink_run(d);
}

/* ---- life ---- */

static void swept(void *ctx)
{
    struct downlink *d = ctx;
    int64_t now_ms = clock_unix_ms();
    struct inbound *in, *next;
    HASH_ITER(hh, d->known, in, next)
    {
        int64_t age_ms = now_ms - in->since_ms;
        if (in->state == INBOUND_FAILED && age_ms > DOWNLINK_FAILED_MS) {
            inbound_free(in);
        } else if (in->state == INBOUND_DONE && age_ms > DOWNLINK_LIFE_MS) {
            spool_forget(d->options.spool, in->key);
            inbound_free(in);
        }
    }
    sources_drop(d);
    pump_timer_set(d->options.pump, &d->sweep, DOWNLINK_SWEEP_MS);
}

static void remember_note(void *ctx, const char *note, int64_t noted_ms)
{
    struct downlink *d = ctx;
    struct span name = span_slice(span_of(note), 0, span_find(span_of(note), ' '));
    struct inbound *in = inbound_remember(source_of_name(d, name),
                                          span_slice(span_of(note), name.len + 1, SIZE_MAX));
    in->state = INBOUND_DONE;
    in->since_ms = noted_ms;
    in->next_visible_ms = clock_unix_ms() + DOWNLINK_LIFE_MS; /* unknown: until it comes */
}

struct downlink *downlink_new(const struct downlink_options *options, struct err *err)
{
    struct downlink *d = check_alloc(calloc(1, sizeof *d));
    d->options = *options;
    d->max_taken = DOWNLINK_MIN_TAKEN;
    d->visibility_ms = 30000;
    d->mail_tail = &d->mail;
    d->tick = (struct pump_timer){.fn = ticked, .ctx = d};
    d->sweep = (struct pump_timer){.fn = swept, .ctx = d};
    CHECK(pthread_mutex_init(&d->mutex, NULL) == 0);
    reverse_draft_init(&d->draft);
    d->jq = jq_worker_new(options->jq);
    sources_keep(d, options->config);
    if (!spool_each_note(options->spool, remember_note, d, err)) {
        downlink_free(d);
        return NULL;
    }
    pump_timer_set(options->pump, &d->sweep, DOWNLINK_SWEEP_MS);
    return d;
}

void downlink_free(struct downlink *d)
{
    if (!d)
        return;
    struct inbound *in, *next;
    HASH_ITER(hh, d->known, in, next)
    {
        inbound_free(in);
    }
    sources_free(d);
    jq_worker_free(d->jq);
    reverse_draft_fini(&d->draft);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}
