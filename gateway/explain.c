/* explain: the plan's results kept, and followed through the declared resources. */
#include "gateway/explain.h"

#include "cmq/key.h"

#include <strings.h>

enum { STORE_MAX = 4096 }; /* the decoded names, route and tags of a destination: CMQ.md 4 */

bool explain_same_name(struct span a, struct span b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* Room for one more in an array of count. */
static void *grow(void *array, size_t count, size_t size)
{
    return check_alloc(reallocarray(array, count + 1, size));
}

static void add_reach(struct explain_delivery *d, struct explain_reach reach)
{
    d->reaches = grow(d->reaches, d->reach_count, sizeof(*d->reaches));
    d->reaches[d->reach_count++] = reach;
}

static bool subscription_takes(const struct resource_topic *topic,
                               const struct resource_subscription *s, const struct destination *to)
{
    if (topic->by_route) {
        for (size_t i = 0; i < s->key_count; i++) {
            if (cmq_key_match(span_of(s->keys[i]), to->route))
                return true;
        }
        return false;
    }
    struct span tags[CMQ_MAX_TAGS];
    for (size_t i = 0; i < s->tag_count; i++)
        tags[i] = span_of(s->tags[i]);
    return cmq_tags_match(tags, s->tag_count, to->tags, to->tag_count);
}

static void follow_topic(struct explain_delivery *d, const struct resource_topic *topic)
{
    for (size_t i = 0; i < topic->subscription_count; i++) {
        const struct resource_subscription *s = &topic->subscriptions[i];
        if (subscription_takes(topic, s, &d->to)) {
            add_reach(d, (struct explain_reach){.subscription = span_of(s->name),
                                                .queue = span_of(s->queue),
                                                .url = span_of(s->url)});
        }
    }
}

/* Notes that resources declare the queue or topic; whether it takes the body. */
static bool found(struct explain_delivery *d, int64_t max_size_bytes)
{
    d->declared = true;
    d->max_size_bytes = max_size_bytes;
    d->refused = d->delivery->body.len > (uint64_t)max_size_bytes;
    return !d->refused;
}

static void follow(struct explain_delivery *d, const struct resources *resources)
{
    bool is_topic = d->to.is_topic;
    for (size_t i = 0; !is_topic && i < resources->queue_count; i++) {
        const struct resource_queue *queue = &resources->queues[i];
        if (explain_same_name(d->to.name, span_of(queue->name)))
            (void)found(d, queue->max_size_bytes);
    }
    for (size_t i = 0; is_topic && i < resources->topic_count; i++) {
        const struct resource_topic *topic = &resources->topics[i];
        if (explain_same_name(d->to.name, span_of(topic->name)) && found(d, topic->max_size_bytes))
            follow_topic(d, topic);
    }
    if (!is_topic && !d->refused)
        add_reach(d, (struct explain_reach){.queue = d->to.name});
}

static uint64_t next_id(void *ctx)
{
    (void)ctx;
    return 0;
}

static void on_matched(void *ctx, const struct forward_rule *rule, const struct filter *filter,
                       const struct topic_captures *captures)
{
    struct explanation *e = ctx;
    e->matches = grow(e->matches, e->match_count, sizeof(*e->matches));
    e->matches[e->match_count++] =
        (struct explain_match){.rule = rule, .filter = filter, .captures = *captures};
}

/* The results of a rule come after its match. */
static struct explain_match *match_of(struct explanation *e, const struct forward_rule *rule)
{
    CHECK(e->match_count && e->matches[e->match_count - 1].rule == rule);
    return &e->matches[e->match_count - 1];
}

static void on_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                        struct delivery *delivery)
{
    (void)target;
    struct explanation *e = ctx;
    struct explain_match *match = match_of(e, rule);
    match->deliveries = grow(match->deliveries, match->delivery_count, sizeof(*match->deliveries));
    struct explain_delivery *d = &match->deliveries[match->delivery_count++];
    *d = (struct explain_delivery){.delivery = delivery, .store = BUF_INIT(STORE_MAX)};
    CHECK(destination_parse(delivery->destination, &d->to, &d->store));
    follow(d, &e->config->resources);
}

static void on_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    struct explanation *e = ctx;
    struct explain_match *match = match_of(e, rule);
    CHECK(!match->error);
    match->error = span_dup(letter->reason);
    e->error_count++;
    free(letter);
}

static void on_skipped(void *ctx, const struct forward_rule *rule, const char *reason)
{
    struct explanation *e = ctx;
    e->skipped = grow(e->skipped, e->skipped_count, sizeof(*e->skipped));
    e->skipped[e->skipped_count++] =
        (struct explain_skip){.rule = rule, .reason = span_dup(span_of(reason))};
}

struct explanation *explanation_new(const struct config *config, const struct mqtt_message *message,
                                    struct jq_worker *jq)
{
    struct explanation *e = check_alloc(calloc(1, sizeof(*e)));
    e->config = config;
    e->message = message;
    const struct plan_sink sink = {.ctx = e,
                                   .next_id = next_id,
                                   .delivery = on_delivery,
                                   .dead = on_dead,
                                   .matched = on_matched,
                                   .skipped = on_skipped};
    const struct ruleset *rules = config->rules;
    if (!envelope_came_through(message, span_of(rules->gateway))) {
        plan_message(rules, message, NULL, jq, &sink);
        return e;
    }
    for (size_t i = 0; i < rules->forward_count; i++)
        on_skipped(e, &rules->forward[i],
                   "the message came through this gateway (" ENVELOPE_VIA
                   ") and is dropped as a loop");
    return e;
}

void explanation_free(struct explanation *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->match_count; i++) {
        struct explain_match *match = &e->matches[i];
        for (size_t j = 0; j < match->delivery_count; j++) {
            free(match->deliveries[j].delivery);
            free(match->deliveries[j].reaches);
            buf_fini(&match->deliveries[j].store);
        }
        free(match->deliveries);
        free(match->error);
    }
    for (size_t i = 0; i < e->skipped_count; i++)
        free(e->skipped[i].reason);
    free(e->matches);
    free(e->skipped);
    free(e);
}

/* The path of "http://host:port/path". */
static struct span url_path(struct span url)
{
    size_t scheme = span_find(url, ':');
    struct span rest = span_slice(url, scheme + 3, url.len); /* behind "://" */
    return span_slice(rest, span_find(rest, '/'), rest.len);
}

bool explain_takes(const struct reverse_rule *rule, const struct explain_reach *reach)
{
    if (rule->queue)
        return explain_same_name(reach->queue, span_of(rule->queue));
    return reach->url.len && span_eq_str(url_path(reach->url), rule->push_path);
}
