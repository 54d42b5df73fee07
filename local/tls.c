/* tls - see tls.h. */
#include "local/tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

struct tls {
    SSL_CTX *context;
};

/* Says which file is at fault, and the first of OpenSSL's or the system's reasons. */
static bool blame(const char *what, const char *path, struct err *err)
{
    unsigned long first = ERR_peek_error();
    const char *reason =
        ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first)) : ERR_reason_error_string(first);
    return err_set(err, "%s %s: %s", what, path, reason ? reason : "cannot be used");
}

static bool load(SSL_CTX *context, const char *cert_path, const char *key_path, struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, cert_path) != 1)
        return blame("--tls-cert", cert_path, err);
    if (SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1)
        return blame("--tls-key", key_path, err);
    return SSL_CTX_check_private_key(context) == 1 ||
           err_set(err, "--tls-key %s: not the key of the certificate %s", key_path, cert_path);
}

struct tls *tls_new(const char *cert_path, const char *key_path, struct err *err)
{
    struct tls *tls = check_alloc(calloc(1, sizeof *tls));
    tls->context = check_alloc(SSL_CTX_new(TLS_server_method()));
    CHECK(SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1);
    (void)SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
    if (!load(tls->context, cert_path, key_path, err)) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

struct bufferevent *tls_stream(struct tls *tls, struct event_base *base)
{
    SSL *ssl = check_alloc(SSL_new(tls->context));
    struct bufferevent *stream = check_alloc(bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE));
    bufferevent_openssl_set_allow_dirty_shutdown(stream, 1); /* most clients just close */
    return stream;
}
