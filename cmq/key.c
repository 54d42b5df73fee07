/*
 * key - see key.h
 *
 * Matching walks both keys word by word. At a '#' it notes the place and goes on as if '#' stood
 * for nothing; when the walk later fails, the last '#' takes one more word. An earlier '#' need not
 * be tried again: whatever it could give up, the later one can skip.
 */
#include "cmq/key.h"

/* What is left of a key: the empty key has no words, "a." has two. */
struct words {
    struct span rest;
    bool more;
};

static struct words words_of(struct span key)
{
    return (struct words){key, key.len > 0};
}

static struct span take(struct words *words)
{
    size_t len = span_find(words->rest, '.');
    struct span word = span_slice(words->rest, 0, len);
    words->more = len < words->rest.len;
    words->rest = span_slice(words->rest, len + 1, words->rest.len);
    return word;
}

static bool is_wildcard(struct span word, char wildcard)
{
    return word.len == 1 && word.ptr[0] == wildcard;
}

bool cmq_key_match(struct span binding_key, struct span route)
{
    struct words key = words_of(binding_key);
    struct words left = words_of(route);
    struct words after_hash = {0}, hash_left = {0};
    bool hash = false;

    while (left.more) {
        if (key.more) {
            struct span wanted = take(&key);
            if (is_wildcard(wanted, '#')) {
                hash = true;
                after_hash = key;
                hash_left = left;
                continue;
            }
            struct span word = take(&left);
            if (is_wildcard(wanted, '*') ? word.len > 0 : span_eq(wanted, word))
                continue;
        }
        if (!hash)
            return false;
        (void)take(&hash_left);
        left = hash_left;
        key = after_hash;
    }
    while (key.more) {
        if (!is_wildcard(take(&key), '#'))
            return false;
    }
    return true;
}

bool cmq_tags_match(const struct span *filter_tags, size_t filter_count, const struct span *tags,
                    size_t tag_count)
{
    if (filter_count == 0)
        return true;
    for (size_t i = 0; i < filter_count; i++) {
        for (size_t k = 0; k < tag_count; k++) {
            if (span_eq(filter_tags[i], tags[k]))
                return true;
        }
    }
    return false;
}
