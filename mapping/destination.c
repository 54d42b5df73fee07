/* destination - see destination.h. */
#include "mapping/destination.h"

#include "base/hash.h"

/* Whether a byte of a route or tag is written %XX. */
static bool is_escaped(char c)
{
    return (unsigned char)c <= ' ' || c == '%' || c == ',' || c == 0x7F;
}

static void add_escaped(struct buf *out, struct span s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char text[3] = {'%', hex[c >> 4], hex[c & 15]};
        buf_add(out, is_escaped(s.ptr[i]) ? span_make(text, 3) : span_make(s.ptr + i, 1));
    }
}

bool destination_format(const struct destination *d, struct buf *out)
{
    buf_add_str(out, d->is_topic ? "topic " : "queue ");
    buf_add(out, d->name);
    if (d->delay_s > 0) {
        buf_add_str(out, " delay ");
        buf_add_u64(out, d->delay_s);
    }
    if (d->has_route) {
        buf_add_str(out, " route ");
        add_escaped(out, d->route);
    }
    for (size_t i = 0; i < d->tag_count; i++) {
        buf_add_str(out, i == 0 ? " tags " : ",");
        add_escaped(out, d->tags[i]);
    }
    return !out->overflow;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes s to the end of store, which has the room; *value points there. */
static bool unescape(struct span s, struct buf *store, struct span *value)
{
    size_t start = store->len;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_value(s.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            if (!is_escaped(c))
                return false;
            i += 2;
        } else if (is_escaped(c)) {
            return false;
        }
        buf_add_char(store, c);
    }
    *value = span_slice(buf_span(store), start, store->len);
    return !store->overflow;
}

/* Takes the word up to the next space; false when the text is at its end or the word is empty. */
static bool take_word(struct span *text, struct span *word)
{
    *word = span_slice(*text, 0, span_find(*text, ' '));
    *text = span_slice(*text, word->len + 1, text->len);
    return word->len > 0;
}

static bool parse_delay(struct span word, uint32_t *delay_s)
{
    uint64_t n;
    if (!span_to_u64(word, UINT32_MAX, &n) || word.ptr[0] == '0')
        return false;
    *delay_s = (uint32_t)n;
    return true;
}

static bool parse_tags(struct span word, struct destination *d, struct buf *store)
{
    for (bool more = true; more;) {
        struct span tag = span_slice(word, 0, span_find(word, ','));
        more = tag.len < word.len;
        word = span_slice(word, tag.len + 1, word.len);
        if (tag.len == 0 || d->tag_count == CMQ_MAX_TAGS ||
            !unescape(tag, store, &d->tags[d->tag_count++]))
            return false;
    }
    return true;
}

bool destination_parse(struct span text, struct destination *d, struct buf *store)
{
    *d = (struct destination){0};
    /* The decoded bytes are no more than the text, so the store never moves under the spans. */
    if (!buf_reserve(store, text.len))
        return false;
    bool ends_in_space = text.len > 0 && text.ptr[text.len - 1] == ' ';
    struct span word, value;
    if (!take_word(&text, &word) || !(span_eq_str(word, "queue") || span_eq_str(word, "topic")))
        return false;
    d->is_topic = span_eq_str(word, "topic");
    if (!take_word(&text, &word) || !unescape(word, store, &d->name) || d->name.len != word.len)
        return false;
    if (text.len == 0)
        return !ends_in_space;
    if (!take_word(&text, &word) || span_find(text, ' ') < text.len)
        return false;
    value = text;
    if (!d->is_topic)
        return span_eq_str(word, "delay") && parse_delay(value, &d->delay_s);
    d->has_route = span_eq_str(word, "route");
    if (d->has_route)
        return ends_in_space == (value.len == 0) && unescape(value, store, &d->route);
    return span_eq_str(word, "tags") && parse_tags(value, d, store);
}

struct span destination_door(struct span text)
{
    size_t kind = span_find(text, ' ') + 1;
    struct span name = span_slice(text, kind, text.len);
    return span_slice(text, 0, kind + span_find(name, ' '));
}

uint64_t destination_lane(struct span text, bool strict)
{
    /* What begins the hash keeps a strict lane apart from a relaxed one of the same text. */
    uint64_t hash = hash_add(HASH_SEED, span_of(strict ? "strict " : "relaxed "));
    return hash_add(hash, strict ? destination_door(text) : text);
}
