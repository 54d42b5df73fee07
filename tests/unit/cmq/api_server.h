/*
 * api_server - for tests: a management plane of one connection at a time that answers by a script
 *
 * Each request takes the next line of the script: a JSON text, sent with status 200; "NNN", that
 * status without a body; "close", no answer. The last line stays. What was asked is kept. One
 * thread, which ends when the server is stopped.
 */
#ifndef TESTS_CMQ_API_SERVER_H
#define TESTS_CMQ_API_SERVER_H

#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { API_MAX_ASKED = 64, API_MAX_SCRIPT = 32 };

struct api_asked {
    char *head, *body;
    int64_t at_ms; /* clock_mono_ms */
};

struct api_server {
    int listen_fd, wake[2];
    unsigned port;
    pthread_t thread;
    const char *script[API_MAX_SCRIPT + 1]; /* ends with NULL */
    const char *date;                       /* a Date header, or NULL */
    size_t at;
    struct api_asked asked[API_MAX_ASKED];
    size_t count;
};

static inline bool api_server_wait(struct api_server *server, int fd)
{
    struct pollfd polls[] = {{.fd = fd, .events = POLLIN},
                             {.fd = server->wake[0], .events = POLLIN}};
    CHECK(poll(polls, 2, -1) > 0);
    return !polls[1].revents;
}

/* The value of a header of a request; NULL: it has none. The caller frees it. */
static inline char *api_header(const struct api_asked *asked, const char *name)
{
    char key[100];
    CHECK(snprintf(key, sizeof key, "\r\n%s: ", name) < (int)sizeof key);
    const char *at = strstr(asked->head, key);
    if (!at)
        return NULL;
    at += strlen(key);
    return span_dup(span_make(at, strcspn(at, "\r")));
}

/* Reads one request into in; false at the end of the connection. */
static inline bool api_server_read(struct api_server *server, int fd, struct buf *in)
{
    for (;;) {
        const char *end = in->len ? strstr(in->ptr, "\r\n\r\n") : NULL;
        if (end) {
            struct api_asked asked = {.at_ms = clock_mono_ms()};
            size_t head = (size_t)(end - in->ptr) + 4;
            asked.head = span_dup(span_make(in->ptr, head));
            char *length = api_header(&asked, "Content-Length");
            uint64_t len = 0;
            CHECK(length && span_to_u64(span_of(length), 1 << 20, &len));
            free(length);
            if (in->len >= head + len) {
                asked.body = span_dup(span_make(in->ptr + head, len));
                CHECK(in->len == head + len && server->count < API_MAX_ASKED);
                server->asked[server->count++] = asked;
                buf_clear(in);
                return true;
            }
            free(asked.head);
        }
        char *to = buf_reserve(in, 64 << 10);
        CHECK(to);
        ssize_t n = api_server_wait(server, fd) ? recv(fd, to, 64 << 10, 0) : 0;
        if (n <= 0)
            return false;
        in->len += (size_t)n;
        in->ptr[in->len] = '\0';
    }
}

static inline bool api_server_answer(struct api_server *server, int fd)
{
    const char *say = server->script[server->at];
    if (server->script[server->at + 1])
        server->at++;
    if (strcmp(say, "close") == 0)
        return false;
    bool json = say[0] < '0' || say[0] > '9';
    struct buf out = BUF_INIT(1 << 20);
    CHECK(buf_printf(&out, "HTTP/1.1 %s Said\r\nContent-Length: %zu\r\n", json ? "200" : say,
                     json ? strlen(say) : 0));
    if (server->date)
        CHECK(buf_printf(&out, "Date: %s\r\n", server->date));
    CHECK(buf_printf(&out, "\r\n%s", json ? say : ""));
    CHECK(send(fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len);
    buf_fini(&out);
    return true;
}

static inline void *api_server_main(void *ctx)
{
    struct api_server *server = ctx;
    while (api_server_wait(server, server->listen_fd)) {
        struct buf in = BUF_INIT(2 << 20);
        int fd = accept(server->listen_fd, NULL, NULL);
        CHECK(fd >= 0);
        while (api_server_read(server, fd, &in) && api_server_answer(server, fd))
            ;
        buf_fini(&in);
        (void)close(fd);
    }
    return NULL;
}

/* The script is NULL-ended; its texts must outlive the server. */
static inline struct api_server *api_server_start(const char *const *script)
{
    struct api_server *server = check_alloc(calloc(1, sizeof *server));
    for (size_t i = 0; script[i]; i++) {
        CHECK(i < API_MAX_SCRIPT);
        server->script[i] = script[i];
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->listen_fd >= 0 && pipe(server->wake) == 0);
    CHECK(bind(server->listen_fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server->listen_fd, 16) == 0);
    CHECK(getsockname(server->listen_fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_create(&server->thread, NULL, api_server_main, server) == 0);
    return server;
}

/* Ends the thread; what was asked can be read afterwards. */
static inline void api_server_stop(struct api_server *server)
{
    CHECK(write(server->wake[1], "", 1) == 1);
    CHECK(pthread_join(server->thread, NULL) == 0);
    (void)close(server->listen_fd);
    (void)close(server->wake[0]);
    (void)close(server->wake[1]);
}

static inline void api_server_free(struct api_server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        free(server->asked[i].head);
        free(server->asked[i].body);
    }
    free(server);
}

#endif
