/*
 * export - an account's inventory as a `resources` section
 *
 * Text of libconfig that declares all that the account has, so that a plan of it has nothing to do.
 * What cannot be declared, such as a value out of a setting's bounds, is left out, and a comment
 * says so. Pure; any thread.
 */
#ifndef PROVISION_EXPORT_H
#define PROVISION_EXPORT_H

#include "provision/inventory.h"

/* Appends the section. False when it is larger than out can hold. */
MUST_CHECK bool export_write(const struct inventory *inventory, struct buf *out);

#endif
