/* cmqgw status: what a running gateway's admin endpoint says of it. */
#include "base/clock.h"
#include "gateway/running.h"
#include "gateway/status_page.h"
#include "mapping/jsonview.h"

#include <unistd.h>

enum { STATUS_MAX_BYTES = 64 << 20, STATUS_WATCH_S = 2 };

struct asking {
    struct command_line *line;
    struct running running;
    bool quiet, watch;
};

/* False, and said, when there is no answer, or another one than 200 or `other`. */
static bool ask(const struct asking *a, const char *path, unsigned other, unsigned *status,
                struct buf *out)
{
    const struct running_question question = {.method = "GET", .path = path, .other = other};
    return running_ask(&a->running, &question, status, out);
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
    const struct config *config = a->running.config;
    struct buf id = BUF_INIT(256), why = BUF_INIT(1024);
    buf_printf(&id, "\"%s\"", config->gateway.id ? config->gateway.id : "");
    bool ours = !config->gateway.id || holds(status, "/gateway/id", buf_str(&id));
    if (!ours) {
        buf_printf(&why, "what answers on %s is not the gateway %s: give each its own admin.listen",
                   config->admin.listen, buf_str(&id));
        (void)running_failed(&a->running, buf_str(&why));
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
        (void)running_failed(&a->running, "the answer is not a gateway's status");
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

int cmd_status(struct command_line *line)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"watch", no_argument, NULL, 'w'}, {"quiet", no_argument, NULL, 'q'}, {0}};
    struct asking a = {.line = line};
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
    if (running_init(&a.running, line, a.quiet))
        result = a.watch ? look_again_and_again(&a) : look(&a);
    running_fini(&a.running);
    return result;
}
