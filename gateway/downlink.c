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

static void poller_woken(void *ctx)
{
    struct poller *poller = ctx;
    poller->pausing = false;
    downlink_run(poller->source->downlink);
}

static void log_trouble(struct source *source, const struct cmq_reply *reply)
{
    uint64_t held_back;
    if (!log_repeat_due(&source->trouble, clock_mono_ms(), DOWNLINK_REPEAT_MS, &held_back))
        return;
    const char *advice = reply->code > 0 ? cmq_advice(reply->code, reply->module) : "";
    log_write(LOG_WARN, "cmq.poll_failed",
              LOG_FIELDS(LOG_STR("rule", source->rule->name), LOG_STR("queue", source->rule->queue),
                         LOG_NUM("http", reply->http_status), LOG_NUM("code", reply->code),
                         LOG_NUM("module", reply->module), LOG_NUM("more", held_back)),
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
    d->polling -= (size_t)source->rule->batch;
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
        if (d->online && !d->closed) {
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
    d->polling += (size_t)rule->batch;
    counters_add(d->options.counters, COUNTER_POLLS, 1);
    poller->call = cmq_client_call(d->options.client, &request, poll_done, poller);
}

static void poll_where_due(struct downlink *d)
{
    for (size_t i = 0; i < d->source_count; i++) {
        struct source *source = &d->sources[i];
        for (int p = 0; p < source->poller_count; p++) {
            struct poller *poller = &source->pollers[p];
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

static void stop_polling(struct downlink *d)
{
    for (size_t i = 0; i < d->source_count; i++) {
        struct source *source = &d->sources[i];
        for (int p = 0; p < source->poller_count; p++) {
            struct poller *poller = &source->pollers[p];
            pump_timer_clear(d->options.pump, &poller->timer);
            poller->pausing = false;
            if (poller->call)
                cmq_client_cancel(d->options.client, poller->call);
        }
        if (source->poller_count > 0) /* nothing is known of a queue that is not read */
            tell_health(source, NULL);
        while (source->waiting) /* CMQ still has them, and gives them out again */
            inbound_free(source->waiting);
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
    for (size_t i = 0; i < d->source_count; i++) {
        if (d->online && !d->closed)
            inbound_publish_waiting(&d->sources[i]);
        deletes_run(&d->sources[i]);
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
    const struct reverse_rule *rule;
    char *msg_id;
    struct span body;
    downlink_pushed_fn done;
    void *ctx;
};

static struct source *source_of(struct downlink *d, const struct reverse_rule *rule)
{
    for (size_t i = 0; i < d->source_count; i++) {
        if (d->sources[i].rule == rule)
            return &d->sources[i];
    }
    CHECK(false);
}

static void take_push(void *ctx)
{
    struct push_mail *push = ctx;
    struct downlink *d = push->downlink;
    if (!d->online || d->closed || d->taken >= d->max_taken)
        push->done(push->ctx, DOWNLINK_PUSH_AWAY);
    else
        inbound_take_push(source_of(d, push->rule), span_of(push->msg_id), push->body, push->done,
                          push->ctx);
    free(push->msg_id);
    free((char *)(uintptr_t)push->body.ptr);
    free(push);
    downlink_run(d);
}

void downlink_push(struct downlink *d, const struct reverse_rule *rule, struct span msg_id,
                   struct span body, downlink_pushed_fn done, void *ctx)
{
    struct push_mail *push = check_alloc(malloc(sizeof *push));
    *push = (struct push_mail){.downlink = d,
                               .rule = rule,
                               .msg_id = span_dup(msg_id),
                               .body = {span_dup(body), body.len},
                               .done = done,
                               .ctx = ctx};
    pump_post(d->options.pump, take_push, push);
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
    pump_timer_set(d->options.pump, &d->sweep, DOWNLINK_SWEEP_MS);
}

static void source_init(struct source *source, struct downlink *d, const struct reverse_rule *rule)
{
    source->downlink = d;
    source->rule = rule;
    source->figures =
        figures_enter(counters_book(d->options.counters), FIGURES_REVERSE, span_of(rule->name));
    source->delete_backoff = (struct backoff){.first_ms = 100, .cap_ms = 10000};
    if (!rule->queue) {
        struct buf name = BUF_INIT(256);
        buf_printf(&name, "push/%s", rule->name);
        source->name = buf_take(&name);
        return;
    }
    source->name = span_dup(span_of(rule->queue));
    source->poller_count = rule->pollers;
    source->pollers = check_alloc(calloc((size_t)rule->pollers, sizeof *source->pollers));
    for (int i = 0; i < rule->pollers; i++) {
        struct poller *poller = &source->pollers[i];
        poller->source = source;
        poller->backoff = (struct backoff){.first_ms = 200, .cap_ms = 30000};
        poller->timer.fn = poller_woken;
        poller->timer.ctx = poller;
    }
}

/* A note of an earlier run; one whose source no rule has any more stays in the spool until a rule
 * reads that queue again. */
static void remember_note(void *ctx, const char *note, int64_t noted_ms)
{
    struct downlink *d = ctx;
    struct span name = span_slice(span_of(note), 0, span_find(span_of(note), ' '));
    for (size_t i = 0; i < d->source_count; i++) {
        if (!span_eq_str(name, d->sources[i].name))
            continue;
        struct inbound *in =
            inbound_remember(&d->sources[i], span_slice(span_of(note), name.len + 1, SIZE_MAX));
        in->state = INBOUND_DONE;
        in->since_ms = noted_ms;
        in->next_visible_ms = clock_unix_ms() + DOWNLINK_LIFE_MS; /* unknown: until it comes */
        return;
    }
}

struct downlink *downlink_new(const struct downlink_options *options, struct err *err)
{
    struct downlink *d = check_alloc(calloc(1, sizeof *d));
    const struct ruleset *rules = options->rules;
    d->options = *options;
    d->gateway = span_of(rules->gateway);
    d->max_taken = DOWNLINK_MIN_TAKEN;
    d->visibility_ms = 30000;
    d->mail_tail = &d->mail;
    d->tick = (struct pump_timer){.fn = ticked, .ctx = d};
    d->sweep = (struct pump_timer){.fn = swept, .ctx = d};
    CHECK(pthread_mutex_init(&d->mutex, NULL) == 0);
    reverse_draft_init(&d->draft);
    d->jq = jq_worker_new(options->jq);
    d->sources = check_alloc(calloc(rules->reverse_count + 1, sizeof *d->sources));
    for (size_t i = 0; i < rules->reverse_count; i++)
        source_init(&d->sources[d->source_count++], d, &rules->reverse[i]);
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
    for (size_t i = 0; i < d->source_count; i++) {
        free(d->sources[i].pollers);
        free(d->sources[i].name);
    }
    free(d->sources);
    jq_worker_free(d->jq);
    reverse_draft_fini(&d->draft);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}
