/*
 * gateway_impl - the parts of a running gateway, shared by gateway.c and reload.c; nobody else
 * includes it
 */
#ifndef GATEWAY_GATEWAY_IMPL_H
#define GATEWAY_GATEWAY_IMPL_H

#include "gateway/admin.h"
#include "gateway/broker.h"
#include "gateway/downlink.h"
#include "gateway/gateway.h"
#include "gateway/health.h"
#include "gateway/lanes.h"
#include "gateway/link_log.h"
#include "gateway/push.h"
#include "gateway/reload.h"
#include "gateway/subscriptions.h"
#include "gateway/uplink.h"

#include <stdatomic.h>

struct gateway {
    const struct config *config; /* in use; held */
    struct reload_desk *desk;
    struct counters *counters;
    struct health *health;
    struct uplink *uplink;
    struct spool *spool;
    struct pump *pump;
    struct cmq_client *client;
    struct lanes *lanes;
    struct downlink *downlink;
    struct push *push;   /* NULL: push.listen is not set */
    struct admin *admin; /* NULL: admin.listen is not set */
    struct sampler *sampler;
    struct jq_host *jq;
    struct broker *broker;
    uint64_t broker_fingerprint; /* of the connection as it is, or is about to be */
    struct mqtt_link *link;
    struct link_log link_log; /* the link's thread */
    struct subscriptions subscriptions;
    atomic_uint_fast64_t asked_set, settled_set; /* of mqtt_link_subscribe */
    bool spool_started, pump_started, link_started;
    char *last_figures;
};

/* Asks the broker for the subscriptions in g. */
void gateway_subscribe(struct gateway *g);

#endif
