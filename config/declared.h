/*
 * declared - the queues and topics of resources by name, and what their subscriptions receive
 *
 * An index over resources, which it borrows. Read-only once made; any thread.
 */
#ifndef CONFIG_DECLARED_H
#define CONFIG_DECLARED_H

#include "config/resources.h"
#include "config/shapes.h"

struct declared {
    const struct resource_queue **queues; /* in order of name, upper and lower case the same */
    size_t queue_count;
    const struct resource_topic **topics;
    size_t topic_count;
};

void declared_init(struct declared *declared, const struct resources *resources);
void declared_fini(struct declared *declared);

/* The one with this name; NULL: it is not declared. */
const struct resource_queue *declared_queue(const struct declared *declared, const char *name);
const struct resource_topic *declared_topic(const struct declared *declared, const char *name);

/* The path of a subscription's url, without its query; "" when it has none. */
struct span declared_path(const char *url);

/*
 * Whether the subscription can receive some message that target sends to its topic (CMQ.md 4.1,
 * 4.2). route is the shape of target's route; NULL: it has none. Pure.
 */
bool declared_receives(const struct resource_topic *topic, const struct resource_subscription *s,
                       const struct rule_target *target, const struct shape *route);

#endif
