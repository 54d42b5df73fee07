/*
 * endpoint - the address of a service, taken apart into what is signed and what is asked for
 *
 * The two must agree to the byte (CMQ.md 2.2), so both come from here. Any thread.
 */
#ifndef CMQ_ENDPOINT_H
#define CMQ_ENDPOINT_H

#include "base/err.h"

struct cmq_endpoint {
    char *url;  /* scheme, host, path */
    char *host; /* as the Host header has it: with a port only when it is not the scheme's own */
    char *path;
    bool https;
};

/*
 * Takes text apart: http:// or https://, a host, perhaps a port and a path; no user, query or
 * fragment. Without a path it gets default_path. False and err, which names the setting, when text
 * is anything else. Free with fini either way.
 */
MUST_CHECK bool cmq_endpoint_parse(struct cmq_endpoint *endpoint, const char *setting,
                                   const char *text, const char *default_path, struct err *err);
void cmq_endpoint_fini(struct cmq_endpoint *endpoint);

#endif
