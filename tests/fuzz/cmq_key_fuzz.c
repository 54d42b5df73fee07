/* Any two keys: matching ends, and agrees with a plain recursive reading of CMQ.md 4.1. */
#include "cmq/key.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_WORDS = 12 };

struct words {
    struct span at[MAX_WORDS];
    size_t count;
};

static bool split(struct span key, struct words *words)
{
    words->count = 0;
    while (key.len > 0) {
        if (words->count + 1 >= MAX_WORDS)
            return false;
        size_t len = span_find(key, '.');
        words->at[words->count++] = span_slice(key, 0, len);
        if (len + 1 == key.len) /* a dot at the end: an empty word follows */
            words->at[words->count++] = span_slice(key, key.len, 0);
        key = span_slice(key, len + 1, key.len);
    }
    return true;
}

static bool plain_match(const struct span *key, size_t keys, const struct span *route, size_t words)
{
    if (keys == 0)
        return words == 0;
    if (span_eq_str(key[0], "#"))
        return plain_match(key + 1, keys - 1, route, words) ||
               (words > 0 && plain_match(key, keys, route + 1, words - 1));
    if (words == 0)
        return false;
    bool same = span_eq_str(key[0], "*") ? route[0].len > 0 : span_eq(key[0], route[0]);
    return same && plain_match(key + 1, keys - 1, route + 1, words - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make(data, size);
    size_t middle = span_find(all, '\n');
    struct span key = span_slice(all, 0, middle), route = span_slice(all, middle + 1, size);
    bool match = cmq_key_match(key, route);
    struct words keys, words;
    if (split(key, &keys) && split(route, &words))
        CHECK(match == plain_match(keys.at, keys.count, words.at, words.count));
    if (span_find(key, '*') == key.len && span_find(key, '#') == key.len)
        CHECK(match == span_eq(key, route));
    CHECK(cmq_key_match(span_of("#"), route));
    return 0;
}
