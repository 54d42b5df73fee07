/*
 * broker - a broker that does only what a test tells it
 *
 * A listening socket on an ephemeral loopback port, one connection at a time, MQTT packets read and
 * written by hand on the test's own thread, so that a test sees and decides every byte. Every wait
 * has a deadline and fails the test.
 */
#ifndef TESTS_BROKER_H
#define TESTS_BROKER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum {
    BROKER_WAIT_MS = 20000,
    CONNECT = 1,
    CONNACK = 2,
    PUBLISH = 3,
    PUBACK = 4,
    PUBREC = 5,
    PUBREL = 6,
    PUBCOMP = 7,
    SUBSCRIBE = 8,
    SUBACK = 9,
    UNSUBSCRIBE = 10,
    UNSUBACK = 11,
    PINGREQ = 12,
    DISCONNECT = 14,
};

struct broker {
    int listener;
    int connection; /* -1: none */
    bool v5;
    char uri[64];
};

struct packet {
    int type;
    int flags;
    uint8_t body[2048];
    size_t len;
};

/* Bytes to be sent. */
struct bytes {
    uint8_t at[4096];
    size_t len;
};

static inline void put(struct bytes *to, const void *from, size_t len)
{
    assert_true(to->len + len <= sizeof(to->at));
    memcpy(to->at + to->len, from, len);
    to->len += len;
}

static inline void put8(struct bytes *to, unsigned value)
{
    put(to, &(uint8_t){(uint8_t)value}, 1);
}

static inline void put16(struct bytes *to, unsigned value)
{
    put8(to, value >> 8);
    put8(to, value & 0xff);
}

static inline void put_text(struct bytes *to, const char *text)
{
    put16(to, (unsigned)strlen(text));
    put(to, text, strlen(text));
}

static inline unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline void broker_open(struct broker *b, bool v5)
{
    *b = (struct broker){.connection = -1, .v5 = v5};
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(b->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(b->listener, 8), 0);
    assert_int_equal(getsockname(b->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(b->uri, sizeof(b->uri), "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

/* Ends the connection as a network that fails does. */
static inline void broker_drop(struct broker *b)
{
    if (b->connection >= 0)
        close(b->connection);
    b->connection = -1;
}

static inline void broker_close(struct broker *b)
{
    broker_drop(b);
    close(b->listener);
}

static inline void wait_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, BROKER_WAIT_MS), 1);
}

static inline void read_all(struct broker *b, void *to, size_t len)
{
    uint8_t *at = to;
    while (len > 0) {
        wait_readable(b->connection);
        ssize_t got = recv(b->connection, at, len, 0);
        assert_true(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

static inline struct packet broker_read_any(struct broker *b)
{
    struct packet p = {0};
    uint8_t byte;
    read_all(b, &byte, 1);
    p.type = byte >> 4;
    p.flags = byte & 15;
    int shift = 0;
    do {
        read_all(b, &byte, 1);
        p.len |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    assert_true(p.len <= sizeof(p.body));
    read_all(b, p.body, p.len);
    return p;
}

/* The next packet, which must be of this type. */
static inline struct packet broker_read(struct broker *b, int type)
{
    struct packet p = broker_read_any(b);
    assert_int_equal(p.type, type);
    return p;
}

/* The next packet must acknowledge this packet identifier. */
static inline void broker_read_ack(struct broker *b, int type, unsigned id)
{
    struct packet p = broker_read(b, type);
    assert_int_equal(get16(p.body), id);
    assert_true(p.len == 2 || p.body[2] == 0);
}

/* Nothing has come that was not read yet. */
static inline void broker_heard_nothing(struct broker *b)
{
    uint8_t byte;
    assert_int_equal(recv(b->connection, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The client closes the connection, and says nothing more. */
static inline void broker_read_end(struct broker *b)
{
    uint8_t byte;
    wait_readable(b->connection);
    assert_true(recv(b->connection, &byte, 1, 0) <= 0);
    broker_drop(b);
}

static inline void broker_send(struct broker *b, int type, int flags, const struct bytes *body)
{
    struct bytes out = {.len = 0};
    put8(&out, (unsigned)(type << 4 | flags));
    size_t len = body->len;
    do {
        put8(&out, (unsigned)(len % 128 | (len >= 128 ? 128 : 0)));
        len /= 128;
    } while (len > 0);
    put(&out, body->at, body->len);
    assert_int_equal(send(b->connection, out.at, out.len, MSG_NOSIGNAL), out.len);
}

/* Takes the next connection; returns its CONNECT. */
static inline struct packet broker_accept(struct broker *b)
{
    broker_drop(b);
    wait_readable(b->listener);
    b->connection = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(b->connection >= 0);
    return broker_read(b, CONNECT);
}

/* properties: as on the wire, without their length; NULL: none. */
static inline void broker_connack(struct broker *b, bool session_present, int code,
                                  const struct bytes *properties)
{
    struct bytes body = {.len = 0};
    put8(&body, session_present);
    put8(&body, (unsigned)code);
    if (b->v5) {
        put8(&body, properties ? (unsigned)properties->len : 0);
        if (properties)
            put(&body, properties->at, properties->len);
    }
    broker_send(b, CONNACK, 0, &body);
}

static inline void broker_welcome(struct broker *b, bool session_present)
{
    (void)broker_accept(b);
    broker_connack(b, session_present, 0, NULL);
}

static inline void broker_publish(struct broker *b, int qos, bool dup, unsigned id,
                                  const char *payload, const struct bytes *properties)
{
    struct bytes body = {.len = 0};
    put_text(&body, "a/b");
    if (qos > 0)
        put16(&body, id);
    if (b->v5) {
        put8(&body, properties ? (unsigned)properties->len : 0);
        if (properties)
            put(&body, properties->at, properties->len);
    }
    put(&body, payload, strlen(payload));
    broker_send(b, PUBLISH, qos << 1 | (dup ? 8 : 0), &body);
}

static inline void broker_pubrel(struct broker *b, unsigned id)
{
    struct bytes body = {.len = 0};
    put16(&body, id);
    broker_send(b, PUBREL, 2, &body);
}

/* Answers a SUBSCRIBE or an UNSUBSCRIBE. */
static inline void broker_answer(struct broker *b, const struct packet *question, unsigned code)
{
    bool unsubscribe = question->type == UNSUBSCRIBE;
    struct bytes body = {.len = 0};
    put(&body, question->body, 2);
    if (b->v5)
        put8(&body, 0);
    if (b->v5 || !unsubscribe)
        put8(&body, code);
    broker_send(b, unsubscribe ? UNSUBACK : SUBACK, 0, &body);
}

/* The client asks for an answer before it goes: gives it, and reads the DISCONNECT. */
static inline void broker_farewell(struct broker *b)
{
    struct packet last = broker_read(b, UNSUBSCRIBE);
    broker_answer(b, &last, 0x11);
    struct packet goodbye = broker_read(b, DISCONNECT);
    /* A session expiry of 0 in it would end the session (MQTT 5.0 s. 3.14.2.2.2). */
    assert_true(goodbye.len == 0 || (goodbye.len == 2 && goodbye.body[1] == 0));
    broker_read_end(b);
}

/* The filter of a (UN)SUBSCRIBE with one filter: its bytes, copied to out. */
static inline const uint8_t *packet_filter(const struct packet *p, bool v5, char out[256])
{
    const uint8_t *at = p->body + 2;
    if (v5)
        at += 1 + at[0];
    unsigned len = get16(at);
    assert_true(len < 256);
    memcpy(out, at + 2, len);
    out[len] = '\0';
    return at + 2 + len; /* the subscription options */
}

#endif
