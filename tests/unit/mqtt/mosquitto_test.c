/* A link with the broker that most people run, over TCP and over TLS. */
#include "broker.h"
#include "owner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

static struct {
    char dir[64];
    pid_t pid;
    unsigned port;
    unsigned tls_port;
    char uri[64];
    char tls_uri[64];
} mosquitto;

static const char program[] = "/usr/sbin/mosquitto";

static pid_t start(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(rc, 0);
    return pid;
}

static void run(const char *const *argv)
{
    int status;
    pid_t pid = start(argv);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static const char *in_dir(const char *name)
{
    static char paths[8][96];
    static unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", mosquitto.dir, name);
    return path;
}

static unsigned free_port(void)
{
    struct broker b;
    broker_open(&b, true);
    unsigned port;
    assert_int_equal(sscanf(b.uri, "tcp://127.0.0.1:%u", &port), 1);
    broker_close(&b);
    return port;
}

static int tcp_to(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A throw-away authority and a certificate of it for 127.0.0.1 and for nothing else. */
static void make_certificates(void)
{
    const char *curve = "ec_paramgen_curve:P-256";
    const char *ca[] = {"openssl", "req",
                        "-x509",   "-newkey",
                        "ec",      "-pkeyopt",
                        curve,     "-nodes",
                        "-keyout", in_dir("ca.key"),
                        "-out",    in_dir("ca.pem"),
                        "-subj",   "/CN=an authority",
                        "-days",   "2",
                        NULL};
    run(ca);
    ca[9] = in_dir("other.key");
    ca[11] = in_dir("other.pem");
    run(ca);
    const char *server[] = {"openssl", "req",
                            "-x509",   "-newkey",
                            "ec",      "-pkeyopt",
                            curve,     "-nodes",
                            "-keyout", in_dir("server.key"),
                            "-out",    in_dir("server.pem"),
                            "-subj",   "/CN=broker",
                            "-addext", "subjectAltName=IP:127.0.0.1",
                            "-CA",     in_dir("ca.pem"),
                            "-CAkey",  in_dir("ca.key"),
                            "-days",   "2",
                            NULL};
    run(server);
    const char *lock_key[] = {"openssl",
                              "ec",
                              "-aes256",
                              "-passout",
                              "pass:open",
                              "-in",
                              in_dir("server.key"),
                              "-out",
                              in_dir("locked.key"),
                              NULL};
    run(lock_key);
}

static int start_mosquitto(void **state)
{
    (void)state;
    (void)snprintf(mosquitto.dir, sizeof(mosquitto.dir), "/tmp/mqtt_test_XXXXXX");
    assert_non_null(mkdtemp(mosquitto.dir));
    assert_int_equal(chmod(mosquitto.dir, 0755), 0);
    make_certificates();
    assert_int_equal(chmod(in_dir("server.key"), 0644), 0);
    mosquitto.port = free_port();
    do
        mosquitto.tls_port = free_port();
    while (mosquitto.tls_port == mosquitto.port);
    const char *acl = in_dir("acl");
    FILE *rules = fopen(acl, "w");
    assert_non_null(rules);
    (void)fprintf(rules, "topic readwrite #\ntopic deny secret/#\n");
    assert_int_equal(fclose(rules), 0);
    assert_int_equal(chmod(acl, 0644), 0);
    const char *config = in_dir("mosquitto.conf");
    FILE *out = fopen(config, "w");
    assert_non_null(out);
    (void)fprintf(out,
                  "acl_file %s\n"
                  /* 0 would be no limit, but 2.0.11 then ends the connection when it denies. */
                  "listener %u 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"
                  "listener %u 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n"
                  "require_certificate true\n",
                  acl, mosquitto.port, mosquitto.tls_port, in_dir("ca.pem"), in_dir("server.pem"),
                  in_dir("server.key"));
    assert_int_equal(fclose(out), 0);
    const char *argv[] = {program, "-c", config, NULL};
    mosquitto.pid = start(argv);
    int fd;
    while ((fd = tcp_to(mosquitto.tls_port)) < 0) { /* the second of the two listeners */
        assert_int_equal(waitpid(mosquitto.pid, NULL, WNOHANG), 0);
        (void)poll(NULL, 0, 10);
    }
    close(fd);
    (void)snprintf(mosquitto.uri, sizeof(mosquitto.uri), "tcp://127.0.0.1:%u", mosquitto.port);
    (void)snprintf(mosquitto.tls_uri, sizeof(mosquitto.tls_uri), "ssl://127.0.0.1:%u",
                   mosquitto.tls_port);
    return 0;
}

static int stop_mosquitto(void **state)
{
    (void)state;
    assert_int_equal(kill(mosquitto.pid, SIGKILL), 0);
    assert_int_equal(waitpid(mosquitto.pid, NULL, 0), mosquitto.pid);
    static const char *const files[] = {"ca.key",     "ca.pem",         "other.key",
                                        "other.pem",  "server.key",     "server.pem",
                                        "locked.key", "mosquitto.conf", "acl"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(unlink(in_dir(files[i])), 0);
    assert_int_equal(rmdir(mosquitto.dir), 0);
    return 0;
}

/* Publishes [from, to) on "numbers", or retained on "ready", and waits for the answers. */
static void publish_numbers(unsigned from, unsigned to, int qos, bool retain)
{
    struct broker b = {.connection = tcp_to(mosquitto.port), .listener = -1};
    assert_true(b.connection >= 0);
    struct bytes hello = {.len = 0};
    put_text(&hello, "MQTT");
    put8(&hello, 4);
    put8(&hello, 2);
    put16(&hello, 60);
    put_text(&hello, "publisher");
    broker_send(&b, CONNECT, 0, &hello);
    broker_read(&b, CONNACK);
    unsigned answered = from;
    for (unsigned n = from; n < to; n++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%u", n);
        struct bytes body = {.len = 0};
        put_text(&body, retain ? "ready" : "numbers");
        put16(&body, 1 + n % 60000);
        put(&body, text, strlen(text));
        broker_send(&b, PUBLISH, qos << 1 | retain, &body);
        while (n + 1 - answered >= 10 || (n + 1 == to && answered < to)) {
            struct packet p = broker_read_any(&b);
            if (p.type == PUBREC)
                broker_pubrel(&b, get16(p.body));
            else
                answered++;
        }
    }
    broker_drop(&b);
}

static struct {
    unsigned next; /* the number that must come */
    unsigned wrong;
} numbers;

static void check_number(const struct mqtt_message *message)
{
    uint64_t number = UINT64_MAX;
    (void)span_to_u64(message->payload, UINT32_MAX, &number);
    if (number != numbers.next++)
        numbers.wrong++;
}

/* Releases messages as they come, in whatever groups that gives, up to the count-th. */
static void release_up_to(struct owner *o, size_t count)
{
    for (size_t released = 0; released < count;) {
        owner_wait_messages(o, released + 1);
        pthread_mutex_lock(&o->lock);
        size_t upto = o->message_count < count ? o->message_count : count;
        uint64_t ticket = o->tickets[(upto - 1) % OWNER_TICKETS];
        pthread_mutex_unlock(&o->lock);
        mqtt_link_release(o->link, ticket);
        released = upto;
    }
}

static void use_tls(struct owner *o)
{
    o->servers[0] = mosquitto.tls_uri;
    o->options.tls.ca = in_dir("ca.pem");
    o->options.tls.cert = in_dir("server.pem");
    o->options.tls.key = in_dir("server.key");
}

/*
 * A link that takes numbers from `next` on. With next 0 that is the one retained on "ready", which
 * comes when the subscription to "numbers" is there: it was asked for first.
 */
static struct owner *start_numbers(const char *client_id, int qos, bool v5, bool tls, unsigned next)
{
    const struct mqtt_subscription subs[] = {
        {.filter = "numbers", .qos = qos, .id = 1, .retained_copies = true},
        {.filter = "ready", .qos = qos, .id = 2, .retained_copies = true},
    };
    struct owner *o = owner_new(mosquitto.uri, v5);
    if (tls)
        use_tls(o);
    o->options.client_id = client_id;
    o->look = check_number;
    numbers.next = next;
    numbers.wrong = 0;
    owner_start(o);
    mqtt_link_subscribe(o->link, subs, next == 0 ? 2 : 1, NULL, 0);
    owner_heard(o, 0, MQTT_LINK_CONNECTED);
    return o;
}

static void numbers_come_once_each_in_order_and_the_unreleased_come_again(void **state)
{
    (void)state;
    static const struct {
        const char *client_id;
        int qos;
        bool v5;
        bool tls;
        unsigned count;
    } rows[] = {
        {"open-5-1", 1, true, false, 20000}, {"open-3-1", 1, false, false, 2000},
        {"open-5-2", 2, true, false, 2000},  {"open-3-2", 2, false, false, 2000},
        {"tls-5-1", 1, true, true, 2000},    {"tls-3-2", 2, false, true, 2000},
    };
    publish_numbers(0, 1, 2, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned count = rows[i].count;
        struct owner *o = start_numbers(rows[i].client_id, rows[i].qos, rows[i].v5, rows[i].tls, 0);
        owner_wait_messages(o, 1);
        publish_numbers(1, count, rows[i].qos, false);
        release_up_to(o, count * 3 / 4);
        mqtt_link_stop(o->link, 20000); /* the broker has read the acknowledgements */
        owner_free(o);
        assert_int_equal(numbers.wrong, 0);

        o = start_numbers(rows[i].client_id, rows[i].qos, rows[i].v5, rows[i].tls, count * 3 / 4);
        release_up_to(o, count - count * 3 / 4);
        mqtt_link_stop(o->link, 20000);
        assert_int_equal(numbers.wrong, 0);
        assert_int_equal(numbers.next, count);
        owner_free(o);
    }
}

static struct {
    atomic_uint count[3]; /* by result */
    atomic_uint not_authorized;
} published;

static void on_published(void *ctx, enum mqtt_publish_result result, const char *why)
{
    (void)ctx;
    if (why && strstr(why, "not authorized"))
        atomic_fetch_add(&published.not_authorized, 1);
    atomic_fetch_add(&published.count[result], 1);
}

static void what_is_published_comes_once_each_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *client_id;
        int qos;
        bool v5;
        bool tls;
        unsigned count;
    } rows[] = {
        {"pub-5-1", 1, true, false, 20000}, {"pub-3-1", 1, false, false, 2000},
        {"pub-5-2", 2, true, false, 2000},  {"pub-3-2", 2, false, false, 2000},
        {"pub-5-0", 0, true, false, 2000},  {"pub-tls", 1, true, true, 2000},
    };
    publish_numbers(0, 1, 2, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&published, 0, sizeof(published));
        struct owner *o = start_numbers(rows[i].client_id, rows[i].qos, rows[i].v5, rows[i].tls, 0);
        owner_wait_messages(o, 1); /* the subscriptions are there */
        for (unsigned n = 1; n < rows[i].count;) {
            char text[16];
            (void)snprintf(text, sizeof(text), "%u", n);
            const struct mqtt_message message = {
                .topic = SPAN_LIT("numbers"), .payload = span_of(text), .qos = rows[i].qos};
            if (mqtt_link_publish(o->link, &message, on_published, NULL))
                n++;
            else
                (void)poll(NULL, 0, 1);
        }
        release_up_to(o, rows[i].count);
        while (atomic_load(&published.count[MQTT_PUBLISHED]) < rows[i].count - 1)
            (void)poll(NULL, 0, 1); /* the test's own deadline ends it otherwise */
        owner_free(o);
        assert_int_equal(numbers.wrong, 0);
        assert_int_equal(numbers.next, rows[i].count);
        assert_int_equal(published.count[MQTT_PUBLISHED], rows[i].count - 1);
        assert_int_equal(published.count[MQTT_PUBLISH_REFUSED], 0);
        assert_int_equal(published.count[MQTT_PUBLISH_LOST], 0);
    }
}

static void what_the_broker_forbids_is_refused(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    for (int qos = 1; qos <= 2; qos++) {
        memset(&published, 0, sizeof(published));
        struct owner *o = owner_new(mosquitto.uri, true);
        owner_start(o);
        owner_heard(o, 0, MQTT_LINK_CONNECTED);
        for (unsigned n = 0; n < COUNT;) {
            const struct mqtt_message message = {
                .topic = {n % 2 ? "secret/x" : "open/x", 6 + n % 2 * 2},
                .payload = SPAN_LIT("x"),
                .qos = qos};
            if (mqtt_link_publish(o->link, &message, on_published, NULL))
                n++;
            else
                (void)poll(NULL, 0, 1);
        }
        while (atomic_load(&published.count[MQTT_PUBLISHED]) +
                   atomic_load(&published.count[MQTT_PUBLISH_REFUSED]) <
               COUNT)
            (void)poll(NULL, 0, 1);
        owner_free(o);
        assert_int_equal(published.count[MQTT_PUBLISHED], COUNT / 2);
        assert_int_equal(published.count[MQTT_PUBLISH_REFUSED], COUNT / 2);
        assert_int_equal(published.not_authorized, COUNT / 2);
    }
}

static bool wrong_password(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx;
    (void)err;
    return buf_add_str(out, "not open");
}

static bool right_password(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx;
    (void)err;
    return buf_add_str(out, "open");
}

static void a_tls_fault_is_named(void **state)
{
    (void)state;
    char localhost[64];
    (void)snprintf(localhost, sizeof(localhost), "ssl://localhost:%u", mosquitto.tls_port);
    const struct {
        const char *uri;
        const char *ca;
        const char *cert;
        const char *key;
        mqtt_secret_fn key_password;
        const char *says; /* NULL: it connects */
        bool careless;
    } rows[] = {
        {mosquitto.tls_uri, "other.pem", "server.pem", "server.key", NULL,
         "certificate verify failed", false},
        {mosquitto.tls_uri, "other.pem", "server.pem", "server.key", NULL, NULL, true},
        {localhost, "ca.pem", "server.pem", "server.key", NULL, "has the name in mqtt.servers",
         false},
        {mosquitto.tls_uri, "missing.pem", "server.pem", "server.key", NULL,
         "cannot read mqtt.tls.ca", false},
        {mosquitto.tls_uri, "ca.pem", "missing.pem", "server.key", NULL,
         "cannot read mqtt.tls.cert", false},
        {mosquitto.tls_uri, "ca.pem", "server.pem", "locked.key", wrong_password, "mqtt.tls",
         false},
        {mosquitto.tls_uri, "ca.pem", "server.pem", "locked.key", right_password, NULL, false},
        {mosquitto.tls_uri, "ca.pem", NULL, NULL, NULL, "mqtt.tls.cert", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct owner *o = owner_new(rows[i].uri, true);
        o->options.tls.ca = in_dir(rows[i].ca);
        o->options.tls.cert = rows[i].cert ? in_dir(rows[i].cert) : NULL;
        o->options.tls.key = rows[i].key ? in_dir(rows[i].key) : NULL;
        o->options.tls.key_password = rows[i].key_password;
        o->options.tls.verify = !rows[i].careless;
        owner_start(o);
        owner_wait(o, &o->state_count, 1);
        if (!rows[i].says)
            owner_heard(o, 0, MQTT_LINK_CONNECTED);
        else if (!strstr(owner_heard(o, 0, MQTT_LINK_CONNECTING), rows[i].says))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, o->why[0], rows[i].says);
        owner_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_once_each_in_order_and_the_unreleased_come_again),
        cmocka_unit_test(what_is_published_comes_once_each_in_order),
        cmocka_unit_test(what_the_broker_forbids_is_refused),
        cmocka_unit_test(a_tls_fault_is_named),
    };
    return cmocka_run_group_tests(tests, start_mosquitto, stop_mosquitto);
}
