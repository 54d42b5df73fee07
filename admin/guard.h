/*
 * guard - who may ask an operators' listener, and from where
 *
 * Without a token whoever reaches the listener may ask, so it has to stand on a loopback address;
 * with one, requests show it as "Authorization: Bearer TOKEN". In either case a web page must not
 * drive the listener through the browser of somebody who reaches it: Host has to be ours (DNS
 * rebinding; with a token any will do), and what a browser says of where a request comes from has
 * to be the same place (CSRF).
 *
 * Any thread.
 */
#ifndef ADMIN_GUARD_H
#define ADMIN_GUARD_H

#include "base/span.h"

/* A request's headers of these names; ptr NULL where there is none. */
struct guard_request {
    struct span host;
    struct span origin;
    struct span fetch_site; /* Sec-Fetch-Site */
    struct span authorization;
};

enum guard_answer {
    GUARD_PASS,
    GUARD_TOKEN,  /* none, or a wrong one: 401 */
    GUARD_HOST,   /* 403 */
    GUARD_ORIGIN, /* 403 */
};

struct guard;

/* listen as of listen_open; token empty: none is wanted. Copies both. */
struct guard *guard_new(const char *listen, struct span token);
void guard_free(struct guard *guard); /* NULL is fine */

/* Another token from now on; whether there is one at all stays as it is. */
void guard_change_token(struct guard *guard, struct span token);

/*
 * Judges where a request comes from and, unless `open`, its token. The token is compared in a time
 * that says nothing about where it differs.
 */
enum guard_answer guard_judge(struct guard *guard, const struct guard_request *request, bool open);

/* Whether the request shows the token, or none is wanted. */
bool guard_knows(struct guard *guard, const struct guard_request *request);

#endif
