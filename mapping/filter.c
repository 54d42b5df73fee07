/* filter - see filter.h. */
#include "mapping/filter.h"

#include "base/json.h"

#include <stdio.h>

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool name_ok(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!name_char(name.ptr[i]))
            return false;
    }
    return name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
}

/* Takes the wildcard of a level that begins with one; its spans point into the level. */
static bool take_wildcard(struct filter *filter, struct span level, size_t *plain_count,
                          struct err *err)
{
    struct span name = span_slice(level, 1, level.len);
    if (name.len > 0 && !name_ok(name)) {
        return err_set(err,
                       "'%.*s' is not a wildcard with a name: letters, digits and '_', not "
                       "beginning with a digit",
                       SPAN_ARG(level));
    }
    if (filter->wildcard_count == TOPIC_MAX_CAPTURES)
        return err_set(err, "it has more than %d wildcards", (int)TOPIC_MAX_CAPTURES);
    for (size_t i = 0; name.len > 0 && i < filter->wildcard_count; i++) {
        if (span_eq(filter->wildcards[i].name, name))
            return err_set(err, "two wildcards are named '%.*s'", SPAN_ARG(name));
    }
    struct filter_wildcard *w = &filter->wildcards[filter->wildcard_count++];
    *w = (struct filter_wildcard){.name = name, .multi = level.ptr[0] == '#'};
    w->label = name;
    if (name.len == 0) {
        (void)snprintf(w->number, sizeof w->number, "%u", (unsigned)++*plain_count);
        w->label = span_of(w->number);
    }
    return true;
}

/* Fills in plain and the wildcards from filter->text. */
static bool parse(struct filter *filter, struct err *err)
{
    struct span rest = span_of(filter->text);
    char *to = filter->plain;
    size_t plain_count = 0;
    for (bool more = true; more;) {
        struct span level = span_slice(rest, 0, span_find(rest, '/'));
        more = level.len < rest.len;
        rest = span_slice(rest, level.len + 1, rest.len);
        bool wild = level.len > 0 && (level.ptr[0] == '+' || level.ptr[0] == '#');
        if (wild && !take_wildcard(filter, level, &plain_count, err))
            return false;
        if (wild)
            level.len = 1;
        if (level.len > 0)
            memcpy(to, level.ptr, level.len);
        to += level.len;
        if (more)
            *to++ = '/';
    }
    *to = '\0';
    const char *why;
    if (!topic_filter_ok(span_of(filter->plain), &why))
        return err_set(err, "%s", why);
    return true;
}

struct filter *filter_new(struct span text, struct err *err)
{
    if (text.len > TOPIC_MAX_BYTES || span_find(text, '\0') < text.len || !utf8_valid(text)) {
        err_set(err, "it is not valid UTF-8 without NUL of at most 65535 bytes");
        return NULL;
    }
    if (span_starts(text, "$share/")) {
        err_set(err, "a shared subscription is made with mqtt.shared_group; give the filter alone");
        return NULL;
    }
    struct filter *filter = check_alloc(calloc(1, sizeof *filter));
    filter->text = span_dup(text);
    filter->plain = check_alloc(malloc(text.len + 1));
    if (!parse(filter, err)) {
        filter_free(filter);
        return NULL;
    }
    return filter;
}

void filter_free(struct filter *filter)
{
    if (!filter)
        return;
    free(filter->text);
    free(filter->plain);
    free(filter);
}

int filter_wildcard_index(const struct filter *filter, struct span label)
{
    for (size_t i = 0; i < filter->wildcard_count; i++) {
        if (span_eq(filter->wildcards[i].label, label))
            return (int)i;
    }
    return -1;
}

/* Whether b has every named wildcard of a, of the same kind. */
static bool has_names_of(const struct filter *b, const struct filter *a)
{
    for (size_t i = 0; i < a->wildcard_count; i++) {
        const struct filter_wildcard *w = &a->wildcards[i];
        if (w->name.len == 0)
            continue;
        int k = filter_wildcard_index(b, w->name);
        if (k < 0 || b->wildcards[k].multi != w->multi)
            return false;
    }
    return true;
}

bool filter_same_names(const struct filter *a, const struct filter *b)
{
    return has_names_of(a, b) && has_names_of(b, a);
}
