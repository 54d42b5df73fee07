/*
 * reload - reading the configuration again while the gateway runs (RULES 7)
 *
 * Everything is read and checked aside. A fault changes nothing: each is logged, and the status
 * tells of it until a good reload. Otherwise the new rules take over between two messages, then the
 * broker is asked for new subscriptions before the old ones go; the connection to the broker is
 * made anew, and CMQ's account changed, only where their settings or secrets differ.
 *
 * What cannot change while it runs is a fault: see config_check_fixed.
 *
 * The thread that runs the gateway reloads; others ask for it at the desk. Who serves the desk is
 * woken by SIGHUP, which is what people send too.
 */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

#include "base/span.h"

struct gateway;
struct reload_desk;

/* A desk served by the calling thread, which has SIGHUP blocked. */
struct reload_desk *reload_desk_new(void);

/* Those who still wait are told that the gateway stops. NULL is fine. */
void reload_desk_free(struct reload_desk *desk);

/* How it went. json is valid during the call: {"ok", "summary", "faults"} of docs/admin.md. */
typedef void (*reload_done_fn)(void *ctx, bool ok, struct span json);

/* Asks for a reload that begins after now. done is called once, on the serving thread. Any thread;
 * returns at once. */
void reload_ask(struct reload_desk *desk, reload_done_fn done, void *ctx);

/*
 * Reloads, and answers those who had asked before. Blocks for as long as reading the files takes,
 * and a moment more. On the serving thread.
 */
void gateway_reload(struct gateway *gateway);

#endif
