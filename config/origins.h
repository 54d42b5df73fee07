/*
 * origins - options as they were set, and where
 *
 * Those of the main file's own sections always; those of rules, resources and tests in a list of
 * their own, for config_print, when that was asked for. Noted while files are read, because later
 * the settings are gone. One thread while loading; then read-only.
 */
#ifndef CONFIG_ORIGINS_H
#define CONFIG_ORIGINS_H

#include "config/option.h"

struct origin {
    const char *path; /* of its group */
    const char *name;
    char *shown;      /* as JSON, which libconfig reads as well; secrets masked */
    uint64_t digest;  /* of the setting; 0: the default */
    int line;         /* 0: the default */
    char *place;      /* of a rule's: "forward[2].to[0]", and path is that; else NULL */
    const char *file; /* of a rule's; NULL: the main file */
};

struct origins {
    struct origin *list;
    size_t count;
};

/* Notes the option of the group at path; setting NULL: its default. Only for values. */
void origins_note(struct origins *origins, const char *path, const struct option *option,
                  const config_setting_t *setting);

/*
 * Notes an option of what stands at place, "forward[2].to[0]", of a file whose name lives on. An
 * option that is not there and has no default is left out.
 */
void origins_note_at(struct origins *origins, const char *place, const char *file,
                     const struct option *option, const config_setting_t *setting);

void origins_free(struct origins *origins); /* NULL is fine */

#endif
