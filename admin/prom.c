/* prom - see prom.h. */
#include "admin/prom.h"

#include "base/json.h"

#include <math.h>

static void add_help(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '\n')
            buf_add_str(out, *text == '\n' ? "\\n" : "\\\\");
        else
            buf_add_char(out, *text);
    }
}

void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    buf_printf(out, "# HELP %s ", name);
    add_help(out, help);
    buf_printf(out, "\n# TYPE %s %s\n", name, types[type]);
}

/* The longest run of s from `at` that is one character of UTF-8; 0: there is none. */
static size_t character(struct span s, size_t at)
{
    for (size_t len = 1; len <= 4 && at + len <= s.len; len++) {
        if (utf8_valid(span_slice(s, at, len)))
            return len;
    }
    return 0;
}

static void add_value(struct buf *out, struct span value)
{
    for (size_t at = 0; at < value.len;) {
        size_t len = character(value, at);
        char c = value.ptr[at];
        if (len == 0)
            buf_add_str(out, "\xef\xbf\xbd");
        else if (c == '\n')
            buf_add_str(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_add(out, span_slice(value, at, len));
        at += len ? len : 1;
    }
}

static void add_label(struct buf *out, bool first, const char *name, struct span value)
{
    buf_printf(out, "%s%s=\"", first ? "{" : ",", name);
    add_value(out, value);
    buf_add_char(out, '"');
}

static void begin(struct buf *out, const char *name, const struct prom_label *labels)
{
    buf_add_str(out, name);
    size_t count = 0;
    for (; labels && labels[count].name; count++)
        add_label(out, count == 0, labels[count].name, labels[count].value);
    buf_add_str(out, count ? "} " : " ");
}

static void add_double(struct buf *out, double value)
{
    if (isnan(value))
        buf_add_str(out, "NaN");
    else if (isinf(value))
        buf_add_str(out, value > 0 ? "+Inf" : "-Inf");
    else
        buf_printf(out, "%.15g", value);
}

void prom_u64(struct buf *out, const char *name, const struct prom_label *labels, uint64_t value)
{
    begin(out, name, labels);
    buf_add_u64(out, value);
    buf_add_char(out, '\n');
}

void prom_double(struct buf *out, const char *name, const struct prom_label *labels, double value)
{
    begin(out, name, labels);
    add_double(out, value);
    buf_add_char(out, '\n');
}

void prom_histogram(struct buf *out, const char *name, const double *bounds, const uint64_t *counts,
                    size_t bound_count, double sum)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= bound_count; i++) {
        below += counts[i];
        buf_printf(out, "%s_bucket{le=\"", name);
        add_double(out, i < bound_count ? bounds[i] : INFINITY);
        buf_add_str(out, "\"} ");
        buf_add_u64(out, below);
        buf_add_char(out, '\n');
    }
    buf_printf(out, "%s_sum ", name);
    add_double(out, sum);
    buf_printf(out, "\n%s_count ", name);
    buf_add_u64(out, below);
    buf_add_char(out, '\n');
}
