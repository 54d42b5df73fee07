/* Topics and filters: lines of filters, the last line a name; the trie must agree with matching. */
#include "mapping/filter.h"
#include "mapping/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FILTERS = 32 };

static void compare_pair(struct span a, struct span b, struct span name)
{
    bool in_a = topic_match(a, name, NULL), in_b = topic_match(b, name, NULL);
    CHECK(!(in_a && in_b) || topic_filters_overlap(a, b));
    CHECK(!in_b || in_a || !topic_filter_covers(a, b));
    CHECK(topic_filters_overlap(a, b) == topic_filters_overlap(b, a));
    CHECK(!topic_filter_covers(a, b) || topic_filters_overlap(a, b));
}

static void parse_named(struct span text)
{
    struct err err;
    struct filter *filter = filter_new(text, &err);
    if (!filter)
        return;
    CHECK(topic_filter_ok(span_of(filter->plain), NULL));
    CHECK(filter_same_names(filter, filter));
    for (size_t i = 0; i < filter->wildcard_count; i++)
        CHECK(filter_wildcard_index(filter, filter->wildcards[i].label) == (int)i);
    filter_free(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_make(data, size), filters[MAX_FILTERS];
    struct matcher *matcher = matcher_new();
    uint32_t count = 0;
    while (span_find(rest, '\n') < rest.len) {
        struct span line = span_slice(rest, 0, span_find(rest, '\n'));
        rest = span_slice(rest, line.len + 1, rest.len);
        parse_named(line);
        if (count == MAX_FILTERS || !topic_filter_ok(line, NULL))
            continue;
        matcher_add(matcher, line, count, 0);
        filters[count++] = line;
    }
    matcher_seal(matcher);
    struct matcher_hit hits[MAX_FILTERS];
    if (topic_name_ok(rest, NULL)) {
        size_t found = matcher_find(matcher, rest, hits, MAX_FILTERS), at = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct topic_captures captures;
            struct buf why = BUF_INIT(1024);
            topic_explain(filters[i], rest, &why);
            bool matches = topic_match(filters[i], rest, &captures);
            CHECK(matches == (why.len == 0));
            CHECK(!matches || (at < found && hits[at++].rule == i));
            buf_fini(&why);
            compare_pair(filters[i], filters[0], rest);
            compare_pair(filters[0], filters[i], rest);
        }
        CHECK(at == found);
    }
    matcher_free(matcher);
    return 0;
}
