/*
 * source - the text of one configuration file, and libconfig's tree of it
 *
 * One thread.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config/faults.h"

#include <libconfig.h>

enum { SOURCE_MAX_BYTES = 16 << 20 };

struct source {
    config_t tree;
};

/*
 * Reads the file at path and parses it. False, and a fault is noted, when it cannot be read, is
 * larger than SOURCE_MAX_BYTES or is not libconfig's syntax. Call source_fini in any case.
 */
bool source_read(struct source *source, const char *path, struct faults *faults);

/* The same with a text that is in memory. name is what faults call it. */
bool source_parse(struct source *source, const char *name, struct span text, struct faults *faults);

void source_fini(struct source *source);

#endif
