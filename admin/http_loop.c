/*
 * http_loop - the thread of an http listener (http.h)
 *
 * It runs libmicrohttpd whenever that has something to do, resumes the requests that were answered,
 * and cuts off the connections whose time is up. libmicrohttpd's own time-out is not used: it
 * begins anew with every byte, so that a client who sends one now and then could stay for ever.
 *
 * Deadlines all lie timeout_ms ahead when they are set, so appending keeps the list in their order.
 */
#include "admin/http_impl.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum { STOP_MS = 1000 };

void http_expect_nothing(struct http_listener *listener, struct http_connection *connection)
{
    if (!connection->listed)
        return;
    DL_DELETE(listener->connections, connection);
    connection->listed = false;
}

void http_expect(struct http_listener *listener, struct http_connection *connection)
{
    http_expect_nothing(listener, connection);
    connection->deadline_ms = clock_mono_ms() + listener->timeout_ms;
    DL_APPEND(listener->connections, connection);
    connection->listed = true;
}

void http_on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
                        enum MHD_ConnectionNotificationCode what)
{
    struct http_listener *listener = cls;
    struct http_connection *connection = *slot;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = check_alloc(calloc(1, sizeof *connection));
        connection->fd =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        http_expect(listener, connection);
        *slot = connection;
    } else {
        http_expect_nothing(listener, connection);
        free(connection);
        *slot = NULL;
        listener->ended = true;
    }
}

/*
 * libmicrohttpd sees the end of the stream and closes the connection, and what the system still
 * held for a client that did not take it is dropped.
 */
static void cut_off_late(struct http_listener *listener)
{
    static const struct linger drop = {.l_onoff = 1, .l_linger = 0};
    int64_t now = clock_mono_ms();
    struct http_connection *first;
    while ((first = listener->connections) && first->deadline_ms <= now) {
        http_expect_nothing(listener, first);
        (void)setsockopt(first->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof drop);
        (void)shutdown(first->fd, SHUT_RDWR);
    }
}

static void begin_closing(struct http_listener *listener)
{
    listener->closing = true;
    (void)MHD_quiesce_daemon(listener->daemon);
    pthread_mutex_lock(&listener->mutex);
    struct http_request *request;
    DL_FOREACH(listener->waiting, request)
    {
        if (!request->answered)
            http_turn_away_locked(request);
    }
    pthread_mutex_unlock(&listener->mutex);
}

/* Has libmicrohttpd ask again for the requests that were answered. */
static void resume_answered(struct http_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    struct http_request *list = listener->answered, *request;
    listener->answered = NULL;
    LL_FOREACH2(list, request, next_answered) request->waiting = false;
    pthread_mutex_unlock(&listener->mutex);
    LL_FOREACH2(list, request, next_answered)
    {
        CHECK(listener->waiting);
        DL_DELETE(listener->waiting, request);
        MHD_resume_connection(request->mhd);
    }
}

static bool stopping(struct http_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    bool is = listener->stopping;
    pthread_mutex_unlock(&listener->mutex);
    return is;
}

/* Waits until there is something to do, at the latest until `until` (0: whenever). */
static void wait_for_work(struct http_listener *listener, int64_t until)
{
    int64_t now = clock_mono_ms(), wait = until ? until - now : INT_MAX;
    MHD_UNSIGNED_LONG_LONG asked;
    if (listener->ended) /* its place is given to the next only when libmicrohttpd runs again */
        wait = 0;
    listener->ended = false;
    if (listener->connections && listener->connections->deadline_ms - now < wait)
        wait = listener->connections->deadline_ms - now;
    if (MHD_get_timeout(listener->daemon, &asked) == MHD_YES && asked < INT_MAX &&
        (int64_t)asked < wait)
        wait = (int64_t)asked;
    struct pollfd polls[] = {
        {.fd = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = listener->wake_fd, .events = POLLIN},
    };
    (void)poll(polls, 2, wait > 0 ? (int)wait : 0);
    uint64_t wakes;
    if (polls[1].revents)
        CHECK(read(listener->wake_fd, &wakes, sizeof wakes) == sizeof wakes);
}

void *http_loop(void *arg)
{
    struct http_listener *listener = arg;
    int64_t until = 0;
    do {
        wait_for_work(listener, until);
        if (!listener->closing && stopping(listener)) {
            begin_closing(listener);
            until = clock_mono_ms() + STOP_MS;
        }
        resume_answered(listener);
        (void)MHD_run(listener->daemon);
        cut_off_late(listener);
    } while (!listener->closing || (listener->under_way > 0 && clock_mono_ms() < until));
    return NULL;
}
