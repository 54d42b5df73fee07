/*
 * http_client - for tests: HTTP spoken by hand over a socket, well or badly
 *
 * Everything waits for its condition, at most CLIENT_DEADLINE_MS. One thread a client.
 */
#ifndef TESTS_ADMIN_HTTP_CLIENT_H
#define TESTS_ADMIN_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_DEADLINE_MS = 60000 };

struct client {
    int fd;
    bool reset;    /* the stream did not end, it was broken off */
    struct buf in; /* read and not looked at yet */
};

struct client_reply {
    unsigned status; /* 0: the connection ended instead */
    struct buf head; /* with the empty line */
    struct buf body;
};

static inline void client_open(struct client *client, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(client->fd >= 0);
    client->reset = false;
    CHECK(connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0);
    buf_init(&client->in, 64 << 20);
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    buf_fini(&client->in);
}

/* False when the server has closed. */
static inline bool client_send(struct client *client, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(client->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = span_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

/* Sends a request; headers is a run of whole lines. */
static inline bool client_ask(struct client *client, const char *method, const char *target,
                              const char *headers, struct span body)
{
    struct buf out = BUF_INIT(64 << 20);
    CHECK(buf_printf(&out, "%s %s HTTP/1.1\r\nHost: test\r\n%s", method, target, headers));
    if (body.len > 0)
        CHECK(buf_printf(&out, "Content-Length: %zu\r\n", body.len));
    CHECK(buf_add_str(&out, "\r\n") && buf_add(&out, body));
    bool sent = client_send(client, buf_span(&out));
    buf_fini(&out);
    return sent;
}

/* Reads some more; false at the end of the stream, however it came. */
static inline bool client_more(struct client *client)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    CHECK(poll(&poll_fd, 1, CLIENT_DEADLINE_MS) == 1);
    char *at = buf_reserve(&client->in, 64 << 10);
    CHECK(at);
    ssize_t n = recv(client->fd, at, 64 << 10, 0);
    client->reset = n < 0 && errno == ECONNRESET;
    if (n > 0)
        client->in.len += (size_t)n;
    return n > 0;
}

/* Whether the server has closed the connection, and sent nothing more before. */
static inline bool client_closed(struct client *client)
{
    return client->in.len == 0 && !client_more(client);
}

static inline void client_take(struct client *client, size_t n, struct buf *out)
{
    CHECK(buf_add(out, span_slice(buf_span(&client->in), 0, n)));
    memmove(client->in.ptr, client->in.ptr + n, client->in.len - n);
    client->in.len -= n;
}

/* The value of a header of the reply, or "". */
static inline struct span client_header(const struct client_reply *reply, const char *name)
{
    struct buf line = BUF_INIT(256);
    CHECK(buf_printf(&line, "\r\n%s: ", name));
    const char *at = strcasestr(buf_str(&reply->head), buf_str(&line));
    struct span value = span_of(at ? at + line.len : "");
    buf_fini(&line);
    const char *end = memmem(value.ptr, value.len, "\r\n", 2);
    return span_slice(value, 0, end ? (size_t)(end - value.ptr) : 0);
}

static inline struct client_reply client_read(struct client *client)
{
    struct client_reply reply = {.head = BUF_INIT(64 << 10), .body = BUF_INIT(64 << 20)};
    const char *end;
    while (!client->in.len || !(end = memmem(client->in.ptr, client->in.len, "\r\n\r\n", 4))) {
        if (!client_more(client))
            return reply;
    }
    client_take(client, (size_t)(end - client->in.ptr) + 4, &reply.head);
    uint64_t status = 0, len = 0;
    CHECK(span_starts(buf_span(&reply.head), "HTTP/1.1 "));
    CHECK(span_to_u64(span_slice(buf_span(&reply.head), 9, 3), 999, &status));
    if (status != 100)
        CHECK(span_to_u64(client_header(&reply, "Content-Length"), 64 << 20, &len));
    while (client->in.len < len) {
        if (!client_more(client))
            return reply;
    }
    client_take(client, (size_t)len, &reply.body);
    reply.status = (unsigned)status;
    return reply;
}

static inline void client_reply_fini(struct client_reply *reply)
{
    buf_fini(&reply->head);
    buf_fini(&reply->body);
}

/* Reads a reply and forgets all but its status. */
static inline unsigned client_status(struct client *client)
{
    struct client_reply reply = client_read(client);
    unsigned status = reply.status;
    client_reply_fini(&reply);
    return status;
}

#endif
