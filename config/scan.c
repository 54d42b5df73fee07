/* scan - see scan.h. The tokens are those of libconfig 1.5's lib/scanner.l. */
#include "config/scan.h"

#include "config/list.h"

#include <ctype.h>
#include <strings.h>

struct lexer {
    struct scan *scan;
    char *at;
    int line;
    bool line_start;   /* nothing but blanks since the newline */
    bool after_string; /* a string that follows directly is part of that one */
};

static void add_value(struct lexer *lexer, int line, int flags)
{
    struct scan *scan = lexer->scan;
    scan->values = list_grow(scan->values, scan->count, sizeof *scan->values);
    scan->values[scan->count++] = (struct scan_value){line, flags};
}

static void skip_string(struct lexer *lexer)
{
    int line = lexer->line, flags = 0;
    char *p = lexer->at + 1;
    while (*p && *p != '"') {
        if (*p == '\\' && (p[1] == 'x' || p[1] == 'X') && p[2] == '0' && p[3] == '0')
            flags |= SCAN_NUL;
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        if (*p == '\n')
            lexer->line++;
        p++;
    }
    if (*p == '\0') { /* let libconfig find its syntax error where the string begins */
        lexer->at[0] = '?';
        lexer->at[1] = '\0';
        lexer->at++;
        return;
    }
    lexer->at = p + 1;
    if (lexer->after_string) {
        lexer->scan->values[lexer->scan->count - 1].flags |= flags;
    } else {
        add_value(lexer, line, flags);
    }
    lexer->after_string = true;
}

static void skip_name(struct lexer *lexer)
{
    char *p = lexer->at;
    while (isalnum((unsigned char)*p) || *p == '-' || *p == '_' || *p == '*')
        p++;
    size_t len = (size_t)(p - lexer->at);
    if ((len == 4 && strncasecmp(lexer->at, "true", 4) == 0) ||
        (len == 5 && strncasecmp(lexer->at, "false", 5) == 0))
        add_value(lexer, lexer->line, 0);
    lexer->at = p;
}

/* The end of [0-9]*\.[0-9]*([eE][-+]?[0-9]+)? or [0-9]+[eE][-+]?[0-9]+ at p; NULL: neither. */
static char *float_end(char *p)
{
    char *start = p;
    p += strspn(p, "0123456789");
    bool is_float = *p == '.', digits = p > start;
    if (is_float) {
        p++;
        p += strspn(p, "0123456789");
    }
    if ((*p == 'e' || *p == 'E') && (is_float || digits)) {
        char *e = p + 1;
        if (*e == '+' || *e == '-')
            e++;
        if (isdigit((unsigned char)*e)) {
            is_float = true;
            p = e + strspn(e, "0123456789");
        }
    }
    return is_float ? p : NULL;
}

static void skip_number(struct lexer *lexer)
{
    char *p = lexer->at;
    bool negative = *p == '-', sign = negative || *p == '+';
    if (sign)
        p++;
    char *end = float_end(p);
    if (end) {
        add_value(lexer, lexer->line, 0);
        lexer->at = end;
        return;
    }
    unsigned base = 10;
    if (!sign && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && isxdigit((unsigned char)p[2])) {
        base = 16;
        p += 2;
    }
    uint64_t number = 0;
    bool too_big = false;
    for (end = p; base == 16 ? isxdigit((unsigned char)*end) : isdigit((unsigned char)*end);
         end++) {
        char c = *end;
        unsigned digit = (unsigned)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
        too_big = too_big || number > (UINT64_MAX - digit) / base;
        number = number * base + digit;
    }
    if (end == p) { /* a sign alone: libconfig's syntax error */
        lexer->at++;
        return;
    }
    bool wide = *end == 'L';
    if (wide)
        end += end[1] == 'L' ? 2 : 1;
    uint64_t max = (wide ? (uint64_t)INT64_MAX : INT32_MAX) + (negative ? 1 : 0);
    add_value(lexer, lexer->line, too_big || number > max ? SCAN_TOO_BIG : 0);
    lexer->at = end;
}

static bool skip_comment(struct lexer *lexer)
{
    char *end = strstr(lexer->at + 2, "*/");
    if (!end)
        return false;
    for (; lexer->at < end; lexer->at++)
        lexer->line += *lexer->at == '\n';
    lexer->at = end + 2;
    return true;
}

/* ^[ \t]*@include[ \t]+\" */
static bool is_include(const char *p)
{
    static const char word[] = "@include";
    if (strncmp(p, word, sizeof word - 1) != 0)
        return false;
    p += sizeof word - 1;
    size_t blanks = strspn(p, " \t");
    return blanks > 0 && p[blanks] == '"';
}

static void skip_token(struct lexer *lexer)
{
    char c = *lexer->at;
    if (c == '"') {
        skip_string(lexer);
        return;
    }
    lexer->after_string = false;
    if (isalpha((unsigned char)c) || c == '*') {
        skip_name(lexer);
    } else if (isdigit((unsigned char)c) || c == '-' || c == '+' || c == '.') {
        skip_number(lexer);
    } else {
        lexer->at++;
    }
}

bool scan_text(struct scan *scan, char *text, const char *file, struct faults *faults)
{
    struct lexer lexer = {.scan = scan, .at = text, .line = 1, .line_start = true};
    while (*lexer.at) {
        if (lexer.line_start && is_include(lexer.at)) {
            faults_add(faults, FAULT_ERROR, file, lexer.line,
                       "@include is not supported; put rule files into gateway.rules_dir");
            *lexer.at = '#';
        }
        char c = *lexer.at;
        if (c == '\n') {
            lexer.line++;
            lexer.at++;
            lexer.line_start = true;
            continue;
        }
        lexer.line_start = lexer.line_start && (c == ' ' || c == '\t');
        if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            lexer.at++;
        } else if (c == '#' || (c == '/' && lexer.at[1] == '/')) {
            lexer.at += strcspn(lexer.at, "\n");
        } else if (c == '/' && lexer.at[1] == '*') {
            if (!skip_comment(&lexer)) {
                faults_add(faults, FAULT_ERROR, file, lexer.line, "the comment is not closed");
                return false;
            }
        } else {
            skip_token(&lexer);
        }
    }
    return true;
}

static size_t count_scalars(const config_setting_t *setting)
{
    if (!config_setting_is_aggregate(setting))
        return 1;
    size_t count = 0;
    int length = config_setting_length(setting);
    for (int i = 0; i < length; i++)
        count += count_scalars(config_setting_get_elem(setting, (unsigned)i));
    return count;
}

static const struct scan_value *lay_over(config_setting_t *setting, const struct scan_value *next)
{
    if (!config_setting_is_aggregate(setting)) {
        if (!config_setting_name(setting)) /* a named setting has the line of its name already */
            setting->line = (unsigned)next->line;
        config_setting_set_hook(setting, (void *)(intptr_t)next->flags);
        return next + 1;
    }
    int length = config_setting_length(setting);
    for (int i = 0; i < length; i++)
        next = lay_over(config_setting_get_elem(setting, (unsigned)i), next);
    return next;
}

bool scan_apply(const struct scan *scan, config_setting_t *root)
{
    if (count_scalars(root) != scan->count)
        return false;
    lay_over(root, scan->values);
    return true;
}

int scan_flags(const config_setting_t *setting)
{
    return (int)(intptr_t)config_setting_get_hook(setting);
}

void scan_fini(struct scan *scan)
{
    free(scan->values);
    *scan = (struct scan){0};
}
