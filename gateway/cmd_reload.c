/* cmqgw reload: asks the running gateway to read its configuration again. */
#include "gateway/running.h"
#include "mapping/jsonview.h"

enum {
    RELOAD_ANSWER_BYTES = 16 << 20,
    RELOAD_TIMEOUT_MS = 60000,
    RELOAD_NOT_GOOD = 422, /* the files are not: see docs/admin.md */
};

/* The text at the pointer, or the number; false when there is none. */
static bool take(struct span json, const char *pointer, struct buf *out)
{
    struct jsonview root, view;
    buf_clear(out);
    if (!jsonview_parse(json, JSONVIEW_MAX_DEPTH, &root) ||
        !jsonview_at(root, span_of(pointer), &view))
        return false;
    struct buf store = BUF_INIT(RELOAD_ANSWER_BYTES);
    struct span text = view.text;
    bool ok = view.kind != JSONVIEW_STRING || jsonview_text(view, &store, &text);
    ok = ok && buf_add(out, text);
    buf_fini(&store);
    return ok;
}

/* "FILE:LINE: error: TEXT", as check prints it. False when there is no fault of this number. */
static bool print_fault(struct span json, size_t number)
{
    static const char *const members[] = {"file", "line", "level", "text"};
    struct buf parts[4];
    bool ok = true;
    for (size_t i = 0; i < 4; i++) {
        struct buf pointer = BUF_INIT(64);
        buf_init(&parts[i], RELOAD_ANSWER_BYTES);
        buf_printf(&pointer, "/faults/%zu/%s", number, members[i]);
        ok = ok && take(json, buf_str(&pointer), &parts[i]);
        buf_fini(&pointer);
    }
    if (ok)
        fprintf(stderr, "%s:%s: %s: %s\n", buf_str(&parts[0]), buf_str(&parts[1]),
                buf_str(&parts[2]), buf_str(&parts[3]));
    for (size_t i = 0; i < 4; i++)
        buf_fini(&parts[i]);
    return ok;
}

/* The summary, what changed a line each; the faults as check prints them, on stderr. */
static bool show(struct span json, bool changes)
{
    struct buf summary = BUF_INIT(RELOAD_ANSWER_BYTES);
    bool ok = take(json, "/summary", &summary);
    for (size_t i = 0; ok && print_fault(json, i); i++)
        ;
    for (const char *part = buf_str(&summary), *end; ok && part; part = end ? end + 2 : NULL) {
        end = changes ? strstr(part, "; ") : NULL;
        printf("%.*s\n", end ? (int)(end - part) : (int)strlen(part), part);
    }
    buf_fini(&summary);
    return ok;
}

int cmd_reload(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS, {0}};
    const struct running_question question = {.method = "POST",
                                              .path = "/api/v1/reload",
                                              .other = RELOAD_NOT_GOOD,
                                              .timeout_ms = RELOAD_TIMEOUT_MS};
    struct running running;
    struct buf answer = BUF_INIT(RELOAD_ANSWER_BYTES);
    unsigned status = 0;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;
    bool ok =
        running_init(&running, line, false) && running_ask(&running, &question, &status, &answer);
    if (ok && line->json)
        fwrite(answer.ptr, 1, answer.len, stdout);
    else if (ok && !show(buf_span(&answer), status == 200))
        ok = running_failed(&running, "the answer is not a gateway's") == COMMAND_OK;
    running_fini(&running);
    buf_fini(&answer);
    return command_flush(line) && ok && status == 200 ? COMMAND_OK : COMMAND_NO;
}
