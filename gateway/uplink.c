/*
 * uplink - see uplink.h.
 *
 * Tickets tie a message to its acknowledgement: they grow with arrival, the spool commits in order
 * of arrival, so "committed through ticket t" releases everything up to t. While `away` is set the
 * gateway has left the broker (or is leaving), and what still arrives is not taken: it was not
 * acknowledged, so the broker has it.
 */
#include "gateway/uplink.h"

#include "base/clock.h"
#include "base/log.h"
#include "mapping/plan.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    UPLINK_REPEAT_MS = 60 * 1000,
    UPLINK_MAX_KEPT = 4 << 20, /* bytes of a payload in a dead letter; CMQ takes 1 MiB at most */
    UPLINK_CUT_TO = 64 << 10,  /* what is kept of a larger one, for whoever looks at it */
    UPLINK_ROW_BYTES = 60,     /* of a delivery in the spool, beside its body and destination */
};

struct uplink {
    const struct ruleset *rules;
    struct counters *counters;
    struct figures **figures; /* by place in rules->forward; NULL until a message matches */
    struct jq_worker *jq;     /* Paho's thread; NULL: no rule has a program */
    struct spool *spool;
    struct mqtt_link *link;
    struct lanes *lanes;

    atomic_bool away;   /* nothing is taken: the spool cannot, or the gateway stops */
    atomic_bool closed; /* for good */

    pthread_mutex_t mutex; /* guards the tickets */
    pthread_cond_t moved;
    uint64_t taken;     /* the last ticket handed to the spool */
    uint64_t committed; /* the last one that is safe, or will never be */

    struct log_repeat dead_repeat, drop_repeat; /* Paho's thread */
};

/* ---- planning a message ---- */

struct gathering {
    struct uplink *uplink;
    struct spool_entry entry;
    struct delivery **delivery_tail;
    struct dead_letter **dead_tail;
    uint64_t bytes; /* that the deliveries will take of the spool */
};

static struct figures *figures_of(struct uplink *uplink, const struct forward_rule *rule)
{
    struct figures **place = &uplink->figures[rule - uplink->rules->forward];
    if (!*place)
        *place =
            figures_enter(counters_book(uplink->counters), FIGURES_FORWARD, span_of(rule->name));
    return *place;
}

static uint64_t next_id(void *ctx)
{
    struct gathering *g = ctx;
    return spool_next_id(g->uplink->spool);
}

static void take_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                          struct delivery *delivery)
{
    struct gathering *g = ctx;
    struct figures *figures = figures_of(g->uplink, rule);
    if (target == 0) {
        figures_add(figures, FIGURE_MATCHED, 1);
        figures_message(figures, delivery->received_ms);
    }
    figures_add(figures, FIGURE_PLANNED, 1);
    g->bytes += delivery->body.len + delivery->destination.len + UPLINK_ROW_BYTES;
    *g->delivery_tail = delivery;
    g->delivery_tail = &delivery->next;
}

/* A payload that could fill the spool by itself is kept in part, and the reason says so. */
static struct dead_letter *cut_giant(struct dead_letter *letter)
{
    if (letter->body.len <= UPLINK_MAX_KEPT)
        return letter;
    struct buf reason = BUF_INIT(1024);
    buf_printf(&reason, "payload_cut: %zu bytes, of which the first %d are kept; ",
               letter->body.len, UPLINK_CUT_TO);
    buf_add(&reason, span_slice(letter->reason, 0, 512));
    struct dead_letter *cut =
        dead_letter_new(letter->rule, buf_span(&reason), letter->destination, letter->origin,
                        span_slice(letter->body, 0, UPLINK_CUT_TO));
    cut->received_ms = letter->received_ms;
    cut->died_ms = letter->died_ms;
    cut->direction = letter->direction;
    buf_fini(&reason);
    free(letter);
    return cut;
}

static void take_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    struct gathering *g = ctx;
    letter = cut_giant(letter);
    *g->dead_tail = letter;
    g->dead_tail = &letter->next;
    struct figures *figures = figures_of(g->uplink, rule);
    figures_add(figures, FIGURE_MATCHED, 1);
    figures_message(figures, letter->received_ms);
    counters_dead(g->uplink->counters, figures, letter->reason);
    uint64_t held_back;
    if (!log_repeat_due(&g->uplink->dead_repeat, clock_mono_ms(), 1000, &held_back))
        return;
    log_write(LOG_WARN, "message.dead",
              LOG_FIELDS(LOG_STR("rule", rule->name), LOG_TEXT_FIELD("reason", letter->reason),
                         LOG_NUM("more", held_back)),
              "a message that rule \"%s\" matched is set aside as a dead letter: %.*s; look at it "
              "with: cmqgw dead-letters list",
              rule->name, SPAN_ARG(letter->reason));
}

static void drop(struct uplink *uplink, const struct mqtt_message *message, enum counter reason)
{
    counters_add(uplink->counters, reason, 1);
    uint64_t held_back;
    if (log_repeat_due(&uplink->drop_repeat, clock_mono_ms(), UPLINK_REPEAT_MS, &held_back)) {
        log_write(LOG_INFO, "message.dropped",
                  LOG_FIELDS(LOG_STR("reason", counter_name(reason)),
                             LOG_TEXT_FIELD("topic", span_slice(message->topic, 0, 256)),
                             LOG_NUM("more", held_back)),
                  "a message was dropped: %s", counter_name(reason));
    }
}

static void plan(struct gathering *g, const struct mqtt_message *message)
{
    struct uplink *uplink = g->uplink;
    if (envelope_came_through(message, span_of(uplink->rules->gateway))) {
        drop(uplink, message, COUNTER_DROPPED_LOOP);
        return;
    }
    struct plan_sink sink = {
        .ctx = g, .next_id = next_id, .delivery = take_delivery, .dead = take_dead};
    struct plan_result result = plan_message(uplink->rules, message, NULL, uplink->jq, &sink);
    counters_add(uplink->counters, COUNTER_MATCHED, result.matched);
    counters_add(uplink->counters, COUNTER_PLANNED, result.deliveries);
    counters_add(uplink->counters, COUNTER_PLANNED_BYTES, g->bytes);
    if (result.matched == 0 && result.elsewhere == 0)
        drop(uplink, message,
             result.retained_skipped > 0 ? COUNTER_DROPPED_RETAINED : COUNTER_DROPPED_NO_RULE);
}

/* ---- taking a message ---- */

static void not_taken(struct uplink *uplink, const struct mqtt_message *message, uint64_t ticket)
{
    if (ticket != 0)
        counters_add(uplink->counters, COUNTER_REFUSED, 1);
    else
        drop(uplink, message, COUNTER_DROPPED_QOS0);
}

static void leave(struct uplink *uplink, const char *why)
{
    if (!atomic_exchange(&uplink->away, true))
        mqtt_link_leave(uplink->link, why);
}

void uplink_message(struct uplink *uplink, const struct mqtt_message *message, uint64_t ticket)
{
    if (atomic_load(&uplink->away)) {
        not_taken(uplink, message, ticket);
        return;
    }
    counters_add(uplink->counters, COUNTER_RECEIVED, 1);
    struct gathering g = {.uplink = uplink, .entry = {.ticket = ticket}};
    g.delivery_tail = &g.entry.deliveries;
    g.dead_tail = &g.entry.dead;
    plan(&g, message);
    if (ticket == 0 && !g.entry.deliveries && !g.entry.dead)
        return;

    uint64_t before = 0;
    if (ticket != 0) {
        pthread_mutex_lock(&uplink->mutex);
        before = uplink->taken;
        uplink->taken = ticket;
        pthread_mutex_unlock(&uplink->mutex);
    }
    if (spool_append(uplink->spool, &g.entry))
        return;
    not_taken(uplink, message, ticket);
    if (ticket != 0) {
        pthread_mutex_lock(&uplink->mutex);
        uplink->taken = before;
        pthread_mutex_unlock(&uplink->mutex);
    }
    /* The spool tells its state, and then the gateway leaves the broker: uplink_spool_state. */
}

/* ---- what the spool says ---- */

void uplink_committed(struct uplink *uplink, struct delivery *deliveries, uint64_t through_ticket)
{
    lanes_add(uplink->lanes, deliveries);
    if (through_ticket == 0)
        return;
    mqtt_link_release(uplink->link, through_ticket);
    pthread_mutex_lock(&uplink->mutex);
    uplink->committed = through_ticket;
    pthread_cond_broadcast(&uplink->moved);
    pthread_mutex_unlock(&uplink->mutex);
}

void uplink_refused(struct uplink *uplink, uint64_t entries, uint64_t unticketed)
{
    counters_add(uplink->counters, COUNTER_REFUSED, entries - unticketed);
    counters_add(uplink->counters, COUNTER_DROPPED_QOS0, unticketed);
    log_write(LOG_ERROR, "spool.refused",
              LOG_FIELDS(LOG_NUM("entries", entries), LOG_NUM("qos0_lost", unticketed)),
              "%llu messages could not be written; the broker keeps those of QoS 1 and 2, %llu of "
              "QoS 0 are lost",
              (unsigned long long)entries, (unsigned long long)unticketed);
    pthread_mutex_lock(&uplink->mutex);
    uplink->committed = uplink->taken; /* nobody waits for these any more */
    pthread_cond_broadcast(&uplink->moved);
    pthread_mutex_unlock(&uplink->mutex);
}

void uplink_spool_state(struct uplink *uplink, enum spool_state state, const char *why)
{
    static const char *const events[] = {"spool.accepting", "spool.full", "spool.failed"};
    enum log_level level = state == SPOOL_ACCEPTING ? LOG_INFO
                           : state == SPOOL_FULL    ? LOG_WARN
                                                    : LOG_ERROR;
    log_write(level, events[state], NULL, "%s", why);
    if (state != SPOOL_ACCEPTING)
        leave(uplink, why);
    else if (!atomic_load(&uplink->closed) && atomic_exchange(&uplink->away, false))
        mqtt_link_return(uplink->link);
}

/* ---- life ---- */

struct uplink *uplink_new(const struct ruleset *rules, struct counters *counters,
                          struct jq_host *jq)
{
    struct uplink *uplink = check_alloc(calloc(1, sizeof *uplink));
    uplink->rules = rules;
    uplink->counters = counters;
    uplink->figures = check_alloc(calloc(rules->forward_count + 1, sizeof *uplink->figures));
    uplink->jq = jq ? jq_worker_new(jq) : NULL;
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&uplink->moved, &monotonic) == 0);
    CHECK(pthread_mutex_init(&uplink->mutex, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
    return uplink;
}

void uplink_free(struct uplink *uplink)
{
    if (!uplink)
        return;
    pthread_cond_destroy(&uplink->moved);
    pthread_mutex_destroy(&uplink->mutex);
    jq_worker_free(uplink->jq);
    free(uplink->figures);
    free(uplink);
}

void uplink_join(struct uplink *uplink, struct spool *spool, struct mqtt_link *link,
                 struct lanes *lanes)
{
    uplink->spool = spool;
    uplink->link = link;
    uplink->lanes = lanes;
}

void uplink_close(struct uplink *uplink, int64_t timeout_ms)
{
    atomic_store(&uplink->closed, true);
    atomic_store(&uplink->away,
                 true); /* uplink_message takes nothing more; the link stays for now */
    struct timespec deadline = clock_deadline(timeout_ms);
    pthread_mutex_lock(&uplink->mutex);
    while (uplink->committed < uplink->taken) {
        if (pthread_cond_timedwait(&uplink->moved, &uplink->mutex, &deadline) != 0)
            break;
    }
    pthread_mutex_unlock(&uplink->mutex);
}
