/* main - cmqlocal: from its command line to its server (RULES 8). */
#include "base/clock.h"
#include "config/config.h"
#include "config/secret.h"
#include "local/options.h"
#include "local/server.h"
#include "local/topology.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* For whoever gives no account: known to all, so of use on one machine only. */
#define DEFAULT_SECRET_ID "AKIDcmqlocal00000000000000000000000000"
#define DEFAULT_SECRET_KEY "cmqlocal-key-of-no-value"

static bool load_file(const char *path, struct config **config)
{
    struct faults faults = {0};
    struct buf text = BUF_INIT(1 << 20);
    *config = config_load_resources(path, &faults);
    faults_print(&faults, false, &text);
    (void)fputs(buf_str(&text), stderr);
    buf_fini(&text);
    faults_fini(&faults);
    return *config != NULL;
}

static bool given(const char *text)
{
    return text && *text;
}

/* The account: from the command line, else from the file, else the one of no value. */
static bool find_account(const struct options *options, const struct config *config, struct buf *id,
                         struct buf *key, bool *is_default)
{
    const char *id_text = options->secret_id, *key_text = options->secret_key;
    if (!id_text && !key_text && config) {
        id_text = config->cmq.secret_id;
        key_text = config->cmq.secret_key;
    }
    *is_default = !given(id_text) && !given(key_text);
    if (*is_default) {
        id_text = DEFAULT_SECRET_ID;
        key_text = DEFAULT_SECRET_KEY;
    }
    if (!given(id_text) || !given(key_text)) {
        (void)fputs("cmqlocal: an account has a secret id and a secret key: only one is given\n",
                    stderr);
        return false;
    }
    struct err err;
    if (!secret_resolve(span_of(id_text), id, &err) ||
        !secret_resolve(span_of(key_text), key, &err)) {
        (void)fprintf(stderr, "cmqlocal: %s\n", err.text);
        return false;
    }
    if (!span_starts(buf_span(id), "AKID")) {
        (void)fputs("cmqlocal: a secret id begins with AKID\n", stderr);
        return false;
    }
    return true;
}

/* As many connections as the system lets this process have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int serve(const struct options *options, struct store *store, struct vault *vault,
                 struct span id, struct span key, bool is_default)
{
    struct err err;
    struct tls *tls = NULL;
    if (options->tls_cert && !(tls = tls_new(options->tls_cert, options->tls_key, &err))) {
        (void)fprintf(stderr, "cmqlocal: %s\n", err.text);
        return EXIT_CONFIG;
    }
    const struct server_options server_options = {
        .listen = options->listen,
        .tls = tls,
        .verify = {.secret_id = id,
                   .secret_key = key,
                   .tolerance_s = options->tolerance_ms / 1000,
                   .at_fallback = options->at_fallback},
        .store = store,
        .vault = vault,
        .rate = (uint32_t)options->rate,
        .no_action = options->no_action,
        .push_timeout_ms = options->push_timeout_ms,
        .api_tolerance_s = options->api_tolerance_ms / 1000,
        .reuse_bar_ms = options->reuse_bar_ms,
        .api_rate = (uint32_t)options->api_rate,
    };
    struct server *server = server_open(&server_options, &err);
    if (!server) {
        (void)fprintf(stderr, "cmqlocal: %s\n", err.text);
        tls_free(tls);
        return EXIT_CANNOT_RUN;
    }
    printf("cmqlocal: listening on %s://%s (queues %zu, topics %zu, %s%s)\n",
           tls ? "https" : "http", server_address(server), store_queue_count(store),
           store_topic_count(store), options->data ? "data in " : "in memory",
           options->data ? options->data : "");
    if (is_default) {
        puts("cmqlocal: no account given: SecretId " DEFAULT_SECRET_ID
             ", SecretKey " DEFAULT_SECRET_KEY);
    }
    (void)fflush(stdout);
    bool ok = server_run(server);
    server_close(server);
    tls_free(tls);
    return ok ? 0 : EXIT_CANNOT_RUN;
}

int main(int argc, char **argv)
{
    struct options options;
    struct config *config = NULL;
    struct buf id = BUF_INIT(SECRET_MAX_BYTES), key = BUF_INIT(SECRET_MAX_BYTES);
    struct store *store = NULL;
    struct vault *vault = NULL;
    struct err err;
    bool is_default;
    int status = 0;
    if (!options_read(argc, argv, &options, &status))
        return status;
    (void)signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    status = EXIT_CONFIG;
    if ((options.file && !load_file(options.file, &config)) ||
        !find_account(&options, config, &id, &key, &is_default))
        goto out;
    store = store_new(&options.limits, clock_unix_ms());
    store_pushes(store)->speedup = options.push_speedup;
    store_pushes(store)->backoff_ms = options.push_backoff_ms;
    store_depot(store)->bury_on_receive = options.bury_on_receive;
    if (options.data && !(vault = vault_open(options.data, store, &err))) {
        (void)fprintf(stderr, "cmqlocal: %s\n", err.text);
        status = EXIT_CANNOT_RUN;
        goto out;
    }
    store_set_time(store, clock_unix_ms());
    if (config && !topology_load(store, &config->resources, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        goto out;
    }
    status = serve(&options, store, vault, buf_span(&id), buf_span(&key), is_default);
out:
    vault_close(vault);
    store_free(store);
    config_free(config);
    buf_fini(&id);
    buf_fini(&key);
    return status;
}
