/*
 * changes - what is different between two configurations, for whoever reloads one
 *
 * Pure but for the sink; any thread that holds both.
 */
#ifndef CONFIG_CHANGES_H
#define CONFIG_CHANGES_H

#include "config/config.h"

enum config_change_kind { CONFIG_ADDED, CONFIG_REMOVED, CONFIG_CHANGED };

/* Strings are valid during the call. */
struct config_change {
    enum config_change_kind kind;
    const char *what;   /* "setting", "forward rule", "reverse rule", "resources", "tests" */
    const char *name;   /* "mqtt.keep_alive", the rule's; "" where there is no name */
    const char *before; /* a setting's value as check --print shows it; else NULL */
    const char *after;
};

typedef void (*config_change_fn)(void *ctx, const struct config_change *change);

/*
 * Calls fn for each change from one configuration to the next: the main file's settings in their
 * order, then the rules that went, that came and that are different, in file order. That rules
 * changed places is a change of its own, without a name. A secret's value is not looked at, only
 * how it is given.
 */
void config_changes(const struct config *from, const struct config *to, config_change_fn fn,
                    void *ctx);

/*
 * Adds an error for each setting that is different and that a running gateway cannot change:
 * gateway.id, gateway.state_dir, mqtt.version, spool.max_size, spool.sync, admin.listen, and
 * whether there is an admin.token.
 */
void config_check_fixed(const struct config *from, const struct config *to, struct faults *faults);

#endif
