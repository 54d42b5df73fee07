/*
 * tls - HTTPS for cmqlocal: TLS 1.2 and later, on libevent's OpenSSL streams. One thread.
 */
#ifndef LOCAL_TLS_H
#define LOCAL_TLS_H

#include "base/err.h"

struct bufferevent;
struct event_base;
struct tls;

/*
 * Reads a certificate, its chain behind it, and its key, both PEM. NULL and err, which names the
 * file, when one cannot be read, is of another form, or they do not belong together.
 */
struct tls *tls_new(const char *cert_path, const char *key_path, struct err *err);
void tls_free(struct tls *tls); /* NULL is fine */

/* A stream for one connection, whose socket is given to it later. The stream owns both. */
struct bufferevent *tls_stream(struct tls *tls, struct event_base *base);

#endif
