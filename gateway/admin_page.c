/* admin_page - the page for people. */
#include "gateway/admin_impl.h"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct {
    const char *path, *content_type, *text;
} files[] = {
    {"/", "text/html; charset=utf-8",
     "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>cmqgw</title><h1>cmqgw</h1>"
     "<p>See <a href=\"api/v1/status\">status</a>, <a href=\"api/v1/rules\">rules</a>, "
     "<a href=\"api/v1/dead-letters\">dead letters</a>, <a href=\"metrics\">metrics</a>.\n"},
};

void admin_page(struct admin *admin, struct http_request *request)
{
    (void)admin;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(http_path(request), files[i].path) == 0) {
            admin_answer_as(request, 200, files[i].content_type, policy, span_of(files[i].text));
            return;
        }
    }
    admin_refuse(request, 404, "there is no such file");
}
