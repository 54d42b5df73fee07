/* faults - see faults.h. */
#include "config/faults.h"

#include "base/json.h"
#include "config/list.h"

#include <stdio.h>

enum { FAULT_MAX_TEXT = 2048 };

/* One line for people: what would break it is shown as an escape. */
static char *one_line(const char *text)
{
    struct buf out = BUF_INIT(4 * FAULT_MAX_TEXT);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f) {
            buf_printf(&out, "\\x%02x", (unsigned)c);
        } else {
            buf_add_char(&out, *p);
        }
    }
    return buf_take(&out);
}

void faults_vadd(struct faults *faults, enum fault_level level, const char *file, int line,
                 const char *format, va_list args)
{
    char text[FAULT_MAX_TEXT];
    if (level == FAULT_HINT && !faults->hints)
        return;
    (void)vsnprintf(text, sizeof text, format, args);
    faults->list = list_grow(faults->list, faults->count, sizeof *faults->list);
    faults->list[faults->count++] = (struct fault){
        .level = level, .file = span_dup(span_of(file)), .line = line, .text = one_line(text)};
    if (level == FAULT_ERROR)
        faults->errors++;
}

void faults_add(struct faults *faults, enum fault_level level, const char *file, int line,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    faults_vadd(faults, level, file, line, format, args);
    va_end(args);
}

struct place {
    size_t file; /* in order of first appearance */
    int line;
    size_t index;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void faults_sort(struct faults *faults, char *const *known, size_t known_count)
{
    if (faults->count == 0)
        return;
    struct place *places = check_alloc(calloc(faults->count, sizeof *places));
    const char **files = check_alloc(calloc(known_count + faults->count, sizeof *files));
    size_t file_count = known_count;
    for (size_t i = 0; i < known_count; i++)
        files[i] = known[i];
    for (size_t i = 0; i < faults->count; i++) {
        size_t file = 0;
        while (file < file_count && strcmp(files[file], faults->list[i].file) != 0)
            file++;
        if (file == file_count)
            files[file_count++] = faults->list[i].file;
        places[i] = (struct place){file, faults->list[i].line, i};
    }
    qsort(places, faults->count, sizeof *places, compare_places);
    struct fault *sorted = check_alloc(calloc(faults->count, sizeof *sorted));
    for (size_t i = 0; i < faults->count; i++)
        sorted[i] = faults->list[places[i].index];
    memcpy(faults->list, sorted, faults->count * sizeof *sorted); /* keeps the list's room */
    free(sorted);
    free(places);
    free(files);
}

static const char *level_name(enum fault_level level)
{
    static const char *const names[] = {
        [FAULT_ERROR] = "error", [FAULT_WARNING] = "warning", [FAULT_HINT] = "warning"};
    return names[level];
}

void faults_print(const struct faults *faults, bool json, struct buf *out)
{
    if (json)
        buf_add_char(out, '[');
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->list[i];
        if (!json) {
            buf_printf(out, "%s:%d: %s: ", fault->file, fault->line, level_name(fault->level));
            buf_add_str(out, fault->text);
            buf_add_char(out, '\n');
            continue;
        }
        buf_add_str(out, i ? ",\n {\"file\":" : "\n {\"file\":");
        json_string(out, span_of(fault->file));
        buf_printf(out, ",\"line\":%d,\"level\":\"%s\",\"text\":", fault->line,
                   level_name(fault->level));
        json_string(out, span_of(fault->text));
        buf_add_char(out, '}');
    }
    if (json)
        buf_add_str(out, faults->count ? "\n]\n" : "]\n");
}

void faults_fini(struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->list[i].file);
        free(faults->list[i].text);
    }
    free(faults->list);
    *faults = (struct faults){0};
}
