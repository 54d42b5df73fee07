/*
 * health - what works and what does not: both sides, the spool, the last reload
 *
 * The parts tell it what changes; whoever asks (the admin endpoint) reads it. Telling is cheap when
 * nothing changed. Any thread.
 */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "base/buf.h"
#include "cmq/gate.h"
#include "cmq/reply.h"
#include "mqtt/link.h"
#include "spool/spool.h"

enum {
    HEALTH_MAX_TROUBLES = 100, /* destinations, and refused subscriptions, in a shot */
    HEALTH_WHY_BYTES = 512,
    HEALTH_NAME_BYTES = 256,
    HEALTH_REASONS = 8,
};

enum health_cmq { HEALTH_CMQ_UNTRIED, HEALTH_CMQ_OK, HEALTH_CMQ_FAILING, HEALTH_CMQ_HELD };

struct health;

struct health *health_new(void);
void health_free(struct health *health); /* NULL is fine */

/* ---- telling ---- */

/* The link's callbacks (mqtt/link.h). Not connected any more: what was refused is forgotten. */
void health_link(struct health *health, enum mqtt_link_state state, bool session_present,
                 const char *why);
void health_refused(struct health *health, const char *filter, const char *why);

void health_spool(struct health *health, enum spool_state state, const char *why);

/* CMQ answered a request with this, or nobody did. Each request. */
void health_answer(struct health *health, const struct cmq_reply *reply);

/*
 * The destination ("queue alarms") takes nothing now, because of this reply; or, with GATE_OPEN,
 * takes everything again or is of no concern any more. With GATE_OPEN reply may be NULL.
 */
void health_destination(struct health *health, const char *destination, enum gate_health state,
                        const struct cmq_reply *reply);

void health_stopping(struct health *health);

/*
 * A reload ended. summary is one line for people; faults is what faults_print made of them as JSON,
 * "" for none.
 */
void health_reload(struct health *health, bool ok, const char *summary, const char *faults);

/* What went wrong with a request, and what to do about it: one line for people. */
void health_explain(const struct cmq_reply *reply, struct buf *out);

/* ---- asking ---- */

struct health_trouble {
    char name[HEALTH_NAME_BYTES]; /* a destination; a filter */
    char why[HEALTH_WHY_BYTES];
    enum gate_health state;
    int code; /* CMQ's; -1: there was no answer from CMQ itself */
    int64_t since_ms;
};

struct health_reason {
    const char *code;
    char text[HEALTH_WHY_BYTES];
};

/* All of it as of a moment; times are Unix. */
struct health_shot {
    struct {
        enum mqtt_link_state state;
        int64_t since_ms;
        bool session_present;
        uint64_t connects;
        char why[HEALTH_WHY_BYTES];
        struct health_trouble *refused; /* the shot's */
        size_t refused_count;
        size_t refused_left_out;
    } mqtt;
    struct {
        enum spool_state state;
        int64_t since_ms;
        char why[HEALTH_WHY_BYTES];
    } spool;
    struct {
        enum health_cmq state;
        int64_t since_ms;
        int64_t success_ms; /* 0: never */
        char why[HEALTH_WHY_BYTES];
        struct health_trouble *troubles; /* the shot's */
        size_t trouble_count;
        size_t left_out;
    } cmq;
    struct {
        uint64_t count, failed; /* failed is part of count */
        int64_t last_ms;        /* 0: none yet */
        bool ok;
        char *summary, *faults; /* the shot's; NULL before the first one */
    } reload;
    int64_t started_ms;
    struct health_reason reasons[HEALTH_REASONS]; /* none: ready */
    size_t reason_count;
};

void health_read(struct health *health, struct health_shot *shot);
void health_shot_fini(struct health_shot *shot);

#endif
