/*
 * status_page - a gateway's state for a terminal, 80 columns wide
 *
 * Made from the JSON of docs/admin.md, which came over a socket: what is not there shows as "-".
 * One thread.
 */
#ifndef GATEWAY_STATUS_PAGE_H
#define GATEWAY_STATUS_PAGE_H

#include "base/span.h"

#include <stdio.h>

/* status and rules: the answers of /api/v1/status and /api/v1/rules. fancy: a terminal, with
 * colours. False, and nothing is printed, when they are not these. */
bool status_page_print(FILE *out, struct span status, struct span rules, bool fancy);

#endif
