/* log - see log.h. Lines are built in a bounded buffer on the stack's thread and written whole. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MAX_LINE = 4096, LOG_MAX_TEXT = 2048 };

static _Atomic enum log_level current_level = LOG_INFO;
static _Atomic enum log_format current_format = LOG_TEXT;
static _Atomic bool to_journal;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* Whether the file is the one that JOURNAL_STREAM, "DEVICE:INODE", names (systemd.exec(5)). */
static bool is_journal(int fd)
{
    struct span stream = span_of(getenv("JOURNAL_STREAM"));
    size_t colon = span_find(stream, ':');
    uint64_t device, inode;
    struct stat stat;
    return span_to_u64(span_slice(stream, 0, colon), UINT64_MAX, &device) &&
           span_to_u64(span_slice(stream, colon + 1, stream.len), UINT64_MAX, &inode) &&
           fstat(fd, &stat) == 0 && stat.st_dev == device && stat.st_ino == inode;
}

void log_setup(enum log_level level, enum log_format format)
{
    current_level = level;
    current_format = format;
    to_journal = is_journal(STDERR_FILENO);
}

bool log_on(enum log_level level)
{
    return level <= current_level;
}

/* As a person reads it: control characters and bad UTF-8 escaped, quotes and backslashes kept. */
static void add_plain(struct buf *line, struct span text)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '"' && text.ptr[i] != '\\')
            continue;
        json_escape(line, span_slice(text, from, i - from));
        if (i < text.len)
            buf_add_char(line, text.ptr[i]);
        from = i + 1;
    }
}

static void text_line(struct buf *line, enum log_level level, const char *event,
                      const struct log_field *fields, struct span text)
{
    buf_add_char(line, ' ');
    buf_add_str(line, level_names[level]);
    buf_add_char(line, ' ');
    buf_add_str(line, event);
    buf_add_str(line, ": ");
    add_plain(line, text);
    for (const struct log_field *f = fields; f && f->key; f++) {
        buf_printf(line, " %s=", f->key);
        if (f->is_number) {
            buf_printf(line, "%lld", (long long)f->number);
        } else {
            buf_add_char(line, '"');
            json_escape(line, f->text);
            buf_add_char(line, '"');
        }
    }
}

static void json_line(struct buf *line, enum log_level level, const char *event,
                      const struct log_field *fields, struct span text)
{
    buf_printf(line, "\",\"level\":\"%s\",\"event\":\"%s\",\"message\":\"", level_names[level],
               event);
    json_escape(line, text);
    buf_add_char(line, '"');
    for (const struct log_field *f = fields; f && f->key; f++) {
        buf_printf(line, ",\"%s\":", f->key);
        if (f->is_number) {
            buf_printf(line, "%lld", (long long)f->number);
        } else {
            buf_add_char(line, '"');
            json_escape(line, f->text);
            buf_add_char(line, '"');
        }
    }
    buf_add_char(line, '}');
}

static void begin_line(struct buf *line, enum log_level level)
{
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"}; /* of syslog(3) */
    if (to_journal)
        buf_add_str(line, priorities[level]);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...)
{
    if (!log_on(level))
        return;
    char text[LOG_MAX_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    char when[CLOCK_ISO_SIZE];
    clock_iso(clock_unix_ms(), when);
    struct buf line = BUF_INIT(LOG_MAX_LINE);
    begin_line(&line, level);
    if (current_format == LOG_JSON) {
        buf_printf(&line, "{\"time\":\"%s", when);
        json_line(&line, level, event, fields, span_of(text));
    } else {
        buf_add_str(&line, when);
        text_line(&line, level, event, fields, span_of(text));
    }
    if (line.overflow) { /* fields too long: say at least what happened */
        buf_clear(&line);
        begin_line(&line, level);
        if (current_format == LOG_JSON) {
            buf_printf(&line, "{\"time\":\"%s", when);
            json_line(&line, level, event, NULL, span_slice(span_of(text), 0, 512));
        } else {
            buf_add_str(&line, when);
            text_line(&line, level, event, NULL, span_slice(span_of(text), 0, 512));
        }
    }
    line.max_len++; /* the newline always fits */
    buf_add_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written; /* nowhere left to say that stderr is gone */
    buf_fini(&line);
}

bool log_repeat_due(struct log_repeat *repeat, int64_t now_ms, int64_t period_ms,
                    uint64_t *suppressed)
{
    if (now_ms < repeat->next_ms) {
        repeat->held_back++;
        return false;
    }
    *suppressed = repeat->held_back;
    repeat->held_back = 0;
    repeat->next_ms = now_ms + period_ms;
    return true;
}
