/*
 * jq_wire - what jq.c and jq_process.c say to each other; nobody else includes it
 *
 * A stream socket. A request is a header and its bytes: JQ_DEFINE (a program's text, no reply) or
 * JQ_RUN (a payload, one reply). A reply is an outcome and its bytes: the value, or the error.
 */
#ifndef MAPPING_JQ_WIRE_H
#define MAPPING_JQ_WIRE_H

#include "base/span.h"

#include <jq.h>

enum { JQ_DEFINE = 1, JQ_RUN = 2 };

struct jq_frame {
    uint32_t kind; /* request: JQ_DEFINE, JQ_RUN; reply: enum jq_outcome */
    uint32_t program;
    uint32_t len;
};

/* Reads or writes exactly len bytes; false at the end of the stream or an error. */
bool jq_read_all(int fd, void *ptr, size_t len);
bool jq_write_all(int fd, const void *ptr, size_t len);

/* Compiles; NULL and jq's words in why (room bytes) when it does not. */
jq_state *jq_compile_text(const char *text, char *why, size_t room);

/* Whether text compiles, seen in a child process; if not, why (room bytes) says it. */
bool jq_compiles(const char *text, char *why, size_t room);

/* The host process's whole life: forks a worker for each descriptor that comes over control. */
__attribute__((noreturn)) void jq_host_main(int control);

#endif
