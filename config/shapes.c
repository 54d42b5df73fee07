/* shapes - see shapes.h. */
#include "config/shapes.h"

#include <string.h>
#include <strings.h>

static bool is_full(const struct shape *shape)
{
    return shape->count > 0 && shape->count >= SHAPE_MAX_WORDS - 1;
}

static void add_many(struct shape *shape)
{
    if (shape->count > 0 && shape->words[shape->count - 1].kind == SHAPE_MANY)
        return;
    shape->words[shape->count++] = (struct shape_word){.kind = SHAPE_MANY};
}

static void add_word(struct shape *shape, struct shape_word word)
{
    if (is_full(shape)) {
        add_many(shape);
    } else {
        shape->words[shape->count++] = word;
    }
}

/* Words between separators, in which one and many are the wildcards. */
static void add_pattern(struct shape *shape, struct span text, const char *one, const char *many)
{
    char separator = shape->mqtt ? '/' : '.';
    for (bool more = text.len > 0; more;) {
        struct span word = span_slice(text, 0, span_find(text, separator));
        more = word.len < text.len;
        text = span_slice(text, word.len + 1, text.len);
        if (span_eq_str(word, many)) {
            add_many(shape);
        } else if (span_eq_str(word, one)) {
            add_word(shape, (struct shape_word){.kind = SHAPE_ONE, .filled = !shape->mqtt});
        } else {
            add_word(shape, (struct shape_word){.kind = SHAPE_WORD, .head = word});
        }
        if (is_full(shape) && more) {
            add_many(shape);
            return;
        }
    }
}

void shape_of_filter(struct shape *shape, struct span filter)
{
    shape->mqtt = true;
    shape->count = 0;
    add_pattern(shape, filter, "+", "#");
}

void shape_of_key(struct shape *shape, struct span key)
{
    shape->mqtt = false;
    shape->count = 0;
    add_pattern(shape, key, "*", "#");
}

/* One word of a template while its pieces are read. */
struct draft {
    struct span head, tail; /* known bytes before the first and behind the last placeholder */
    size_t placeholders;
    bool many; /* one of them may bring separators, or take the whole word away */
};

struct drafter {
    struct shape *shape;
    struct draft word;
    size_t many;
    const struct rule_from *from;
    size_t from_count;
};

static void end_word(struct drafter *d)
{
    struct draft *word = &d->word;
    if (word->placeholders == 0) {
        add_word(d->shape, (struct shape_word){.kind = SHAPE_WORD, .head = word->head});
    } else if (!word->many) {
        add_word(d->shape,
                 (struct shape_word){.kind = SHAPE_ONE, .head = word->head, .tail = word->tail});
    } else {
        bool alone = word->placeholders == 1 && word->head.len == 0 && word->tail.len == 0;
        if (d->shape->mqtt || !alone) /* else it may take its dot along: template.h */
            add_word(d->shape, (struct shape_word){.kind = SHAPE_ONE, .head = word->head});
        add_many(d->shape);
        d->many++;
    }
    *word = (struct draft){0};
}

static void add_literal(struct drafter *d, struct span text)
{
    for (bool more = true; more;) {
        struct span part = span_slice(text, 0, span_find(text, d->shape->mqtt ? '/' : '.'));
        more = part.len < text.len;
        text = span_slice(text, part.len + 1, text.len);
        if (d->word.placeholders == 0) {
            d->word.head = part;
        } else {
            d->word.tail = part;
        }
        if (more)
            end_word(d);
    }
}

/* Whether the placeholder is a '#' of one of the rule's filters. */
static bool is_multi_level(const struct drafter *d, struct span label)
{
    for (size_t i = 0; label.len > 0 && i < d->from_count; i++) {
        int wildcard = filter_wildcard_index(d->from[i].filter, label);
        if (wildcard >= 0 && d->from[i].filter->wildcards[wildcard].multi)
            return true;
    }
    return false;
}

static void add_placeholder(struct drafter *d, const struct template_piece *piece)
{
    char separator = d->shape->mqtt ? '/' : '.';
    bool loose = piece->levels || is_multi_level(d, piece->text);
    if (piece->has_default) {
        loose = loose || span_find(piece->fallback, separator) < piece->fallback.len ||
                (!d->shape->mqtt && piece->fallback.len == 0);
    }
    d->word.placeholders++;
    d->word.tail = (struct span){NULL, 0};
    d->word.many = d->word.many || loose;
}

static void add_template(struct drafter *d, const struct template *t)
{
    size_t count = template_piece_count(t);
    for (size_t i = 0; i < count && d->many < SHAPE_MAX_MANY; i++) {
        struct template_piece piece = template_piece(t, i);
        if (piece.literal) {
            add_literal(d, piece.text);
        } else {
            add_placeholder(d, &piece);
        }
    }
    if (count > 0 && d->many < SHAPE_MAX_MANY)
        end_word(d);
}

void shape_of_route(struct shape *shape, const struct template *route, const struct rule_from *from,
                    size_t from_count)
{
    shape->mqtt = false;
    shape->count = 0;
    struct drafter d = {.shape = shape, .from = from, .from_count = from_count};
    add_template(&d, route);
}

void shape_of_topic(struct shape *shape, const struct template *to)
{
    shape->mqtt = true;
    shape->count = 0;
    struct drafter d = {.shape = shape};
    add_template(&d, to);
}

static bool begins(struct span s, struct span head)
{
    return s.len >= head.len && span_eq(span_slice(s, 0, head.len), head);
}

static bool ends(struct span s, struct span tail)
{
    return s.len >= tail.len && span_eq(span_slice(s, s.len - tail.len, tail.len), tail);
}

bool shape_words_meet(const struct shape_word *a, const struct shape_word *b)
{
    if (a->kind == SHAPE_WORD && b->kind == SHAPE_WORD)
        return span_eq(a->head, b->head);
    if (a->kind == SHAPE_WORD) {
        return a->head.len >= b->head.len + b->tail.len + (b->filled && b->head.len == 0) &&
               begins(a->head, b->head) && ends(a->head, b->tail);
    }
    if (b->kind == SHAPE_WORD)
        return shape_words_meet(b, a);
    return (begins(a->head, b->head) || begins(b->head, a->head)) &&
           (ends(a->tail, b->tail) || ends(b->tail, a->tail));
}

bool shape_begins_with_dollar(const struct shape *shape)
{
    return shape->count > 0 && shape->words[0].head.len > 0 && shape->words[0].head.ptr[0] == '$';
}

static bool begins_with_wildcard(const struct shape *shape)
{
    return shape->count > 0 && shape->words[0].kind != SHAPE_WORD && shape->words[0].head.len == 0;
}

static bool is_many(const struct shape *shape, size_t at)
{
    return at < shape->count && shape->words[at].kind == SHAPE_MANY;
}

/*
 * Whether what is left of both, from their words `from` on, meets. rest[k] says it of a's words
 * from i on and b's from k on; the walk goes from the ends to the beginnings, a row for each i.
 */
static bool rest_meets(const struct shape *a, const struct shape *b, size_t from)
{
    bool rest[SHAPE_MAX_WORDS + 1] = {false}, below[SHAPE_MAX_WORDS + 1];
    for (size_t i = a->count + 1; i-- > from;) {
        bool x = i < a->count, x_many = is_many(a, i);
        memcpy(below, rest, x ? b->count + 1 : 0);
        for (size_t k = b->count + 1; k-- > from;) {
            bool y = k < b->count, y_many = is_many(b, k);
            if (!x && !y) {
                rest[k] = true;
            } else if (x_many || y_many) {
                rest[k] = (x && below[k]) || (y && rest[k + 1]);
            } else {
                rest[k] = x && y && shape_words_meet(&a->words[i], &b->words[k]) && below[k + 1];
            }
        }
    }
    return rest[from];
}

bool shapes_meet(const struct shape *a, const struct shape *b)
{
    size_t at = 0;
    if (a->mqtt && ((shape_begins_with_dollar(a) && begins_with_wildcard(b)) ||
                    (shape_begins_with_dollar(b) && begins_with_wildcard(a))))
        return false;
    for (; at < a->count && at < b->count && !is_many(a, at) && !is_many(b, at); at++) {
        if (!shape_words_meet(&a->words[at], &b->words[at]))
            return false;
    }
    return rest_meets(a, b, at);
}

bool shape_name_can_be(const struct template *name, const char *wanted)
{
    size_t count = template_piece_count(name), len = strlen(wanted);
    struct span constant = template_constant(name);
    if (constant.ptr)
        return strcasecmp(constant.ptr, wanted) == 0;
    struct template_piece first = template_piece(name, 0), last = template_piece(name, count - 1);
    size_t head = first.literal ? first.text.len : 0, tail = last.literal ? last.text.len : 0;
    return len >= head + tail && (head == 0 || strncasecmp(first.text.ptr, wanted, head) == 0) &&
           (tail == 0 || strncasecmp(last.text.ptr, wanted + len - tail, tail) == 0);
}
