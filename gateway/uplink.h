/*
 * uplink - MQTT to CMQ: a received message becomes deliveries in the spool, then an acknowledgement
 *
 * Joins the parts and decides nothing that they can decide: the link receives, plan maps, the spool
 * keeps, the lanes send. When the spool cannot take more, the gateway leaves the broker with its
 * session kept, so that the broker queues, and comes back when the spool accepts again.
 *
 * Conditions and jq bodies run while uplink_message waits: tens of microseconds each, for a program
 * that never ends a quarter of a second a message. See docs/jq.md.
 *
 * Threads: uplink_message runs on Paho's receiving thread, uplink_committed, uplink_refused and
 * uplink_spool_state on the spool's writer; the rest is for the thread that runs the gateway.
 */
#ifndef GATEWAY_UPLINK_H
#define GATEWAY_UPLINK_H

#include "gateway/counters.h"
#include "gateway/lanes.h"
#include "mapping/rule.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct uplink;

/*
 * An uplink that is not joined to anything yet. Borrows rules (sealed, numbered), counters and jq,
 * which may be NULL when no rule has a program.
 */
struct uplink *uplink_new(const struct ruleset *rules, struct counters *counters,
                          struct jq_host *jq);
void uplink_free(struct uplink *uplink); /* with the link and the spool stopped; NULL is fine */

/* Tells the uplink its neighbours. Before either of them is started. */
void uplink_join(struct uplink *uplink, struct spool *spool, struct mqtt_link *link,
                 struct lanes *lanes);

/* The link's and the spool's callbacks of the same name (mqtt/link.h, spool/spool.h). */
void uplink_message(struct uplink *uplink, const struct mqtt_message *message, uint64_t ticket);
void uplink_committed(struct uplink *uplink, struct delivery *deliveries, uint64_t through_ticket);
void uplink_refused(struct uplink *uplink, uint64_t entries, uint64_t unticketed);
void uplink_spool_state(struct uplink *uplink, enum spool_state state, const char *why);

/*
 * Takes nothing more from the broker and waits, at most timeout_ms, until what was taken is
 * committed and its acknowledgements are released. For an orderly stop.
 */
void uplink_close(struct uplink *uplink, int64_t timeout_ms);

#endif
