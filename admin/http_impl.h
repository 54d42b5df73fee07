/* http_impl - what http.c (requests and answers) and http_loop.c (the thread) share */
#ifndef ADMIN_HTTP_IMPL_H
#define ADMIN_HTTP_IMPL_H

#include "admin/http.h"
#include "base/buf.h"

#include <microhttpd.h>
#include <pthread.h>

enum http_fate { HTTP_KEEP, HTTP_UNWANTED, HTTP_TOO_LARGE, HTTP_NO_ROOM };

/* A client. The loop's; in the list, in order of deadlines, while it has to do something. */
struct http_connection {
    struct http_connection *prev, *next;
    int fd;
    bool listed;
    int64_t deadline_ms;
};

struct http_request {
    struct http_listener *listener;
    struct MHD_Connection *mhd;
    struct http_connection *connection;
    const char *method, *path; /* libmicrohttpd's, as long as the request */
    enum http_fate fate;       /* of the body */
    struct buf body;
    struct {
        const char *name, *value;
    } headers[HTTP_MAX_REPLY_HEADERS];
    size_t header_count;
    bool whole;                       /* it was read to its end */
    bool handed_over;                 /* the handler was called */
    struct http_request *prev, *next; /* in the loop's list of those that wait for an answer */

    /* guarded by the listener's mutex */
    bool owed;      /* http_reply is still to come */
    bool waiting;   /* suspended until there is an answer */
    bool answered;  /* with status and response, or with 503 when that is NULL */
    bool completed; /* libmicrohttpd has forgotten it */
    unsigned status;
    struct MHD_Response *response;
    struct http_request *next_answered;
};

struct http_listener {
    struct MHD_Daemon *daemon;
    http_handler_fn handler;
    http_wants_body_fn wants_body;
    void *ctx;
    size_t max_body_bytes, max_bodies_bytes;
    int64_t timeout_ms;
    uint16_t port;
    int listen_fd; /* libmicrohttpd's until it is quiesced */
    int wake_fd;
    pthread_t thread;
    bool stopped;
    struct MHD_Response *unavailable; /* for every 503 of our own */

    /* the loop's */
    struct http_connection *connections;
    struct http_request *waiting;
    size_t bodies_bytes;
    size_t under_way; /* requests that are whole, and not completed */
    bool ended;       /* a connection has, since libmicrohttpd last ran */
    bool closing;

    pthread_mutex_t mutex; /* guards what follows and what struct http_request says */
    bool stopping;
    size_t owed;
    struct http_request *answered; /* of those waiting; for the loop to wake */
};

/* libmicrohttpd's callbacks; all run on the loop's thread. */
enum MHD_Result http_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_len, void **slot);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                       enum MHD_RequestTerminationCode why);
void http_on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
                        enum MHD_ConnectionNotificationCode what);

/* Gives a connection timeout_ms from now for its next step. */
void http_expect(struct http_listener *listener, struct http_connection *connection);

/* Gives it all the time it wants: it waits for us. */
void http_expect_nothing(struct http_listener *listener, struct http_connection *connection);

/* Wakes the thread. With the mutex held. */
void http_wake_locked(struct http_listener *listener);

/* Answers 503 in the owner's place. With the mutex held. */
void http_turn_away_locked(struct http_request *request);

/* The thread; its argument is the listener. */
void *http_loop(void *arg);

#endif
