/* quantity - see quantity.h. */
#include "base/quantity.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: the format functions take the first that divides. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool parse(struct span text, const struct unit *units, size_t count, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    uint64_t number;
    if (!span_to_u64(span_slice(text, 0, digits), INT64_MAX, &number))
        return false;
    struct span name = span_slice(text, digits, text.len);
    for (size_t i = 0; i < count; i++) {
        if (!span_eq_str(name, units[i].name))
            continue;
        if (number > INT64_MAX / units[i].factor)
            return false;
        *out = number * units[i].factor;
        return true;
    }
    return false;
}

static void format(struct buf *out, uint64_t number, const struct unit *units, size_t count,
                   const char *zero_unit)
{
    for (size_t i = 0; number > 0 && i < count; i++) {
        if (number % units[i].factor == 0) {
            buf_add_u64(out, number / units[i].factor);
            buf_add_str(out, units[i].name);
            return;
        }
    }
    buf_add_str(out, "0");
    buf_add_str(out, zero_unit);
}

bool duration_parse(struct span text, int64_t *out_ms)
{
    uint64_t ms;
    if (!parse(text, duration_units, COUNT(duration_units), &ms))
        return false;
    *out_ms = (int64_t)ms;
    return true;
}

bool size_parse(struct span text, uint64_t *out_bytes)
{
    return parse(text, size_units, COUNT(size_units), out_bytes);
}

void duration_format(struct buf *out, int64_t ms)
{
    format(out, ms > 0 ? (uint64_t)ms : 0, duration_units, COUNT(duration_units), "s");
}

void size_format(struct buf *out, uint64_t bytes)
{
    format(out, bytes, size_units, COUNT(size_units), "B");
}
