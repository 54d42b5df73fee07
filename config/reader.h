/*
 * reader - takes settings out of libconfig's tree by the tables of options
 *
 * Reading never stops at a fault: what cannot be read stays as it was, the fault is noted, and the
 * next setting is read. One thread; used only while a configuration is loaded.
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config.h"
#include "config/names.h"
#include "config/option.h"

struct filter;

struct reader {
    struct config *config;
    struct faults *faults;
    struct names names;
    const char *file;     /* the one being read; owned by the rule set */
    bool bare;            /* for the local server: the main sections need not be complete */
    bool offline;         /* nothing will be connected to: references may name what is not there */
    size_t errors_before; /* of other configurations, in faults already */
    bool full;            /* there were too many rules */
    bool incomplete;      /* some file could not be parsed, so names may be missing */

    struct buf place; /* "forward[2].to[0]": what is being read, when it is to be shown */

    const struct option_group *group; /* where the reader is; what faults are about */
    const struct option *option;
    const struct filter *captures; /* of the forward rule being read; NULL when it has none */
};

/*
 * Reads all settings of a group into object, which must be zero or hold what settings without a
 * default should be. setting NULL: the group is not there; the defaults are read, and what is
 * required is a fault at line.
 */
void reader_group(struct reader *reader, const struct option_group *group,
                  const config_setting_t *setting, int line, void *object);

/* The value of a string setting with a reference resolved; the caller frees it. NULL: a fault. */
char *reader_string(struct reader *reader, const config_setting_t *setting);

/* The rule set's jq program with this text, part of setting's value. NULL: a fault. */
const struct jq_program *reader_program(struct reader *reader, const config_setting_t *setting,
                                        struct span text);

/* The index of the string among words, or -1 and nothing noted. */
int reader_word(const char *value, const char *const *words);

/*
 * Calls take for each string of a setting that is one string, or a list or array of at most max.
 * take frees value. Other values are faults. Returns how many elements the setting has.
 */
size_t reader_strings(struct reader *reader, const config_setting_t *setting, size_t max,
                      void (*take)(struct reader *, const config_setting_t *, char *value,
                                   void *ctx),
                      void *ctx);

/* Notes a fault of the option being read: "PATH TEXT", e.g. "cmq.rate must be ...". */
void reader_fault(struct reader *reader, const config_setting_t *setting, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "PATH must TEXT, found VALUE", without the value when it is a secret. */
void reader_expect(struct reader *reader, const config_setting_t *setting, const char *text);

/* The same with what the option's row says: of another type or out of bounds. */
void reader_mismatch(struct reader *reader, const config_setting_t *setting);

/* "PATH cannot be VALUE: WHY", without value and why when they come from a reference. */
void reader_refuse(struct reader *reader, const config_setting_t *setting, const char *why);

/*
 * Notes a reference that cannot be resolved. Where nothing is connected to that is a warning,
 * unless the setting is needed all the same: of the main file those without a default, in rules
 * all.
 */
void reader_unresolved(struct reader *reader, const config_setting_t *setting,
                       const struct err *why);

/* Adds the option to the place; reader_leave, with what this returns, takes it off again. */
size_t reader_enter(struct reader *reader);
void reader_leave(struct reader *reader, size_t outer);

/* How many of the section's elements came before those being read: sections go on over files. */
size_t reader_count_before(const struct reader *reader, const struct option_group *group);

/* Notes members of setting that the group being read does not know. */
void reader_find_unknown(struct reader *reader, const config_setting_t *setting);

/* Notes a fault whose text names the setting itself. */
void reader_fault_at(struct reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warn_at(struct reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether one more rule may be read; notes a fault at the first that may not. */
bool reader_room_for_rule(struct reader *reader, const config_setting_t *setting);

/* The line of a setting; of the group's member when there is one, else of the group. At least 1. */
int reader_line(const config_setting_t *setting);
int reader_member_line(const config_setting_t *group, const char *name);
bool reader_given(const config_setting_t *group, const char *name);

#endif
