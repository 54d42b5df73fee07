/* Publishing, byte by byte. */
#include "broker.h"
#include "owner.h"

/* What became of one publish. */
struct told {
    struct owner *owner;
    size_t count;
    enum mqtt_publish_result result;
    char why[512];
};

static void on_done(void *ctx, enum mqtt_publish_result result, const char *why)
{
    struct told *told = ctx;
    pthread_mutex_lock(&told->owner->lock);
    told->count++;
    told->result = result;
    owner_copy(told->why, sizeof(told->why), span_of(why));
    pthread_cond_broadcast(&told->owner->changed);
    pthread_mutex_unlock(&told->owner->lock);
}

static size_t told_count(struct told *told)
{
    pthread_mutex_lock(&told->owner->lock);
    size_t count = told->count;
    pthread_mutex_unlock(&told->owner->lock);
    return count;
}

static void expect(struct told *told, enum mqtt_publish_result result, const char *says)
{
    owner_wait(told->owner, &told->count, 1);
    assert_int_equal(told->count, 1);
    assert_int_equal(told->result, result);
    assert_int_equal(told->why[0] != '\0', result != MQTT_PUBLISHED);
    if (says && !strstr(told->why, says))
        fail_msg("\"%s\" does not say \"%s\"", told->why, says);
}

static struct mqtt_message message_of(const char *payload, int qos)
{
    return (struct mqtt_message){.topic = SPAN_LIT("c/d"), .payload = span_of(payload), .qos = qos};
}

static bool publish(struct told *told, struct owner *o, const char *payload, int qos)
{
    *told = (struct told){.owner = o};
    const struct mqtt_message message = message_of(payload, qos);
    return mqtt_link_publish(o->link, &message, on_done, told);
}

/* An answer to a PUBLISH or PUBREL; code 0: the short form. */
static void answer(struct broker *b, int type, unsigned id, unsigned code, const char *reason)
{
    struct bytes body = {.len = 0};
    put16(&body, id);
    if (code) {
        put8(&body, code);
        put8(&body, reason ? (unsigned)strlen(reason) + 3 : 0);
        if (reason) {
            put8(&body, 0x1f);
            put_text(&body, reason);
        }
    }
    broker_send(b, type, 0, &body);
}

/* The PUBLISH of the message with this payload must come; returns its packet identifier. */
static unsigned read_publish(struct broker *b, const char *payload, int qos, bool dup)
{
    struct packet p = broker_read(b, PUBLISH);
    assert_int_equal(p.flags, qos << 1 | (dup ? 8 : 0));
    struct bytes start = {.len = 0};
    put_text(&start, "c/d");
    assert_memory_equal(p.body, start.at, start.len);
    unsigned id = qos > 0 ? get16(p.body + start.len) : 0;
    size_t at = start.len + (qos > 0 ? 2 : 0) + (b->v5 ? 1 : 0);
    assert_int_equal(p.len - at, strlen(payload));
    assert_memory_equal(p.body + at, payload, p.len - at);
    return id;
}

/* Reads a packet of any size; returns its first byte. */
static uint8_t read_sized(struct broker *b, uint8_t *body, size_t room)
{
    uint8_t first;
    uint8_t byte;
    read_all(b, &first, 1);
    size_t len = 0;
    int shift = 0;
    do {
        read_all(b, &byte, 1);
        len |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    assert_true(len <= room);
    read_all(b, body, len);
    return first;
}

/* The next packet must be a PUBLISH at QoS 1 of any size; returns its packet identifier. */
static unsigned read_large(struct broker *b, uint8_t *body, size_t room, bool dup)
{
    assert_int_equal(read_sized(b, body, room), PUBLISH << 4 | 2 | (dup ? 8 : 0));
    return get16(body + 2 + get16(body));
}

/* A link that is connected to a broker with these CONNACK properties. */
static struct owner *open_with(struct broker *b, bool v5, const struct bytes *properties)
{
    broker_open(b, v5);
    struct owner *o = owner_new(b->uri, v5);
    owner_start(o);
    (void)broker_accept(b);
    broker_connack(b, false, 0, properties);
    owner_heard(o, 0, MQTT_LINK_CONNECTED);
    return o;
}

static struct owner *open(struct broker *b, bool v5)
{
    return open_with(b, v5, NULL);
}

static void shut(struct broker *b, struct owner *o)
{
    owner_free(o);
    broker_close(b);
}

static void a_publish_carries_all_that_its_protocol_has_for_it(void **state)
{
    (void)state;
    for (int v5 = 0; v5 <= 1; v5++) {
        struct broker b;
        struct owner *o = open(&b, v5);
        const struct mqtt_user_property user[] = {{SPAN_LIT("k"), SPAN_LIT("v")},
                                                  {SPAN_LIT("k"), SPAN_LIT("")}};
        const struct mqtt_message message = {
            .topic = SPAN_LIT("fleet/7/cmd"),
            .payload = SPAN_LIT("on\0off"),
            .qos = 1,
            .retain = true,
            .content_type = SPAN_LIT("text/plain"),
            .response_topic = SPAN_LIT("fleet/7/said"),
            .correlation = SPAN_LIT("\x01\x00\x02"),
            .has_expiry = true,
            .expiry_s = 300,
            .user = user,
            .user_count = 2,
        };
        struct told told = {.owner = o};
        assert_true(mqtt_link_publish(o->link, &message, on_done, &told));

        struct bytes properties = {.len = 0};
        put8(&properties, 0x03);
        put_text(&properties, "text/plain");
        put8(&properties, 0x08);
        put_text(&properties, "fleet/7/said");
        put8(&properties, 0x09);
        put16(&properties, 3);
        put(&properties, "\x01\x00\x02", 3);
        put8(&properties, 0x02);
        put16(&properties, 0);
        put16(&properties, 300);
        put8(&properties, 0x26);
        put_text(&properties, "k");
        put_text(&properties, "v");
        put8(&properties, 0x26);
        put_text(&properties, "k");
        put_text(&properties, "");

        struct packet p = broker_read(&b, PUBLISH);
        struct bytes wanted = {.len = 0};
        put_text(&wanted, "fleet/7/cmd");
        unsigned id = get16(p.body + wanted.len);
        put16(&wanted, id);
        if (v5) {
            put8(&wanted, (unsigned)properties.len);
            put(&wanted, properties.at, properties.len);
        }
        put(&wanted, "on\0off", 6);
        assert_int_equal(p.flags, 1 << 1 | 1);
        assert_int_equal(p.len, wanted.len);
        assert_memory_equal(p.body, wanted.at, wanted.len);
        assert_int_equal(told_count(&told), 0);
        answer(&b, PUBACK, id, 0, NULL);
        expect(&told, MQTT_PUBLISHED, NULL);
        shut(&b, o);
    }
}

static void the_answer_to_a_publish_is_its_result(void **state)
{
    (void)state;
    static const struct {
        bool v5;
        int qos;
        unsigned code; /* of the PUBACK or PUBREC */
        const char *reason;
        enum mqtt_publish_result result;
        const char *says;
    } rows[] = {
        {false, 1, 0, NULL, MQTT_PUBLISHED, NULL},
        {true, 1, 0, NULL, MQTT_PUBLISHED, NULL},
        {true, 1, 0x10, NULL, MQTT_PUBLISHED, NULL}, /* no matching subscribers */
        {true, 1, 0x87, NULL, MQTT_PUBLISH_REFUSED, "not authorized (MQTT 5 reason 0x87)"},
        {true, 1, 0x97, "too much", MQTT_PUBLISH_REFUSED, "it says: too much"},
        {false, 2, 0, NULL, MQTT_PUBLISHED, NULL},
        {true, 2, 0, NULL, MQTT_PUBLISHED, NULL},
        {true, 2, 0x10, NULL, MQTT_PUBLISHED, NULL},
        {true, 2, 0x87, NULL, MQTT_PUBLISH_REFUSED, "not authorized (MQTT 5 reason 0x87)"},
        {true, 2, 0x90, "bad name", MQTT_PUBLISH_REFUSED, "it says: bad name"},
        {false, 0, 0, NULL, MQTT_PUBLISHED, NULL},
        {true, 0, 0, NULL, MQTT_PUBLISHED, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker b;
        struct owner *o = open(&b, rows[i].v5);
        unsigned room = mqtt_link_publish_room(o->link);
        struct told told[3];
        for (int n = 0; n < 3; n++) { /* what is refused takes no place */
            assert_true(publish(&told[n], o, "x", rows[i].qos));
            unsigned id = read_publish(&b, "x", rows[i].qos, false);
            if (rows[i].qos > 0) {
                assert_int_equal(told_count(&told[n]), 0);
                assert_int_equal(mqtt_link_publish_room(o->link), room - 1);
                answer(&b, rows[i].qos == 2 ? PUBREC : PUBACK, id, rows[i].code, rows[i].reason);
            }
            if (rows[i].qos == 2 && rows[i].result == MQTT_PUBLISHED) {
                struct packet p = broker_read(&b, PUBREL);
                assert_int_equal(get16(p.body), id);
                assert_int_equal(told_count(&told[n]), 0);
                answer(&b, PUBCOMP, id, 0, NULL);
            }
            expect(&told[n], rows[i].result, rows[i].says);
            assert_int_equal(mqtt_link_publish_room(o->link), room);
        }
        broker_heard_nothing(&b);
        shut(&b, o);
    }
}

static void no_more_is_taken_than_the_broker_takes(void **state)
{
    (void)state;
    static const struct {
        bool v5;
        unsigned receive_maximum; /* 0: the broker does not say */
        unsigned window;
    } rows[] = {{true, 0, 1024}, {true, 2000, 1024}, {true, 20, 19},
                {true, 2, 1},    {true, 1, 1},       {false, 0, 20}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker b;
        struct bytes properties = {.len = 0};
        if (rows[i].receive_maximum) {
            put8(&properties, 0x21);
            put16(&properties, rows[i].receive_maximum);
        }
        struct owner *o = open_with(&b, rows[i].v5, &properties);
        static struct told told[1025];
        unsigned taken = 0;
        assert_int_equal(mqtt_link_publish_room(o->link), rows[i].window);
        while (publish(&told[taken], o, "x", 1))
            taken++;
        assert_int_equal(taken, rows[i].window);
        assert_int_equal(mqtt_link_publish_room(o->link), 0);
        unsigned id = read_publish(&b, "x", 1, false);
        answer(&b, PUBACK, id, 0, NULL);
        expect(&told[0], MQTT_PUBLISHED, NULL);
        assert_int_equal(mqtt_link_publish_room(o->link), 1);
        assert_true(publish(&told[0], o, "x", 1));
        mqtt_link_stop(o->link, 0);
        for (unsigned n = 0; n < taken; n++)
            expect(&told[n], MQTT_PUBLISH_LOST, "stopped");
        shut(&b, o);
    }
}

static void a_lost_connection_makes_publishes_go_again_and_end_once(void **state)
{
    (void)state;
    for (int v5 = 0; v5 <= 1; v5++) {
        struct broker b;
        struct owner *o = open(&b, v5);
        struct told once[3];
        struct told twice[2];
        struct told never;
        assert_true(publish(&once[0], o, "1", 1));
        assert_true(publish(&once[1], o, "2", 1));
        assert_true(publish(&twice[0], o, "3", 2));
        assert_true(publish(&twice[1], o, "4", 2));
        assert_true(publish(&once[2], o, "5", 1));
        unsigned ids[5];
        for (unsigned n = 0; n < 5; n++)
            ids[n] = read_publish(&b, (const char[]){(char)('1' + (char)n), 0},
                                  n == 2 || n == 3 ? 2 : 1, false);
        answer(&b, PUBACK, ids[0], 0, NULL);
        answer(&b, PUBREC, ids[2], 0, NULL);
        (void)broker_read(&b, PUBREL);
        expect(&once[0], MQTT_PUBLISHED, NULL);
        broker_drop(&b);
        owner_heard(o, 1, MQTT_LINK_CONNECTING);
        assert_int_equal(mqtt_link_publish_room(o->link), 0);
        assert_false(publish(&never, o, "6", 1));

        broker_welcome(&b, true);
        assert_int_equal(read_publish(&b, "2", 1, true), ids[1]);
        assert_int_equal(get16(broker_read(&b, PUBREL).body), ids[2]);
        assert_int_equal(read_publish(&b, "4", 2, true), ids[3]);
        assert_int_equal(read_publish(&b, "5", 1, true), ids[4]);
        owner_heard(o, 2, MQTT_LINK_CONNECTED);
        assert_int_equal(told_count(&once[1]) + told_count(&once[2]), 0);
        assert_int_equal(told_count(&twice[0]) + told_count(&twice[1]), 0);
        answer(&b, PUBACK, ids[1], 0, NULL);
        answer(&b, PUBCOMP, ids[2], 0, NULL);
        answer(&b, PUBREC, ids[3], 0, NULL);
        answer(&b, PUBACK, ids[4], v5 ? 0x87 : 0, NULL);
        assert_int_equal(get16(broker_read(&b, PUBREL).body), ids[3]);
        answer(&b, PUBCOMP, ids[3], 0, NULL);
        expect(&once[1], MQTT_PUBLISHED, NULL);
        expect(&once[2], v5 ? MQTT_PUBLISH_REFUSED : MQTT_PUBLISHED, NULL);
        expect(&twice[0], MQTT_PUBLISHED, NULL);
        expect(&twice[1], MQTT_PUBLISHED, NULL);
        broker_heard_nothing(&b);
        assert_int_equal(mqtt_link_publish_room(o->link), v5 ? 1024 : 20);
        shut(&b, o);
        for (unsigned n = 0; n < 3; n++)
            assert_int_equal(once[n].count, 1);
        assert_int_equal(never.count, 0);
    }
}

/* More than a socket takes is sent again piece by piece, and each once. */
static void all_goes_again_however_much_it_is(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 65536 };
    struct broker b;
    struct owner *o = open(&b, true);
    static struct told told[COUNT];
    char *payload = check_alloc(malloc(SIZE + 1));
    memset(payload, 'x', SIZE);
    payload[SIZE] = '\0';
    uint8_t *body = check_alloc(malloc(SIZE + 16));
    for (unsigned n = 0; n < COUNT; n++)
        assert_true(publish(&told[n], o, payload, 1));
    unsigned id = read_large(&b, body, SIZE + 16, false);
    for (unsigned n = 1; n < COUNT; n++)
        assert_int_equal(read_large(&b, body, SIZE + 16, false), id + n);
    answer(&b, PUBACK, id, 0, NULL);
    expect(&told[0], MQTT_PUBLISHED, NULL);
    for (int connection = 0; connection < 3; connection++) {
        broker_drop(&b);
        broker_welcome(&b, true);
        owner_heard(o, 2 + 2 * (size_t)connection, MQTT_LINK_CONNECTED);
        for (unsigned n = 1; n < COUNT; n++)
            assert_int_equal(read_large(&b, body, SIZE + 16, true), id + n);
    }
    for (unsigned n = 1; n < COUNT; n++)
        answer(&b, PUBACK, id + n, 0, NULL);
    for (unsigned n = 1; n < COUNT; n++)
        expect(&told[n], MQTT_PUBLISHED, NULL);
    broker_heard_nothing(&b);
    free(body);
    free(payload);
    shut(&b, o);
}

static void a_lost_session_loses_what_was_not_answered(void **state)
{
    (void)state;
    for (int v5 = 0; v5 <= 1; v5++) {
        struct broker b;
        struct owner *o = open(&b, v5);
        struct told told[2];
        assert_true(publish(&told[0], o, "1", 1));
        assert_true(publish(&told[1], o, "2", 2));
        (void)read_publish(&b, "1", 1, false);
        (void)read_publish(&b, "2", 2, false);
        broker_drop(&b);
        broker_welcome(&b, false);
        expect(&told[0], MQTT_PUBLISH_LOST, "lost our session");
        expect(&told[1], MQTT_PUBLISH_LOST, "lost our session");
        owner_heard(o, 2, MQTT_LINK_CONNECTED);
        assert_int_equal(mqtt_link_publish_room(o->link), v5 ? 1024 : 20);
        assert_true(publish(&told[0], o, "3", 1));
        answer(&b, PUBACK, read_publish(&b, "3", 1, false), 0, NULL);
        expect(&told[0], MQTT_PUBLISHED, NULL);
        shut(&b, o);
    }
}

/* Paho may still send them, or never speak of them again. */
static void a_lost_connection_loses_what_goes_at_qos_0(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 65536 };
    struct broker b;
    struct owner *o = open(&b, true);
    static struct told told[COUNT];
    char *payload = check_alloc(malloc(SIZE + 1));
    memset(payload, 'x', SIZE);
    payload[SIZE] = '\0';
    for (unsigned n = 0; n < COUNT; n++)
        assert_true(publish(&told[n], o, payload, 0));
    expect(&told[0], MQTT_PUBLISHED, NULL);
    broker_drop(&b); /* with more than the sockets take */
    owner_wait(o, &told[COUNT - 1].count, 1);
    expect(&told[COUNT - 1], MQTT_PUBLISH_LOST, "lost");
    broker_welcome(&b, true);
    owner_heard(o, 2, MQTT_LINK_CONNECTED);
    struct told last;
    assert_true(publish(&last, o, "x", 1));
    uint8_t *body = check_alloc(malloc(SIZE + 16));
    while (read_sized(&b, body, SIZE + 16) == PUBLISH << 4)
        continue;
    answer(&b, PUBACK, get16(body + 2 + get16(body)), 0, NULL);
    expect(&last, MQTT_PUBLISHED, NULL);
    for (unsigned n = 0; n < COUNT; n++)
        assert_int_equal(told_count(&told[n]), 1);
    free(body);
    free(payload);
    shut(&b, o);
}

static void stopping_loses_what_was_not_answered(void **state)
{
    (void)state;
    struct broker b;
    struct owner *o = open(&b, true);
    struct told told[3];
    assert_true(publish(&told[0], o, "1", 1));
    assert_true(publish(&told[1], o, "2", 2));
    (void)read_publish(&b, "1", 1, false);
    (void)read_publish(&b, "2", 2, false);
    mqtt_link_stop(o->link, 100);
    assert_false(publish(&told[2], o, "3", 1));
    assert_int_equal(mqtt_link_publish_room(o->link), 0);
    for (unsigned n = 0; n < 2; n++)
        expect(&told[n], MQTT_PUBLISH_LOST, "stopped");
    shut(&b, o);
    for (unsigned n = 0; n < 2; n++)
        assert_int_equal(told[n].count, 1);
}

static void nothing_is_taken_when_leaving(void **state)
{
    (void)state;
    struct broker b;
    struct owner *o = open(&b, true);
    struct told told[2];
    assert_true(publish(&told[0], o, "1", 1));
    unsigned id = read_publish(&b, "1", 1, false);
    mqtt_link_leave(o->link, "the spool is full");
    assert_false(publish(&told[1], o, "2", 1));
    assert_int_equal(mqtt_link_publish_room(o->link), 0);
    struct packet last = broker_read(&b, UNSUBSCRIBE);
    answer(&b, PUBACK, id, 0, NULL); /* what had begun comes to its end */
    expect(&told[0], MQTT_PUBLISHED, NULL);
    broker_answer(&b, &last, 0x11);
    (void)broker_read(&b, DISCONNECT);
    shut(&b, o);
}

static void a_message_that_no_broker_would_take_is_refused(void **state)
{
    (void)state;
    struct bytes properties = {.len = 0};
    put8(&properties, 0x27); /* maximum packet size */
    put16(&properties, 0);
    put16(&properties, 100);
    put8(&properties, 0x24); /* maximum QoS */
    put8(&properties, 1);
    put8(&properties, 0x25); /* retain available */
    put8(&properties, 0);
    struct broker b;
    struct owner *o = open_with(&b, true, &properties);
    static char large[65536];
    memset(large, 'x', sizeof(large));
    const struct mqtt_user_property bad_key = {SPAN_LIT("\xff"), SPAN_LIT("v")};
    const struct mqtt_user_property bad_value = {SPAN_LIT("k"), SPAN_LIT("\xc2\x80")};
    static struct mqtt_user_property many[65];
    const struct span topic = SPAN_LIT("c/d");
    const struct {
        struct mqtt_message message;
        const char *says;
    } rows[] = {
        {{.topic = SPAN_LIT("")}, "topic"},
        {{.topic = SPAN_LIT("c/+")}, "topic"},
        {{.topic = SPAN_LIT("c/#")}, "topic"},
        {{.topic = SPAN_LIT("c\0d")}, "topic"},
        {{.topic = SPAN_LIT("c\nd")}, "topic"},
        {{.topic = SPAN_LIT("c\xc2\x9f")}, "topic"},
        {{.topic = SPAN_LIT("c\x7f")}, "topic"},
        {{.topic = SPAN_LIT("c\xff")}, "topic"},
        {{.topic = {large, sizeof(large)}}, "topic"},
        {{.topic = topic, .content_type = SPAN_LIT("\x01")}, "content type"},
        {{.topic = topic, .response_topic = SPAN_LIT("a/+")}, "response topic"},
        {{.topic = topic, .correlation = {large, sizeof(large)}}, "correlation"},
        {{.topic = topic, .user = &bad_key, .user_count = 1}, "user property"},
        {{.topic = topic, .user = &bad_value, .user_count = 1}, "user property"},
        {{.topic = topic, .user = many, .user_count = 65}, "64 user properties"},
        {{.topic = topic, .qos = 2}, "QoS"},
        {{.topic = topic, .retain = true}, "retain"},
        {{.topic = topic, .qos = 1, .payload = {large, 91}}, "larger"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct told told = {.owner = o};
        assert_true(mqtt_link_publish(o->link, &rows[i].message, on_done, &told));
        expect(&told, MQTT_PUBLISH_REFUSED, rows[i].says);
    }
    /* The largest that may go: 2 for the header, 5 for the topic, 2, 1 and the payload. */
    struct told told = {.owner = o};
    const struct mqtt_message message = {.topic = topic, .qos = 1, .payload = {large, 90}};
    assert_true(mqtt_link_publish(o->link, &message, on_done, &told));
    struct packet p = broker_read(&b, PUBLISH);
    assert_int_equal(2 + p.len, 100);
    assert_int_equal(mqtt_link_publish_room(o->link), 1023);
    shut(&b, o);
}

static void nothing_is_taken_before_the_link_is_connected(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    struct told told;
    assert_false(publish(&told, o, "1", 1));
    assert_int_equal(mqtt_link_publish_room(o->link), 0);
    shut(&b, o);
    assert_int_equal(told.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_carries_all_that_its_protocol_has_for_it),
        cmocka_unit_test(the_answer_to_a_publish_is_its_result),
        cmocka_unit_test(no_more_is_taken_than_the_broker_takes),
        cmocka_unit_test(a_lost_connection_makes_publishes_go_again_and_end_once),
        cmocka_unit_test(all_goes_again_however_much_it_is),
        cmocka_unit_test(a_lost_session_loses_what_was_not_answered),
        cmocka_unit_test(a_lost_connection_loses_what_goes_at_qos_0),
        cmocka_unit_test(stopping_loses_what_was_not_answered),
        cmocka_unit_test(nothing_is_taken_when_leaving),
        cmocka_unit_test(a_message_that_no_broker_would_take_is_refused),
        cmocka_unit_test(nothing_is_taken_before_the_link_is_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
