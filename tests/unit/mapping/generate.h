/* generate - filters and names for property tests: the same ones every time */
#ifndef TESTS_UNIT_MAPPING_GENERATE_H
#define TESTS_UNIT_MAPPING_GENERATE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct generator {
    uint64_t seed;
};

/* splitmix64 (Steele, Lea, Flood), below limit. */
static inline uint64_t generate_below(struct generator *g, uint64_t limit)
{
    uint64_t z = g->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

static inline void generate_levels(struct generator *g, const char *const *levels, size_t count,
                                   size_t max_depth, char *out, size_t size)
{
    size_t depth = 1 + generate_below(g, max_depth);
    out[0] = '\0';
    for (size_t d = 0; d < depth; d++) {
        const char *level = levels[generate_below(g, count)];
        size_t len = strlen(out);
        (void)snprintf(out + len, size - len, "%s%s", d ? "/" : "", level);
        if (strcmp(level, "#") == 0)
            return;
    }
}

/* Few level texts, so that much of what is generated matches; '$' and empty levels among them. */
static inline void generate_filter(struct generator *g, size_t max_depth, char *out, size_t size)
{
    static const char *const levels[] = {"a", "b", "$c", "+", "+", "#"};
    generate_levels(g, levels, sizeof levels / sizeof levels[0], max_depth, out, size);
}

static inline void generate_name(struct generator *g, size_t max_depth, char *out, size_t size)
{
    static const char *const levels[] = {"a", "b", "$c", "a", "b", ""};
    do {
        generate_levels(g, levels, sizeof levels / sizeof levels[0], max_depth, out, size);
    } while (out[0] == '\0');
}

#endif
