/*
 * http - see http.h: the listener's life, requests and their answers
 *
 * libmicrohttpd is driven by one thread (http_loop.c) and called by no other, except to build
 * responses. A request whose handler has not answered is suspended; http_reply stores the answer
 * and wakes the thread, which resumes it. The request outlives its connection only when a stop has
 * answered in the owner's place.
 */
#include "admin/http_impl.h"

#include "admin/listen.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

static struct MHD_Response *response_new(struct span body)
{
    /* It is copied: the parameter is not const for other modes' sake. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    CHECK(response);
    return response;
}

static void response_header(struct MHD_Response *response, const char *name, const char *value)
{
    CHECK(MHD_add_response_header(response, name, value) == MHD_YES);
}

static void request_free(struct http_request *request)
{
    if (request->response)
        MHD_destroy_response(request->response);
    buf_fini(&request->body);
    free(request);
}

static void answer_locked(struct http_request *request, unsigned status,
                          struct MHD_Response *response)
{
    struct http_listener *listener = request->listener;
    request->answered = true;
    request->status = status;
    request->response = response;
    if (!request->waiting)
        return;
    if (!listener->answered)
        http_wake_locked(listener);
    LL_PREPEND2(listener->answered, request, next_answered);
}

void http_wake_locked(struct http_listener *listener)
{
    const uint64_t one = 1;
    CHECK(write(listener->wake_fd, &one, sizeof one) == sizeof one);
}

void http_turn_away_locked(struct http_request *request)
{
    answer_locked(request, MHD_HTTP_SERVICE_UNAVAILABLE, NULL);
}

/* Reading. */

static enum http_fate fate_of(const struct http_request *request, size_t more)
{
    const struct http_listener *listener = request->listener;
    if (request->body.len == 0 && listener->wants_body &&
        !listener->wants_body(listener->ctx, request))
        return HTTP_UNWANTED;
    if (more > listener->max_body_bytes - request->body.len)
        return HTTP_TOO_LARGE;
    if (more > listener->max_bodies_bytes - listener->bodies_bytes)
        return HTTP_NO_ROOM;
    return HTTP_KEEP;
}

/*
 * What is not kept is read all the same: an answer in the midst of a body closes the connection,
 * and the client could lose the answer for the bytes it had still to send.
 */
static void take_body(struct http_request *request, struct span bytes)
{
    if (request->fate != HTTP_KEEP)
        return;
    request->fate = fate_of(request, bytes.len);
    if (request->fate == HTTP_KEEP) {
        CHECK(buf_add(&request->body, bytes));
        request->listener->bodies_bytes += bytes.len;
    } else {
        request->listener->bodies_bytes -= request->body.len;
        buf_fini(&request->body);
    }
}

static enum MHD_Result queue_answer(struct http_request *request)
{
    struct http_listener *listener = request->listener;
    http_expect(listener, request->connection);
    return MHD_queue_response(request->mhd, request->status,
                              request->response ? request->response : listener->unavailable);
}

static enum MHD_Result queue_refusal(struct http_request *request, unsigned status,
                                     const char *text)
{
    request->status = status;
    request->response = response_new(span_of(text));
    return queue_answer(request);
}

static enum MHD_Result hand_over(struct http_request *request)
{
    struct http_listener *listener = request->listener;
    request->handed_over = true;
    http_expect_nothing(listener, request->connection);

    pthread_mutex_lock(&listener->mutex);
    request->owed = true;
    listener->owed++;
    pthread_mutex_unlock(&listener->mutex);
    listener->handler(listener->ctx, request);

    pthread_mutex_lock(&listener->mutex);
    request->waiting = !request->answered;
    pthread_mutex_unlock(&listener->mutex);
    if (!request->waiting)
        return queue_answer(request);
    DL_APPEND(listener->waiting, request);
    MHD_suspend_connection(request->mhd);
    return MHD_YES;
}

static struct http_request *request_new(struct http_listener *listener, struct MHD_Connection *mhd,
                                        const char *url, const char *method)
{
    struct http_request *request = check_alloc(calloc(1, sizeof *request));
    request->listener = listener;
    request->mhd = mhd;
    request->connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    request->method = method;
    request->path = url;
    buf_init(&request->body, listener->max_body_bytes);
    http_expect(listener, request->connection); /* the body */
    return request;
}

enum MHD_Result http_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_len, void **slot)
{
    struct http_listener *listener = cls;
    struct http_request *request = *slot;
    (void)version;
    if (!request) { /* the headers are there */
        *slot = request_new(listener, mhd, url, method);
        return MHD_YES;
    }
    if (*data_len > 0) {
        take_body(request, span_make(data, *data_len));
        *data_len = 0;
        return MHD_YES;
    }
    if (request->handed_over) /* resumed */
        return queue_answer(request);
    request->whole = true;
    listener->under_way++;
    if (request->fate == HTTP_TOO_LARGE)
        return queue_refusal(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
    if (request->fate == HTTP_NO_ROOM || listener->closing)
        return queue_refusal(request, MHD_HTTP_SERVICE_UNAVAILABLE, "try again later\n");
    return hand_over(request);
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                       enum MHD_RequestTerminationCode why)
{
    struct http_listener *listener = cls;
    struct http_request *request = *slot;
    (void)mhd, (void)why;
    if (!request)
        return;
    *slot = NULL;
    http_expect(listener, request->connection); /* its next request */
    listener->bodies_bytes -= request->body.len;
    listener->under_way -= request->whole;

    pthread_mutex_lock(&listener->mutex);
    request->completed = true;
    bool owed = request->owed;
    pthread_mutex_unlock(&listener->mutex);
    if (!owed)
        request_free(request);
}

/* What handlers ask and say. */

const char *http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

struct span http_query(const struct http_request *request, const char *name)
{
    return span_of(MHD_lookup_connection_value(request->mhd, MHD_GET_ARGUMENT_KIND, name));
}

struct span http_header(const struct http_request *request, const char *name)
{
    /* libmicrohttpd leaves out only the blanks in front. */
    struct span value = span_of(MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name));
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    return value;
}

struct span http_body(const struct http_request *request)
{
    return buf_span(&request->body);
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    CHECK(request->header_count < HTTP_MAX_REPLY_HEADERS);
    request->headers[request->header_count].name = name;
    request->headers[request->header_count++].value = value;
}

void http_reply(struct http_request *request, unsigned status, const char *content_type,
                struct span body)
{
    struct http_listener *listener = request->listener;
    struct MHD_Response *response = response_new(body);
    if (content_type)
        response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < request->header_count; i++)
        response_header(response, request->headers[i].name, request->headers[i].value);

    pthread_mutex_lock(&listener->mutex);
    CHECK(request->owed);
    request->owed = false;
    listener->owed--;
    bool late = request->answered; /* by a stop */
    if (!late)
        answer_locked(request, status, response);
    bool completed = request->completed;
    pthread_mutex_unlock(&listener->mutex);
    if (late)
        MHD_destroy_response(response);
    if (completed)
        request_free(request);
}

/* The listener. */

/* A "%00" would end the text: it stays as it is, and nothing is called that. */
static size_t unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static bool start_daemon(struct http_listener *listener, const struct http_options *options,
                         struct err *err)
{
    listener->listen_fd = listen_open(options->listen, &listener->port, err);
    if (listener->listen_fd < 0)
        return false;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_on_access, listener,
        MHD_OPTION_LISTEN_SOCKET, listener->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        options->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        options->max_connections_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MAX_HEADER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, listener,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    if (!listener->daemon) {
        return err_set(err, "cannot serve \"%s\": libmicrohttpd does not start (%s)",
                       options->listen, strerror(errno));
    }
    return true;
}

struct http_listener *http_listener_new(const struct http_options *options, http_handler_fn handler,
                                        void *ctx, struct err *err)
{
    struct http_listener *listener = check_alloc(calloc(1, sizeof *listener));
    listener->handler = handler;
    listener->wants_body = options->wants_body;
    listener->ctx = ctx;
    listener->max_body_bytes = options->max_body_bytes;
    listener->max_bodies_bytes = options->max_bodies_bytes;
    listener->timeout_ms = options->timeout_ms;
    if (!start_daemon(listener, options, err)) {
        free(listener);
        return NULL;
    }
    listener->unavailable = response_new(span_of("try again later\n"));
    listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(listener->wake_fd >= 0);
    CHECK(pthread_mutex_init(&listener->mutex, NULL) == 0);
    CHECK(pthread_create(&listener->thread, NULL, http_loop, listener) == 0);
    (void)pthread_setname_np(listener->thread, options->name);
    return listener;
}

uint16_t http_listener_port(const struct http_listener *listener)
{
    return listener->port;
}

void http_listener_stop(struct http_listener *listener)
{
    if (listener->stopped)
        return;
    listener->stopped = true;
    pthread_mutex_lock(&listener->mutex);
    listener->stopping = true;
    http_wake_locked(listener);
    pthread_mutex_unlock(&listener->mutex);
    CHECK(pthread_join(listener->thread, NULL) == 0);
    MHD_stop_daemon(listener->daemon);
    close(listener->listen_fd);
}

void http_listener_free(struct http_listener *listener)
{
    if (!listener)
        return;
    http_listener_stop(listener);
    pthread_mutex_lock(&listener->mutex);
    CHECK(listener->owed == 0);
    pthread_mutex_unlock(&listener->mutex);
    pthread_mutex_destroy(&listener->mutex);
    MHD_destroy_response(listener->unavailable);
    close(listener->wake_fd);
    free(listener);
}
