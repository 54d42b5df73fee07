/* endpoint - see endpoint.h. */
#include "cmq/endpoint.h"

#include "base/buf.h"

#include <curl/curl.h>

enum { MAX_URL_BYTES = 4096 };

static char *part(CURLU *url, CURLUPart which)
{
    char *text = NULL;
    return curl_url_get(url, which, &text, 0) == CURLUE_OK ? text : NULL;
}

bool cmq_endpoint_parse(struct cmq_endpoint *endpoint, const char *setting, const char *text,
                        const char *default_path, struct err *err)
{
    *endpoint = (struct cmq_endpoint){0};
    CURLU *url = check_alloc(curl_url());
    bool ok = text && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    char *scheme = part(url, CURLUPART_SCHEME), *host = part(url, CURLUPART_HOST);
    char *port = part(url, CURLUPART_PORT), *path = part(url, CURLUPART_PATH);
    char *user = part(url, CURLUPART_USER), *password = part(url, CURLUPART_PASSWORD);
    char *query = part(url, CURLUPART_QUERY), *fragment = part(url, CURLUPART_FRAGMENT);
    endpoint->https = ok && strcmp(scheme, "https") == 0;
    ok = ok && (endpoint->https || strcmp(scheme, "http") == 0) && host && !user && !password &&
         !query && !fragment;
    if (ok) {
        struct buf made = BUF_INIT(MAX_URL_BYTES);
        /* A default port is not part of the Host header, whether it was written or not. */
        bool own_port = port && strcmp(port, endpoint->https ? "443" : "80") != 0;
        bool own_path = path && strcmp(path, "/") != 0;
        ok = buf_printf(&made, "%s%s%s", host, own_port ? ":" : "", own_port ? port : "");
        endpoint->host = buf_take(&made);
        endpoint->path = span_dup(span_of(own_path ? path : default_path));
        ok = ok && buf_printf(&made, "%s://%s%s", scheme, endpoint->host, endpoint->path);
        endpoint->url = buf_take(&made);
    }
    char *const parts[] = {scheme, host, port, path, user, password, query, fragment};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        curl_free(parts[i]);
    curl_url_cleanup(url);
    return ok ||
           err_set(err, "%s must be http:// or https://, a host, and if need be a port and a path",
                   setting);
}

void cmq_endpoint_fini(struct cmq_endpoint *endpoint)
{
    free(endpoint->url);
    free(endpoint->host);
    free(endpoint->path);
    *endpoint = (struct cmq_endpoint){0};
}
