/*
 * api_reply - what the management plane answered (CMQ.md 8.4)
 *
 * Bytes from outside: an answer is a JSON object with a Response that has a RequestId, and either
 * an Error with a Code or the action's fields; anything else is no answer. Fields of the action are
 * for the caller to check. Pure; any thread.
 */
#ifndef CMQ_API_REPLY_H
#define CMQ_API_REPLY_H

#include "base/err.h"
#include "base/span.h"

struct cJSON;

enum api_outcome {
    API_DONE,
    API_REFUSED,   /* not done; code and text say why */
    API_LOST,      /* done or not: no usable answer came, or an internal error */
    API_UNREACHED, /* not done: the request has not arrived */
};

struct api_reply {
    enum api_outcome outcome;
    char code[80];                /* "ResourceInUse.Queue"; "": the service gave none */
    char text[400];               /* the service's message, or what is wrong; for people */
    char request_id[80];          /* "": none */
    const struct cJSON *response; /* the object; NULL unless done */
    struct cJSON *json;           /* keeps it alive */
};

/* Reads an answer. Always fills *reply; free with api_reply_fini. */
void api_reply_parse(struct api_reply *reply, int http_status, struct span body);

/* A reply for a request that brought no answer. Fini is optional. */
void api_reply_failed(struct api_reply *reply, enum api_outcome outcome, const char *why);

void api_reply_fini(struct api_reply *reply);

/* Whether it was refused with code, or with a part of it: "ResourceInUse" has ".Queue". */
bool api_reply_is(const struct api_reply *reply, const char *code);

/*
 * Fills err with one line of what became of a call that is not done: the action, the service's code
 * and message, what to do about it, the request's id. Always false.
 */
bool api_reply_explain(const struct api_reply *reply, const char *action, struct err *err);

#endif
