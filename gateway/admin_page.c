/*
 * admin_page - the page for people: gateway/page/, with the state as text in it
 *
 * The page asks the API by script. What stands in the page itself is for when no script runs: what
 * `cmqgw status` prints, or, to who has not shown the token, what /readyz says.
 */
#include "gateway/admin_impl.h"

#include "base/check.h"
#include "gateway/page_files.h"
#include "gateway/status_page.h"

#include <stdio.h>

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void add_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            buf_add_str(out, "&lt;");
            break;
        case '>':
            buf_add_str(out, "&gt;");
            break;
        case '&':
            buf_add_str(out, "&amp;");
            break;
        default:
            buf_add_char(out, text.ptr[i]);
        }
    }
}

/* What `cmqgw status` prints. */
static void add_status(struct admin *admin, struct buf *out)
{
    struct buf status = BUF_INIT(ADMIN_MAX_ANSWER_BYTES), rules = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    struct status_view view = admin_view(admin);
    char *text = NULL;
    size_t len = 0;
    status_json(&view, &status);
    status_rules_json(&view, &rules);
    config_free(view.config);
    FILE *file = check_alloc(open_memstream(&text, &len));
    bool ok = status_page_print(file, buf_span(&status), buf_span(&rules), false);
    fclose(file);
    if (ok)
        add_escaped(out, span_make(text, len));
    free(text);
    buf_fini(&status);
    buf_fini(&rules);
}

static void add_ready(struct admin *admin, struct buf *out)
{
    struct health_shot shot;
    health_read(admin->options.view.health, &shot);
    buf_add_str(out, shot.reason_count == 0 ? "cmqgw  ready\n" : "cmqgw  NOT READY\n");
    for (size_t i = 0; i < shot.reason_count; i++)
        buf_printf(out, "       %s\n", shot.reasons[i].code);
    buf_add_str(out, "\nThe rest is for who has the token: cmqgw status\n");
    health_shot_fini(&shot);
}

static void answer_index(struct admin *admin, struct http_request *request)
{
    struct guard_request who = admin_who(request);
    struct buf out = BUF_INIT(ADMIN_MAX_ANSWER_BYTES);
    buf_add(&out, page_head);
    buf_add_str(&out, "<pre tabindex=\"0\" aria-label=\"The state\">\n");
    if (guard_knows(admin->guard, &who))
        add_status(admin, &out);
    else
        add_ready(admin, &out);
    buf_add_str(&out, "</pre>");
    buf_add(&out, page_tail);
    admin_answer_as(request, 200, "text/html; charset=utf-8", policy, buf_span(&out));
    buf_fini(&out);
}

void admin_page(struct admin *admin, struct http_request *request)
{
    const char *path = http_path(request);
    if (strcmp(path, "/") == 0) {
        answer_index(admin, request);
        return;
    }
    for (const struct page_file *file = page_files; file->path[0] != '\0'; file++) {
        if (strcmp(path, file->path) == 0) {
            admin_answer_as(request, 200, file->content_type, policy, file->text);
            return;
        }
    }
    admin_refuse(request, 404, "there is no such file");
}
