/*
 * uplink - MQTT to CMQ: a received message becomes deliveries in the spool, then an acknowledgement
 *
 * Joins the parts and decides nothing that they can decide: the link receives, plan maps, the spool
 * keeps, the lanes send. When the spool cannot take more, the gateway leaves the broker with its
 * session kept, so that the broker queues, and comes back when the spool accepts again.
 *
 * Threads: uplink_link_callbacks' functions run on Paho's thread and the link's, the spool
 * callbacks on the spool's writer; the rest is for the thread that runs the gateway.
 */
#ifndef GATEWAY_UPLINK_H
#define GATEWAY_UPLINK_H

#include "gateway/counters.h"
#include "gateway/lanes.h"
#include "mapping/rule.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct uplink;

/* An uplink that is not joined to anything yet. Borrows rules (sealed, numbered) and counters. */
struct uplink *uplink_new(const struct ruleset *rules, struct counters *counters);
void uplink_free(struct uplink *uplink); /* with the link and the spool stopped; NULL is fine */

/* What the link and the spool must be built with. */
struct mqtt_link_callbacks uplink_link_callbacks(struct uplink *uplink);
struct spool_callbacks uplink_spool_callbacks(struct uplink *uplink);

/* Tells the uplink its neighbours. Before either of them is started. */
void uplink_join(struct uplink *uplink, struct spool *spool, struct mqtt_link *link,
                 struct lanes *lanes);

/*
 * Takes nothing more from the broker and waits, at most timeout_ms, until what was taken is
 * committed and its acknowledgements are released. For an orderly stop.
 */
void uplink_close(struct uplink *uplink, int64_t timeout_ms);

#endif
