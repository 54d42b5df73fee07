/* topic - see topic.h. Matching walks both texts level by level, once. */
#include "mapping/topic.h"

#include "base/json.h"

static bool refuse(const char **why, const char *text)
{
    if (why)
        *why = text;
    return false;
}

/* Takes the level that begins at *at; false when there is none left. "a/" has two levels. */
static bool next_level(struct span text, size_t *at, struct span *level)
{
    if (*at > text.len)
        return false;
    struct span rest = span_slice(text, *at, text.len);
    *level = span_slice(rest, 0, span_find(rest, '/'));
    *at += level->len + 1;
    return true;
}

static bool is_char(struct span level, char c)
{
    return level.len == 1 && level.ptr[0] == c;
}

static bool begins_with_wildcard(struct span filter)
{
    return filter.len > 0 && (filter.ptr[0] == '+' || filter.ptr[0] == '#');
}

static bool begins_with_dollar(struct span text)
{
    return text.len > 0 && text.ptr[0] == '$';
}

/* What names and filters have in common: MQTT 5.0 s. 4.7.3. */
static bool text_ok(struct span text, const char **why)
{
    if (text.len == 0)
        return refuse(why, "it is empty");
    if (text.len > TOPIC_MAX_BYTES)
        return refuse(why, "it is longer than 65535 bytes");
    if (span_find(text, '\0') < text.len)
        return refuse(why, "it contains a NUL");
    if (!utf8_valid(text))
        return refuse(why, "it is not valid UTF-8");
    return true;
}

bool topic_name_ok(struct span name, const char **why)
{
    if (!text_ok(name, why))
        return false;
    if (span_find(name, '+') < name.len)
        return refuse(why, "a topic name may not contain '+'");
    if (span_find(name, '#') < name.len)
        return refuse(why, "a topic name may not contain '#'");
    return true;
}

bool topic_filter_ok(struct span filter, const char **why)
{
    if (!text_ok(filter, why))
        return false;
    size_t at = 0, levels = 0, wildcards = 0;
    struct span level;
    while (next_level(filter, &at, &level)) {
        bool plus = span_find(level, '+') < level.len, hash = span_find(level, '#') < level.len;
        if ((plus || hash) && level.len > 1)
            return refuse(why, "a wildcard must stand for a whole level");
        if (hash && at <= filter.len)
            return refuse(why, "'#' must be the last level");
        wildcards += plus || hash;
        levels++;
    }
    if (levels > TOPIC_MAX_LEVELS)
        return refuse(why, "it has more than 256 levels");
    if (wildcards > TOPIC_MAX_CAPTURES)
        return refuse(why, "it has more than 32 wildcards");
    return true;
}

static void capture(struct topic_captures *caps, struct span value)
{
    if (caps)
        caps->at[caps->count++] = value;
}

bool topic_match(struct span filter, struct span name, struct topic_captures *caps)
{
    if (caps)
        caps->count = 0;
    if (begins_with_dollar(name) && begins_with_wildcard(filter))
        return false; /* MQTT 5.0 s. 4.7.2 */
    size_t f = 0, n = 0;
    struct span want, got;
    while (next_level(filter, &f, &want)) {
        if (is_char(want, '#')) {
            struct span nothing = {NULL, 0};
            capture(caps, n > name.len ? nothing : span_slice(name, n, name.len));
            return true;
        }
        if (!next_level(name, &n, &got))
            return false;
        if (is_char(want, '+')) {
            capture(caps, got);
        } else if (!span_eq(want, got)) {
            return false;
        }
    }
    return n > name.len;
}

void topic_explain(struct span filter, struct span name, struct buf *out)
{
    enum { SHOWN = 64 }; /* bytes of a level */
    if (begins_with_dollar(name) && begins_with_wildcard(filter)) {
        buf_add_str(out, "a leading wildcard does not match topics that begin with '$'");
        return;
    }
    size_t f = 0, n = 0, depth = 1;
    struct span want, got;
    for (; next_level(filter, &f, &want); depth++) {
        if (is_char(want, '#'))
            return;
        if (!next_level(name, &n, &got)) {
            buf_printf(out, "the topic has no level %zu", depth);
            return;
        }
        if (is_char(want, '+') || span_eq(want, got))
            continue;
        want = span_slice(want, 0, SHOWN);
        got = span_slice(got, 0, SHOWN);
        buf_printf(out, "level %zu is \"%.*s\" and not \"%.*s\"", depth, SPAN_ARG(got),
                   SPAN_ARG(want));
        return;
    }
    if (n <= name.len)
        buf_printf(out, "the topic has more than %zu level%s", depth - 1, depth > 2 ? "s" : "");
}

bool topic_filter_covers(struct span outer, struct span inner)
{
    if (begins_with_dollar(inner) && begins_with_wildcard(outer))
        return false;
    if (is_char(inner, '#') && span_eq_str(outer, "+/#"))
        return true; /* every name has a first level */
    size_t o = 0, i = 0;
    struct span wide, narrow;
    while (next_level(outer, &o, &wide)) {
        if (is_char(wide, '#'))
            return true;
        if (!next_level(inner, &i, &narrow) || is_char(narrow, '#'))
            return false;
        if (!is_char(wide, '+') && !span_eq(wide, narrow))
            return false;
    }
    return i > inner.len;
}

bool topic_filters_overlap(struct span a, struct span b)
{
    if ((begins_with_dollar(a) && begins_with_wildcard(b)) ||
        (begins_with_dollar(b) && begins_with_wildcard(a)))
        return false;
    size_t i = 0, k = 0;
    struct span x = {NULL, 0}, y = {NULL, 0};
    for (;;) {
        bool more_a = next_level(a, &i, &x), more_b = next_level(b, &k, &y);
        if ((more_a && is_char(x, '#')) || (more_b && is_char(y, '#')))
            return true;
        if (!more_a || !more_b)
            return more_a == more_b;
        if (!is_char(x, '+') && !is_char(y, '+') && !span_eq(x, y))
            return false;
    }
}
