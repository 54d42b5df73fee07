/* listen - see listen.h */
#include "admin/listen.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HOST_BYTES = 64 };

/* Cuts "HOST:PORT" and "[HOST]:PORT"; the port stays in text. NULL when text is neither. */
static const char *cut(const char *text, char host[MAX_HOST_BYTES])
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return NULL;
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= MAX_HOST_BYTES || (!brackets && memchr(text, ':', len)))
        return NULL;
    memcpy(host, text, len);
    host[len] = '\0';
    return colon + 1;
}

static bool port_of(int fd, uint16_t *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0)
        return false;
    *port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return true;
}

int listen_open(const char *text, uint16_t *port, struct err *err)
{
    char host[MAX_HOST_BYTES];
    const char *service = cut(text, host);
    uint64_t number; /* getaddrinfo takes a port that is too large */
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV |
                    (service && strcmp(host, "localhost") != 0 ? AI_NUMERICHOST : 0),
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    if (!service || !span_to_u64(span_of(service), UINT16_MAX, &number) ||
        getaddrinfo(host, service, &hints, &found) != 0) {
        err_set(err, "cannot listen on \"%s\": it is not ADDRESS:PORT", text);
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        !port_of(fd, port)) {
        err_set(err, "cannot listen on \"%s\": %s", text, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}
