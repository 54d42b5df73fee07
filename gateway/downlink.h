/*
 * downlink - CMQ to MQTT: long polls, publishes, and deletes only what the broker has
 *
 *            ┌─ known as done ───────────────────────────────┐
 *     poll ──┤                                               ▼
 *            └─ new ─► map ─► publish ─► PUBACK ─► note ─► delete ─► forgotten
 *                       └─► park (note with a dead letter) ──▲
 *
 * A message is deleted from CMQ only when the broker has acknowledged it and a note of that is on
 * disk, or when it is parked with its reason. While the note stands, a redelivery of the message
 * (its delete was lost, its handle had expired, the gateway was killed in between) is deleted and
 * not published again. What the gateway has taken and not published yet is still CMQ's: when the
 * gateway goes away, it comes again.
 *
 * Nothing is polled while MQTT is away, and never more than can be published before it becomes
 * visible again.
 *
 * Pushed messages (RULES 4) take the same way, but for the ends: their sender waits for an answer,
 * and there is nothing to delete.
 *
 * Threads: what is not said to be for any thread runs on the pump's, but for new and free, which
 * are called with the pump not running.
 */
#ifndef GATEWAY_DOWNLINK_H
#define GATEWAY_DOWNLINK_H

#include "cmq/client.h"
#include "config/config.h"
#include "gateway/counters.h"
#include "gateway/health.h"
#include "mapping/jq.h"
#include "mqtt/link.h"
#include "spool/spool.h"

struct downlink;

struct downlink_options { /* borrowed; all but config must outlive it */
    const struct config *config;
    struct pump *pump;
    struct cmq_client *client;
    struct spool *spool;
    struct mqtt_link *link;
    struct counters *counters;
    struct health *health;
    struct jq_host *jq;
};

/* Reads the notes of earlier runs from the spool (opened, not started). NULL and err on failure. */
struct downlink *downlink_new(const struct downlink_options *options, struct err *err);
void downlink_free(struct downlink *downlink); /* NULL is fine */

/*
 * Goes on with the reverse rules of this configuration. Each message is mapped by the old or by the
 * new rules, whichever hold when there is room to publish it. A queue that was read before goes on
 * being read, without a break; what was taken of one that no rule reads any more, and is not
 * published, is left to CMQ.
 */
void downlink_reload(struct downlink *downlink, const struct config *config);

/* MQTT came or went: begin or stop polling. Any thread. */
void downlink_online(struct downlink *downlink, bool online);

/* Any thread. The spool has committed the entry with this cookie, or has thrown it away. */
void downlink_noted(void *cookie, bool committed);

enum downlink_push_result { DOWNLINK_PUSH_DONE, DOWNLINK_PUSH_AWAY, DOWNLINK_PUSH_FAILED };
typedef void (*downlink_pushed_fn)(void *ctx, enum downlink_push_result result);

/*
 * Takes a message that CMQ pushed to the path of the rule of this name; copies all. Any thread.
 * done is called exactly once, later, on the pump's thread: DONE when the broker has acknowledged
 * the message, or it was parked, or it is known from before; AWAY when MQTT is down, too many are
 * under way, or the rule is just gone; FAILED when it should be pushed again.
 */
void downlink_push(struct downlink *downlink, const char *rule, struct span msg_id,
                   struct span body, downlink_pushed_fn done, void *ctx);

/*
 * Polls no more; what was taken and not published is left to CMQ. What is under way goes on. Any
 * thread; takes effect soon.
 */
void downlink_close(struct downlink *downlink);

/* Messages published and not yet deleted, and deletes under way, as of a moment ago. Any thread. */
size_t downlink_busy(struct downlink *downlink);

#endif
