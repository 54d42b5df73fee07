/*
 * http_server - for tests: a little HTTP server on a loopback port of its own choosing
 *
 * What it does with a request is said by the path:
 *   /echo         200 with the request's body            /close    closes instead of answering
 *   /status/NNN   that status, no body                   /garbage  answers with what is not HTTP
 *   /redirect     302 to /echo                           /half     closes in the midst of the body
 *   /big          200 with a megabyte                    /slow     stops in the midst of the body
 *   /hold         answers when http_release says so      others    200 with what http_say was given
 * One thread; nothing waits for a time.
 */
#ifndef TESTS_CMQ_HTTP_SERVER_H
#define TESTS_CMQ_HTTP_SERVER_H

#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_MAX_CONNS = 2200, HTTP_DEADLINE_MS = 30000 };

struct http_conn {
    int fd;
    bool held;
    struct buf in;
};

struct http_server {
    int listen_fd;
    int wake[2];
    unsigned port;
    pthread_t thread;
    struct http_conn conns[HTTP_MAX_CONNS];
    struct pollfd polls[HTTP_MAX_CONNS + 2];
    size_t conn_count;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool ending, releasing;
    unsigned accepted, served, held;
    char say[4096];
    char date[64];    /* "": no Date header */
    char host[100];   /* of the last request */
    char body[16384]; /* its first bytes */
};

static inline void http_write(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the client has gone: that is its right */
        bytes = span_slice(bytes, (size_t)n, bytes.len);
    }
}

static inline void http_answer(struct http_server *server, int fd, int status, struct span body,
                               size_t promised)
{
    struct buf out = BUF_INIT(4 << 20);
    CHECK(buf_printf(&out, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n", status, promised));
    if (server->date[0])
        CHECK(buf_printf(&out, "Date: %s\r\n", server->date));
    if (status == 302)
        CHECK(buf_add_str(&out, "Location: /echo\r\n"));
    CHECK(buf_add_str(&out, "\r\n") && buf_add(&out, body));
    http_write(fd, buf_span(&out));
    buf_fini(&out);
}

/* Whether the connection stays. Called with the lock held. */
static inline bool http_serve(struct http_server *server, struct http_conn *conn, struct span path,
                              struct span body)
{
    static char megabyte[1 << 20];
    static const struct span half = SPAN_LIT("{\"code\":");
    server->served++;
    if (span_starts(path, "/echo")) {
        http_answer(server, conn->fd, 200, body, body.len);
    } else if (span_starts(path, "/status/")) {
        uint64_t status = 0;
        CHECK(span_to_u64(span_slice(path, 8, 3), 999, &status));
        http_answer(server, conn->fd, (int)status, span_of(""), 0);
    } else if (span_starts(path, "/redirect")) {
        http_answer(server, conn->fd, 302, span_of(""), 0);
    } else if (span_starts(path, "/big")) {
        http_answer(server, conn->fd, 200, span_make(megabyte, sizeof megabyte), sizeof megabyte);
    } else if (span_starts(path, "/garbage")) {
        http_write(conn->fd, span_of("\x16\x03 this is no HTTP\r\n\r\n"));
        return false;
    } else if (span_starts(path, "/close")) {
        return false;
    } else if (span_starts(path, "/half")) {
        http_answer(server, conn->fd, 200, half, 100);
        return false;
    } else if (span_starts(path, "/slow")) {
        http_answer(server, conn->fd, 200, half, 100);
    } else if (span_starts(path, "/hold")) {
        conn->held = true;
        server->held++;
    } else {
        http_answer(server, conn->fd, 200, span_of(server->say), strlen(server->say));
    }
    return true;
}

static inline struct span http_header(struct span head, const char *name)
{
    const char *at = memmem(head.ptr, head.len, name, strlen(name));
    if (!at)
        return (struct span){NULL, 0};
    struct span rest = span_slice(head, (size_t)(at - head.ptr) + strlen(name), head.len);
    return span_slice(rest, 0, span_find(rest, '\r'));
}

static inline void http_copy(char *out, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;
    if (len)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

/* Serves what has come in whole. Whether the connection stays. */
static inline bool http_requests(struct http_server *server, struct http_conn *conn)
{
    for (;;) {
        struct span in = buf_span(&conn->in);
        if (in.len > 0 && in.ptr[0] != 'P') { /* no POST: somebody speaks TLS */
            http_write(conn->fd, span_of("HTTP/1.1 400 Said\r\n\r\n"));
            return false;
        }
        const char *end = in.len ? memmem(in.ptr, in.len, "\r\n\r\n", 4) : NULL;
        if (!end)
            return true;
        struct span head = span_make(in.ptr, (size_t)(end - in.ptr) + 2);
        uint64_t len = 0;
        CHECK(span_to_u64(http_header(head, "Content-Length: "), 8 << 20, &len));
        CHECK(!http_header(head, "Expect:").ptr && !http_header(head, "Accept-Encoding").ptr);
        if (in.len < head.len + 2 + len)
            return true;
        struct span body = span_slice(in, head.len + 2, len);
        struct span path = span_slice(head, span_find(head, ' ') + 1, head.len);
        path = span_slice(path, 0, span_find(path, ' '));
        CHECK(pthread_mutex_lock(&server->lock) == 0);
        http_copy(server->host, sizeof server->host, http_header(head, "Host: "));
        http_copy(server->body, sizeof server->body, body);
        bool stays = http_serve(server, conn, path, body);
        CHECK(pthread_cond_broadcast(&server->changed) == 0);
        CHECK(pthread_mutex_unlock(&server->lock) == 0);
        size_t used = head.len + 2 + len;
        memmove(conn->in.ptr, conn->in.ptr + used, conn->in.len - used);
        conn->in.len -= used;
        if (!stays)
            return false;
    }
}

static inline bool http_read(struct http_server *server, struct http_conn *conn)
{
    enum { ROOM = 64 << 10 };
    char *to = buf_reserve(&conn->in, ROOM);
    CHECK(to);
    ssize_t n = recv(conn->fd, to, ROOM, 0);
    if (n <= 0)
        return false;
    conn->in.len += (size_t)n;
    return http_requests(server, conn);
}

static inline void http_drop(struct http_server *server, size_t at)
{
    struct http_conn *conn = &server->conns[at];
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    server->held -= conn->held;
    CHECK(pthread_cond_broadcast(&server->changed) == 0);
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    (void)close(conn->fd);
    buf_fini(&conn->in);
    *conn = server->conns[--server->conn_count];
}

static inline void http_accept(struct http_server *server)
{
    int fd = accept(server->listen_fd, NULL, NULL);
    CHECK(fd >= 0 && server->conn_count < HTTP_MAX_CONNS);
    server->conns[server->conn_count++] = (struct http_conn){.fd = fd, .in = BUF_INIT(8 << 20)};
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    server->accepted++;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
}

/* False when the server is to end. */
static inline bool http_woken(struct http_server *server)
{
    char byte;
    CHECK(read(server->wake[0], &byte, 1) == 1);
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    for (size_t i = 0; server->releasing && i < server->conn_count; i++) {
        struct http_conn *conn = &server->conns[i];
        if (conn->held)
            http_answer(server, conn->fd, 200, span_of(server->say), strlen(server->say));
        server->held -= conn->held;
        conn->held = false;
    }
    server->releasing = false;
    bool ending = server->ending;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    return !ending;
}

static inline void *http_main(void *ctx)
{
    struct http_server *server = ctx;
    bool more = true;
    while (more) {
        size_t count = server->conn_count;
        server->polls[0] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
        server->polls[1] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
        for (size_t i = 0; i < count; i++)
            server->polls[i + 2] = (struct pollfd){.fd = server->conns[i].fd, .events = POLLIN};
        CHECK(poll(server->polls, count + 2, -1) > 0);
        for (size_t i = count; i-- > 0;) { /* backwards, as dropping moves the last one here */
            if (server->polls[i + 2].revents && !http_read(server, &server->conns[i]))
                http_drop(server, i);
        }
        if (server->polls[0].revents)
            http_accept(server);
        if (server->polls[1].revents)
            more = http_woken(server);
    }
    while (server->conn_count > 0)
        http_drop(server, server->conn_count - 1);
    return NULL;
}

static inline struct http_server *http_start(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct http_server *server = check_alloc(calloc(1, sizeof *server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->listen_fd >= 0 && pipe(server->wake) == 0);
    CHECK(bind(server->listen_fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server->listen_fd, HTTP_MAX_CONNS) == 0);
    CHECK(getsockname(server->listen_fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
    CHECK(pthread_cond_init(&server->changed, NULL) == 0);
    CHECK(pthread_create(&server->thread, NULL, http_main, server) == 0);
    return server;
}

static inline void http_wake(struct http_server *server)
{
    CHECK(write(server->wake[1], "", 1) == 1);
}

static inline void http_stop(struct http_server *server)
{
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    server->ending = true;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    http_wake(server);
    CHECK(pthread_join(server->thread, NULL) == 0);
    (void)close(server->listen_fd);
    (void)close(server->wake[0]);
    (void)close(server->wake[1]);
    CHECK(pthread_cond_destroy(&server->changed) == 0);
    CHECK(pthread_mutex_destroy(&server->lock) == 0);
    free(server);
}

static inline void http_say(struct http_server *server, const char *body, const char *date)
{
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    http_copy(server->say, sizeof server->say, span_of(body));
    http_copy(server->date, sizeof server->date, span_of(date));
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
}

/* Answers all that is held. */
static inline void http_release(struct http_server *server)
{
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    server->releasing = true;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    http_wake(server);
}

/* Waits until so many requests are held. */
static inline bool http_wait_held(struct http_server *server, unsigned count)
{
    struct timespec deadline = clock_deadline(HTTP_DEADLINE_MS);
    int rc = 0;
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    while (server->held != count && rc == 0)
        rc = pthread_cond_clockwait(&server->changed, &server->lock, CLOCK_MONOTONIC, &deadline);
    bool ok = server->held == count;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    return ok;
}

static inline unsigned http_accepted(struct http_server *server)
{
    CHECK(pthread_mutex_lock(&server->lock) == 0);
    unsigned accepted = server->accepted;
    CHECK(pthread_mutex_unlock(&server->lock) == 0);
    return accepted;
}

/* A port where nobody listens: it was free a moment ago. */
static inline unsigned http_free_port(void)
{
    struct http_server *server = http_start();
    unsigned port = server->port;
    http_stop(server);
    return port;
}

#endif
