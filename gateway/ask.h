/*
 * ask - what the bodies of requests to the admin endpoint say (docs/admin.md)
 *
 * Bytes from outside: an object with members that are known, each of its kind and within its
 * bounds, or a fault that says what is not. What comes of it points into the body and into its own
 * store, and lives as long as both. Pure; any thread.
 */
#ifndef GATEWAY_ASK_H
#define GATEWAY_ASK_H

#include "base/buf.h"
#include "base/err.h"
#include "mqtt/message.h"

enum {
    ASK_MAX_IDS = 1000,   /* letters that are named */
    ASK_MAX_LIMIT = 1000, /* letters in a listing */
};

struct ask_explain {
    struct span queue; /* from CMQ: the message's payload is the body; empty: from MQTT */
    struct mqtt_message message;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    struct buf store;
};

/* Call ask_explain_fini in any case. */
MUST_CHECK bool ask_explain_read(struct ask_explain *ask, struct span body, struct err *err);
void ask_explain_fini(struct ask_explain *ask);

struct ask_letters {
    char *rule; /* NULL: of any */
    uint64_t after;
    uint64_t limit;
    bool all; /* "all" was said */
    uint64_t ids[ASK_MAX_IDS];
    size_t id_count;
};

/* What is listed: "rule", "after" and "limit", all optional. Call ask_letters_fini in any case. */
MUST_CHECK bool ask_listing_read(struct ask_letters *ask, struct span body, struct err *err);

/* What is replayed or dropped: exactly one of "ids", "rule" and "all"; with the latter "after". */
MUST_CHECK bool ask_letters_read(struct ask_letters *ask, struct span body, struct err *err);
void ask_letters_fini(struct ask_letters *ask);

#endif
