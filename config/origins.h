/*
 * origins - the main file's options as they were set, and where
 *
 * For config_print alone: noted while the file is read, because later its settings are gone. One
 * thread while loading; then read-only.
 */
#ifndef CONFIG_ORIGINS_H
#define CONFIG_ORIGINS_H

#include "config/option.h"

struct origin {
    const char *path; /* of its group */
    const char *name;
    char *shown;     /* as JSON, which libconfig reads as well; secrets masked */
    uint64_t digest; /* of the setting; 0: the default */
    int line;        /* 0: the default */
};

struct origins {
    struct origin *list;
    size_t count;
};

/* Notes the option of the group at path; setting NULL: its default. Only for values. */
void origins_note(struct origins *origins, const char *path, const struct option *option,
                  const config_setting_t *setting);

void origins_free(struct origins *origins); /* NULL is fine */

#endif
