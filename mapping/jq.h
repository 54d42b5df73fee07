/*
 * jq - jq programs over JSON payloads, run where they can do no harm
 *
 * A program of a rule file is somebody's code: it may never end, or eat memory, or ask for the
 * environment. So it runs in a worker process without environment or standard streams, with a limit
 * on memory and on the time of each run. A worker that breaks a limit ends itself; the next run
 * starts a new one. jq's compiler is not trusted either: that a program compiles is seen in a
 * process that ends with it.
 *
 *     jq_host (a small process, forked before any thread) ──fork──► worker, one for each jq_worker
 *
 * A worker compiles a program when it first meets it (about 20 ms with jq 1.6) and keeps it. A run
 * costs a few microseconds and one round trip on a socket.
 *
 * Threads: a host may be used by all; a worker belongs to one thread at a time; a program is
 * immutable.
 */
#ifndef MAPPING_JQ_H
#define MAPPING_JQ_H

#include "base/buf.h"
#include "base/err.h"

enum {
    JQ_MAX_PROGRAM_BYTES = 64 << 10,
    JQ_MAX_PAYLOAD_BYTES = 4 << 20,
    JQ_MAX_OUTPUT_BYTES = 4 << 20,
    JQ_MAX_COMPILE_MS = 2000,        /* of processor time */
    JQ_MAX_RUN_MS = 250,             /* of the worker's processor time: a busy machine costs none */
    JQ_MAX_WAIT_MS = 5000,           /* of wall-clock time, for a worker that gets no processor */
    JQ_MAX_MEMORY_BYTES = 128 << 20, /* beyond what the worker starts with */
};

struct jq_program;

/*
 * Compiles text in a process of its own, to see that it can be. NULL and err, with jq's own words
 * when it has any, if not. Blocks for the compilation. Any thread, also beside others.
 */
struct jq_program *jq_program_new(struct span text, struct err *err);
void jq_program_free(struct jq_program *program); /* NULL is fine */
struct span jq_program_text(const struct jq_program *program);

struct jq_host;

/* Forks the host process. Before the program has any other thread. */
struct jq_host *jq_host_new(struct err *err);
void jq_host_free(struct jq_host *host); /* its workers end with it; NULL is fine */

struct jq_worker;

/* A worker that starts with its first run. Borrows host. Never NULL. */
struct jq_worker *jq_worker_new(struct jq_host *host);
void jq_worker_free(struct jq_worker *worker); /* NULL is fine */

/* A worker with a host of its own: for a command, which has no other thread. NULL and err. */
struct jq_worker *jq_worker_alone(struct err *err);

enum jq_outcome {
    JQ_VALUE,    /* out has the first output as compact JSON */
    JQ_NOTHING,  /* the program gave no output */
    JQ_NOT_JSON, /* the payload is not one JSON value in UTF-8 */
    JQ_FAILED,   /* the program raised an error: err has its words */
    JQ_LIMIT,    /* it ran too long, or took too much memory: err says which, if that is known; or
                    the payload is too large */
    JQ_BROKEN,   /* no worker could be had: err says why. Worth trying again */
};

/*
 * Runs program over payload and appends its first output to out. Blocks until the worker answers,
 * JQ_MAX_RUN_MS at most where there is a processor for it, JQ_MAX_WAIT_MS in any case, and twice
 * that on a program's first run, for its compilation.
 */
enum jq_outcome jq_run(struct jq_worker *worker, const struct jq_program *program,
                       struct span payload, struct buf *out, struct err *err);

/*
 * Makes of what jq_run has said without a value the reason of a dead letter: "jq_error: ...",
 * "jq_limit: ...", "jq_no_output: ...", "jq_broken: ...", "not_json: ...".
 */
void jq_reason(enum jq_outcome outcome, struct err *err);

/* Whether a first output counts as true: neither false nor null. */
bool jq_is_true(struct span json);

#endif
