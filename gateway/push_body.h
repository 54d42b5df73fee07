/*
 * push_body - what CMQ posts to an http subscription, taken apart
 *
 * CMQ posts either the message itself (SIMPLIFIED) or a JSON object around it (JSON), and says
 * nowhere which; a message may itself look like such an object (CMQ.md 6). Told apart by the
 * message's id, which CMQ also sends as a header and no publisher can know beforehand. Pure; any
 * thread.
 */
#ifndef GATEWAY_PUSH_BODY_H
#define GATEWAY_PUSH_BODY_H

#include "base/buf.h"
#include "base/err.h"

/* A pushed message; the spans point into the request, or into the buffers. */
struct push_body {
    struct span msg_id;  /* 1 to CMQ_MAX_HANDLE_BYTES of printable UTF-8 */
    struct span message; /* exact, NULs included; at most CMQ_MAX_BODY_BYTES */
    struct buf id_text, message_text;
};

/*
 * Reads a push: id_header is the value of x-cmq-message-id (empty: none), body the request's body;
 * both must outlive out. False and err when it is no push, or one whose message cannot be had
 * exactly. out wants push_body_fini either way.
 */
bool push_body_read(struct push_body *out, struct span id_header, struct span body,
                    struct err *err);

void push_body_fini(struct push_body *body);

#endif
