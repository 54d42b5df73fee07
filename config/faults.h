/*
 * faults - everything that is wrong with the files of a configuration, in one list
 *
 * One thread.
 */
#ifndef CONFIG_FAULTS_H
#define CONFIG_FAULTS_H

#include "base/buf.h"

#include <stdarg.h>

enum fault_level {
    FAULT_ERROR,
    FAULT_WARNING,
    FAULT_HINT, /* a warning of what some messages may bring about; only for who asks for it */
};

struct fault {
    enum fault_level level;
    char *file; /* as given on the command line or joined to its folder */
    int line;   /* 1-based; 0 when no line is at fault */
    char *text; /* one line, no secret */
};

struct faults {
    struct fault *list; /* in order of file and line once sorted */
    size_t count;
    size_t errors;
    bool hints; /* set by the owner: hints are wanted */
};

void faults_add(struct faults *faults, enum fault_level level, const char *file, int line,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void faults_vadd(struct faults *faults, enum fault_level level, const char *file, int line,
                 const char *format, va_list args) __attribute__((format(printf, 5, 0)));

/* Orders by file (those known in their order, then others as they first appear) and line; stable.
 */
void faults_sort(struct faults *faults, char *const *known, size_t known_count);

/* Appends "FILE:LINE: error: TEXT\n" for each, or a JSON array of {file,line,level,text}. */
void faults_print(const struct faults *faults, bool json, struct buf *out);

void faults_fini(struct faults *faults);

#endif
