/*
 * log - one line, one event, on stderr
 *
 * Every line has a level, an event name ("cmq.hold"), a sentence for people and named fields for
 * machines. Whoever handles an error logs it, once. Secrets and payloads are never logged. Bytes
 * that are not printable ASCII or valid UTF-8 are escaped, so that a hostile topic cannot forge a
 * line. Any thread may log; a line is written by one write(2).
 *
 * Where stderr is the journal's (systemd's JOURNAL_STREAM names it), each line begins with its
 * priority, "<4>", which the journal takes off and keeps (sd-daemon(3)).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* A named value. A run of fields ends with one whose key is NULL. */
struct log_field {
    const char *key;
    struct span text; /* used when is_number is false */
    int64_t number;
    bool is_number;
};

#define LOG_TEXT_FIELD(k, s)                                                                       \
    (struct log_field)                                                                             \
    {                                                                                              \
        .key = (k), .text = (s)                                                                    \
    }
#define LOG_STR(k, s) LOG_TEXT_FIELD(k, span_of(s))
#define LOG_NUM(k, n)                                                                              \
    (struct log_field)                                                                             \
    {                                                                                              \
        .key = (k), .number = (int64_t)(n), .is_number = true                                      \
    }
/* The fields of one line: log_write(LOG_WARN, "cmq.hold", LOG_FIELDS(LOG_STR("queue", q)), ...). */
#define LOG_FIELDS(...)                                                                            \
    (const struct log_field[])                                                                     \
    {                                                                                              \
        __VA_ARGS__, (struct log_field)                                                            \
        {                                                                                          \
            .key = NULL                                                                            \
        }                                                                                          \
    }

/* Sets what is written from now on, and looks where stderr goes. Any thread. Default: LOG_INFO,
 * LOG_TEXT. */
void log_setup(enum log_level level, enum log_format format);

/* Whether a line of this level would be written. */
bool log_on(enum log_level level);

/* Writes one line. fields may be NULL. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Repeated failures: log_repeat_due answers whether this occurrence should be logged: the first one
 * is, then one a period; *suppressed tells how many were held back since. Zero-initialise. The
 * caller owns the struct and serialises calls.
 */
struct log_repeat {
    int64_t next_ms;
    uint64_t held_back;
};
bool log_repeat_due(struct log_repeat *repeat, int64_t now_ms, int64_t period_ms,
                    uint64_t *suppressed);

#endif
