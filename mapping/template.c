/* template - see template.h. This file compiles; template_render.c renders. */
#include "mapping/template_parts.h"

#include "base/json.h"
#include "base/nearest.h"

struct compiler {
    struct template *t;
    const struct filter *names;
    bool envelope;
    struct err *err;
    size_t room;        /* of t->parts */
    char *literals_end; /* where the next literal byte goes */
};

static const struct word {
    const char *name; /* with ':' when an argument follows */
    enum part_kind kind;
    bool of_message; /* needs an MQTT message */
} words[] = {
    {"topic", PART_TOPIC, true},   {"qos", PART_QOS, true},
    {"retain", PART_RETAIN, true}, {"gateway", PART_GATEWAY, false},
    {"rule", PART_RULE, false},    {"json:", PART_JSON, false},
    {"user:", PART_USER, true},    {"content_type", PART_CONTENT_TYPE, true},
    {"ce:", PART_CE, false},
};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

static const char *const functions[] = {"lower", "upper", "default:", "slice:", "shard:", "levels"};

static struct part *part_new(struct compiler *c, enum part_kind kind)
{
    struct template *t = c->t;
    if (t->part_count == c->room) {
        c->room = c->room ? c->room * 2 : 4;
        t->parts = check_alloc(reallocarray(t->parts, c->room, sizeof *t->parts));
    }
    CHECK(t->parts);
    struct part *p = &t->parts[t->part_count++];
    *p = (struct part){.kind = kind};
    return p;
}

static void add_literal(struct compiler *c, char byte)
{
    struct template *t = c->t;
    struct part *p = t->part_count ? &t->parts[t->part_count - 1] : NULL;
    if (!p || p->kind != PART_LITERAL) {
        p = part_new(c, PART_LITERAL);
        p->text = span_make(c->literals_end, 0);
    }
    *c->literals_end++ = byte;
    p->text.len++;
}

/* Says that a placeholder is unknown, and which known one is nearest. */
static bool unknown_placeholder(struct compiler *c, struct span head)
{
    const char *known[WORD_COUNT + TOPIC_MAX_CAPTURES];
    char labels[TOPIC_MAX_CAPTURES][65], word[65];
    size_t count = 0;
    for (size_t i = 0; i < WORD_COUNT; i++)
        known[count++] = words[i].name;
    for (size_t i = 0; c->names && i < c->names->wildcard_count; i++) {
        struct span label = span_slice(c->names->wildcards[i].label, 0, sizeof labels[i] - 1);
        memcpy(labels[i], label.ptr, label.len);
        labels[i][label.len] = '\0';
        known[count++] = labels[i];
    }
    struct span start = span_slice(head, 0, span_find(head, ':') + 1);
    start = span_slice(start, 0, sizeof word - 1);
    if (start.len > 0)
        memcpy(word, start.ptr, start.len);
    word[start.len] = '\0';
    const char *nearest = nearest_word(word, known, count);
    if (!nearest)
        return err_set(c->err, "{%.*s} is not a placeholder that can be used here", SPAN_ARG(head));
    size_t len = strlen(nearest);
    bool argument = nearest[len - 1] == ':';
    return err_set(c->err,
                   "{%.*s} is not a placeholder that can be used here; did you mean {%s%s}?",
                   SPAN_ARG(head), nearest, argument ? "..." : "");
}

static bool check_argument(struct compiler *c, const struct part *p)
{
    struct span w = p->written;
    if (p->kind == PART_JSON && !jsonview_pointer_ok(p->text)) {
        return err_set(c->err, "%.*s: a JSON pointer begins with '/'; '~' is written ~0",
                       SPAN_ARG(w));
    }
    if ((p->kind == PART_USER || p->kind == PART_CE) && p->text.len == 0)
        return err_set(c->err, "%.*s: a name must follow the ':'", SPAN_ARG(w));
    if (p->kind == PART_CE && !c->envelope)
        return err_set(c->err, "%.*s needs payload = \"cloudevents\"", SPAN_ARG(w));
    return true;
}

/* What stands before the first '|'. */
static bool compile_head(struct compiler *c, struct part *p, struct span head)
{
    if (c->names && filter_wildcard_index(c->names, head) >= 0) {
        p->kind = PART_CAPTURE;
        p->text = head;
        return true;
    }
    for (size_t i = 0; i < WORD_COUNT; i++) {
        size_t len = strlen(words[i].name);
        bool argument = words[i].name[len - 1] == ':';
        if (!span_starts(head, words[i].name) || (!argument && head.len != len))
            continue;
        p->kind = words[i].kind;
        p->text = span_slice(head, len, head.len);
        p->levels =
            p->kind == PART_TOPIC || (p->kind == PART_CE && span_eq_str(p->text, "subject"));
        if (words[i].of_message && c->t->use == TEMPLATE_TOPIC && !c->envelope) {
            return err_set(c->err,
                           "{%.*s}: what comes from CMQ has that only with payload = "
                           "\"cloudevents\"",
                           SPAN_ARG(head));
        }
        return check_argument(c, p);
    }
    return unknown_placeholder(c, head);
}

static bool number_argument(struct span text, uint64_t min, uint64_t *out)
{
    return span_to_u64(text, UINT32_MAX, out) && *out >= min;
}

/* Sets *argument behind name when call is a call of it. */
static bool is_call(struct span call, const char *name, struct span *argument)
{
    size_t len = strlen(name);
    *argument = span_slice(call, len, call.len);
    return span_starts(call, name) && (name[len - 1] == ':' || call.len == len);
}

static bool unknown_function(struct compiler *c, const struct part *p, struct span call)
{
    char word[65];
    struct span start = span_slice(call, 0, span_find(call, ':') + 1);
    start = span_slice(start, 0, sizeof word - 1);
    if (start.len > 0)
        memcpy(word, start.ptr, start.len);
    word[start.len] = '\0';
    const char *nearest = nearest_word(word, functions, sizeof functions / sizeof functions[0]);
    return err_set(c->err, "%.*s: '%.*s' is not a function%s%s%s", SPAN_ARG(p->written),
                   SPAN_ARG(call), nearest ? "; did you mean '" : "", nearest ? nearest : "",
                   nearest ? "'?" : "");
}

/* One function, without its '|'. */
static bool compile_step(struct compiler *c, struct part *p, struct span call)
{
    struct span arg, w = p->written;
    struct step step = {0};
    if (is_call(call, "levels", &arg)) {
        p->levels = true;
        return c->t->use == TEMPLATE_TOPIC ||
               err_set(c->err, "%.*s: 'levels' is for MQTT topics", SPAN_ARG(w));
    }
    if (is_call(call, "lower", &arg)) {
        step.kind = STEP_LOWER;
    } else if (is_call(call, "upper", &arg)) {
        step.kind = STEP_UPPER;
    } else if (is_call(call, "default:", &step.text)) {
        step.kind = STEP_DEFAULT;
    } else if (is_call(call, "shard:", &arg)) {
        step.kind = STEP_SHARD;
        if (!number_argument(arg, 1, &step.modulo))
            return err_set(c->err, "%.*s: shard:N wants a whole number above 0", SPAN_ARG(w));
    } else if (is_call(call, "slice:", &arg)) {
        step.kind = STEP_SLICE;
        size_t colon = span_find(arg, ':');
        if (!number_argument(span_slice(arg, 0, colon), 0, &step.from) ||
            !number_argument(span_slice(arg, colon + 1, arg.len), 1, &step.count)) {
            return err_set(c->err,
                           "%.*s: slice:FROM:LEN wants two whole numbers, the second above 0",
                           SPAN_ARG(w));
        }
    } else {
        return unknown_function(c, p, call);
    }
    if (p->step_count == TEMPLATE_MAX_STEPS) {
        return err_set(c->err, "%.*s has more than %d functions", SPAN_ARG(w),
                       (int)TEMPLATE_MAX_STEPS);
    }
    p->steps[p->step_count++] = step;
    return true;
}

/* A placeholder, braces included. */
static bool compile_placeholder(struct compiler *c, struct span written)
{
    struct part *p = part_new(c, PART_LITERAL);
    p->written = written;
    struct span rest = span_slice(written, 1, written.len - 2);
    struct span word = span_slice(rest, 0, span_find(rest, '|'));
    if (!compile_head(c, p, word))
        return false;
    while (word.len < rest.len) {
        rest = span_slice(rest, word.len + 1, rest.len);
        word = span_slice(rest, 0, span_find(rest, '|'));
        if (!compile_step(c, p, word))
            return false;
    }
    return true;
}

static bool compile(struct compiler *c, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool twice = i + 1 < text.len && text.ptr[i + 1] == byte;
        if (byte != '{' && byte != '}') {
            add_literal(c, byte);
        } else if (twice) {
            add_literal(c, byte);
            i++;
        } else if (byte == '}') {
            return err_set(c->err, "a '}' that ends no placeholder is written '}}'");
        } else {
            struct span rest = span_slice(text, i, text.len);
            size_t close = span_find(rest, '}');
            if (close == rest.len)
                return err_set(c->err, "a '{' has no '}'; a brace itself is written '{{'");
            if (!compile_placeholder(c, span_slice(rest, 0, close + 1)))
                return false;
            i += close;
        }
    }
    return true;
}

/* Which placeholders are whole words of the route. */
static void mark_words(struct template *t)
{
    for (size_t i = 0; i < t->part_count; i++) {
        struct span before = {".", 1}, after = {".", 1};
        if (i > 0)
            before = t->parts[i - 1].text;
        if (i + 1 < t->part_count)
            after = t->parts[i + 1].text;
        bool literals = (i == 0 || t->parts[i - 1].kind == PART_LITERAL) &&
                        (i + 1 == t->part_count || t->parts[i + 1].kind == PART_LITERAL);
        t->parts[i].whole_word = t->use == TEMPLATE_ROUTE && t->parts[i].kind != PART_LITERAL &&
                                 literals && before.ptr[before.len - 1] == '.' &&
                                 after.ptr[0] == '.';
    }
}

struct template *template_new(struct span text, enum template_use use, const struct filter *names,
                              bool envelope, struct err *err)
{
    if (span_find(text, '\0') < text.len || !utf8_valid(text)) {
        err_set(err, "it is not valid UTF-8 without NUL");
        return NULL;
    }
    struct template *t = check_alloc(calloc(1, sizeof *t));
    t->use = use;
    t->text = span_dup(text);
    t->literals = check_alloc(calloc(1, text.len + 1));
    struct compiler c = {t, names, envelope, err, 0, t->literals};
    if (!compile(&c, span_of(t->text))) {
        template_free(t);
        return NULL;
    }
    mark_words(t);
    return t;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    free(t->parts);
    free(t->text);
    free(t->literals);
    free(t);
}

struct span template_text(const struct template *t)
{
    return span_of(t->text);
}

struct span template_constant(const struct template *t)
{
    for (size_t i = 0; i < t->part_count; i++) {
        if (t->parts[i].kind != PART_LITERAL)
            return (struct span){NULL, 0};
    }
    return span_of(t->literals);
}

size_t template_piece_count(const struct template *t)
{
    return t->part_count;
}

static size_t digits(uint64_t number)
{
    size_t count = 1;
    while (number >= 10) {
        number /= 10;
        count++;
    }
    return count;
}

static size_t most_chars(const struct part *p)
{
    static const size_t of_kind[] = {[PART_LITERAL] = 0,      [PART_CAPTURE] = SIZE_MAX,
                                     [PART_TOPIC] = SIZE_MAX, [PART_QOS] = 1,
                                     [PART_RETAIN] = 5,       [PART_GATEWAY] = 0,
                                     [PART_RULE] = 0,         [PART_JSON] = SIZE_MAX,
                                     [PART_USER] = SIZE_MAX,  [PART_CONTENT_TYPE] = SIZE_MAX,
                                     [PART_CE] = SIZE_MAX};
    size_t most = of_kind[p->kind];
    for (size_t i = 0; i < p->step_count; i++) {
        const struct step *step = &p->steps[i];
        if (step->kind == STEP_SLICE && step->count < most)
            most = step->count;
        if (step->kind == STEP_SHARD)
            most = digits(step->modulo - 1);
        if (step->kind == STEP_DEFAULT && step->text.len > most)
            most = step->text.len;
    }
    return most;
}

struct template_piece template_piece(const struct template *t, size_t index)
{
    CHECK(index < t->part_count);
    const struct part *p = &t->parts[index];
    struct template_piece piece = {.literal = p->kind == PART_LITERAL,
                                   .levels = p->levels,
                                   .written = p->written,
                                   .of_mqtt5 = p->kind == PART_USER || p->kind == PART_CONTENT_TYPE,
                                   .most_chars = most_chars(p)};
    if (p->kind == PART_LITERAL || p->kind == PART_CAPTURE)
        piece.text = p->text;
    for (size_t i = 0; i < p->step_count && !piece.has_default; i++) {
        piece.has_default = p->steps[i].kind == STEP_DEFAULT;
        piece.fallback = p->steps[i].text;
    }
    piece.may_lack =
        !piece.has_default && (piece.of_mqtt5 || p->kind == PART_JSON || p->kind == PART_CE);
    return piece;
}
