/* topology - fills a store with the resources of a configuration (RULES 5, 8). One thread. */
#ifndef LOCAL_TOPOLOGY_H
#define LOCAL_TOPOLOGY_H

#include "config/resources.h"
#include "local/store.h"

/*
 * Adds all queues, topics and subscriptions, in whatever order they are named; those that the data
 * file has are changed, and what it has beyond them stays. False and err, with
 * file and line, at the first that does not fit; then the store holds what came before it.
 */
MUST_CHECK bool topology_load(struct store *store, const struct resources *resources,
                              struct err *err);

#endif
