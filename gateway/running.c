/* running - see running.h. */
#include "gateway/running.h"

#include "admin/fetch.h"
#include "config/secret.h"

enum { RUNNING_TIMEOUT_MS = 5000, RUNNING_FAULTS_BYTES = 1 << 20 };

int running_failed(const struct running *running, const char *text)
{
    return running->quiet ? COMMAND_NO : command_failed(running->line, "%s", text);
}

static struct config *load(const struct running *running)
{
    struct faults faults = {0};
    struct config *config = config_load_anyhow(running->line->config, &faults);
    if (!config && !running->quiet) {
        struct buf shown = BUF_INIT(RUNNING_FAULTS_BYTES);
        faults_print(&faults, false, &shown);
        fputs(buf_str(&shown), stderr);
        buf_fini(&shown);
    }
    faults_fini(&faults);
    return config;
}

bool running_init(struct running *running, const struct command_line *line, bool quiet)
{
    *running = (struct running){.line = line, .token = BUF_INIT(SECRET_MAX_BYTES), .quiet = quiet};
    struct config *config = running->config = load(running);
    struct err err;
    if (!config)
        return false;
    if (!config->admin.listen || config->admin.listen[0] == '\0') {
        (void)running_failed(running, "admin.listen is empty: such a gateway cannot be asked");
        return false;
    }
    if (config->admin.token && config->admin.token[0] != '\0' &&
        !secret_resolve(span_of(config->admin.token), &running->token, &err)) {
        (void)running_failed(running, err.text);
        return false;
    }
    return true;
}

void running_fini(struct running *running)
{
    if (running->token.ptr)
        explicit_bzero(running->token.ptr, running->token.room);
    buf_fini(&running->token);
    config_free(running->config);
}

bool running_ask(const struct running *running, const struct running_question *question,
                 unsigned *status, struct buf *out)
{
    struct err err;
    bool refused;
    struct buf why = BUF_INIT(1024);
    const char *listen = running->config->admin.listen;
    const struct fetch what = {.listen = listen,
                               .token = buf_span(&running->token),
                               .method = question->method,
                               .path = question->path,
                               .timeout_ms = question->timeout_ms ? question->timeout_ms
                                                                  : RUNNING_TIMEOUT_MS};
    buf_clear(out);
    if (!fetch(&what, status, out, &refused, &err)) {
        buf_printf(&why,
                   refused
                       ? "nobody listens on %s (admin.listen of %s): no gateway runs, or it was "
                         "started with another address"
                       : "%s",
                   refused ? listen : err.text, running->line->config);
    } else if (*status == 401) {
        buf_printf(&why, "the gateway on %s wants another token than admin.token of %s", listen,
                   running->line->config);
    } else if (*status != 200 && *status != question->other) {
        buf_printf(&why, "the gateway on %s answered %u: %.300s", listen, *status, buf_str(out));
    }
    bool ok = why.len == 0 && !why.overflow;
    if (!ok)
        (void)running_failed(running, buf_str(&why));
    buf_fini(&why);
    return ok;
}
