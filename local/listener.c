/* listener - see listener.h. */
#include "local/listener.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>

enum { BACKLOG = 4096, PAUSE_MS = 100, REPEAT_MS = 10000 };

static void on_pause_over(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    evconnlistener_enable(ctx);
}

/* The listener's own context belongs to whoever takes its connections, so none is used here. */
static void on_accept_failed(struct evconnlistener *listener, void *ctx)
{
    static struct log_repeat repeat;
    uint64_t held_back;
    int problem = errno;
    (void)ctx;
    if (log_repeat_due(&repeat, clock_mono_ms(), REPEAT_MS, &held_back)) {
        log_write(LOG_ERROR, "local.accept", LOG_FIELDS(LOG_NUM("held_back", held_back)),
                  "cannot accept a connection: %s", strerror(problem));
    }
    struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
    evconnlistener_disable(listener);
    CHECK(event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, on_pause_over,
                          listener, &pause) == 0);
}

static struct addrinfo *resolve(const char *listen, struct err *err)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    size_t len = colon ? (size_t)(colon - listen) : 0;
    uint64_t port;
    if (len == 0 || len >= sizeof host || !span_to_u64(span_of(colon + 1), 65535, &port)) {
        (void)err_set(err, "\"%.100s\" is not HOST:PORT, such as 127.0.0.1:8280", listen);
        return NULL;
    }
    bool bracketed = len > 2 && listen[0] == '[' && listen[len - 1] == ']';
    (void)snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len),
                   bracketed ? listen + 1 : listen);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int problem = getaddrinfo(host, colon + 1, &hints, &found);
    if (problem != 0) {
        (void)err_set(err, "cannot resolve \"%s\": %s", host, gai_strerror(problem));
        return NULL;
    }
    return found;
}

static void write_address(evutil_socket_t fd, char out[LISTENER_ADDRESS_SIZE])
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN], port[8];
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    CHECK(getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    bool v6 = address.ss_family == AF_INET6;
    (void)snprintf(out, LISTENER_ADDRESS_SIZE, v6 ? "[%s]:%s" : "%s:%s", host, port);
}

struct evconnlistener *listener_open(struct event_base *base, const char *listen,
                                     char address[LISTENER_ADDRESS_SIZE], struct err *err)
{
    struct addrinfo *found = resolve(listen, err);
    if (!found)
        return NULL;
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
        BACKLOG, found->ai_addr, (int)found->ai_addrlen);
    int problem = errno;
    freeaddrinfo(found);
    if (!listener) {
        (void)err_set(err, "cannot listen on %s: %s", listen, strerror(problem));
        return NULL;
    }
    evutil_socket_t fd = evconnlistener_get_fd(listener);
    int on = 1; /* accepted sockets inherit it */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    evconnlistener_set_error_cb(listener, on_accept_failed);
    write_address(fd, address);
    return listener;
}
