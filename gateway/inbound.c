/* inbound - one CMQ message on its way to MQTT: from its receipt to its note (downlink_impl.h). */
#include "gateway/downlink_impl.h"

#include "base/base64.h"
#include "base/json.h"
#include "mapping/destination.h"

#include <stdio.h>

enum { INBOUND_MAX_PARKED = CMQ_MAX_BODY_BYTES, INBOUND_MAX_KEY = 1024 };

/* ---- known messages ---- */

static void make_key(const struct source *source, struct span msg_id, struct buf *key)
{
    buf_add_str(key, source->name);
    buf_add_char(key, ' ');
    buf_add(key, msg_id);
}

static struct inbound *find(const struct source *source, struct span msg_id)
{
    struct buf key = BUF_INIT(INBOUND_MAX_KEY);
    make_key(source, msg_id, &key);
    struct inbound *in;
    HASH_FIND(hh, source->downlink->known, buf_str(&key), key.len, in);
    buf_fini(&key);
    return in;
}

struct inbound *inbound_remember(struct source *source, struct span msg_id)
{
    struct inbound *in = check_alloc(calloc(1, sizeof *in));
    struct buf key = BUF_INIT(INBOUND_MAX_KEY);
    make_key(source, msg_id, &key);
    in->key_len = key.len;
    in->key = buf_take(&key);
    in->source = source;
    in->state = INBOUND_FAILED; /* nothing of it is here yet */
    HASH_ADD_KEYPTR(hh, source->downlink->known, in->key, in->key_len, in);
    return in;
}

static struct span msg_id_of(const struct inbound *in)
{
    return span_slice(span_of(in->key), strlen(in->source->name) + 1, in->key_len);
}

static void drop_body(struct inbound *in)
{
    free((char *)(uintptr_t)in->body.ptr);
    in->body = (struct span){NULL, 0};
}

static bool is_taken(enum inbound_state state)
{
    return state == INBOUND_WAITING || state == INBOUND_PUBLISHING || state == INBOUND_NOTING;
}

/* The one place where a message's state changes: keeps count, and its place among the waiting. */
static void set_state(struct inbound *in, enum inbound_state state)
{
    struct source *source = in->source;
    struct downlink *d = source->downlink;
    if (in->state == INBOUND_WAITING)
        DL_DELETE(source->waiting, in);
    d->taken += is_taken(state);
    d->taken -= is_taken(in->state);
    in->state = state;
    if (state == INBOUND_WAITING)
        DL_APPEND(source->waiting, in);
    if (state != INBOUND_WAITING && state != INBOUND_PUBLISHING)
        drop_body(in);
    in->since_ms = clock_unix_ms();
}

static void answer_push(struct inbound *in, enum downlink_push_result result)
{
    if (!in->pushed)
        return;
    downlink_pushed_fn pushed = in->pushed;
    in->pushed = NULL;
    pushed(in->pushed_ctx, result);
}

void inbound_free(struct inbound *in)
{
    answer_push(in, DOWNLINK_PUSH_FAILED);
    set_state(in, INBOUND_FAILED);
    HASH_DEL(in->source->downlink->known, in);
    free(in->handle);
    free(in->key);
    free(in);
}

/* It stays with CMQ, and comes again. */
static void leave_to_cmq(struct inbound *in)
{
    answer_push(in, DOWNLINK_PUSH_FAILED);
    set_state(in, INBOUND_FAILED);
}

/* ---- parking ---- */

/* The body as CMQ can carry it, with the reason: a JSON object. */
static void describe(const struct inbound *in, const char *reason, struct buf *out)
{
    buf_add_str(out, "{\"reason\":");
    json_string(out, span_of(reason));
    buf_add_str(out, ",\"rule\":");
    json_string(out, span_of(in->source->rule->name));
    buf_add_str(out, ",\"queue\":");
    json_string(out, span_of(in->source->name));
    buf_add_str(out, ",\"msgId\":");
    json_string(out, msg_id_of(in));
    if (utf8_valid(in->body)) {
        buf_add_str(out, ",\"body\":");
        json_string(out, in->body);
    } else {
        buf_add_str(out, ",\"body_base64\":\"");
        base64_encode(out, in->body);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

/* As a delivery to the rule's dead-letter queue; false when it is too large for one. */
static bool park_in_queue(struct inbound *in, const char *reason, struct spool_entry *entry)
{
    struct downlink *d = in->source->downlink;
    const struct reverse_rule *rule = in->source->rule;
    struct buf body = BUF_INIT(INBOUND_MAX_PARKED);
    struct buf to = BUF_INIT(256);
    describe(in, reason, &body);
    struct destination destination = {.name = span_of(rule->dead_letter)};
    destination_format(&destination, &to);
    bool fits =
        !body.overflow && cmq_form_cost(buf_span(&body)) + CMQ_FORM_OVERHEAD <= CMQ_MAX_POST_BYTES;
    if (fits) {
        struct delivery *delivery =
            delivery_new(span_of(rule->name), buf_span(&to), buf_span(&body));
        delivery->id = spool_next_id(d->options.spool);
        delivery->lane = destination_lane(buf_span(&to), false);
        delivery->received_ms = clock_unix_ms();
        entry->deliveries = delivery;
    }
    buf_fini(&body);
    buf_fini(&to);
    return fits;
}

static void park_here(struct inbound *in, const char *reason, struct spool_entry *entry)
{
    const struct reverse_rule *rule = in->source->rule;
    struct buf origin = BUF_INIT(1024);
    buf_add_str(&origin, "{\"queue\":");
    json_string(&origin, span_of(in->source->name));
    buf_add_str(&origin, ",\"msgId\":");
    json_string(&origin, msg_id_of(in));
    buf_add_char(&origin, '}');
    struct dead_letter *letter = dead_letter_new(
        span_of(rule->name), span_of(reason), (struct span){NULL, 0}, buf_span(&origin), in->body);
    letter->direction = DEAD_DOWN;
    letter->attempts = (uint32_t)in->failures;
    letter->received_ms = letter->died_ms = clock_unix_ms();
    entry->dead = letter;
    buf_fini(&origin);
}

/* Hands the note, and what goes with it, to the spool. */
static void note(struct inbound *in, struct spool_entry *entry)
{
    entry->note = in->key;
    entry->cookie = in;
    in->stored = entry->deliveries || entry->dead;
    set_state(in, INBOUND_NOTING);
    if (!spool_append(in->source->downlink->options.spool, entry))
        inbound_noted(in, false);
}

static void park(struct inbound *in, const char *reason)
{
    struct downlink *d = in->source->downlink;
    const struct reverse_rule *rule = in->source->rule;
    struct spool_entry entry = {0};
    bool in_queue = rule->dead_letter[0] != '\0' && park_in_queue(in, reason, &entry);
    if (!in_queue)
        park_here(in, reason, &entry);
    uint64_t held_back;
    if (log_repeat_due(&d->parked_trouble, clock_mono_ms(), 1000, &held_back))
        log_write(LOG_WARN, "command.parked",
                  LOG_FIELDS(LOG_STR("rule", rule->name), LOG_STR("source", in->source->name),
                             LOG_TEXT_FIELD("msg_id", msg_id_of(in)), LOG_NUM("more", held_back)),
                  "a message of %s is parked in %s%s: %s", in->source->name,
                  in_queue ? "queue " : "the local store (cmqgw dead-letters list)",
                  in_queue ? rule->dead_letter : "", reason);
    struct figures *figures = in->source->figures;
    counters_add(d->options.counters, COUNTER_PARKED, 1);
    figures_add(figures, FIGURE_PARKED, 1);
    if (!in_queue)
        counters_dead(d->options.counters, figures, span_of(reason));
    else
        figures_error(figures, span_of(reason));
    note(in, &entry);
}

/* ---- publishing ---- */

static void published(void *ctx, enum mqtt_publish_result result, const char *why)
{
    struct inbound *in = ctx; /* on Paho's thread: only what is the callback's to write */
    in->result = result;
    (void)snprintf(in->why, sizeof in->why, "%s", why ? why : "");
    downlink_mail(in, INBOUND_PUBLISHED);
}

static void drop_loop(struct inbound *in)
{
    struct downlink *d = in->source->downlink;
    counters_add(d->options.counters, COUNTER_DROPPED_LOOP, 1);
    uint64_t more;
    if (log_repeat_due(&d->loop_trouble, clock_mono_ms(), DOWNLINK_REPEAT_MS, &more))
        log_write(LOG_INFO, "command.loop",
                  LOG_FIELDS(LOG_STR("rule", in->source->rule->name),
                             LOG_TEXT_FIELD("msg_id", msg_id_of(in)), LOG_NUM("more", more)),
                  "a message that came through this gateway before was dropped; allow_loop = true "
                  "in the rule would let it pass");
    note(in, &(struct spool_entry){0});
}

static void log_broken(const struct inbound *in, const struct err *err)
{
    uint64_t more;
    if (log_repeat_due(&in->source->downlink->jq_trouble, clock_mono_ms(), DOWNLINK_REPEAT_MS,
                       &more))
        log_write(LOG_WARN, "jq.broken",
                  LOG_FIELDS(LOG_STR("rule", in->source->rule->name),
                             LOG_TEXT_FIELD("msg_id", msg_id_of(in)), LOG_NUM("more", more)),
                  "a message is left to CMQ for now: %s", err->text);
    figures_error(in->source->figures, span_of(err->text));
}

/* Maps and publishes; false when the link takes no more now. */
static bool publish(struct inbound *in)
{
    struct source *source = in->source;
    struct downlink *d = source->downlink;
    struct err err;
    enum reverse_result result = reverse_plan(source->rule, span_of(source->config->gateway.id),
                                              in->body, d->jq, &d->draft, &err);
    switch (result) {
    case REVERSE_PUBLISH:
        if (!mqtt_link_publish(d->options.link, &d->draft.message, published, in))
            return false;
        set_state(in, INBOUND_PUBLISHING);
        break;
    case REVERSE_PARK:
        park(in, err.text);
        break;
    case REVERSE_LOOP:
        drop_loop(in);
        break;
    case REVERSE_AGAIN:
        log_broken(in, &err);
        leave_to_cmq(in);
        break;
    }
    return true;
}

/* Whether somebody else may get it any moment. Of a short visibility, half counts. */
static bool is_too_late(const struct inbound *in, int64_t now_ms)
{
    int64_t half_ms = (in->next_visible_ms - in->since_ms) / 2;
    int64_t margin_ms = half_ms < DOWNLINK_MARGIN_MS ? half_ms : DOWNLINK_MARGIN_MS;
    return in->next_visible_ms - now_ms < margin_ms;
}

void inbound_publish_waiting(struct source *source)
{
    struct downlink *d = source->downlink;
    int64_t now_ms = clock_unix_ms();
    while (source->waiting && mqtt_link_publish_room(d->options.link) > 0) {
        struct inbound *in = source->waiting;
        /* The analyser does not see that inbound_free takes its message off the list. */
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        if (is_too_late(in, now_ms)) {
            counters_add(d->options.counters, COUNTER_TOO_LATE, 1);
            inbound_free(in);
            continue;
        }
        if (!publish(in))
            return;
    }
}

static void refused(struct inbound *in)
{
    struct downlink *d = in->source->downlink;
    const struct reverse_rule *rule = in->source->rule;
    in->failures++;
    figures_add(in->source->figures, FIGURE_REFUSED, 1);
    figures_error(in->source->figures, span_of(in->why));
    uint64_t held_back;
    if (log_repeat_due(&d->refused_trouble, clock_mono_ms(), DOWNLINK_REPEAT_MS, &held_back))
        log_write(LOG_WARN, "mqtt.publish_refused",
                  LOG_FIELDS(LOG_STR("rule", rule->name), LOG_TEXT_FIELD("msg_id", msg_id_of(in)),
                             LOG_NUM("failures", in->failures), LOG_NUM("more", held_back)),
                  "the broker refused a message of %s (try %d of %d): %s", in->source->name,
                  in->failures, rule->attempts, in->why);
    if (in->failures >= rule->attempts) {
        char reason[sizeof in->why + 64];
        (void)snprintf(reason, sizeof reason, "publish_refused: %s", in->why);
        park(in, reason);
        return;
    }
    leave_to_cmq(in);
}

static void count_published(struct inbound *in)
{
    struct counters *counters = in->source->downlink->options.counters;
    int64_t took_ms = clock_unix_ms() - in->since_ms;
    counters_add(counters, COUNTER_PUBLISHED, 1);
    figures_add(in->source->figures, FIGURE_PUBLISHED, 1);
    histogram_add(counters_spread(counters, SPREAD_PUBLISH),
                  took_ms > 0 ? (uint64_t)took_ms * 1000 : 0);
}

void inbound_published(struct inbound *in)
{
    switch (in->result) {
    case MQTT_PUBLISHED:
        count_published(in);
        note(in, &(struct spool_entry){0});
        break;
    case MQTT_PUBLISH_REFUSED:
        refused(in);
        break;
    case MQTT_PUBLISH_LOST: /* CMQ gives it again */
        inbound_free(in);
        break;
    }
}

void inbound_noted(struct inbound *in, bool committed)
{
    struct downlink *d = in->source->downlink;
    d->noted_in_tick++;
    if (!committed && in->stored) {
        inbound_free(in); /* parking failed: it stays with CMQ */
        return;
    }
    /* The broker has it: it may be deleted, even if a redelivery would not be recognised. */
    answer_push(in, DOWNLINK_PUSH_DONE);
    if (!in->source->rule->queue) {
        set_state(in, INBOUND_DONE);
        return;
    }
    set_state(in, INBOUND_DELETING);
    deletes_add(in);
}

/* ---- taking ---- */

static void wait_for_room(struct inbound *in, struct span body, int64_t next_visible_ms)
{
    struct downlink *d = in->source->downlink;
    in->body = (struct span){span_dup(body), body.len};
    in->next_visible_ms = next_visible_ms;
    set_state(in, INBOUND_WAITING);
    d->visibility_ms = next_visible_ms - clock_unix_ms();
    if (d->visibility_ms < DOWNLINK_MARGIN_MS)
        d->visibility_ms = DOWNLINK_MARGIN_MS;
    counters_add(d->options.counters, COUNTER_TAKEN, 1);
    figures_add(in->source->figures, FIGURE_TAKEN, 1);
    figures_message(in->source->figures, in->since_ms);
}

static void count_recognised(struct source *source)
{
    counters_add(source->downlink->options.counters, COUNTER_RECOGNISED, 1);
    figures_add(source->figures, FIGURE_RECOGNISED, 1);
}

void inbound_take(struct source *source, const struct cmq_message *message)
{
    struct inbound *in = find(source, message->msg_id);
    if (!in)
        in = inbound_remember(source, message->msg_id);
    free(in->handle);
    in->handle = span_dup(message->handle);
    in->next_visible_ms = message->next_visible_s * 1000;
    switch (in->state) {
    case INBOUND_WAITING:
    case INBOUND_PUBLISHING:
    case INBOUND_NOTING:
    case INBOUND_DELETING: /* with the newest handle, if the one under way is no good */
        break;
    case INBOUND_DONE:
        count_recognised(source);
        set_state(in, INBOUND_DELETING);
        deletes_add(in);
        break;
    case INBOUND_FAILED:
        wait_for_room(in, message->body, in->next_visible_ms);
        break;
    }
}

void inbound_take_push(struct source *source, struct span msg_id, struct span body,
                       downlink_pushed_fn done, void *ctx)
{
    struct inbound *in = find(source, msg_id);
    if (!in)
        in = inbound_remember(source, msg_id);
    answer_push(in, DOWNLINK_PUSH_FAILED); /* an earlier push of it, given up by now */
    in->pushed = done;
    in->pushed_ctx = ctx;
    if (in->state == INBOUND_DONE) {
        count_recognised(source);
        answer_push(in, DOWNLINK_PUSH_DONE);
    } else if (in->state == INBOUND_FAILED) {
        wait_for_room(in, body, clock_unix_ms() + DOWNLINK_PUSH_MS);
    }
}
