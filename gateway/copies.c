/* copies - see copies.h. */
#include "gateway/copies.h"

void copies_init(struct copies *copies)
{
    *copies = (struct copies){0};
    buf_init(&copies->last, COPIES_MAX_BYTES);
    buf_init(&copies->next, COPIES_MAX_BYTES);
}

void copies_fini(struct copies *copies)
{
    buf_fini(&copies->last);
    buf_fini(&copies->next);
}

void copies_forget(struct copies *copies)
{
    copies->known = false;
}

static void add(struct buf *out, struct span part)
{
    buf_printf(out, "%d %zu ", part.ptr != NULL, part.len);
    buf_add(out, part);
}

/* Everything that two copies of a message have in common: not their QoS, identifiers or time. */
static void describe(const struct mqtt_message *m, struct buf *out)
{
    buf_clear(out);
    add(out, m->topic);
    add(out, m->payload);
    add(out, m->content_type);
    add(out, m->response_topic);
    add(out, m->correlation);
    for (size_t i = 0; i < m->user_count; i++) {
        add(out, m->user[i].key);
        add(out, m->user[i].value);
    }
    buf_printf(out, "%d", m->retain);
}

static bool came_for(const struct copies *copies, uint32_t id)
{
    for (size_t i = 0; i < copies->id_count; i++) {
        if (copies->ids[i] == id)
            return true;
    }
    return false;
}

/* Whether the next message says the same as the last one, and right behind it. */
static bool says_the_same(const struct copies *copies, const struct mqtt_message *m)
{
    int64_t apart_ms = m->received_ms - copies->received_ms;
    return copies->known && apart_ms <= COPIES_APART_MS && apart_ms >= -COPIES_APART_MS &&
           !copies->next.overflow && span_eq(buf_span(&copies->last), buf_span(&copies->next));
}

/* Whether it came for subscriptions that the last one and its copies did not come for. */
static bool came_for_others(const struct copies *copies, const struct mqtt_message *m)
{
    if (m->subscription_id_count == 0 || copies->id_count == 0 ||
        copies->id_count + m->subscription_id_count > COPIES_MAX_IDS)
        return false;
    for (size_t i = 0; i < m->subscription_id_count; i++) {
        if (came_for(copies, m->subscription_ids[i]))
            return false;
    }
    return true;
}

bool copies_take(struct copies *copies, const struct mqtt_message *message)
{
    describe(message, &copies->next);
    bool same = says_the_same(copies, message);
    bool copy = same && !copies->repeated && came_for_others(copies, message);
    if (!copy) {
        struct buf last = copies->last;
        copies->last = copies->next;
        copies->next = last;
        copies->known = true;
        copies->repeated = same;
        copies->id_count = 0;
    }
    copies->received_ms = message->received_ms;
    for (size_t i = 0; i < message->subscription_id_count && copies->id_count < COPIES_MAX_IDS; i++)
        copies->ids[copies->id_count++] = message->subscription_ids[i];
    return copy;
}
