/* probe - see probe.h. */
#include "mqtt/probe.h"

#include "base/span.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Splits "tcp://host:port"; the port is the scheme's own when it is missing. */
static bool split(const char *uri, char host[256], char port[8])
{
    struct span rest = span_slice(span_of(uri), strlen("tcp://"), SIZE_MAX);
    bool literal = span_starts(rest, "[");
    size_t host_len = span_find(rest, literal ? ']' : ':');
    struct span name = span_slice(rest, literal, host_len - literal);
    struct span after = span_slice(rest, host_len + literal, SIZE_MAX);
    struct span number = after.len ? span_slice(after, 1, SIZE_MAX)
                                   : span_of(span_starts(span_of(uri), "ssl://") ? "8883" : "1883");
    if (name.len >= 256 || number.len >= 8)
        return false;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    memcpy(port, number.ptr, number.len);
    port[number.len] = '\0';
    return true;
}

/* errno of connecting to address, 0 when it works. */
static int try_connect(const struct addrinfo *address, int timeout_ms)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int fault = 0;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
        fault = errno;
    if (fault == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t len = sizeof(fault);
        if (poll(&wait, 1, timeout_ms) != 1)
            fault = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) != 0)
            fault = errno;
    }
    close(fd);
    return fault;
}

bool probe_unreachable(const char *uri, int timeout_ms, struct err *why)
{
    char host[256];
    char port[8];
    if (!split(uri, host, port)) {
        err_set(why, "not a host and port");
        return true;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0) {
        err_set(why, "%s", gai_strerror(rc));
        return true;
    }
    /* The one that Paho takes: the first IPv4 address, or the last one when there is none. */
    const struct addrinfo *address = found;
    while (address->ai_family != AF_INET && address->ai_next)
        address = address->ai_next;
    int fault = try_connect(address, timeout_ms);
    freeaddrinfo(found);
    if (fault == 0)
        return false;
    char text[128];
    err_set(why, "%s", strerror_r(fault, text, sizeof(text)));
    return true;
}
