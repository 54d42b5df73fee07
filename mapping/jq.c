/* jq - see jq.h: the gateway's side. The processes' side is jq_process.c. */
#include "mapping/jq.h"

#include "base/clock.h"
#include "mapping/jq_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    JQ_MAX_PROGRAMS = 1 << 16, /* programs that one worker may meet; then it is replaced */
};

struct jq_program {
    uint32_t id;
    char *text;
};

struct jq_host {
    int control;
    pid_t pid;
};

struct jq_worker {
    struct jq_host *host;
    bool alone;      /* the host is its own */
    int fd;          /* -1: none runs */
    uint32_t *known; /* program ids that it has met; index + 1 is its number for them */
    size_t known_count;
    uint32_t *slot_of; /* by program id, 0: not met */
    size_t slot_room;
};

struct jq_program *jq_program_new(struct span text, struct err *err)
{
    static atomic_uint next_id;
    if (text.len == 0 || text.len > JQ_MAX_PROGRAM_BYTES || span_find(text, '\0') < text.len) {
        (void)err_set(err, "a jq program must have 1 to %d bytes and no NUL", JQ_MAX_PROGRAM_BYTES);
        return NULL;
    }
    char *copy = span_dup(text);
    char why[256];
    if (!jq_compiles(copy, why, sizeof why)) {
        (void)err_set(err, "%s%s", span_starts(span_of(why), "jq: ") ? "" : "jq: ", why);
        free(copy);
        return NULL;
    }
    struct jq_program *program = check_alloc(malloc(sizeof *program));
    *program = (struct jq_program){.id = atomic_fetch_add(&next_id, 1), .text = copy};
    return program;
}

void jq_program_free(struct jq_program *program)
{
    if (!program)
        return;
    free(program->text);
    free(program);
}

struct span jq_program_text(const struct jq_program *program)
{
    return span_of(program->text);
}

/* ---- the host ---- */

struct jq_host *jq_host_new(struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)err_set(err, "cannot start the jq process: %s", strerror(errno));
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        jq_host_main(pair[1]);
    (void)close(pair[1]);
    if (pid < 0) {
        (void)err_set(err, "cannot start the jq process: %s", strerror(errno));
        (void)close(pair[0]);
        return NULL;
    }
    struct jq_host *host = check_alloc(malloc(sizeof *host));
    *host = (struct jq_host){.control = pair[0], .pid = pid};
    return host;
}

void jq_host_free(struct jq_host *host)
{
    if (!host)
        return;
    (void)close(host->control);
    while (waitpid(host->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    free(host);
}

/* ---- a worker ---- */

struct jq_worker *jq_worker_new(struct jq_host *host)
{
    struct jq_worker *worker = check_alloc(calloc(1, sizeof *worker));
    worker->host = host;
    worker->fd = -1;
    return worker;
}

struct jq_worker *jq_worker_alone(struct err *err)
{
    struct jq_host *host = jq_host_new(err);
    if (!host)
        return NULL;
    struct jq_worker *worker = jq_worker_new(host);
    worker->alone = true;
    return worker;
}

static void worker_gone(struct jq_worker *worker)
{
    if (worker->fd >= 0)
        (void)close(worker->fd);
    worker->fd = -1;
    for (size_t i = 0; i < worker->known_count; i++)
        worker->slot_of[worker->known[i]] = 0;
    worker->known_count = 0;
}

void jq_worker_free(struct jq_worker *worker)
{
    if (!worker)
        return;
    worker_gone(worker);
    if (worker->alone)
        jq_host_free(worker->host);
    free(worker->known);
    free(worker->slot_of);
    free(worker);
}

static bool send_descriptor(int control, int fd)
{
    char byte = 0;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } space = {.bytes = {0}};
    struct iovec io = {&byte, 1};
    struct msghdr message = {.msg_iov = &io,
                             .msg_iovlen = 1,
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof space.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(control, &message, MSG_NOSIGNAL) == 1;
}

static bool worker_start(struct jq_worker *worker, struct err *err)
{
    if (worker->fd >= 0)
        return true;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, "cannot start a jq worker: %s", strerror(errno));
    bool sent = send_descriptor(worker->host->control, pair[1]);
    (void)close(pair[1]);
    if (!sent) {
        (void)close(pair[0]);
        return err_set(err, "cannot start a jq worker: the jq process is gone");
    }
    worker->fd = pair[0];
    return true;
}

static bool send_frame(struct jq_worker *worker, uint32_t kind, uint32_t slot, struct span bytes)
{
    struct jq_frame frame = {.kind = kind, .program = slot, .len = (uint32_t)bytes.len};
    return jq_write_all(worker->fd, &frame, sizeof frame) &&
           jq_write_all(worker->fd, bytes.ptr, bytes.len);
}

/* The worker's number for the program; *is_new when it had to be told the text. */
static bool introduce(struct jq_worker *worker, const struct jq_program *program, uint32_t *slot,
                      bool *is_new)
{
    if (program->id >= worker->slot_room) {
        size_t room = (size_t)program->id * 2 + 64;
        worker->slot_of = check_alloc(realloc(worker->slot_of, room * sizeof *worker->slot_of));
        worker->known = check_alloc(realloc(worker->known, room * sizeof *worker->known));
        memset(worker->slot_of + worker->slot_room, 0,
               (room - worker->slot_room) * sizeof *worker->slot_of);
        worker->slot_room = room;
    }
    *is_new = worker->slot_of[program->id] == 0;
    if (*is_new) {
        worker->known[worker->known_count++] = program->id;
        worker->slot_of[program->id] = (uint32_t)worker->known_count;
    }
    *slot = worker->slot_of[program->id] - 1;
    return !*is_new || send_frame(worker, JQ_DEFINE, *slot, span_of(program->text));
}

static bool wait_readable(int fd, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int n = poll(&one, 1, left_ms > 0 ? (int)left_ms : 0);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

/* Reads the reply's bytes into out, or err's text. */
static bool read_reply(struct jq_worker *worker, struct buf *out, struct err *err,
                       enum jq_outcome *outcome)
{
    struct jq_frame frame;
    if (!jq_read_all(worker->fd, &frame, sizeof frame) || frame.kind > JQ_BROKEN ||
        frame.len > JQ_MAX_OUTPUT_BYTES)
        return false;
    *outcome = (enum jq_outcome)frame.kind;
    char *bytes = check_alloc(malloc((size_t)frame.len + 1));
    bool ok = jq_read_all(worker->fd, bytes, frame.len);
    bytes[ok ? frame.len : 0] = '\0';
    if (ok && *outcome == JQ_VALUE && !buf_add(out, span_make(bytes, frame.len))) {
        *outcome = JQ_FAILED;
        (void)err_set(err, "its output is too large");
    } else if (ok && *outcome != JQ_VALUE) {
        (void)err_set(err, "%s", bytes);
    }
    free(bytes);
    return ok;
}

enum jq_outcome jq_run(struct jq_worker *worker, const struct jq_program *program,
                       struct span payload, struct buf *out, struct err *err)
{
    if (payload.len > JQ_MAX_PAYLOAD_BYTES) {
        (void)err_set(err, "the payload is larger than %d bytes", JQ_MAX_PAYLOAD_BYTES);
        return JQ_LIMIT;
    }
    if (worker->known_count >= JQ_MAX_PROGRAMS - 1)
        worker_gone(worker);
    uint32_t slot;
    bool is_new, said = false;
    /* Twice, because a worker that ended between two runs is noticed only when spoken to. */
    for (int i = 0; i < 2 && !said; i++) {
        if (!worker_start(worker, err))
            return JQ_BROKEN;
        said =
            introduce(worker, program, &slot, &is_new) && send_frame(worker, JQ_RUN, slot, payload);
        if (!said)
            worker_gone(worker);
    }
    if (!said) {
        (void)err_set(err, "the jq worker does not take the message");
        return JQ_BROKEN;
    }
    enum jq_outcome outcome;
    int64_t patience_ms = is_new ? 2 * JQ_MAX_WAIT_MS : JQ_MAX_WAIT_MS;
    if (!wait_readable(worker->fd, patience_ms) || !read_reply(worker, out, err, &outcome)) {
        worker_gone(worker);
        (void)err_set(err, "the program took too much memory or time");
        return JQ_LIMIT;
    }
    if (outcome == JQ_LIMIT)
        worker_gone(worker);
    return outcome;
}

void jq_reason(enum jq_outcome outcome, struct err *err)
{
    struct err why = *err;
    switch (outcome) {
    case JQ_VALUE:
        break;
    case JQ_NOTHING:
        (void)err_set(err, "jq_no_output: the program gave no output");
        break;
    case JQ_NOT_JSON:
        (void)err_set(err, "not_json: jq wants JSON, and this is none");
        break;
    case JQ_FAILED:
        (void)err_set(err, "jq_error: %.400s", why.text);
        break;
    case JQ_LIMIT:
        (void)err_set(err, "jq_limit: %.400s", why.text);
        break;
    case JQ_BROKEN:
        (void)err_set(err, "jq_broken: %.400s", why.text);
        break;
    }
}

bool jq_is_true(struct span json)
{
    return !span_eq_str(json, "false") && !span_eq_str(json, "null");
}
