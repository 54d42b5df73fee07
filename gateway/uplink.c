/*
 * uplink - see uplink.h.
 *
 * Tickets tie a message to its acknowledgement: they grow with arrival, the spool commits in order
 * of arrival, so "committed through ticket t" releases everything up to t. While `away` is set the
 * gateway has left the broker (or is leaving), and what still arrives is not taken: it was not
 * acknowledged, so the broker has it.
 *
 * While `regrouped` is set, a message's subscription identifiers may be of another rule set than
 * the one in use. Then they say nothing about rules: the first copy is planned for every rule that
 * its topic matches, and further copies are left out.
 */
#include "gateway/uplink.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/copies.h"
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
    struct counters *counters;
    struct jq_worker *jq; /* Paho's thread */
    struct spool *spool;
    struct mqtt_link *link;
    struct lanes *lanes;

    pthread_mutex_t rules_mutex; /* guards what follows; held while a message is planned */
    pthread_cond_t replaced;
    const struct config *config;
    struct figures **figures;  /* by place in its forward rules; NULL until a message matches */
    const struct config *next; /* to go on with from the next message; NULL: none */
    bool next_regrouped;
    bool regrouped;
    int64_t regrouped_until_ms; /* of clock_mono_ms */
    struct copies copies;
    int64_t seen_ms; /* Unix: the last message that came to be planned */

    atomic_bool away;   /* nothing is taken: the spool cannot, or the gateway stops */
    atomic_bool paused; /* nothing is taken for a moment */
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
    struct figures **place = &uplink->figures[rule - uplink->config->rules->forward];
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
    if (envelope_came_through(message, span_of(uplink->config->gateway.id))) {
        drop(uplink, message, COUNTER_DROPPED_LOOP);
        return;
    }
    struct plan_sink sink = {
        .ctx = g, .next_id = next_id, .delivery = take_delivery, .dead = take_dead};
    struct plan_result result =
        plan_message(uplink->config->rules, message, NULL, uplink->jq, &sink);
    counters_add(uplink->counters, COUNTER_MATCHED, result.matched);
    counters_add(uplink->counters, COUNTER_PLANNED, result.deliveries);
    counters_add(uplink->counters, COUNTER_PLANNED_BYTES, g->bytes);
    if (result.matched == 0 && result.elsewhere > 0)
        counters_add(uplink->counters, COUNTER_COPIES, 1);
    else if (result.matched == 0)
        drop(uplink, message,
             result.retained_skipped > 0 ? COUNTER_DROPPED_RETAINED : COUNTER_DROPPED_NO_RULE);
}

/* ---- which rules, and which copies ---- */

static void use_config(struct uplink *uplink, const struct config *config)
{
    config_free(uplink->config);
    free(uplink->figures);
    uplink->config = config;
    uplink->figures =
        check_alloc(calloc(config->rules->forward_count + 1, sizeof(struct figures *)));
}

static void replace_rules(struct uplink *uplink)
{
    use_config(uplink, uplink->next);
    uplink->next = NULL;
    if (uplink->next_regrouped) {
        uplink->regrouped = true;
        uplink->regrouped_until_ms = INT64_MAX;
    }
    pthread_cond_broadcast(&uplink->replaced);
}

/*
 * With the mutex held. Changes the rules when it is time, which is between two messages that are
 * not copies of one another; whether this one is to be planned. *any: for every rule it matches.
 */
static bool admit(struct uplink *uplink, const struct mqtt_message *message, bool *any)
{
    bool known = uplink->copies.known;
    bool watching = uplink->regrouped || uplink->next;
    bool copy = watching && copies_take(&uplink->copies, message);
    uplink->seen_ms = message->received_ms;
    if (uplink->next && known && !copy)
        replace_rules(uplink);
    if (uplink->regrouped && !copy && clock_mono_ms() >= uplink->regrouped_until_ms)
        uplink->regrouped = false;
    if (!uplink->regrouped && !uplink->next)
        copies_forget(&uplink->copies);
    *any = uplink->regrouped;
    return !(copy && uplink->regrouped);
}

static void admit_and_plan(struct gathering *g, const struct mqtt_message *message)
{
    struct uplink *uplink = g->uplink;
    bool any;
    pthread_mutex_lock(&uplink->rules_mutex);
    if (!admit(uplink, message, &any)) {
        counters_add(uplink->counters, COUNTER_COPIES, 1);
    } else if (any) {
        struct mqtt_message for_any = *message;
        for_any.subscription_id_count = 0;
        plan(g, &for_any);
    } else {
        plan(g, message);
    }
    pthread_mutex_unlock(&uplink->rules_mutex);
}

void uplink_reload(struct uplink *uplink, const struct config *config, bool regrouped)
{
    pthread_mutex_lock(&uplink->rules_mutex);
    CHECK(!uplink->next);
    uplink->next = config_hold(config);
    uplink->next_regrouped = regrouped;
    while (uplink->next) {
        int64_t quiet_ms = clock_unix_ms() - uplink->seen_ms;
        if (quiet_ms >= UPLINK_QUIET_MS || quiet_ms < 0) { /* or the clock was set back */
            replace_rules(uplink);
            break;
        }
        struct timespec deadline = clock_deadline(UPLINK_QUIET_MS - quiet_ms);
        (void)pthread_cond_timedwait(&uplink->replaced, &uplink->rules_mutex, &deadline);
    }
    pthread_mutex_unlock(&uplink->rules_mutex);
}

void uplink_settled(struct uplink *uplink, bool settled)
{
    pthread_mutex_lock(&uplink->rules_mutex);
    uplink->regrouped_until_ms = settled ? clock_mono_ms() + UPLINK_SETTLE_MS : INT64_MAX;
    pthread_mutex_unlock(&uplink->rules_mutex);
}

bool uplink_regrouped(struct uplink *uplink)
{
    pthread_mutex_lock(&uplink->rules_mutex);
    bool regrouped = uplink->next
                         ? uplink->next_regrouped || uplink->regrouped
                         : uplink->regrouped && clock_mono_ms() < uplink->regrouped_until_ms;
    pthread_mutex_unlock(&uplink->rules_mutex);
    return regrouped;
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
    if (atomic_load(&uplink->away) || atomic_load(&uplink->paused)) {
        not_taken(uplink, message, ticket);
        return;
    }
    counters_add(uplink->counters, COUNTER_RECEIVED, 1);
    struct gathering g = {.uplink = uplink, .entry = {.ticket = ticket}};
    g.delivery_tail = &g.entry.deliveries;
    g.dead_tail = &g.entry.dead;
    admit_and_plan(&g, message);
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

struct uplink *uplink_new(const struct config *config, bool regrouped, struct counters *counters,
                          struct jq_host *jq)
{
    struct uplink *uplink = check_alloc(calloc(1, sizeof *uplink));
    use_config(uplink, config_hold(config));
    uplink->regrouped = regrouped;
    uplink->regrouped_until_ms = INT64_MAX;
    copies_init(&uplink->copies);
    uplink->counters = counters;
    uplink->jq = jq_worker_new(jq);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&uplink->moved, &monotonic) == 0);
    CHECK(pthread_cond_init(&uplink->replaced, &monotonic) == 0);
    CHECK(pthread_mutex_init(&uplink->mutex, NULL) == 0);
    CHECK(pthread_mutex_init(&uplink->rules_mutex, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
    return uplink;
}

void uplink_free(struct uplink *uplink)
{
    if (!uplink)
        return;
    pthread_cond_destroy(&uplink->moved);
    pthread_cond_destroy(&uplink->replaced);
    pthread_mutex_destroy(&uplink->mutex);
    pthread_mutex_destroy(&uplink->rules_mutex);
    copies_fini(&uplink->copies);
    config_free(uplink->config);
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

/* Waits until what was taken is committed, while nothing more is taken. */
static void wait_committed(struct uplink *uplink, int64_t timeout_ms)
{
    struct timespec deadline = clock_deadline(timeout_ms);
    pthread_mutex_lock(&uplink->mutex);
    while (uplink->committed < uplink->taken) {
        if (pthread_cond_timedwait(&uplink->moved, &uplink->mutex, &deadline) != 0)
            break;
    }
    pthread_mutex_unlock(&uplink->mutex);
}

void uplink_close(struct uplink *uplink, int64_t timeout_ms)
{
    atomic_store(&uplink->closed, true);
    atomic_store(&uplink->away, true); /* the link stays for now */
    wait_committed(uplink, timeout_ms);
}

void uplink_pause(struct uplink *uplink, int64_t timeout_ms)
{
    atomic_store(&uplink->paused, true);
    wait_committed(uplink, timeout_ms);
}

void uplink_resume(struct uplink *uplink)
{
    atomic_store(&uplink->paused, false);
}
