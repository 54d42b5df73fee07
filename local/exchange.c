/*
 * exchange - see exchange.h.
 *
 * evhttp stops reading from a connection while a request is under way, and so does not notice its
 * end; each exchange therefore watches its socket itself, edge-triggered, because the client may
 * have sent its next request already, which stays unread until this one is answered.
 */
#include "local/exchange.h"

#include "base/clock.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <poll.h>
#include <utlist.h>

void exchange_end(struct exchange *exchange)
{
    queue_leave(&exchange->waiter);
    DL_DELETE(exchange->set->first, exchange);
    event_free(exchange->event);
    free(exchange);
}

void exchange_drop(struct exchange *exchange)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(exchange->req);
    free(exchange->text);
    exchange_end(exchange);
    evhttp_connection_free(connection);
}

bool exchange_is_gone(const struct exchange *exchange)
{
    struct pollfd fd = {.fd = event_get_fd(exchange->event), .events = POLLRDHUP};
    return poll(&fd, 1, 0) == 1;
}

/* Sets or moves the moment at which the exchange's time is up. */
static bool watch(struct exchange *exchange)
{
    int64_t left_ms = exchange->due_ms - clock_mono_ms();
    if (left_ms < 0)
        left_ms = 0;
    struct timeval left = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    return event_add(exchange->event, &left) == 0;
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    struct exchange *exchange = ctx;
    if (exchange_is_gone(exchange)) {
        exchange->set->gone(exchange);
    } else if (what & EV_TIMEOUT) {
        exchange->set->due(exchange);
    } else { /* more bytes came: the time that is left stays as it was */
        CHECK(watch(exchange));
    }
}

struct exchange *exchange_new(struct exchange_set *set, struct evhttp_request *req,
                              enum exchange_kind kind, const struct call *call, int64_t began_ms,
                              int64_t wait_ms)
{
    struct exchange *exchange = check_alloc(calloc(1, sizeof *exchange));
    exchange->set = set;
    exchange->req = req;
    exchange->kind = kind;
    exchange->call = *call;
    exchange->began_ms = began_ms;
    exchange->due_ms = clock_mono_ms() + wait_ms;
    struct evhttp_connection *connection = evhttp_request_get_connection(req);
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    exchange->event =
        check_alloc(event_new(set->base, fd, EV_READ | EV_ET | EV_PERSIST, on_event, exchange));
    if (!watch(exchange)) {
        /* evhttp still writes "100 Continue", and the two ways of watching do not mix: the end of
         * this connection is noticed when its time comes or a message is to be handed out. */
        CHECK(event_assign(exchange->event, set->base, fd, EV_TIMEOUT, on_event, exchange) == 0);
        CHECK(watch(exchange));
    }
    DL_APPEND(set->first, exchange);
    return exchange;
}
