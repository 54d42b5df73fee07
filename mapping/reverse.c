/* reverse - see reverse.h. */
#include "mapping/reverse.h"

#include "base/base64.h"

enum { REVERSE_MAX_VIA = 4096 };

void reverse_draft_init(struct reverse_draft *draft)
{
    *draft = (struct reverse_draft){0};
    buf_init(&draft->topic, TOPIC_MAX_BYTES);
    buf_init(&draft->payload, REVERSE_MAX_PAYLOAD);
    buf_init(&draft->via, REVERSE_MAX_VIA);
}

void reverse_draft_fini(struct reverse_draft *draft)
{
    unwrapped_fini(&draft->event);
    buf_fini(&draft->topic);
    buf_fini(&draft->payload);
    buf_fini(&draft->via);
}

static void begin(struct reverse_draft *draft)
{
    unwrapped_fini(&draft->event);
    draft->event = (struct unwrapped){0};
    draft->message = (struct mqtt_message){0};
    buf_clear(&draft->topic);
    buf_clear(&draft->payload);
    buf_clear(&draft->via);
}

static enum reverse_result run_jq(const struct reverse_rule *rule, struct span body,
                                  struct jq_worker *jq, struct reverse_draft *draft,
                                  struct err *err)
{
    err->text[0] = '\0';
    enum jq_outcome outcome = jq_run(jq, rule->jq, body, &draft->payload, err);
    if (outcome == JQ_VALUE)
        return REVERSE_PUBLISH;
    if (outcome == JQ_BROKEN)
        return REVERSE_AGAIN;
    jq_reason(outcome, err);
    return REVERSE_PARK;
}

/* Fills the payload and what a CloudEvent restores. */
static enum reverse_result make_payload(const struct reverse_rule *rule, struct span body,
                                        struct jq_worker *jq, struct reverse_draft *draft,
                                        struct err *err)
{
    enum reverse_result result = REVERSE_PUBLISH;
    switch (rule->payload) {
    case REVERSE_BODY:
        draft->message.payload = body;
        return REVERSE_PUBLISH;
    case REVERSE_BASE64:
        if (!base64_decode(&draft->payload, body)) {
            (void)err_set(err, "base64_invalid: the body is not base64");
            return REVERSE_PARK;
        }
        break;
    case REVERSE_CLOUDEVENTS:
        if (!envelope_unwrap(body, &draft->event, err))
            return REVERSE_PARK;
        draft->message = draft->event.message;
        return REVERSE_PUBLISH;
    case REVERSE_JQ:
        result = run_jq(rule, body, jq, draft, err);
        break;
    }
    draft->message.payload = buf_span(&draft->payload);
    return result;
}

/* The gateways it came through, as far as is known, and this one. */
static void add_via(struct span gateway, struct reverse_draft *draft)
{
    struct mqtt_message *m = &draft->message;
    size_t count = 0;
    for (size_t i = 0; i < m->user_count && count < MQTT_MAX_USER_PROPERTIES; i++) {
        if (!span_eq_str(m->user[i].key, ENVELOPE_VIA))
            draft->user[count++] = m->user[i];
    }
    if (draft->event.via.len > 0) {
        buf_add(&draft->via, draft->event.via);
        buf_add_char(&draft->via, ',');
    }
    buf_add(&draft->via, gateway);
    draft->user[count++] = (struct mqtt_user_property){
        span_of(ENVELOPE_VIA), draft->via.overflow ? gateway : buf_span(&draft->via)};
    m->user = draft->user;
    m->user_count = count;
}

static bool make_topic(const struct reverse_rule *rule, struct span gateway, struct span body,
                       struct reverse_draft *draft, struct err *err)
{
    struct template_scope scope = {.rule = span_of(rule->name),
                                   .gateway = gateway,
                                   .payload = body,
                                   .envelope = draft->event.event};
    bool ok = template_render(rule->to, &scope, &draft->topic, err);
    template_scope_fini(&scope);
    return ok;
}

enum reverse_result reverse_plan(const struct reverse_rule *rule, struct span gateway,
                                 struct span body, struct jq_worker *jq,
                                 struct reverse_draft *draft, struct err *err)
{
    begin(draft);
    enum reverse_result result = make_payload(rule, body, jq, draft, err);
    if (result != REVERSE_PUBLISH)
        return result;
    if (!rule->allow_loop && envelope_via_names(draft->event.via, gateway))
        return REVERSE_LOOP;
    if (!make_topic(rule, gateway, body, draft, err))
        return REVERSE_PARK;
    struct mqtt_message *m = &draft->message;
    m->topic = buf_span(&draft->topic);
    m->qos = rule->qos;
    m->retain = rule->retain;
    if (rule->expiry_s > 0) {
        m->has_expiry = true;
        m->expiry_s = rule->expiry_s > UINT32_MAX ? UINT32_MAX : (uint32_t)rule->expiry_s;
    }
    add_via(gateway, draft);
    return REVERSE_PUBLISH;
}
