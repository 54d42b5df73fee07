/* explain_print: an explanation for people and for machines. */
#include "gateway/explain_print.h"

#include "gateway/print.h"

void explain_print_rule(FILE *out, const char *name, const char *file, int line)
{
    char place[1024];
    snprintf(place, sizeof(place), "%s:%d", file ? file : "", line);
    int gap = EXPLAIN_COLUMNS - (int)strlen(name) - (int)strlen(place);
    fprintf(out, "%s%*s%s\n", name, gap > 2 ? gap : 2, "", place);
}

void explain_print_reason(FILE *out, const char *rule, const char *reason)
{
    int indent = fprintf(out, "  %s: ", rule);
    if (indent > EXPLAIN_COLUMNS / 2) { /* a long name has the line to itself */
        indent = 4;
        fprintf(out, "\n%*s", indent, "");
    }
    print_sentence(out, span_of(reason), EXPLAIN_COLUMNS - indent, indent);
    fputc('\n', out);
}

static void text_reach(FILE *out, const struct explanation *e, const struct explain_reach *reach,
                       const char *first)
{
    fputs(first, out);
    if (reach->subscription.len)
        fprintf(out, "subscription %.*s -> ", SPAN_ARG(reach->subscription));
    if (reach->url.len) {
        print_text(out, reach->url);
    } else {
        fprintf(out, "queue %.*s", SPAN_ARG(reach->queue));
    }
    fputc('\n', out);
    for (size_t i = 0; i < e->config->rules->reverse_count; i++) {
        const struct reverse_rule *rule = &e->config->rules->reverse[i];
        if (!explain_takes(rule, reach))
            continue;
        fprintf(out, "               -> reverse rule %s -> ", rule->name);
        print_text(out, template_text(rule->to));
        fputc('\n', out);
    }
}

static void text_reaches(FILE *out, const struct explanation *e, const struct explain_delivery *d)
{
    static const char first[] = "    reaches  ";
    const char *what = d->to.is_topic ? "topic" : "queue";
    if (d->refused) {
        fprintf(out,
                "    refused  (the %s takes at most %lld bytes, its max_size: a dead letter)\n",
                what, (long long)d->max_size_bytes);
        return;
    }
    for (size_t i = 0; i < d->reach_count; i++)
        text_reach(out, e, &d->reaches[i], i ? "             " : first);
    if (!d->declared) {
        fprintf(out, "%s(the %s is not declared in resources)\n",
                d->reach_count ? "             " : first, what);
    } else if (!d->reach_count) {
        fprintf(out, "%snobody: no declared subscription takes it\n", first);
    }
}

static void text_delivery(FILE *out, const struct explanation *e, const struct explain_delivery *d)
{
    const struct destination *to = &d->to;
    fprintf(out, "  -> %s %.*s", to->is_topic ? "topic" : "queue", SPAN_ARG(to->name));
    if (to->delay_s)
        fprintf(out, ", delayed by %u s", to->delay_s);
    if (to->has_route) {
        fputs(", route ", out);
        print_text(out, to->route);
    }
    for (size_t i = 0; i < to->tag_count; i++) {
        fputs(i ? ", " : to->tag_count > 1 ? ", tags " : ", tag ", out);
        print_text(out, to->tags[i]);
    }
    struct span body = d->delivery->body;
    fprintf(out, "\n    body     %zu byte%s\n             ", body.len, body.len == 1 ? "" : "s");
    print_wrapped(out, body, EXPLAIN_SHOWN_BYTES, EXPLAIN_COLUMNS - 13, 13);
    fputc('\n', out);
    text_reaches(out, e, d);
}

static void text_match(FILE *out, const struct explanation *e, const struct explain_match *match)
{
    fputc('\n', out);
    explain_print_rule(out, match->rule->name, match->rule->file, match->rule->line);
    fputs("  matches ", out);
    print_text(out, span_of(match->filter->text));
    fputc('\n', out);
    print_captures(out, match->filter, &match->captures, 4);
    for (size_t i = 0; i < match->delivery_count; i++)
        text_delivery(out, e, &match->deliveries[i]);
    if (match->error)
        fputs("  -> dead letters, see below\n", out);
}

void explain_print_text(FILE *out, const struct explanation *e)
{
    const struct mqtt_message *m = e->message;
    print_text(out, m->topic);
    fprintf(out, "\n  %zu byte%s at QoS %d%s\n", m->payload.len, m->payload.len == 1 ? "" : "s",
            m->qos, m->retain ? ", a retained copy" : "");
    for (size_t i = 0; i < e->match_count; i++)
        text_match(out, e, &e->matches[i]);
    if (!e->match_count)
        fputs("\nno rule matches\n", out);
    if (e->skipped_count)
        fputs("\nskipped\n", out);
    for (size_t i = 0; i < e->skipped_count; i++) {
        explain_print_reason(out, e->skipped[i].rule->name, e->skipped[i].reason);
    }
    if (e->error_count)
        fputs("\ncannot be delivered; would be a dead letter\n", out);
    for (size_t i = 0; i < e->match_count; i++) {
        if (!e->matches[i].error)
            continue;
        explain_print_reason(out, e->matches[i].rule->name, e->matches[i].error);
    }
}

static void json_member_or_null(FILE *out, const char *before, const char *key, struct span value)
{
    if (value.len) {
        print_json_member(out, before, key, value);
    } else {
        fprintf(out, "%s\"%s\":null", before, key);
    }
}

static void json_reach(FILE *out, const struct explanation *e, const struct explain_reach *reach)
{
    json_member_or_null(out, "{", "subscription", reach->subscription);
    json_member_or_null(out, ",", "queue", reach->queue);
    if (reach->url.len)
        print_json_member(out, ",", "url", reach->url);
    size_t takers = 0;
    for (size_t i = 0; i < e->config->rules->reverse_count; i++) {
        const struct reverse_rule *rule = &e->config->rules->reverse[i];
        if (!explain_takes(rule, reach))
            continue;
        fputs(takers++ ? "," : ",\"reverse\":[", out);
        print_json_member(out, "{", "rule", span_of(rule->name));
        print_json_member(out, ",", "to", template_text(rule->to));
        fputc('}', out);
    }
    fputs(takers ? "]}" : "}", out);
}

static void json_delivery(FILE *out, const struct explanation *e, const struct explain_delivery *d)
{
    const struct destination *to = &d->to;
    print_json_member(out, "{", to->is_topic ? "topic" : "queue", to->name);
    if (to->delay_s)
        fprintf(out, ",\"delay_s\":%u", to->delay_s);
    if (to->has_route)
        print_json_member(out, ",", "route", to->route);
    for (size_t i = 0; i < to->tag_count; i++) {
        fputs(i ? "," : ",\"tags\":[", out);
        print_json(out, to->tags[i]);
    }
    if (to->tag_count)
        fputc(']', out);
    print_json_member(out, ",", "body", d->delivery->body);
    fprintf(out, ",\"body_bytes\":%zu", d->delivery->body.len);
    if (d->refused)
        fprintf(out, ",\"refused\":\"the body is above max_size, %lld bytes\"",
                (long long)d->max_size_bytes);
    fputs(",\"reaches\":[", out);
    for (size_t i = 0; i < d->reach_count; i++) {
        fputs(i ? "," : "", out);
        json_reach(out, e, &d->reaches[i]);
    }
    fputs("]}", out);
}

static void json_match(FILE *out, const struct explanation *e, const struct explain_match *match)
{
    print_json_member(out, "{", "rule", span_of(match->rule->name));
    fputs(",\"captures\":", out);
    print_captures_json(out, match->filter, &match->captures);
    fputs(",\"deliveries\":[", out);
    for (size_t i = 0; i < match->delivery_count; i++) {
        fputs(i ? "," : "", out);
        json_delivery(out, e, &match->deliveries[i]);
    }
    fputs("]}", out);
}

static void json_reason(FILE *out, bool first, const char *rule, const char *reason)
{
    print_json_member(out, first ? "{" : ",{", "rule", span_of(rule));
    print_json_member(out, ",", "reason", span_of(reason));
    fputc('}', out);
}

void explain_print_json(FILE *out, const struct explanation *e)
{
    print_json_member(out, "{", "topic", e->message->topic);
    fputs(",\"matches\":[", out);
    for (size_t i = 0; i < e->match_count; i++) {
        fputs(i ? "," : "", out);
        json_match(out, e, &e->matches[i]);
    }
    fputs("],\"skipped\":[", out);
    for (size_t i = 0; i < e->skipped_count; i++)
        json_reason(out, i == 0, e->skipped[i].rule->name, e->skipped[i].reason);
    fputs("],\"errors\":[", out);
    bool first = true;
    for (size_t i = 0; i < e->match_count; i++) {
        if (!e->matches[i].error)
            continue;
        json_reason(out, first, e->matches[i].rule->name, e->matches[i].error);
        first = false;
    }
    fputs("]}\n", out);
}
