/*
 * uplink - MQTT to CMQ: a received message becomes deliveries in the spool, then an acknowledgement
 *
 * Joins the parts and decides nothing that they can decide: the link receives, plan maps, the spool
 * keeps, the lanes send. When the spool cannot take more, the gateway leaves the broker with its
 * session kept, so that the broker queues, and comes back when the spool accepts again.
 *
 * A reload hands over other rules while messages come. Each message is planned by the old or by the
 * new ones, never by both: the change happens between two messages, and not between two copies of
 * one (gateway/copies.h).
 *
 * Conditions and jq bodies run while uplink_message waits: tens of microseconds each, for a program
 * that never ends a quarter of a second a message. See docs/jq.md.
 *
 * Threads: uplink_message runs on Paho's receiving thread, uplink_committed, uplink_refused and
 * uplink_spool_state on the spool's writer; the rest is for the thread that runs the gateway.
 */
#ifndef GATEWAY_UPLINK_H
#define GATEWAY_UPLINK_H

#include "config/config.h"
#include "gateway/counters.h"
#include "gateway/lanes.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct uplink;

/*
 * An uplink that is not joined to anything yet. Holds config, its rules numbered; borrows counters
 * and jq. regrouped: as for uplink_reload.
 */
struct uplink *uplink_new(const struct config *config, bool regrouped, struct counters *counters,
                          struct jq_host *jq);
void uplink_free(struct uplink *uplink); /* with the link and the spool stopped; NULL is fine */

/* Tells the uplink its neighbours. Before either of them is started. */
void uplink_join(struct uplink *uplink, struct spool *spool, struct mqtt_link *link,
                 struct lanes *lanes);

/*
 * Goes on with the rules of this configuration, numbered, and holds it in place of the one before;
 * returns when that is so: at once while messages come, else when none has come for
 * UPLINK_QUIET_MS, so that no copy of the last one can be on its way. regrouped: the broker holds,
 * or has queued messages for, other subscriptions than these rules ask for, so that identifiers do
 * not say what a message is for until it has settled for UPLINK_SETTLE_MS.
 */
enum { UPLINK_QUIET_MS = 500, UPLINK_SETTLE_MS = 60 * 1000 };
void uplink_reload(struct uplink *uplink, const struct config *config, bool regrouped);

/* Whether the broker is connected and holds just the subscriptions that the rules ask for. Any
 * thread. */
void uplink_settled(struct uplink *uplink, bool settled);

/* Whether identifiers are not to be trusted yet. Any thread. */
bool uplink_regrouped(struct uplink *uplink);

/*
 * Leaves what comes to the broker, and waits, at most timeout_ms, until what was taken is committed
 * and its acknowledgements are released: before the connection is ended on purpose. uplink_resume
 * is for when it has ended, and not before: to release a later message's acknowledgement would be
 * to release those of the ones that were left, too.
 */
void uplink_pause(struct uplink *uplink, int64_t timeout_ms);
void uplink_resume(struct uplink *uplink);

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
