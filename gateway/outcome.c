/* outcome - see outcome.h. */
#include "gateway/outcome.h"

#include "base/json.h"

#include <inttypes.h>

enum { OUTCOME_MAX_JSON = 64 << 20 };

/* ---- comparing ---- */

static void ask(struct outcome_fit *fit, bool asked, bool holds)
{
    fit->asked += asked;
    fit->held += asked && holds;
}

static void ask_text(struct outcome_fit *fit, const char *expected, struct span actual)
{
    ask(fit, expected != NULL, expected && span_eq_str(actual, expected));
}

static bool has(char **list, size_t count, struct span text)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq_str(text, list[i]))
            return true;
    }
    return false;
}

static bool same_tags(const struct destination *to, const struct config_test_expect *x)
{
    for (size_t i = 0; i < to->tag_count; i++) {
        if (!has(x->tags, x->tag_count, to->tags[i]))
            return false;
    }
    return to->tag_count == x->tag_count;
}

/* The code that a reason begins with: "raw_empty: ...". */
static struct span code_of(const char *error)
{
    struct span reason = error ? span_of(error) : (struct span){NULL, 0};
    return span_slice(reason, 0, span_find(reason, ':'));
}

/* A place is named by its queue, its url or its subscription. */
static bool is_named(const struct explain_reach *reach, char **names, size_t count)
{
    return has(names, count, reach->queue) || has(names, count, reach->url) ||
           has(names, count, reach->subscription);
}

static size_t reach_count(const struct outcome *outcome)
{
    return outcome->nowhere ? 0 : outcome->delivery->reach_count;
}

/* Whether each place is named, and each name is a place's. */
static bool same_reaches(const struct outcome *outcome, const struct config_test_expect *x)
{
    const struct explain_delivery *d = outcome->delivery;
    size_t count = reach_count(outcome);
    for (size_t i = 0; i < count; i++) {
        if (!is_named(&d->reaches[i], x->reaches, x->reach_count))
            return false;
    }
    for (size_t i = 0; i < x->reach_count; i++) {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++)
            found = is_named(&d->reaches[k], &x->reaches[i], 1);
        if (!found)
            return false;
    }
    return true;
}

struct outcome_fit outcome_compare(const struct outcome *outcome,
                                   const struct config_test_expect *x)
{
    static const struct destination nowhere;
    const struct explain_delivery *d = outcome->delivery;
    const struct mqtt_message *m = outcome->message;
    const struct destination *to = d ? &d->to : &nowhere;
    struct span none = {NULL, 0};
    struct span topic = m ? m->topic : to->is_topic ? to->name : none;
    struct outcome_fit fit = {0};
    ask_text(&fit, x->rule, span_of(outcome->rule));
    ask_text(&fit, x->queue, to->is_topic ? none : to->name);
    ask_text(&fit, x->topic, topic);
    ask_text(&fit, x->route, to->route);
    ask(&fit, x->has_tags, d && same_tags(to, x));
    ask(&fit, x->body, d && span_eq_str(d->delivery->body, x->body));
    ask(&fit, x->has_reaches, d && same_reaches(outcome, x));
    ask(&fit, x->payload, m && span_eq_str(m->payload, x->payload));
    ask(&fit, x->qos >= 0, m && m->qos == x->qos);
    ask(&fit, x->retain >= 0, m && m->retain == (x->retain > 0));
    ask(&fit, x->delay_s >= 0, d && to->delay_s == x->delay_s);
    ask(&fit, x->expiry_s >= 0, m && (m->has_expiry ? m->expiry_s : 0) == x->expiry_s);
    ask_text(&fit, x->response_topic, m ? m->response_topic : none);
    ask_text(&fit, x->dead_letter, code_of(outcome->error));
    return fit;
}

bool outcome_meets(const struct outcome *outcome, const struct config_test_expect *expect)
{
    struct outcome_fit fit = outcome_compare(outcome, expect);
    return (outcome->error != NULL) == (expect->dead_letter != NULL) && fit.held == fit.asked;
}

/* ---- showing ---- */

static void add_key(struct buf *out, const char *key)
{
    buf_printf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", key);
}

static void add_text(struct buf *out, const char *key, struct span value)
{
    add_key(out, key);
    json_string(out, value);
}

static void add_bool(struct buf *out, const char *key, bool value)
{
    add_key(out, key);
    buf_add_str(out, value ? "true" : "false");
}

static void add_seconds(struct buf *out, const char *key, int64_t seconds)
{
    add_key(out, key);
    buf_printf(out, "\"%" PRId64 "s\"", seconds);
}

static void add_list(struct buf *out, const char *key, const struct span *list, size_t count)
{
    add_key(out, key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, i ? ", " : "");
        json_string(out, list[i]);
    }
    buf_add_char(out, ']');
}

static void add_strings(struct buf *out, const char *key, char **list, size_t count)
{
    struct span *spans = check_alloc(calloc(count + 1, sizeof *spans));
    for (size_t i = 0; i < count; i++)
        spans[i] = span_of(list[i]);
    add_list(out, key, spans, count);
    free(spans);
}

static void add_reaches(struct buf *out, const struct outcome *outcome)
{
    const struct explain_delivery *d = outcome->delivery;
    size_t count = reach_count(outcome);
    struct span *names = check_alloc(calloc(count + 1, sizeof *names));
    for (size_t i = 0; i < count; i++)
        names[i] = d->reaches[i].queue.len ? d->reaches[i].queue : d->reaches[i].subscription;
    add_list(out, "reaches", names, count);
    free(names);
}

static void add_delivery(struct buf *out, const struct outcome *outcome)
{
    const struct explain_delivery *d = outcome->delivery;
    const struct destination *to = &d->to;
    add_text(out, to->is_topic ? "topic" : "queue", to->name);
    if (to->has_route)
        add_text(out, "route", to->route);
    if (to->tag_count > 0)
        add_list(out, "tags", to->tags, to->tag_count);
    if (to->delay_s > 0)
        add_seconds(out, "delay", to->delay_s);
    add_text(out, "body", d->delivery->body);
    add_reaches(out, outcome);
}

static void add_message(struct buf *out, const struct mqtt_message *m)
{
    add_text(out, "topic", m->topic);
    add_text(out, "payload", m->payload);
    add_key(out, "qos");
    buf_add_u64(out, (uint64_t)m->qos);
    add_bool(out, "retain", m->retain);
    if (m->has_expiry)
        add_seconds(out, "expiry", m->expiry_s);
    if (m->response_topic.ptr)
        add_text(out, "response_topic", m->response_topic);
}

char *outcome_json(const struct outcome *outcome)
{
    struct buf out = BUF_INIT(OUTCOME_MAX_JSON);
    buf_add_char(&out, '{');
    add_text(&out, "rule", span_of(outcome->rule));
    if (outcome->error)
        add_text(&out, "error", span_of(outcome->error));
    if (outcome->delivery)
        add_delivery(&out, outcome);
    if (outcome->message)
        add_message(&out, outcome->message);
    buf_add_char(&out, '}');
    return buf_take(&out);
}

char *outcome_expected_json(const struct config_test_expect *x)
{
    const struct {
        const char *key, *value;
    } texts[] = {{"rule", x->rule},
                 {"queue", x->queue},
                 {"topic", x->topic},
                 {"route", x->route},
                 {"body", x->body},
                 {"payload", x->payload},
                 {"response_topic", x->response_topic},
                 {"dead_letter", x->dead_letter}};
    struct buf out = BUF_INIT(OUTCOME_MAX_JSON);
    buf_add_char(&out, '{');
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value)
            add_text(&out, texts[i].key, span_of(texts[i].value));
    }
    if (x->has_tags)
        add_strings(&out, "tags", x->tags, x->tag_count);
    if (x->has_reaches)
        add_strings(&out, "reaches", x->reaches, x->reach_count);
    if (x->qos >= 0) {
        add_key(&out, "qos");
        buf_add_u64(&out, (uint64_t)x->qos);
    }
    if (x->retain >= 0)
        add_bool(&out, "retain", x->retain > 0);
    if (x->delay_s >= 0)
        add_seconds(&out, "delay", x->delay_s);
    if (x->expiry_s >= 0)
        add_seconds(&out, "expiry", x->expiry_s);
    buf_add_char(&out, '}');
    return buf_take(&out);
}
