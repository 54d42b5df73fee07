/* sources - where reverse rules take from, while rules come and go (downlink_impl.h). */
#include "gateway/downlink_impl.h"

static void poller_woken(void *ctx)
{
    struct poller *poller = ctx;
    poller->pausing = false;
    downlink_run(poller->source->downlink);
}

static void add_pollers(struct source *source, int count)
{
    if (count <= source->poller_room)
        return;
    source->pollers =
        check_alloc(reallocarray(source->pollers, (size_t)count, sizeof(struct poller *)));
    while (source->poller_room < count) {
        struct poller *poller = check_alloc(calloc(1, sizeof *poller));
        poller->source = source;
        poller->backoff = (struct backoff){.first_ms = 200, .cap_ms = 30000};
        poller->timer.fn = poller_woken;
        poller->timer.ctx = poller;
        source->pollers[source->poller_room++] = poller;
    }
}

static struct source *source_new(struct downlink *d, struct span name)
{
    struct source *source = check_alloc(calloc(1, sizeof *source));
    source->downlink = d;
    source->name = span_dup(name);
    source->gone = true;
    source->delete_backoff = (struct backoff){.first_ms = 100, .cap_ms = 10000};
    DL_APPEND(d->sources, source);
    return source;
}

static void source_free(struct source *source)
{
    for (int i = 0; i < source->poller_room; i++)
        free(source->pollers[i]);
    free(source->pollers);
    free(source->name);
    config_free(source->config);
    free(source);
}

struct source *source_of_name(struct downlink *d, struct span name)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        if (span_eq_str(name, source->name))
            return source;
    }
    return source_new(d, name);
}

struct source *source_of_pushes(struct downlink *d, const char *rule)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        if (!source->gone && !source->rule->queue && strcmp(source->rule->name, rule) == 0)
            return source;
    }
    return NULL;
}

/* The source for this rule: its own of before, or one that no other rule has yet. */
static struct source *source_for(struct downlink *d, const struct reverse_rule *rule)
{
    struct buf name = BUF_INIT(256);
    buf_printf(&name, "%s%s", rule->queue ? "" : "push/", rule->queue ? rule->queue : rule->name);
    struct source *source, *found = NULL;
    bool own = false;
    DL_FOREACH(d->sources, source)
    {
        if (own || source->kept || strcmp(source->name, buf_str(&name)) != 0)
            continue;
        own = source->rule && strcmp(source->rule->name, rule->name) == 0;
        if (own || !found)
            found = source;
    }
    if (!found)
        found = source_new(d, buf_span(&name));
    buf_fini(&name);
    return found;
}

/* From now on the source is this rule's. */
static void source_keep(struct source *source, const struct config *config,
                        const struct reverse_rule *rule)
{
    struct counters *counters = source->downlink->options.counters;
    const struct config *before = source->config;
    source->config = config_hold(config);
    source->rule = rule;
    source->gone = false;
    source->kept = true;
    source->figures = figures_enter(counters_book(counters), FIGURES_REVERSE, span_of(rule->name));
    source->poller_count = rule->queue ? rule->pollers : 0;
    add_pollers(source, source->poller_count);
    config_free(before);
}

void sources_keep(struct downlink *d, const struct config *config)
{
    struct source *source;
    DL_FOREACH(d->sources, source)
    {
        source->kept = false;
    }
    for (size_t i = 0; i < config->rules->reverse_count; i++) {
        const struct reverse_rule *rule = &config->rules->reverse[i];
        source_keep(source_for(d, rule), config, rule);
    }
}

void sources_drop(struct downlink *d)
{
    struct source *source, *next;
    DL_FOREACH(d->sources, source)
    {
        source->kept = !source->gone || source->delete_requests > 0;
    }
    for (const struct inbound *in = d->known; in; in = in->hh.next)
        in->source->kept = true;
    DL_FOREACH_SAFE(d->sources, source, next)
    {
        if (source->kept)
            continue;
        pump_timer_clear(d->options.pump, &source->delete_timer);
        /* The analyser does not know that the list of what is on it is not empty. */
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
        DL_DELETE(d->sources, source);
        source_free(source);
    }
}

void sources_free(struct downlink *d)
{
    struct source *source, *next;
    DL_FOREACH_SAFE(d->sources, source, next)
    {
        source_free(source);
    }
    d->sources = NULL;
}
