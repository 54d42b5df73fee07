/* print: bytes from outside, made safe to look at. */
#include "gateway/print.h"

#include "base/json.h"

enum { PRINTED_MAX = 12 }; /* "\u202e" and its kin, or four bytes of UTF-8 */

/* One character of s at *at, made printable, into out. Returns how many columns it takes. */
static int next_char(struct span s, size_t *at, char out[PRINTED_MAX])
{
    static const char named[] = "\a\b\t\n\v\f\r\\";
    static const char letters[] = "abtnvfr\\";
    unsigned char first = (unsigned char)s.ptr[*at];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    struct span c = span_slice(s, *at, len);
    if (c.len < len || !utf8_valid(c)) {
        *at += 1;
        return snprintf(out, PRINTED_MAX, "\\x%02x", first);
    }
    *at += len;
    if (len == 1) {
        const char *n = first ? strchr(named, first) : NULL;
        if (n)
            return snprintf(out, PRINTED_MAX, "\\%c", letters[n - named]);
        if (first < 0x20 || first == 0x7f)
            return snprintf(out, PRINTED_MAX, "\\x%02x", first);
        out[0] = (char)first;
        out[1] = '\0';
        return 1;
    }
    unsigned point = first & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)c.ptr[i] & 0x3f);
    /* C1 controls; marks, embeddings, overrides and isolates of direction; line separators; BOM */
    if (point < 0xa0 || (point >= 0x200b && point <= 0x200f) ||
        (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
        point == 0x061c || point == 0xfeff)
        return snprintf(out, PRINTED_MAX, "\\u%04x", point);
    memcpy(out, c.ptr, len);
    out[len] = '\0';
    return 1;
}

void print_text(FILE *out, struct span s)
{
    char c[PRINTED_MAX];
    for (size_t at = 0; at < s.len;) {
        next_char(s, &at, c);
        fputs(c, out);
    }
}

/* A text in lines: where the present one has got to. */
struct lines {
    FILE *out;
    int columns, indent, column;
};

static void break_line(struct lines *lines)
{
    fprintf(lines->out, "\n%*s", lines->indent, "");
    lines->column = 0;
}

/* Prints the first `most` bytes of s, breaking lines anywhere. Returns how many they were. */
static size_t print_broken(struct lines *lines, struct span s, size_t most)
{
    char c[PRINTED_MAX];
    size_t at = 0;
    while (at < s.len && at < most) {
        int width = next_char(s, &at, c);
        if (lines->column + width > lines->columns)
            break_line(lines);
        fputs(c, lines->out);
        lines->column += width;
    }
    return at;
}

void print_wrapped(FILE *out, struct span s, size_t most, int columns, int indent)
{
    struct lines lines = {out, columns, indent, 0};
    size_t printed = print_broken(&lines, s, most);
    if (printed < s.len)
        fprintf(out, "\n%*s... %zu more bytes", indent, "", s.len - printed);
}

static int columns_of(struct span s)
{
    char c[PRINTED_MAX];
    int columns = 0;
    for (size_t at = 0; at < s.len;)
        columns += next_char(s, &at, c);
    return columns;
}

void print_sentence(FILE *out, struct span s, int columns, int indent)
{
    struct lines lines = {out, columns, indent, 0};
    while (s.len > 0) {
        size_t n = span_find(s, ' ');
        struct span word = span_slice(s, 0, n);
        if (lines.column > 0 && lines.column + 1 + columns_of(word) > columns) {
            break_line(&lines);
        } else if (lines.column > 0) {
            fputc(' ', out);
            lines.column++;
        }
        print_broken(&lines, word, word.len);
        s = span_slice(s, n + 1, s.len);
    }
}

int print_cut(FILE *out, struct span s, int columns)
{
    char c[PRINTED_MAX];
    int all = 0;
    for (size_t at = 0; at < s.len && all <= columns;)
        all += next_char(s, &at, c);
    int room = all <= columns ? columns : columns - 2;
    int column = 0;
    for (size_t at = 0; at < s.len;) {
        int width = next_char(s, &at, c);
        if (column + width > room)
            break;
        fputs(c, out);
        column += width;
    }
    if (all > columns) {
        fputs("..", out);
        column += 2;
    }
    return column;
}

void print_json(FILE *out, struct span s)
{
    struct buf text = BUF_INIT(s.len * 6 + 2); /* \u00XX for each byte */
    CHECK(json_string(&text, s));
    fwrite(buf_str(&text), 1, text.len, out);
    buf_fini(&text);
}

void print_json_member(FILE *out, const char *before, const char *key, struct span value)
{
    fprintf(out, "%s\"%s\":", before, key);
    print_json(out, value);
}

void print_captures(FILE *out, const struct filter *filter, const struct topic_captures *captures,
                    int indent)
{
    int widest = 0;
    for (size_t i = 0; i < captures->count; i++) {
        int width = (int)filter->wildcards[i].label.len;
        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < captures->count; i++) {
        struct span name = filter->wildcards[i].label;
        fprintf(out, "%*s%-*.*s = ", indent, "", widest, SPAN_ARG(name));
        print_text(out, captures->at[i]);
        fputc('\n', out);
    }
}

void print_captures_json(FILE *out, const struct filter *filter,
                         const struct topic_captures *captures)
{
    fputc('{', out);
    for (size_t i = 0; i < captures->count; i++) {
        fputs(i ? "," : "", out);
        print_json(out, filter->wildcards[i].label);
        fputc(':', out);
        print_json(out, captures->at[i]);
    }
    fputc('}', out);
}
