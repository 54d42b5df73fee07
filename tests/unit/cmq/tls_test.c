/* Whom the pump trusts: certificates against a real TLS server, "openssl s_server". */
#include "cmq/pump.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

static char folder[] = "/tmp/cmqgw-tls-XXXXXX";
static char cert_path[64], key_path[64];
static pid_t server = -1;
static int server_in = -1; /* held open: at its end the server would stop */
static unsigned port;

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    CHECK(file);
    CHECK(cert ? PEM_write_X509(file, cert)
               : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    CHECK(fclose(file) == 0);
}

/* Its own authority, good for 127.0.0.1 only. */
static void make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    CHECK(key && cert && X509_set_version(cert, X509_VERSION_3));
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
    CHECK(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    CHECK(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    X509_NAME *name = X509_get_subject_name(cert);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0));
    CHECK(X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key));
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    CHECK(alt && X509_add_ext(cert, alt, -1) && X509_sign(cert, key, EVP_sha256()));
    write_pem(cert_path, cert, NULL);
    write_pem(key_path, NULL, key);
    X509_EXTENSION_free(alt);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* Starts the server, which answers each line with the line reversed, and reads its port. */
static bool start_server(void)
{
    int in[2], out[2];
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) == 0);
    char *const args[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                          cert_path, "-key",     key_path,  "-rev",        NULL};
    int rc = posix_spawnp(&server, "openssl", &actions, NULL, args, environ);
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
    (void)close(in[0]);
    (void)close(out[1]);
    server_in = in[1];
    FILE *lines = fdopen(out[0], "r");
    char line[200];
    CHECK(lines);
    while (rc == 0 && port == 0 && fgets(line, sizeof line, lines))
        (void)sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
    (void)fclose(lines);
    return rc == 0 && port != 0;
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(setenv("no_proxy", "*", 1) == 0);
    CHECK(mkdtemp(folder));
    (void)snprintf(cert_path, sizeof cert_path, "%s/cert.pem", folder);
    (void)snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    make_certificate();
    return start_server() ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    if (server > 0) {
        (void)kill(server, SIGKILL);
        CHECK(waitpid(server, NULL, 0) == server);
    }
    (void)close(server_in);
    (void)unlink(cert_path);
    (void)unlink(key_path);
    return rmdir(folder);
}

struct outcome {
    bool connected, stop;
    char error[300];
};

static void on_done(void *ctx, const struct pump_result *result)
{
    struct outcome *outcome = ctx;
    CHECK(result->http_status == 0); /* what the server answers is not HTTP */
    outcome->connected = result->connected;
    (void)snprintf(outcome->error, sizeof outcome->error, "%s", result->error);
    outcome->stop = true;
}

static void only_a_trusted_certificate_of_the_right_name_is_sent_anything(void **state)
{
    (void)state;
    const struct {
        const char *host, *ca;
        bool verify;
        bool sent;
    } rows[] = {
        {"127.0.0.1", cert_path, true, true},  /* its own authority */
        {"127.0.0.1", "", true, false},        /* the system's know it not */
        {"127.0.0.1", NULL, true, false},      /* the same */
        {"localhost", cert_path, true, false}, /* another name */
        {"localhost", cert_path, false, true}, /* if one insists */
        {"127.0.0.1", "", false, true},        /* if one insists */
        {"127.0.0.1", key_path, true, false},  /* no certificate in there */
        {"127.0.0.1", cert_path, true, true},  /* none of this sticks to a handle */
    };
    struct pump *pump = pump_new(NULL);
    assert_non_null(pump);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char url[100];
        (void)snprintf(url, sizeof url, "https://%s:%u/", rows[i].host, port);
        const struct pump_tls tls = {.ca = rows[i].ca, .verify = rows[i].verify};
        const struct pump_request request = {.url = url,
                                             .body = SPAN_LIT("secret\n"),
                                             .timeout_ms = 30000,
                                             .max_reply_bytes = 1000,
                                             .tls = &tls};
        struct outcome outcome = {0};
        (void)pump_transfer(pump, &request, on_done, &outcome);
        pump_run(pump, &outcome.stop);
        bool about_trust = strstr(outcome.error, "certificate") != NULL;
        if (outcome.connected != rows[i].sent || about_trust == rows[i].sent)
            fail_msg("row %zu: %s", i, outcome.error);
    }
    pump_free(pump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_trusted_certificate_of_the_right_name_is_sent_anything),
    };
    return cmocka_run_group_tests_name("cmq/tls", tests, set_up, tear_down);
}
