/* explain_print: the way from CMQ to MQTT, for people and for machines. */
#include "gateway/explain_print.h"

#include "base/base64.h"
#include "gateway/print.h"

#include <inttypes.h>

static void text_property(FILE *out, const char *name, struct span value)
{
    if (!value.ptr)
        return;
    fprintf(out, "    %-9s", name);
    print_text(out, value);
    fputc('\n', out);
}

static void text_message(FILE *out, const struct mqtt_message *m)
{
    fputs("  -> ", out);
    print_text(out, m->topic);
    fprintf(out, "\n    QoS %d%s", m->qos, m->retain ? ", retained" : "");
    if (m->has_expiry)
        fprintf(out, ", expires after %" PRIu32 " s", m->expiry_s);
    fprintf(out, "\n    payload  %zu byte%s\n             ", m->payload.len,
            m->payload.len == 1 ? "" : "s");
    print_wrapped(out, m->payload, EXPLAIN_SHOWN_BYTES, EXPLAIN_COLUMNS - 13, 13);
    fputc('\n', out);
    text_property(out, "type", m->content_type);
    text_property(out, "reply to", m->response_topic);
    text_property(out, "corr.", m->correlation);
    for (size_t i = 0; i < m->user_count; i++) {
        fputs("    user     ", out);
        print_text(out, m->user[i].key);
        fputs(" = ", out);
        print_text(out, m->user[i].value);
        fputc('\n', out);
    }
}

static void text_taking(FILE *out, const struct explain_taking *t, bool v5)
{
    fputc('\n', out);
    explain_print_rule(out, t->rule->name, t->rule->file, t->rule->line);
    if (t->result != REVERSE_PUBLISH) {
        fputs("  -> not published, see below\n", out);
        return;
    }
    text_message(out, &t->draft.message);
    for (size_t i = 0; i < t->forward_count; i++) {
        fprintf(out, "    forward rule %s listens to this topic, %s\n", t->forward[i]->name,
                v5 ? "and drops it as a loop" : "and sends it to CMQ again");
    }
    if (t->forward_count && !v5)
        fputs("    (MQTT 3.1.1 carries no sign that it has been here: a loop)\n", out);
}

static void text_refusal(FILE *out, const struct explain_taking *t)
{
    explain_print_reason(out, t->rule->name, t->err.text);
    if (t->result == REVERSE_LOOP) {
        fputs("    dropped and counted\n", out);
    } else if (t->result == REVERSE_AGAIN) {
        fputs("    left in the queue, to be tried again\n", out);
    } else if (t->rule->dead_letter[0]) {
        fprintf(out, "    parked in the queue %s\n", t->rule->dead_letter);
    } else {
        fputs("    parked here, as a dead letter\n", out);
    }
}

void explain_print_reverse_text(FILE *out, const struct reverse_explanation *e)
{
    fprintf(out, "queue %.*s\n  %zu byte%s\n", SPAN_ARG(e->queue), e->body.len,
            e->body.len == 1 ? "" : "s");
    for (size_t i = 0; i < e->taking_count; i++)
        text_taking(out, &e->takings[i], e->config->mqtt.v5);
    if (!e->taking_count)
        fputs("\nno reverse rule reads this queue\n", out);
    if (e->taking_count > 1)
        fputs("\neach message goes to one of these rules: the one that polls first\n", out);
    if (e->other_count)
        fputs("\nskipped\n", out);
    for (size_t i = 0; i < e->other_count; i++)
        fprintf(out, "  %s: %s\n", e->others[i].rule->name, e->others[i].reason);
    if (e->publish_count < e->taking_count)
        fputs("\nnot published\n", out);
    for (size_t i = 0; i < e->taking_count; i++) {
        if (e->takings[i].result != REVERSE_PUBLISH)
            text_refusal(out, &e->takings[i]);
    }
}

static void json_base64(FILE *out, const char *key, struct span value)
{
    struct buf text = BUF_INIT(BASE64_LEN(value.len));
    CHECK(base64_encode(&text, value));
    fprintf(out, ",\"%s\":\"%s\"", key, buf_str(&text));
    buf_fini(&text);
}

static void json_message(FILE *out, const struct mqtt_message *m)
{
    print_json_member(out, ",", "topic", m->topic);
    print_json_member(out, ",", "payload", m->payload);
    json_base64(out, "payload_base64", m->payload);
    fprintf(out, ",\"payload_bytes\":%zu,\"qos\":%d,\"retain\":%s", m->payload.len, m->qos,
            m->retain ? "true" : "false");
    if (m->has_expiry) {
        fprintf(out, ",\"expiry_s\":%" PRIu32, m->expiry_s);
    } else {
        fputs(",\"expiry_s\":null", out);
    }
    if (m->content_type.ptr)
        print_json_member(out, ",", "content_type", m->content_type);
    if (m->response_topic.ptr)
        print_json_member(out, ",", "response_topic", m->response_topic);
    if (m->correlation.ptr)
        json_base64(out, "correlation_base64", m->correlation);
    fputs(",\"user\":[", out);
    for (size_t i = 0; i < m->user_count; i++) {
        print_json_member(out, i ? ",{" : "{", "key", m->user[i].key);
        print_json_member(out, ",", "value", m->user[i].value);
        fputc('}', out);
    }
    fputc(']', out);
}

static void json_taking(FILE *out, bool first, const struct explain_taking *t, bool v5)
{
    print_json_member(out, first ? "{" : ",{", "rule", span_of(t->rule->name));
    json_message(out, &t->draft.message);
    fputs(",\"forward\":[", out);
    for (size_t i = 0; i < t->forward_count; i++) {
        print_json_member(out, i ? ",{" : "{", "rule", span_of(t->forward[i]->name));
        fprintf(out, ",\"dropped\":%s}", v5 ? "true" : "false");
    }
    fputs("]}", out);
}

static void json_refusal(FILE *out, bool first, const struct explain_taking *t)
{
    print_json_member(out, first ? "{" : ",{", "rule", span_of(t->rule->name));
    print_json_member(out, ",", "reason", span_of(t->err.text));
    if (t->result != REVERSE_PARK) {
        fputs(",\"parked\":null}", out);
        return;
    }
    print_json_member(out, ",", "parked", span_of(t->rule->dead_letter));
    fputc('}', out);
}

void explain_print_reverse_json(FILE *out, const struct reverse_explanation *e)
{
    print_json_member(out, "{", "queue", e->queue);
    fputs(",\"matches\":[", out);
    bool first = true;
    for (size_t i = 0; i < e->taking_count; i++) {
        if (e->takings[i].result != REVERSE_PUBLISH)
            continue;
        json_taking(out, first, &e->takings[i], e->config->mqtt.v5);
        first = false;
    }
    fputs("],\"skipped\":[", out);
    for (size_t i = 0; i < e->other_count; i++) {
        print_json_member(out, i ? ",{" : "{", "rule", span_of(e->others[i].rule->name));
        print_json_member(out, ",", "reason", span_of(e->others[i].reason));
        fputc('}', out);
    }
    fputs("],\"errors\":[", out);
    first = true;
    for (size_t i = 0; i < e->taking_count; i++) {
        if (e->takings[i].result == REVERSE_PUBLISH)
            continue;
        json_refusal(out, first, &e->takings[i]);
        first = false;
    }
    fputs("]}\n", out);
}
