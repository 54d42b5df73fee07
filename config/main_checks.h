/*
 * main_checks - what settings of the main file mean to each other, and to the rules
 *
 * After everything was read, by whoever reads it.
 */
#ifndef CONFIG_MAIN_CHECKS_H
#define CONFIG_MAIN_CHECKS_H

#include "config/reader.h"

/* Notes what is missing or cannot be (errors), and what has no effect or is not safe (warnings). */
void main_checks(struct reader *reader, const config_t *tree);

#endif
