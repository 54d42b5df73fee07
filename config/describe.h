/* describe - options and values in words, for faults and for the reference. Pure; any thread. */
#ifndef CONFIG_DESCRIBE_H
#define CONFIG_DESCRIBE_H

#include "base/buf.h"
#include "config/option.h"

/* Appends what the option may be: "a whole number from 1 to 64". */
void describe_option(const struct option *option, struct buf *out);

/* Appends what a setting is, long strings cut: "30" in quotes, "the number 30", "a group". */
void describe_setting(const config_setting_t *setting, struct buf *out);

/*
 * Appends a scalar or a list of strings as JSON, which libconfig reads as well. secret: a reference
 * as written, a literal as "********".
 */
void describe_value(const config_setting_t *setting, bool secret, struct buf *out);

/* The same of the option's default; "" when it has none. */
void describe_preset(const struct option *option, struct buf *out);

#endif
