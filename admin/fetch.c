/* fetch - see fetch.h. The connection is closed after the answer, so that its end is its length. */
#include "admin/fetch.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_HOST_BYTES = 64, MAX_HEAD_BYTES = 16 << 10, MAX_REQUEST_BYTES = 4 << 20 };

struct conversation {
    const struct fetch *what;
    int fd;
    int64_t end_ms;
    struct err *err;
};

/* Waits until the socket can be read or written; false and err when the time is up. */
static bool wait_for(const struct conversation *c, short events)
{
    for (;;) {
        int64_t left_ms = c->end_ms - clock_mono_ms();
        struct pollfd pollfd = {.fd = c->fd, .events = events};
        int n = left_ms > 0 ? poll(&pollfd, 1, (int)left_ms) : 0;
        if (n > 0)
            return true;
        if (n == 0)
            return err_set(c->err, "%s gave no answer in %lld ms", c->what->listen,
                           (long long)c->what->timeout_ms);
        if (errno != EINTR)
            return err_set(c->err, "cannot wait for %s: %s", c->what->listen, strerror(errno));
    }
}

static bool broken(const struct conversation *c)
{
    return err_set(c->err, "the connection to %s broke: %s", c->what->listen, strerror(errno));
}

/* ---- connecting ---- */

static bool cut(const char *listen, char host[MAX_HOST_BYTES], const char **port)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon ? (size_t)(colon - listen) : 0;
    bool brackets = len >= 2 && listen[0] == '[' && listen[len - 1] == ']';
    if (brackets) {
        listen++;
        len -= 2;
    }
    if (len == 0 || len >= MAX_HOST_BYTES)
        return false;
    memcpy(host, listen, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

static bool open_socket(struct conversation *c, const struct addrinfo *address, bool *refused)
{
    c->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_set(c->err, "no socket can be had: %s", strerror(errno));
    int failed = connect(c->fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (failed == EINPROGRESS) {
        socklen_t len = sizeof failed;
        if (!wait_for(c, POLLOUT))
            return false;
        (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
    }
    if (refused)
        *refused = failed == ECONNREFUSED;
    return !failed ||
           err_set(c->err, "cannot connect to %s: %s", c->what->listen, strerror(failed));
}

static bool connect_to(struct conversation *c, bool *refused)
{
    char host[MAX_HOST_BYTES];
    const char *port;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    bool ok = cut(c->what->listen, host, &port);
    const char *ask = !ok                            ? NULL
                      : strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1"
                      : strcmp(host, "::") == 0      ? "::1"
                                                     : host;
    if (!ok || getaddrinfo(ask, port, &hints, &found) != 0)
        return err_set(c->err, "\"%s\" is not ADDRESS:PORT", c->what->listen);
    ok = open_socket(c, found, refused);
    freeaddrinfo(found);
    return ok;
}

/* ---- asking ---- */

static bool send_all(const struct conversation *c, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n > 0)
            bytes = span_slice(bytes, (size_t)n, bytes.len);
        else if (errno == EAGAIN ? !wait_for(c, POLLOUT) : errno != EINTR && !broken(c))
            return false;
    }
    return true;
}

static bool ask(const struct conversation *c)
{
    const struct fetch *what = c->what;
    struct buf text = BUF_INIT(MAX_REQUEST_BYTES);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", what->method,
               what->path);
    if (what->token.len > 0) {
        buf_add_str(&text, "Authorization: Bearer ");
        buf_add(&text, what->token);
        buf_add_str(&text, "\r\n");
    }
    if (what->body.len > 0)
        buf_add_str(&text, "Content-Type: application/json\r\n");
    buf_printf(&text, "Content-Length: %zu\r\n\r\n", what->body.len);
    buf_add(&text, what->body);
    bool ok =
        text.overflow ? err_set(c->err, "the question is too large") : send_all(c, buf_span(&text));
    buf_fini(&text);
    return ok;
}

/* ---- the answer ---- */

/* "HTTP/1.1 200 OK": the number; 0: it is none. */
static unsigned status_of(struct span head)
{
    uint64_t status = 0;
    if (span_starts(head, "HTTP/1."))
        (void)span_to_u64(span_slice(head, strlen("HTTP/1.1 "), 3), 599, &status);
    return (unsigned)status;
}

/* What the answer says its body's length is; false: it does not. */
static bool length_of(struct span head, uint64_t *length)
{
    static const char name[] = "\r\ncontent-length:";
    for (size_t i = 0; i + strlen(name) < head.len; i++) {
        if (strncasecmp(head.ptr + i, name, strlen(name)) != 0)
            continue;
        struct span value = span_slice(head, i + strlen(name), head.len);
        while (span_starts(value, " "))
            value = span_slice(value, 1, value.len);
        return span_to_u64(span_slice(value, 0, span_find(value, '\r')), UINT32_MAX, length);
    }
    return false;
}

static bool read_all(const struct conversation *c, struct buf *answer)
{
    char part[16384];
    for (;;) {
        ssize_t n = recv(c->fd, part, sizeof part, 0);
        if (n == 0)
            return true;
        if (n > 0 && !buf_add(answer, span_make(part, (size_t)n)))
            return err_set(c->err, "the answer of %s is too large", c->what->listen);
        if (n < 0 && (errno == EAGAIN ? !wait_for(c, POLLIN) : errno != EINTR && !broken(c)))
            return false;
    }
}

static bool read_answer(const struct conversation *c, unsigned *status, struct buf *out)
{
    struct buf answer = BUF_INIT(out->max_len + MAX_HEAD_BYTES);
    bool ok = read_all(c, &answer);
    const char *end = ok && answer.len > 0 ? memmem(answer.ptr, answer.len, "\r\n\r\n", 4) : NULL;
    if (ok && end) {
        size_t head = (size_t)(end - answer.ptr);
        struct span body = span_slice(buf_span(&answer), head + 4, answer.len);
        uint64_t length;
        *status = status_of(buf_span(&answer));
        ok = *status > 0 && length_of(span_slice(buf_span(&answer), 0, head + 2), &length) &&
             body.len == length;
        ok = ok && buf_add(out, body);
    }
    if (!end || !ok)
        ok = c->err->text[0] ? false
                             : err_set(c->err, "what answers on %s is no gateway, or it broke off",
                                       c->what->listen);
    buf_fini(&answer);
    return ok;
}

bool fetch(const struct fetch *what, unsigned *status, struct buf *out, bool *refused,
           struct err *err)
{
    struct conversation c = {
        .what = what, .fd = -1, .end_ms = clock_mono_ms() + what->timeout_ms, .err = err};
    err->text[0] = '\0';
    if (refused)
        *refused = false;
    bool ok = connect_to(&c, refused) && ask(&c) && read_answer(&c, status, out);
    if (c.fd >= 0)
        close(c.fd);
    return ok;
}
