/*
 * admin_impl - what the files of the admin endpoint share; nobody else includes it
 *
 * A handler runs on the listener's thread and owes its request one of the answers below, there or
 * from the worker.
 */
#ifndef GATEWAY_ADMIN_IMPL_H
#define GATEWAY_ADMIN_IMPL_H

#include "admin/guard.h"
#include "admin/http.h"
#include "gateway/admin.h"
#include "gateway/worker.h"

#include <pthread.h>

enum {
    ADMIN_MAX_BODY_BYTES = 1 << 20,
    ADMIN_MAX_ANSWER_BYTES = 64 << 20, /* what no answer of ours should reach */
};

struct admin {
    struct admin_options options;
    struct guard *guard;
    struct worker *worker;
    struct http_listener *listener;
    struct jq_worker *jq; /* the worker's; NULL: no rule has a program */

    pthread_mutex_t mutex; /* guards what follows */
    const struct config *config;
};

/* The configuration that runs, held: the caller frees it. */
const struct config *admin_config(struct admin *admin);

/* A view with that configuration; its config is to be freed. */
struct status_view admin_view(struct admin *admin);

/* What the guard judges a request by. */
struct guard_request admin_who(const struct http_request *request);

/* Answers with JSON; 500 when out has overflowed. Frees out's bytes. */
void admin_answer(struct http_request *request, unsigned status, struct buf *out);

/* Answers {"error": text}. */
void admin_refuse(struct http_request *request, unsigned status, const char *text);

/* Answers with something else than JSON, perhaps with a policy of its own; NULL: the strict one. */
void admin_answer_as(struct http_request *request, unsigned status, const char *content_type,
                     const char *policy, struct span body);

/* Has the worker run fn; answers 503 when it has too much to do. fn gets the request as it is. */
struct admin_call {
    struct admin *admin;
    struct http_request *request;
    char *path; /* of what was asked */
    void (*fn)(struct admin_call *call);
    void *arg; /* fn's; freed afterwards */
};
void admin_later(struct admin *admin, struct http_request *request,
                 void (*fn)(struct admin_call *call), void *arg);

/* The handlers. */
void admin_explain(struct admin *admin, struct http_request *request);
void admin_letters(struct admin *admin, struct http_request *request);
void admin_letter(struct admin *admin, struct http_request *request);
void admin_replay(struct admin *admin, struct http_request *request);
void admin_drop(struct admin *admin, struct http_request *request);
void admin_reload(struct admin *admin, struct http_request *request);
void admin_page(struct admin *admin, struct http_request *request);

#endif
