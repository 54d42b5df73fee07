/*
 * secret - strings that may be references: "@env:NAME", "@file:PATH", "@@literal" (RULES 1)
 *
 * One thread at a time for each secret; resolving reads the environment or a file, again each time.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "base/buf.h"
#include "base/err.h"

enum { SECRET_MAX_BYTES = 64 * 1024 };

/* Whether text is a reference, that is, begins with "@env:" or "@file:". */
bool secret_is_reference(struct span text);

/*
 * Appends what text stands for to out. A file's trailing newline is dropped. False and err when the
 * variable is not set, the file cannot be read or is too large, or text begins with a single '@'
 * and is no reference. err names the variable or file, never the value.
 */
MUST_CHECK bool secret_resolve(struct span text, struct buf *out, struct err *err);

/* Whether text is an "@file:" that every user of the machine may read. */
bool secret_is_exposed(struct span text);

#endif
