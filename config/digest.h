/*
 * digest - a setting as one number, for telling whether it was changed
 *
 * Two settings with the same names, kinds and values, in the same order, have the same digest,
 * wherever they stand. Pure; any thread.
 */
#ifndef CONFIG_DIGEST_H
#define CONFIG_DIGEST_H

#include "base/hash.h"

#include <libconfig.h>

/* Continues digest (HASH_SEED to begin with) over the setting. */
uint64_t digest_setting(uint64_t digest, const config_setting_t *setting);

#endif
