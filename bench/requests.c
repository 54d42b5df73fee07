/*
 * bench_requests - a load of CMQ requests: senders, consumers and long polls at the same time
 *
 * --senders connections send --rate messages a second in all to the queue "work" (0: as many as are
 * answered); --consumers take them out again as soon as there are sixteen; --pollers wait for
 * messages at the queues "idle-0" to "idle-9", which stay empty, and ask again when their wait is
 * over. All requests are signed. The time of a send counts from when it was due, so that a server
 * that stalls cannot hide it. One thread; prints a line of JSON each second, and at the end one of
 * the whole.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 16, IDLE_QUEUES = 10, ROOM = 64 << 10, MAX_SIZE = 16 << 10, SLOTS = 100000 };
enum { EVENTS = 512, MIN_ROOM = 1024, WARM_UP_S = 2 };
enum kind { SENDER, CONSUMER, POLLER };

static struct {
    const char *id, *key;
    uint64_t port, senders, consumers, pollers, rate, size, seconds, wait;
} opt = {.id = "AKIDbench",
         .key = "bench-key",
         .senders = 32,
         .consumers = 8,
         .rate = 0,
         .size = 256,
         .seconds = 10,
         .wait = 30};

/* A connection has one request under way at most. */
struct client {
    enum kind kind;
    int fd;
    bool busy;
    double due; /* when its request should have left */
    size_t queue;
    char *in; /* the answer so far */
    size_t in_len, in_room;
    struct client *next_free; /* without work */
};

static int epoll_fd;
static char host[32];
static struct client *clients, *free_senders, *free_consumers;
static size_t client_count;
static uint32_t *latencies; /* how many sends took so many tens of microseconds */
static uint64_t sends, bespoken, received, polls, refused, began_polls;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench_requests: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The base64 of the text's HMAC, with what a form must not hold escaped. */
static void sign(const char *text, size_t len, char out[80])
{
    static EVP_MAC_CTX *mac;
    if (!mac) {
        OSSL_PARAM digest[] = {
            OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t) "SHA256", 0),
            OSSL_PARAM_construct_end()};
        mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
        if (!EVP_MAC_init(mac, (const unsigned char *)opt.key, strlen(opt.key), digest))
            die("cannot sign");
    }
    unsigned char hash[32], base64[48];
    size_t hash_len;
    if (!EVP_MAC_init(mac, NULL, 0, NULL) ||
        !EVP_MAC_update(mac, (const unsigned char *)text, len) ||
        !EVP_MAC_final(mac, hash, &hash_len, sizeof hash))
        die("cannot sign");
    EVP_EncodeBlock(base64, hash, (int)hash_len);
    for (const unsigned char *c = base64; *c; c++) {
        if (*c == '+' || *c == '/' || *c == '=') {
            out += snprintf(out, 4, "%%%02X", *c);
        } else {
            *out++ = (char)*c;
        }
    }
    *out = '\0';
}

/* Sends a request; params are the action's own, sorted, with nothing in them to escape. */
static void ask(struct client *client, const char *action, const char *params, double due)
{
    static char text[ROOM], request[ROOM + 512], signature[80];
    static uint64_t nonce;
    size_t origin = (size_t)snprintf(text, sizeof text, "POST%s/v2/index.php?", host);
    int len = snprintf(text + origin, sizeof text - origin,
                       "Action=%s&Nonce=%" PRIu64 "&SecretId=%s&SignatureMethod=HmacSHA256&"
                       "Timestamp=%lld&%s",
                       action, ++nonce, opt.id, (long long)time(NULL), params);
    sign(text, origin + (size_t)len, signature);
    int all = snprintf(request, sizeof request,
                       "POST /v2/index.php HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n"
                       "%s&Signature=%s",
                       host, (size_t)len + strlen("&Signature=") + strlen(signature), text + origin,
                       signature);
    ssize_t sent = send(client->fd, request, (size_t)all, MSG_NOSIGNAL);
    if (sent != all)
        die("a request was not taken whole: %s", sent < 0 ? strerror(errno) : "a part");
    client->busy = true;
    client->due = due;
    client->in_len = 0;
}

static void ask_send(struct client *client, double due)
{
    static char params[MAX_SIZE + 64];
    if (!*params) {
        size_t at = (size_t)snprintf(params, sizeof params, "msgBody=");
        for (uint64_t i = 0; i < opt.size; i++)
            params[at++] = (char)('a' + i % 26);
        (void)snprintf(params + at, sizeof params - at, "&queueName=work");
    }
    ask(client, "SendMessage", params, due);
}

static void ask_receive(struct client *client)
{
    char params[80];
    if (client->kind == CONSUMER) {
        ask(client, "BatchReceiveMessage", "numOfMsg=16&queueName=work", 0);
        return;
    }
    (void)snprintf(params, sizeof params, "pollingWaitSeconds=%" PRIu64 "&queueName=idle-%zu",
                   opt.wait, client->queue);
    ask(client, "ReceiveMessage", params, 0);
    began_polls++;
}

/* Deletes what the answer holds; false when that is nothing. */
static bool ask_delete(struct client *client)
{
    static const int order[BATCH] = {0, 1, 10, 11, 12, 13, 14, 15, 2, 3, 4, 5, 6, 7, 8, 9};
    static const char mark[] = "\"receiptHandle\":\"";
    const char *handles[BATCH];
    size_t count = 0;
    for (const char *at = client->in; count < BATCH && (at = strstr(at, mark)); count++)
        handles[count] = at += strlen(mark);
    if (count == 0)
        return false;
    char params[1024];
    size_t len = (size_t)snprintf(params, sizeof params, "queueName=work");
    for (size_t i = 0; i < BATCH; i++) {
        if ((size_t)order[i] >= count)
            continue;
        const char *handle = handles[order[i]];
        len += (size_t)snprintf(params + len, sizeof params - len, "&receiptHandle.%d=%.*s",
                                order[i], (int)strcspn(handle, "\""), handle);
    }
    received += count;
    ask(client, "BatchDeleteMessage", params, 0);
    return true;
}

static void set_free(struct client **list, struct client *client)
{
    client->next_free = *list;
    *list = client;
}

/* Sends a consumer for sixteen messages, if there are so many that no other is to take. */
static void consume(void)
{
    struct client *client = free_consumers;
    if (!client || sends < bespoken + BATCH)
        return;
    free_consumers = client->next_free;
    bespoken += BATCH;
    ask_receive(client);
}

static void count_latency(double seconds)
{
    size_t slot = (size_t)(seconds * 1e5);
    latencies[slot < SLOTS ? slot : SLOTS - 1]++;
}

/* An answer is complete, and the client says what it does next. */
static void answered(struct client *client)
{
    bool ok = strstr(client->in, "\"code\":0,") != NULL;
    bool empty = strstr(client->in, "\"code\":7000,") != NULL;
    refused += !ok && !empty;
    if (!ok && !empty && refused < 3)
        fprintf(stderr, "bench_requests: refused: %.300s\n", client->in);
    client->busy = false;
    switch (client->kind) {
    case SENDER:
        count_latency(now() - client->due);
        sends++;
        set_free(&free_senders, client);
        consume();
        return;
    case CONSUMER:
        if (ask_delete(client))
            return;
        set_free(&free_consumers, client);
        consume();
        return;
    case POLLER:
        polls++;
        ask_receive(client);
    }
}

/* The length of the whole answer, or 0 when its head is not there yet. */
static size_t answer_length(const struct client *client)
{
    const char *head_end = strstr(client->in, "\r\n\r\n");
    const char *field = head_end ? strcasestr(client->in, "\nContent-Length:") : NULL;
    if (!field || field > head_end)
        return 0;
    return (size_t)(head_end + 4 - client->in) + strtoull(strchr(field, ':') + 1, NULL, 10);
}

static void read_answer(struct client *client)
{
    if (client->in_room - client->in_len < MIN_ROOM) {
        client->in_room += ROOM;
        client->in = realloc(client->in, client->in_room);
        if (!client->in)
            die("out of memory");
    }
    ssize_t got = recv(client->fd, client->in + client->in_len,
                       client->in_room - client->in_len - 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("the server closed a connection");
    client->in_len += (size_t)got;
    client->in[client->in_len] = '\0';
    size_t whole = answer_length(client);
    if (whole && client->in_len >= whole && client->busy)
        answered(client);
}

static struct client *connect_client(enum kind kind, size_t number)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)opt.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client *client = &clients[client_count++];
    client->kind = kind;
    client->queue = number % IDLE_QUEUES;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
    return client;
}

static void connect_all(void)
{
    clients = calloc(opt.senders + opt.consumers + opt.pollers + 1, sizeof *clients);
    if (!clients)
        die("out of memory");
    for (uint64_t i = 0; i < opt.pollers; i++)
        ask_receive(connect_client(POLLER, i));
    for (uint64_t i = 0; i < opt.consumers; i++)
        set_free(&free_consumers, connect_client(CONSUMER, i));
    for (uint64_t i = 0; i < opt.senders; i++)
        set_free(&free_senders, connect_client(SENDER, i));
}

/* How long the send at the given part of all took at most, in milliseconds. */
static double quantile(double part)
{
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < SLOTS; i++)
        all += latencies[i];
    for (size_t i = 0; i < SLOTS; i++) {
        seen += latencies[i];
        if (seen > 0 && (double)seen >= part * (double)all)
            return (double)(i + 1) / 100;
    }
    return 0;
}

/* Hands out the sends that are due; returns how many milliseconds until the next, at most 1. */
static int send_due(double began, uint64_t *asked)
{
    while (free_senders) {
        double t = now(), due = opt.rate ? began + (double)*asked / (double)opt.rate : t;
        if (due > t)
            return 1;
        struct client *client = free_senders;
        free_senders = client->next_free;
        ++*asked;
        ask_send(client, due);
    }
    return 1;
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    double began = now(), second = began + 1, from = began + WARM_UP_S;
    double end = from + (double)opt.seconds;
    uint64_t asked = 0, sends_before = 0, received_before = 0, last = 0;
    bool warm = false;
    while (now() < end) {
        double t = now();
        int wait_ms = send_due(began, &asked);
        int count = epoll_wait(epoll_fd, events, EVENTS, opt.senders ? wait_ms : 100);
        for (int i = 0; i < count; i++)
            read_answer(events[i].data.ptr);
        if (!warm && t >= from) {
            warm = true;
            memset(latencies, 0, SLOTS * sizeof *latencies);
            sends_before = sends;
            received_before = received;
            from = t;
        }
        if (t >= second) {
            printf("{\"sends\":%" PRIu64 "}\n", sends - last);
            (void)fflush(stdout);
            last = sends;
            second += 1;
        }
    }
    double took = now() - from;
    printf("{\"seconds\":%.3f,\"sends_per_s\":%.0f,\"received_per_s\":%.0f,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f,\"polls_waiting\":%" PRIu64 ",\"refused\":%" PRIu64
           "}\n",
           took, (double)(sends - sends_before) / took, (double)(received - received_before) / took,
           quantile(0.5), quantile(0.99), quantile(1), began_polls - polls, refused);
}

static const struct {
    const char *name;
    const char **text;
    uint64_t *number, least, most;
} options[] = {
    {"id", &opt.id, NULL, 0, 0},
    {"key", &opt.key, NULL, 0, 0},
    {"port", NULL, &opt.port, 1, 65535},
    {"senders", NULL, &opt.senders, 0, 10000},
    {"consumers", NULL, &opt.consumers, 0, 1000},
    {"pollers", NULL, &opt.pollers, 0, 100000},
    {"rate", NULL, &opt.rate, 0, 10000000},
    {"size", NULL, &opt.size, 1, MAX_SIZE},
    {"seconds", NULL, &opt.seconds, 1, 86400},
    {"wait", NULL, &opt.wait, 0, 30},
};
enum { OPTIONS = sizeof options / sizeof *options };

static void read_options(int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {0};
    for (size_t i = 0; i < OPTIONS; i++)
        longs[i] = (struct option){options[i].name, required_argument, NULL, (int)i};
    int i;
    while ((i = getopt_long(argc, argv, "", longs, NULL)) >= 0 && i < OPTIONS) {
        char *end;
        if (options[i].text) {
            *options[i].text = optarg;
            continue;
        }
        *options[i].number = strtoull(optarg, &end, 10);
        if (*end || end == optarg || *options[i].number < options[i].least ||
            *options[i].number > options[i].most)
            die("--%s: '%s' is out of bounds", options[i].name, optarg);
    }
    if (i >= 0 || !opt.port || optind < argc)
        die("--port is needed; the first lines of requests.c tell the rest");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    read_options(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)snprintf(host, sizeof host, "127.0.0.1:%" PRIu64, opt.port);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    latencies = calloc(SLOTS, sizeof *latencies);
    if (epoll_fd < 0 || !latencies)
        die("cannot begin: %s", strerror(errno));
    connect_all();
    run();
    return 0;
}
