/*
 * template_render - see template.h
 *
 * A value is looked up, passed through its functions, and put in by the rules of the template's
 * use. It stays where it lies (topic, payload, property) until a function must change its bytes;
 * then it moves to the scope's scratch buffer.
 */
#include "mapping/template_parts.h"

#include "base/hash.h"

enum { TEMPLATE_MAX_VALUE_BYTES = 65536 }; /* of a value being worked on */

enum value_state {
    VALUE_MISSING,
    VALUE_NOTHING, /* a '#' that matched its parent level */
    VALUE_PRESENT,
};

struct value {
    enum value_state state;
    struct span text;
    bool levels;     /* its '/' separate levels: becomes '.' in a route */
    bool authors;    /* the text of a default: put in as written */
    bool in_scratch; /* text may be changed in place */
    const char *why; /* it is missing: "is not ..." */
};

static struct value present(struct span text)
{
    return (struct value){.state = VALUE_PRESENT, .text = text};
}

static struct value missing(const char *why)
{
    return (struct value){.state = VALUE_MISSING, .why = why};
}

void template_scope_fini(struct template_scope *scope)
{
    buf_fini(&scope->scratch);
}

static struct value get_capture(const struct part *p, const struct template_scope *scope)
{
    int i = scope->filter && scope->captures ? filter_wildcard_index(scope->filter, p->text) : -1;
    if (i < 0 || (size_t)i >= scope->captures->count)
        return missing("is not in the filter that matched");
    struct value v = present(scope->captures->at[i]);
    v.levels = scope->filter->wildcards[i].multi;
    if (!v.text.ptr)
        v.state = VALUE_NOTHING;
    return v;
}

static struct value get_user(const struct part *p, const struct mqtt_message *message)
{
    for (size_t i = 0; i < message->user_count; i++) {
        if (span_eq(message->user[i].key, p->text))
            return present(message->user[i].value);
    }
    return missing("is not among the user properties");
}

static bool get_json(const struct part *p, struct template_scope *scope, struct jsonview json,
                     struct value *v, struct err *err)
{
    switch (json.kind) {
    case JSONVIEW_NONE:
    case JSONVIEW_NULL:
        *v = missing("is null");
        return true;
    case JSONVIEW_STRING: {
        struct span text;
        if (!jsonview_text(json, &scope->scratch, &text)) {
            return err_set(err, "template_value: %.*s is not text that can be used",
                           SPAN_ARG(p->written));
        }
        *v = present(text);
        v->in_scratch = scope->scratch.len > 0;
        return true;
    }
    case JSONVIEW_NUMBER:
    case JSONVIEW_BOOL:
        *v = present(json.text);
        return true;
    default:
        return err_set(err, "template_value: %.*s is an object or array", SPAN_ARG(p->written));
    }
}

static bool get_payload(const struct part *p, struct template_scope *scope, struct value *v,
                        struct err *err)
{
    struct jsonview json = jsonview_payload(&scope->json, scope->payload);
    struct jsonview at;
    if (json.kind == JSONVIEW_NONE) {
        *v = missing("cannot be found: the payload is not JSON");
    } else if (!jsonview_at(json, p->text, &at)) {
        *v = missing("is not in the payload");
    } else {
        return get_json(p, scope, at, v, err);
    }
    return true;
}

static bool get_attribute(const struct part *p, struct template_scope *scope, struct value *v,
                          struct err *err)
{
    struct jsonview at;
    if (jsonview_member(scope->envelope, p->text, &at))
        return get_json(p, scope, at, v, err);
    *v = missing("is not an attribute of the event");
    return true;
}

/* Looks a value up. False and err when there is one that cannot be text. */
static bool get(const struct part *p, struct template_scope *scope, struct value *v,
                struct err *err)
{
    static const struct mqtt_message none;
    static const char digits[] = "012";
    const struct mqtt_message *message = scope->message ? scope->message : &none;
    *v = missing("is not known here");
    switch (p->kind) {
    case PART_JSON:
        return get_payload(p, scope, v, err);
    case PART_CE:
        return get_attribute(p, scope, v, err);
    case PART_CAPTURE:
        *v = get_capture(p, scope);
        break;
    case PART_USER:
        *v = get_user(p, message);
        break;
    case PART_GATEWAY:
        *v = present(scope->gateway);
        break;
    case PART_RULE:
        *v = present(scope->rule);
        break;
    case PART_TOPIC:
        if (message->topic.ptr) {
            *v = present(message->topic);
            v->levels = true;
        }
        break;
    case PART_QOS:
        if (scope->message && message->qos >= 0 && message->qos <= 2)
            *v = present(span_make(digits + message->qos, 1));
        break;
    case PART_RETAIN:
        if (scope->message)
            *v = present(span_of(message->retain ? "true" : "false"));
        break;
    default: /* PART_CONTENT_TYPE */
        *v = message->content_type.ptr ? present(message->content_type)
                                       : missing("is not set: the message has no content type");
    }
    return true;
}

/* Moves a value to the scratch buffer, to be changed there. */
static bool own(struct value *v, struct buf *scratch)
{
    if (v->in_scratch)
        return true;
    buf_clear(scratch);
    if (!buf_add(scratch, v->text))
        return false;
    v->text = buf_span(scratch);
    v->in_scratch = true;
    return true;
}

static bool change_case(struct value *v, struct buf *scratch, bool lower)
{
    if (!own(v, scratch))
        return false;
    char *at = scratch->ptr + (v->text.ptr - scratch->ptr); /* the same, to be written to */
    for (size_t i = 0; i < v->text.len; i++) {
        if (lower ? at[i] >= 'A' && at[i] <= 'Z' : at[i] >= 'a' && at[i] <= 'z')
            at[i] ^= 0x20;
    }
    return true;
}

static bool shard(struct value *v, struct buf *scratch, uint64_t modulo)
{
    uint64_t number = hash_add(HASH_SEED, v->text) % modulo;
    buf_clear(scratch);
    v->in_scratch = buf_add_u64(scratch, number);
    v->text = buf_span(scratch);
    return v->in_scratch;
}

/* Byte index of the n-th character from `from`, or the end. Counts bytes that begin one. */
static size_t skip_chars(struct span s, size_t from, uint64_t n)
{
    size_t i = from;
    while (i < s.len && n > 0) {
        i++;
        while (i < s.len && ((unsigned char)s.ptr[i] & 0xC0) == 0x80)
            i++;
        n--;
    }
    return i;
}

static bool apply(const struct step *step, struct value *v, struct buf *scratch)
{
    if (step->kind == STEP_DEFAULT) {
        if (v->state != VALUE_PRESENT) {
            *v = present(step->text);
            v->authors = true;
        }
        return true;
    }
    if (v->state != VALUE_PRESENT)
        return true;
    switch (step->kind) {
    case STEP_SLICE: {
        size_t from = skip_chars(v->text, 0, step->from);
        v->text = span_slice(v->text, from, skip_chars(v->text, from, step->count) - from);
        return true;
    }
    case STEP_SHARD:
        return shard(v, scratch, step->modulo);
    default:
        return change_case(v, scratch, step->kind == STEP_LOWER);
    }
}

/* A value, or one level of it, made safe. */
static bool add_word(const struct part *p, const struct template_scope *scope, struct span word,
                     struct buf *out, struct err *err)
{
    if (word.len == 0) {
        if (scope->replace_reject) {
            return err_set(err, "route_unsafe: %.*s would put an empty word into the route",
                           SPAN_ARG(p->written));
        }
        buf_add(out, scope->replace);
        return true;
    }
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (c != '.' && c != '*' && c != '#' && c != ' ' && !(c >= '\t' && c <= '\r')) {
            buf_add_char(out, c);
            continue;
        }
        if (scope->replace_reject) {
            return err_set(err,
                           "route_unsafe: %.*s would put '.', '*', '#' or white space into the "
                           "route",
                           SPAN_ARG(p->written));
        }
        buf_add(out, scope->replace);
    }
    return true;
}

static bool add_to_route(const struct part *p, const struct template_scope *scope,
                         const struct value *v, struct buf *out, struct err *err)
{
    if (!v->levels)
        return add_word(p, scope, v->text, out, err);
    struct span rest = v->text;
    for (bool more = true; more;) {
        struct span level = span_slice(rest, 0, span_find(rest, '/'));
        more = level.len < rest.len;
        rest = span_slice(rest, level.len + 1, rest.len);
        if (!add_word(p, scope, level, out, err))
            return false;
        if (more)
            buf_add_char(out, '.');
    }
    return true;
}

static bool add_to_topic(const struct part *p, const struct value *v, bool first, struct buf *out,
                         struct err *err)
{
    for (size_t i = 0; i < v->text.len; i++) {
        char c = v->text.ptr[i];
        if (c == '+' || c == '#' || c == '\0' || (c == '/' && !p->levels)) {
            return err_set(err, "topic_unsafe: %.*s would put '+', '#', NUL%s into the topic",
                           SPAN_ARG(p->written), p->levels ? "" : " or '/'");
        }
    }
    if (first && v->text.len > 0 && v->text.ptr[0] == '$') {
        return err_set(err, "topic_unsafe: %.*s would begin the topic with '$'",
                       SPAN_ARG(p->written));
    }
    buf_add(out, v->text);
    return true;
}

static bool render_part(const struct template *t, const struct part *p,
                        struct template_scope *scope, bool first, struct buf *out, struct err *err)
{
    struct value v;
    if (scope->scratch.max_len == 0)
        buf_init(&scope->scratch, TEMPLATE_MAX_VALUE_BYTES);
    buf_clear(&scope->scratch);
    if (!get(p, scope, &v, err))
        return false;
    for (size_t i = 0; i < p->step_count; i++) {
        if (!apply(&p->steps[i], &v, &scope->scratch)) {
            return err_set(err, "template_value: %.*s is longer than %d bytes",
                           SPAN_ARG(p->written), (int)TEMPLATE_MAX_VALUE_BYTES);
        }
    }
    if (v.state == VALUE_MISSING)
        return err_set(err, "template_missing: %.*s %s", SPAN_ARG(p->written), v.why);
    if (v.state == VALUE_NOTHING)
        return true;
    if (!v.authors && t->use == TEMPLATE_ROUTE)
        return add_to_route(p, scope, &v, out, err);
    if (!v.authors && t->use == TEMPLATE_TOPIC)
        return add_to_topic(p, &v, first, out, err);
    buf_add(out, v.text);
    return true;
}

/* A '#' that stands for nothing takes one dot beside it along. */
static void drop_dot(struct buf *out, size_t start, bool *skip_dot)
{
    if (out->len > start && out->ptr[out->len - 1] == '.') {
        out->ptr[--out->len] = '\0';
    } else {
        *skip_dot = true;
    }
}

bool template_render(const struct template *t, struct template_scope *scope, struct buf *out,
                     struct err *err)
{
    size_t start = out->len;
    bool ok = true, skip_dot = false;
    for (size_t i = 0; ok && i < t->part_count; i++) {
        const struct part *p = &t->parts[i];
        if (p->kind == PART_LITERAL) {
            size_t skip = skip_dot && p->text.ptr[0] == '.';
            buf_add(out, span_slice(p->text, skip, p->text.len));
            skip_dot = false;
            continue;
        }
        size_t before = out->len;
        ok = render_part(t, p, scope, before == start, out, err);
        if (ok && p->whole_word && out->len == before)
            drop_dot(out, start, &skip_dot);
    }
    if (out->overflow)
        ok = err_set(err, "template_too_large: the text does not fit");
    struct span whole = {buf_str(out) + start, out->len - start};
    ok = ok && template_whole_ok(t->use, whole, err);
    if (!ok && out->ptr) {
        out->len = start;
        out->ptr[start] = '\0';
    }
    return ok;
}
