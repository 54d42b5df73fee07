/*
 * quantity - durations and sizes as people write them
 *
 * "30s", "1500ms", "24h", "7d"; "64KiB", "1GiB", "100B": a decimal whole number and a unit, no
 * space between (RULES 1). Pure; any thread.
 */
#ifndef BASE_QUANTITY_H
#define BASE_QUANTITY_H

#include "base/buf.h"

/* Milliseconds. Units ms s m h d. False when text is anything else or does not fit. */
bool duration_parse(struct span text, int64_t *out_ms);

/* Bytes. Units B KiB MiB GiB. False when text is anything else or does not fit. */
bool size_parse(struct span text, uint64_t *out_bytes);

/* The shortest exact form: 90000 is "90s", 86400000 is "1d", 0 is "0s". */
void duration_format(struct buf *out, int64_t ms);
void size_format(struct buf *out, uint64_t bytes);

#endif
