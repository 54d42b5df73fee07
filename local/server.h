/*
 * server - cmqlocal's HTTP server, on libevent's evhttp, in one thread
 *
 * Polls that wait cost a connection and a few hundred bytes; a client that goes away is noticed at
 * once, so no message is handed to it.
 */
#ifndef LOCAL_SERVER_H
#define LOCAL_SERVER_H

#include "base/err.h"
#include "local/store.h"
#include "local/tls.h"
#include "local/vault.h"
#include "local/verify.h"

struct server_options {
    const char *listen; /* "127.0.0.1:8280", "[::1]:0"; copied */
    struct tls *tls;    /* borrowed; NULL: plain HTTP */
    struct verify_options verify;
    struct store *store;     /* borrowed */
    struct vault *vault;     /* borrowed; NULL: nothing is saved */
    uint32_t rate;           /* see actions.h */
    int no_action;           /* see actions.h */
    int64_t push_timeout_ms; /* of one try, above 0 */
    int64_t api_tolerance_s; /* of the management plane's timestamps */
    int64_t reuse_bar_ms;    /* so long a deleted name cannot be had again */
    uint32_t api_rate;       /* management calls of one action a second; 0: no limit */
};

struct server;

/* Listens. NULL and err when that cannot be. */
struct server *server_open(const struct server_options *options, struct err *err);

/* "127.0.0.1:34567": where it listens, with the port that the system chose if it was 0. */
const char *server_address(const struct server *server);

/*
 * Serves until SIGTERM or SIGINT. With a vault no answer leaves before what it says is committed;
 * when a commit fails it says so in the log and returns false.
 */
MUST_CHECK bool server_run(struct server *server);

/* Closes all connections. NULL is fine. */
void server_close(struct server *server);

#endif
