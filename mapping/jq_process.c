/*
 * jq_process - the processes behind jq.h: the host, and the workers that run programs.
 *
 * A worker limits itself: an alarm ends it when a run takes too long, and its address space may
 * grow only so far. It has no environment (a program could read secrets with $ENV), no standard
 * streams, and dies with its parent.
 */
#include "base/json.h"
#include "mapping/jq.h"
#include "mapping/jq_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKER_MAX_PROGRAMS = 1 << 16, WORKER_MAX_FRAME = JQ_MAX_PAYLOAD_BYTES };

bool jq_read_all(int fd, void *ptr, size_t len)
{
    char *at = ptr;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool jq_write_all(int fd, const void *ptr, size_t len)
{
    const char *at = ptr;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        /* The alarm's handler writes too; errno is its thread's own, and it never returns. */
        if (n < 0 && errno == EINTR) // NOLINT(bugprone-signal-handler,cert-sig30-c)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

struct words {
    char *text;
    size_t room;
};

/* Keeps the first of jq's complaints: later ones only count the errors. */
static void keep_words(void *ctx, jv message)
{
    struct words *words = ctx;
    if (words->text[0] == '\0' && jv_get_kind(message) == JV_KIND_STRING)
        (void)snprintf(words->text, words->room, "%s", jv_string_value(message));
    jv_free(message);
}

static jv no_input(jq_state *jq, void *ctx)
{
    (void)jq;
    (void)ctx;
    return jv_invalid_with_msg(jv_string("there is only one input"));
}

jq_state *jq_compile_text(const char *text, char *why, size_t room)
{
    struct words words = {why, room};
    why[0] = '\0';
    jq_state *jq = jq_init();
    if (!jq)
        return NULL;
    jq_set_error_cb(jq, keep_words, &words);
    jq_set_input_cb(jq, no_input, NULL);
    jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array()); /* no modules from files */
    if (!jq_compile(jq, text)) {
        jq_teardown(&jq);
        for (char *c = why; *c; c++) {
            if (*c == '\n')
                *c = ' ';
        }
        return NULL;
    }
    return jq;
}

static void set_alarm(int64_t ms)
{
    struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000}};
    CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
}

static void limit_memory(void)
{
    rlim_t pages = 0;
    char sizes[128]; /* that of the address space first */
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        if (fgets(sizes, sizeof sizes, statm))
            pages = strtoul(sizes, NULL, 10);
        (void)fclose(statm);
    }
    rlim_t bytes = pages * (rlim_t)sysconf(_SC_PAGESIZE) + JQ_MAX_MEMORY_BYTES;
    (void)setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* ---- compiling, to see whether it can be done ---- */

__attribute__((noreturn)) static void compile_main(const char *text, int fd)
{
    char why[256];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPROF, SIG_DFL); /* which ends it */
    limit_memory();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO); /* an assertion's words */
    set_alarm(JQ_MAX_COMPILE_MS);
    if (jq_compile_text(text, why, sizeof why))
        _exit(0);
    size_t len = strlen(why);
    _exit(write(fd, why, len) == (ssize_t)len ? 1 : 2);
}

static size_t read_to_end(int fd, char *text, size_t room)
{
    size_t len = 0;
    ssize_t n = 1;
    while (len < room && n != 0) {
        n = read(fd, text + len, room - len);
        if (n < 0 && errno != EINTR)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    return len;
}

bool jq_compiles(const char *text, char *why, size_t room)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(why, room, "it cannot be compiled now: %s", strerror(errno));
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        compile_main(text, ends[1]);
    if (child < 0)
        (void)snprintf(why, room, "it cannot be compiled now: %s", strerror(errno));
    (void)close(ends[1]);
    if (child > 0)
        why[read_to_end(ends[0], why, room - 1)] = '\0';
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
    if (child > 0 && status != 0 && why[0] == '\0') {
        (void)snprintf(why, room, "jq: error: it cannot be compiled: jq %s",
                       late ? "takes too long" : "ends itself over it");
    }
    return child > 0 && status == 0;
}

/* ---- the worker ---- */

static int worker_fd;

static void out_of_time(int signal_number)
{
    (void)signal_number;
    static const char words[] = "the program ran too long";
    struct jq_frame reply = {.kind = JQ_LIMIT, .len = sizeof words - 1};
    (void)(jq_write_all(worker_fd, &reply, sizeof reply) &&
           jq_write_all(worker_fd, words, sizeof words - 1));
    _exit(1);
}

static void out_of_memory(void *ctx)
{
    (void)ctx;
    static const char words[] = "the program took too much memory";
    struct jq_frame reply = {.kind = JQ_LIMIT, .len = sizeof words - 1};
    (void)(jq_write_all(worker_fd, &reply, sizeof reply) &&
           jq_write_all(worker_fd, words, sizeof words - 1));
    _exit(1);
}

static void reply(enum jq_outcome outcome, struct span bytes)
{
    struct jq_frame frame = {.kind = outcome, .len = (uint32_t)bytes.len};
    if (!jq_write_all(worker_fd, &frame, sizeof frame) ||
        !jq_write_all(worker_fd, bytes.ptr, bytes.len))
        _exit(0); /* the gateway is gone */
}

static void reply_with(enum jq_outcome outcome, jv text)
{
    struct span bytes = {jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text))};
    if (bytes.len > JQ_MAX_OUTPUT_BYTES)
        reply(JQ_FAILED, span_of("its output is too large"));
    else
        reply(outcome, bytes);
    jv_free(text);
}

static void run(jq_state *jq, struct span payload)
{
    jv input = utf8_valid(payload) && payload.len > 0
                   ? jv_parse_sized(payload.ptr, (int)payload.len)
                   : jv_invalid();
    if (!jv_is_valid(input)) {
        jv_free(input);
        reply(JQ_NOT_JSON, (struct span){NULL, 0});
        return;
    }
    set_alarm(JQ_MAX_RUN_MS);
    jq_start(jq, input, 0);
    jv value = jq_next(jq);
    if (jv_is_valid(value)) {
        jv text = jv_dump_string(value, 0);
        set_alarm(0);
        reply_with(JQ_VALUE, text);
        return;
    }
    set_alarm(0);
    if (!jv_invalid_has_msg(jv_copy(value))) {
        jv_free(value);
        reply(JQ_NOTHING, (struct span){NULL, 0});
        return;
    }
    jv message = jv_invalid_get_msg(value);
    reply_with(JQ_FAILED,
               jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0));
}

__attribute__((noreturn)) static void worker_main(int fd)
{
    worker_fd = fd;
    limit_memory();
    CHECK(signal(SIGPROF, out_of_time) != SIG_ERR);
    jq_state **programs = check_alloc(calloc(WORKER_MAX_PROGRAMS, sizeof(jq_state *)));
    struct jq_frame frame;
    while (jq_read_all(fd, &frame, sizeof frame)) {
        if (frame.program >= WORKER_MAX_PROGRAMS || frame.len > WORKER_MAX_FRAME)
            _exit(1);
        char *bytes = malloc((size_t)frame.len + 1);
        if (!bytes)
            out_of_memory(NULL);
        if (!jq_read_all(fd, bytes, frame.len))
            _exit(0);
        bytes[frame.len] = '\0';
        jq_state **slot = &programs[frame.program];
        if (frame.kind == JQ_DEFINE) {
            char why[256];
            *slot = jq_compile_text(bytes, why, sizeof why);
            if (*slot)
                jq_set_nomem_handler(*slot, out_of_memory, NULL);
        } else if (*slot) {
            run(*slot, span_make(bytes, frame.len));
        } else {
            reply(JQ_FAILED, span_of("the program does not compile"));
        }
        free(bytes);
    }
    _exit(0);
}

/* ---- the host ---- */

static int receive_descriptor(int control)
{
    char byte;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } space;
    struct iovec io = {&byte, 1};
    struct msghdr message = {.msg_iov = &io,
                             .msg_iovlen = 1,
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof space.bytes};
    ssize_t n;
    do {
        n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

static void leave_everything_behind(int keep)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    static char *nothing[] = {NULL};
    environ = nothing; /* jq reads it itself, and does not expect NULL */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null, fd);
    int max = (int)sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < (max > 1024 ? 1024 : max); fd++) {
        if (fd != keep)
            (void)close(fd);
    }
}

void jq_host_main(int control)
{
    leave_everything_behind(control);
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR); /* workers are reaped by the kernel */
    CHECK(signal(SIGINT, SIG_IGN) != SIG_ERR);  /* the terminal's is meant for the gateway */
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    int fd;
    while ((fd = receive_descriptor(control)) >= 0) {
        pid_t child = fork();
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(control);
            CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
            worker_main(fd);
        }
        (void)close(fd);
    }
    _exit(0);
}
