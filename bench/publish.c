/*
 * bench_publish - a fast source of numbered MQTT messages
 *
 * As a client (--port) it publishes to a broker; as a broker (--serve) it hands its messages to the
 * first client that subscribes, so that a subscriber's own limit shows, without a real broker's. In
 * both cases up to --window messages are unacknowledged, and what is written down is the time from
 * the first PUBLISH to the last acknowledgement. A client speaks MQTT 3.1.1; a broker also 5.0.
 *
 * Message n has the payload "n" in ten digits, a space, and filler to --size bytes; in --topic a
 * '%' stands for n modulo --topics. One thread, one socket, blocking only in poll(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE };
enum { SUBACK = 9, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT };
enum { NUMBER_DIGITS = 10, MAX_PAYLOAD = 1 << 20, MAX_TOPIC = 1024, OUT_FULL = 256 << 10 };

static struct {
    const char *host, *port, *topic, *client_id;
    bool serve;
    uint64_t count, first, size, qos, window, rate, topics;
} opt = {.host = "127.0.0.1",
         .topic = "bench/%",
         .client_id = "bench-publish",
         .count = 100000,
         .size = 256,
         .qos = 1,
         .window = 500,
         .topics = 1};

static int sock;
static bool v5;
static uint8_t in[64 << 10], out[OUT_FULL + MAX_PAYLOAD + MAX_TOPIC + 64];
static size_t in_len, out_at, out_len;
static uint64_t sent, done;     /* messages */
static bool outstanding[65536]; /* by packet identifier */
static bool subscribed;         /* --serve: somebody listens */

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench_publish: ", stderr);
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

static void put(const void *bytes, size_t len)
{
    memcpy(out + out_len, bytes, len);
    out_len += len;
}

static void put_u16(uint64_t n)
{
    put((uint8_t[]){(uint8_t)(n >> 8), (uint8_t)n}, 2);
}

static void put_header(unsigned first_byte, size_t remaining)
{
    put((uint8_t[]){(uint8_t)first_byte}, 1);
    do {
        uint8_t low = remaining & 127;
        remaining >>= 7;
        put((uint8_t[]){(uint8_t)(low | (remaining ? 128 : 0))}, 1);
    } while (remaining);
}

static void put_id_packet(unsigned type, unsigned id)
{
    put_header(type << 4 | (type == PUBREL ? 2 : 0), 2);
    put_u16(id);
}

/* Writes what the socket takes now. */
static void flush_out(void)
{
    while (out_at < out_len) {
        ssize_t n = send(sock, out + out_at, out_len - out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            die("the connection broke after %" PRIu64 " acknowledged: %s", done, strerror(errno));
        out_at += (size_t)n;
    }
    out_at = out_len = 0;
}

static void put_message(uint64_t n)
{
    static char filler[MAX_PAYLOAD];
    for (size_t i = 0; !filler[MAX_PAYLOAD - 1]; i++)
        filler[i] = (char)('a' + i % 26);
    char topic[MAX_TOPIC], number[24];
    const char *mark = strchr(opt.topic, '%');
    int topic_len = mark ? snprintf(topic, sizeof(topic), "%.*s%" PRIu64 "%s",
                                    (int)(mark - opt.topic), opt.topic, n % opt.topics, mark + 1)
                         : snprintf(topic, sizeof(topic), "%s", opt.topic);
    static unsigned last_id;
    do {
        last_id = last_id % 65535 + 1;
    } while (opt.qos && outstanding[last_id]);
    put_header(PUBLISH << 4 | (unsigned)opt.qos << 1,
               2 + (size_t)topic_len + (opt.qos ? 2 : 0) + (v5 ? 1 : 0) + opt.size);
    put_u16((uint64_t)topic_len);
    put(topic, (size_t)topic_len);
    if (opt.qos) {
        put_u16(last_id);
        outstanding[last_id] = true;
    } else {
        done++;
    }
    if (v5)
        put("", 1); /* no properties */
    snprintf(number, sizeof(number), "%0*" PRIu64 " ", NUMBER_DIGITS, n);
    put(number, NUMBER_DIGITS + 1);
    put(filler, opt.size - NUMBER_DIGITS - 1);
    sent++;
}

static void acknowledged(unsigned id)
{
    if (!outstanding[id])
        die("an acknowledgement of packet %u, which is not outstanding", id);
    outstanding[id] = false;
    done++;
}

/* The number of topic filters in a SUBSCRIBE or UNSUBSCRIBE. */
static size_t count_filters(const uint8_t *body, size_t len, bool with_options)
{
    size_t at = 2, count = 0;
    if (v5 && at < len)
        at += 1 + (size_t)(body[at] & 127); /* our peers' properties are short */
    while (at + 2 <= len) {
        at += 2 + ((size_t)body[at] << 8 | body[at + 1]) + (with_options ? 1 : 0);
        count++;
    }
    return count;
}

static void answer_filters(unsigned type, const uint8_t *body, size_t len)
{
    bool subscribe = type == SUBSCRIBE;
    size_t codes = count_filters(body, len, subscribe);
    if (!subscribe && !v5)
        codes = 0;
    put_header(subscribe ? SUBACK << 4 : UNSUBACK << 4, (v5 ? 3U : 2U) + codes);
    put(body, 2);
    if (v5)
        put("", 1);
    for (size_t i = 0; i < codes; i++)
        put(subscribe ? "\2" : "", 1);
    subscribed |= subscribe;
}

static void answer_connect(const uint8_t *body, size_t len)
{
    if (len < 7)
        die("the client's CONNECT is too short");
    v5 = body[6] == 5;
    put_header(CONNACK << 4, v5 ? 3 : 2);
    put("\0\0", v5 ? 3 : 2);
}

static void handle(unsigned type, const uint8_t *body, size_t len)
{
    unsigned id = len >= 2 ? (unsigned)body[0] << 8 | body[1] : 0;
    switch (type) {
    case CONNECT:
        answer_connect(body, len);
        break;
    case CONNACK:
        if (id & 0xff)
            die("the broker refused the connection with code %u", id & 0xff);
        subscribed = true;
        break;
    case PUBACK:
    case PUBCOMP:
        acknowledged(id);
        break;
    case PUBREC:
        put_id_packet(PUBREL, id);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        answer_filters(type, body, len);
        break;
    case PINGREQ:
        put_header(PINGRESP << 4, 0);
        break;
    case DISCONNECT:
        die("the peer disconnected after %" PRIu64 " acknowledged", done);
    default:
        break;
    }
}

/* Reads what is there and handles the whole packets in it. */
static void read_in(void)
{
    ssize_t n = recv(sock, in + in_len, sizeof(in) - in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("the peer closed the connection after %" PRIu64 " acknowledged", done);
    in_len += (size_t)n;
    size_t at = 0;
    for (;;) {
        size_t size = 0, p = at + 1;
        unsigned shift = 0;
        bool whole = false;
        while (p < in_len && !whole) {
            size |= (size_t)(in[p] & 127) << shift;
            shift += 7;
            whole = in[p++] < 128;
        }
        if (!whole || p + size > in_len) {
            if (whole && p + size - at > sizeof(in))
                die("a packet of %zu bytes is more than is read here", size);
            break;
        }
        handle(in[at] >> 4, in + p, size);
        at = p + size;
    }
    memmove(in, in + at, in_len - at);
    in_len -= at;
}

/* Waits for the socket, at most until `until`, and does what it allows. */
static void turn(double until)
{
    double left = until - now();
    /* The peer must read before it is answered: so out's size is enough. */
    struct pollfd p = {.fd = sock, .events = out_len <= OUT_FULL ? POLLIN : 0};
    if (out_len)
        p.events |= POLLOUT;
    int n = poll(&p, 1, left > 60 ? 60000 : left > 0 ? (int)(left * 1000) + 1 : 0);
    if (n < 0 && errno != EINTR)
        die("poll: %s", strerror(errno));
    if (n > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)))
        read_in();
    flush_out();
}

static void connect_to_broker(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int code = getaddrinfo(opt.host, opt.port, &hints, &found);
    if (code)
        die("%s: %s", opt.host, gai_strerror(code));
    sock = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, found->ai_addr, found->ai_addrlen))
        die("%s:%s: %s", opt.host, opt.port, strerror(errno));
    freeaddrinfo(found);
    size_t id_len = strlen(opt.client_id);
    put_header(CONNECT << 4, 12 + id_len);
    put("\0\4MQTT\4\2\0\0", 10); /* 3.1.1, clean session, no keep-alive */
    put_u16(id_len);
    put(opt.client_id, id_len);
}

/* Says where it listens, so that port 0 serves, and takes one client. */
static void wait_for_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(opt.port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &len))
        die("port %s: %s", opt.port, strerror(errno));
    printf("bench_publish: listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (sock < 0)
        die("accept: %s", strerror(errno));
    close(listener);
}

static const struct {
    const char *name;
    const char **text;
    uint64_t *number, least, most;
} options[] = {
    {"host", &opt.host, NULL, 0, 0},
    {"port", &opt.port, NULL, 0, 0},
    {"serve", &opt.port, NULL, 0, 0},
    {"topic", &opt.topic, NULL, 0, 0},
    {"client-id", &opt.client_id, NULL, 0, 0},
    {"topics", NULL, &opt.topics, 1, UINT32_MAX},
    {"count", NULL, &opt.count, 1, UINT32_MAX},
    {"first", NULL, &opt.first, 0, UINT32_MAX},
    {"size", NULL, &opt.size, NUMBER_DIGITS + 1, MAX_PAYLOAD},
    {"qos", NULL, &opt.qos, 0, 2},
    {"window", NULL, &opt.window, 1, 60000},
    {"rate", NULL, &opt.rate, 0, UINT32_MAX}, /* a second; 0: as fast as it goes */
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static void read_option(size_t i, const char *value)
{
    char *end;
    if (options[i].text) {
        *options[i].text = value;
        return;
    }
    errno = 0;
    *options[i].number = strtoull(value, &end, 10);
    if (errno || *end || end == value || *options[i].number < options[i].least ||
        *options[i].number > options[i].most) {
        die("--%s wants a number from %" PRIu64 " to %" PRIu64 ", not '%s'", options[i].name,
            options[i].least, options[i].most, value);
    }
}

static void read_options(int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {0};
    for (size_t i = 0; i < OPTIONS; i++)
        longs[i] = (struct option){options[i].name, required_argument, NULL, (int)i};
    int i;
    while ((i = getopt_long(argc, argv, "", longs, NULL)) >= 0 && i < OPTIONS) {
        read_option((size_t)i, optarg);
        opt.serve |= strcmp(options[i].name, "serve") == 0;
    }
    if (i >= 0 || !opt.port || optind < argc || strlen(opt.topic) > MAX_TOPIC - 32 ||
        strlen(opt.client_id) > 64)
        die("one of --port and --serve is needed; the first lines of publish.c tell the rest");
}

/* Puts the messages that may go now; returns when to look again at the latest. */
static double put_messages(double began)
{
    while (sent < opt.count && sent - done < opt.window && out_len < OUT_FULL) {
        double due = opt.rate ? began + (double)sent / (double)opt.rate : 0;
        if (due > now())
            return due;
        put_message(opt.first + sent);
    }
    return out_len < OUT_FULL ? now() + 60 : 0;
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (opt.serve) {
        wait_for_client();
    } else {
        connect_to_broker();
    }
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    while (!subscribed)
        turn(now() + 60);
    double began = now();
    while (done < opt.count || out_len) {
        double until = put_messages(began);
        flush_out();
        if (done < opt.count || out_len)
            turn(until);
    }
    double took = now() - began;
    put_header(DISCONNECT << 4, 0);
    if (!opt.serve)
        flush_out();
    printf("published %" PRIu64 " messages in %.3f s: %.0f a second\n", done, took,
           (double)done / took);
    return 0;
}
