/* cmqgw status: what a running gateway's admin endpoint says of it. */
#include "admin/fetch.h"
#include "base/clock.h"
#include "config/secret.h"
#include "gateway/command.h"
#include "gateway/status_page.h"
#include "mapping/jsonview.h"

#include <unistd.h>

enum {
    STATUS_MAX_BYTES = 64 << 20,
    STATUS_TIMEOUT_MS = 5000,
    STATUS_WATCH_S = 2,
    CONFIG_MAX_BYTES = 16 << 20,
};

/* What the command line and the configuration say. */
struct asking {
    struct command_line *line;
    struct config *config;
    struct buf token;
    bool quiet, watch;
};

static int complain(const struct asking *a, const char *text)
{
    return a->quiet ? COMMAND_NO : command_failed(a->line, "%s", text);
}

/* ---- asking ---- */

/* False, and said, when there is no answer, or another one than 200 or `other`. */
static bool ask(const struct asking *a, const char *path, unsigned other, unsigned *status,
                struct buf *out)
{
    struct err err;
    bool refused;
    struct buf why = BUF_INIT(1024);
    const struct fetch what = {.listen = a->config->admin.listen,
                               .token = buf_span(&a->token),
                               .method = "GET",
                               .path = path,
                               .timeout_ms = STATUS_TIMEOUT_MS};
    buf_clear(out);
    if (!fetch(&what, status, out, &refused, &err)) {
        buf_printf(&why,
                   refused
                       ? "nobody listens on %s (admin.listen of %s): no gateway runs, or it was "
                         "started with another address"
                       : "%s",
                   refused ? a->config->admin.listen : err.text, a->line->config);
    } else if (*status == 401) {
        buf_printf(&why, "the gateway on %s wants another token than admin.token of %s",
                   a->config->admin.listen, a->line->config);
    } else if (*status != 200 && *status != other) {
        buf_printf(&why, "the gateway on %s answered %u: %.300s", a->config->admin.listen, *status,
                   buf_str(out));
    }
    bool ok = why.len == 0 && !why.overflow;
    if (!ok)
        (void)complain(a, buf_str(&why));
    buf_fini(&why);
    return ok;
}

static bool holds(struct span json, const char *pointer, const char *value)
{
    struct jsonview root, view;
    return jsonview_parse(json, JSONVIEW_MAX_DEPTH, &root) &&
           jsonview_at(root, span_of(pointer), &view) && span_eq_str(view.text, value);
}

/* Two gateways may have been given one address; only one of them got it. */
static bool is_ours(const struct asking *a, struct span status)
{
    struct buf id = BUF_INIT(256), why = BUF_INIT(1024);
    buf_printf(&id, "\"%s\"", a->config->gateway.id);
    bool ours = holds(status, "/gateway/id", buf_str(&id));
    if (!ours) {
        buf_printf(&why, "what answers on %s is not the gateway %s: give each its own admin.listen",
                   a->config->admin.listen, buf_str(&id));
        (void)complain(a, buf_str(&why));
    }
    buf_fini(&id);
    buf_fini(&why);
    return ours;
}

/* ---- showing ---- */

static void show(const struct asking *a, struct span status, struct span rules)
{
    if (a->line->json) {
        struct jsonview root, list = {.text = span_of("[]")};
        if (jsonview_parse(rules, JSONVIEW_MAX_DEPTH, &root))
            (void)jsonview_member(root, span_of("rules"), &list);
        printf("{\"status\":");
        fwrite(status.ptr, 1, status.len - (status.ptr[status.len - 1] == '\n'), stdout);
        printf(",\"rules\":");
        fwrite(list.text.ptr, 1, list.text.len, stdout);
        puts("}");
        return;
    }
    bool fancy = isatty(STDOUT_FILENO);
    if (a->watch && fancy)
        fputs("\033[H\033[2J", stdout);
    if (!status_page_print(stdout, status, rules, fancy))
        (void)complain(a, "the answer is not a gateway's status");
}

/* Once. Returns the exit code. */
static int look(const struct asking *a)
{
    struct buf status = BUF_INIT(STATUS_MAX_BYTES), rules = BUF_INIT(STATUS_MAX_BYTES);
    unsigned code;
    int result = COMMAND_NO;
    if (a->quiet) {
        if (ask(a, "/readyz", 503, &code, &status) && code == 200)
            result = COMMAND_OK;
    } else if (ask(a, "/api/v1/status", 0, &code, &status) && is_ours(a, buf_span(&status)) &&
               ask(a, "/api/v1/rules", 0, &code, &rules)) {
        show(a, buf_span(&status), buf_span(&rules));
        if (holds(buf_span(&status), "/ready", "true"))
            result = COMMAND_OK;
    }
    buf_fini(&status);
    buf_fini(&rules);
    return command_flush(a->line) ? result : COMMAND_NO;
}

static int look_again_and_again(const struct asking *a)
{
    for (;;) {
        (void)look(a);
        if (ferror(stdout))
            return COMMAND_NO;
        sleep(STATUS_WATCH_S);
        if (!isatty(STDOUT_FILENO) && !a->line->json)
            putchar('\n');
    }
}

/* ---- the command ---- */

/*
 * The main file alone: a rule file that is being edited does not keep anybody from looking at what
 * runs.
 */
static struct config *load_config(const struct asking *a)
{
    struct faults faults = {0};
    struct buf text = BUF_INIT(CONFIG_MAX_BYTES);
    struct config *config = NULL;
    if (command_read(a->line, a->line->config, &text)) {
        config = config_load_text(a->line->config, buf_span(&text), &faults);
        if (!config && !a->quiet) {
            struct buf shown = BUF_INIT(CONFIG_MAX_BYTES);
            faults_print(&faults, false, &shown);
            fputs(buf_str(&shown), stderr);
            buf_fini(&shown);
        }
        faults_fini(&faults);
    }
    buf_fini(&text);
    return config;
}

static bool prepare(struct asking *a)
{
    struct err err;
    a->config = load_config(a);
    if (!a->config)
        return false;
    if (a->config->admin.listen[0] == '\0') {
        (void)complain(a, "admin.listen is empty: such a gateway cannot be asked");
        return false;
    }
    if (a->config->admin.token[0] != '\0' &&
        !secret_resolve(span_of(a->config->admin.token), &a->token, &err)) {
        (void)complain(a, err.text);
        return false;
    }
    return true;
}

int cmd_status(struct command_line *line)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"watch", no_argument, NULL, 'w'}, {"quiet", no_argument, NULL, 'q'}, {0}};
    struct asking a = {.line = line, .token = BUF_INIT(SECRET_MAX_BYTES)};
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        a.watch = a.watch || c == 'w';
        a.quiet = a.quiet || c == 'q';
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;
    if (a.quiet && (a.watch || line->json))
        return command_usage(line, "--quiet goes without --watch and --json");
    int result = COMMAND_NO;
    if (prepare(&a))
        result = a.watch ? look_again_and_again(&a) : look(&a);
    buf_fini(&a.token);
    config_free(a.config);
    return result;
}
