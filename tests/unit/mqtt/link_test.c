/* A link's life against a broker that does only what the test says: connecting, being refused,
 * coming back. */
#include "broker.h"
#include "owner.h"

#include <stdatomic.h>

static void says(const char *why, const char *part)
{
    if (!strstr(why, part))
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static bool read_password(void *ctx, struct buf *out, struct err *err)
{
    const char *text = atomic_load((_Atomic(const char *) *)ctx);
    if (!text)
        return err_set(err, "cannot read /run/secrets/mqtt_password");
    return buf_add_str(out, text);
}

static void connect_carries_every_option_under_mqtt_5(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    _Atomic(const char *) secret = "s3cret";
    o->options.username = "gw";
    o->options.password = read_password;
    o->options.password_ctx = &secret;
    o->options.receive_maximum = 500;
    owner_start(o);
    struct packet p = broker_accept(&b);
    struct bytes want = {.len = 0};
    put_text(&want, "MQTT");
    put8(&want, 5);
    put8(&want, 0xc0); /* user name, password; not clean start */
    put16(&want, 30);
    put8(&want, 8);
    put8(&want, 17); /* session expiry: 86400 s */
    put16(&want, 1);
    put16(&want, 0x5180);
    put8(&want, 33); /* receive maximum */
    put16(&want, 500);
    put_text(&want, "gateway-edge-1");
    put_text(&want, "gw");
    put_text(&want, "s3cret");
    assert_int_equal(p.len, want.len);
    assert_memory_equal(p.body, want.at, want.len);
    broker_connack(&b, true, 0, NULL);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTED), "the broker kept our session");
    assert_true(o->present[0]);
    owner_free(o);
    broker_close(&b);
}

static void connect_carries_every_option_under_mqtt_3_1_1(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, false);
    struct owner *o = owner_new(b.uri, false);
    owner_start(o);
    struct packet p = broker_accept(&b);
    struct bytes want = {.len = 0};
    put_text(&want, "MQTT");
    put8(&want, 4);
    put8(&want, 0); /* no clean session */
    put16(&want, 30);
    put_text(&want, "gateway-edge-1");
    assert_int_equal(p.len, want.len);
    assert_memory_equal(p.body, want.at, want.len);
    broker_connack(&b, false, 0, NULL);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTED), "a new session");
    assert_false(o->present[0]);
    owner_free(o);
    broker_close(&b);
}

static void a_refusal_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        bool v5;
        int code;
        const char *says;
    } rows[] = {
        {true, 0x86,
         "broker refused the connection: bad user name or password (MQTT 5 reason 0x86): check "
         "mqtt.username and mqtt.password"},
        {false, 4, "bad user name or password (MQTT 3.1.1 return code 0x04): check mqtt.username"},
        {true, 0x87, "not authorized (MQTT 5 reason 0x87): check mqtt.username"},
        {true, 0xbb, "unknown reason (MQTT 5 reason 0xBB)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker b;
        broker_open(&b, rows[i].v5);
        struct owner *o = owner_new(b.uri, rows[i].v5);
        owner_start(o);
        broker_accept(&b);
        broker_connack(&b, false, rows[i].code, NULL);
        const char *why = owner_heard(o, 0, MQTT_LINK_CONNECTING);
        says(why, rows[i].says);
        says(why, b.uri);
        says(why, "trying again in ");
        broker_welcome(&b, true); /* and it does try again */
        owner_heard(o, 1, MQTT_LINK_CONNECTED);
        owner_free(o);
        broker_close(&b);
    }
}

static void the_password_is_read_again_for_each_attempt(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    _Atomic(const char *) secret = "old";
    o->options.username = "gw";
    o->options.password = read_password;
    o->options.password_ctx = &secret;
    owner_start(o);
    struct packet p = broker_accept(&b);
    assert_memory_equal(p.body + p.len - 5, "\0\3old", 5);
    secret = "newer";
    broker_connack(&b, false, 0x86, NULL);
    p = broker_accept(&b);
    assert_memory_equal(p.body + p.len - 7, "\0\5newer", 7);
    owner_free(o);
    broker_close(&b);
}

static void a_password_that_cannot_be_read_is_said_and_tried_again(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    _Atomic(const char *) secret = NULL;
    o->options.username = "gw";
    o->options.password = read_password;
    o->options.password_ctx = &secret;
    owner_start(o);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTING), "cannot read /run/secrets/mqtt_password");
    secret = "found";
    broker_welcome(&b, true);
    owner_free(o);
    broker_close(&b);
}

static void servers_are_tried_in_order_and_the_first_again_after_a_loss(void **state)
{
    (void)state;
    struct broker dead;
    struct broker b;
    broker_open(&dead, true);
    broker_close(&dead); /* nobody listens there */
    broker_open(&b, true);
    struct owner *o = owner_new(dead.uri, true);
    o->servers[1] = b.uri;
    o->options.server_count = 2;
    owner_start(o);
    broker_welcome(&b, false);
    const char *why = owner_heard(o, 0, MQTT_LINK_CONNECTING);
    says(why, "cannot connect to ");
    says(why, dead.uri);
    says(why, "Connection refused; trying the next server");
    says(owner_heard(o, 1, MQTT_LINK_CONNECTED), b.uri);
    broker_drop(&b);
    why = owner_heard(o, 2, MQTT_LINK_CONNECTING);
    says(why, "was lost");
    says(why, "trying again in ");
    says(owner_heard(o, 3, MQTT_LINK_CONNECTING), dead.uri);
    broker_welcome(&b, true);
    owner_heard(o, 4, MQTT_LINK_CONNECTED);
    owner_free(o);
    broker_close(&b);
}

static void a_name_that_cannot_be_looked_up_is_said(void **state)
{
    (void)state;
    char uri[320] = "tcp://"; /* longer than any name: nobody is asked for it */
    memset(uri + 6, 'x', 300);
    struct owner *o = owner_new(uri, true);
    owner_start(o);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTING), "cannot connect to tcp://xxx");
    says(owner_heard(o, 0, MQTT_LINK_CONNECTING), "not a host and port; trying again");
    owner_free(o);
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
    (void)state;
    struct broker silent;
    struct broker b;
    broker_open(&silent, true); /* the kernel takes the connection, nobody answers */
    broker_open(&b, true);
    struct owner *o = owner_new(silent.uri, true);
    o->servers[1] = b.uri;
    o->options.server_count = 2;
    o->options.connect_timeout_s = 1;
    owner_start(o);
    broker_welcome(&b, false);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTING), "no answer within 1 s");
    owner_heard(o, 1, MQTT_LINK_CONNECTED);
    owner_free(o);
    broker_close(&silent);
    broker_close(&b);
}

static void a_server_that_hangs_up_instead_of_answering_is_said(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    broker_accept(&b);
    broker_drop(&b);
    says(owner_heard(o, 0, MQTT_LINK_CONNECTING), "it closed the connection without an answer");
    broker_welcome(&b, true);
    owner_free(o);
    broker_close(&b);
}

static void a_session_taken_over_names_the_other_gateway(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    broker_welcome(&b, true);
    owner_heard(o, 0, MQTT_LINK_CONNECTED);
    struct bytes body = {.len = 0};
    put8(&body, 0x8e);
    put8(&body, 8);
    put8(&body, 31); /* reason string */
    put_text(&body, "bye..");
    broker_send(&b, DISCONNECT, 0, &body);
    const char *why = owner_heard(o, 1, MQTT_LINK_CONNECTING);
    says(why, "session taken over (MQTT 5 reason 0x8E)");
    says(why, "does a second gateway have this gateway.id?");
    says(why, "it says: bye..");
    broker_welcome(&b, true);
    owner_heard(o, 2, MQTT_LINK_CONNECTED);
    owner_free(o);
    broker_close(&b);
}

static struct {
    bool checked;
} properties_seen;

static void look_at_properties(const struct mqtt_message *m)
{
    assert_true(span_eq_str(m->content_type, "text/plain"));
    assert_true(span_eq_str(m->response_topic, "r/t"));
    assert_int_equal(m->correlation.len, 3);
    assert_memory_equal(m->correlation.ptr, "\0\1\2", 3);
    assert_true(m->has_expiry);
    assert_int_equal(m->expiry_s, 3600);
    assert_int_equal(m->user_count, 2);
    assert_true(span_eq_str(m->user[0].key, "k"));
    assert_true(span_eq_str(m->user[0].value, "v1"));
    assert_true(span_eq_str(m->user[1].value, ""));
    assert_int_equal(m->subscription_id_count, 2);
    assert_int_equal(m->subscription_ids[0], 7);
    assert_int_equal(m->subscription_ids[1], 300);
    assert_true(m->retain);
    assert_true(m->received_ms > INT64_C(1600000000000));
    properties_seen.checked = true;
}

static void every_property_of_a_message_arrives(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    o->look = look_at_properties;
    owner_start(o);
    broker_welcome(&b, true);
    struct bytes body = {.len = 0};
    put_text(&body, "a/b");
    struct bytes p = {.len = 0};
    put8(&p, 2);
    put16(&p, 0);
    put16(&p, 3600);
    put8(&p, 3);
    put_text(&p, "text/plain");
    put8(&p, 8);
    put_text(&p, "r/t");
    put8(&p, 9);
    put16(&p, 3);
    put(&p, "\0\1\2", 3);
    put8(&p, 38);
    put_text(&p, "k");
    put_text(&p, "v1");
    put8(&p, 38);
    put_text(&p, "k");
    put_text(&p, "");
    put8(&p, 11);
    put8(&p, 7);
    put8(&p, 11);
    put8(&p, 0xac); /* 300 */
    put8(&p, 0x02);
    put8(&body, (unsigned)p.len);
    put(&body, p.at, p.len);
    put(&body, "payload", 7);
    broker_send(&b, PUBLISH, 1, &body); /* retained, QoS 0 */
    assert_string_equal(owner_saw(o, 0).payload, "payload");
    assert_true(properties_seen.checked);
    owner_free(o);
    broker_close(&b);
}

static void options_that_cannot_work_are_refused(void **state)
{
    (void)state;
    static const struct mqtt_link_options good = {
        .client_id = "g", .connect_timeout_s = 1, .server_count = 1, .v5 = true};
    struct row {
        struct mqtt_link_options options;
        const char *servers[2];
        const char *says;
    } rows[] = {
        {good, {"http://x"}, "must begin with tcp:// or ssl://"},
        {good, {"tcp://a", "ssl://b"}, "mixes tcp:// and ssl://"},
        {good, {"tcp://a"}, "mqtt.servers is empty"},
        {good, {"tcp://a"}, "client identifier is empty"},
        {good, {"tcp://a"}, "mqtt.keep_alive"},
        {good, {"tcp://a"}, "mqtt.connect_timeout"},
        {good, {"tcp://a"}, "mqtt.session_expiry"},
        {good, {"tcp://a"}, "receive maximum"},
        {good, {"tcp://a"}, "mqtt.password without mqtt.username"},
        {good, {"tcp://a"}, "mqtt.tls.key without mqtt.tls.cert"},
    };
    rows[1].options.server_count = 2;
    rows[2].options.server_count = 0;
    rows[3].options.client_id = "";
    rows[4].options.keep_alive_s = 65536;
    rows[5].options.connect_timeout_s = 0;
    rows[6].options.session_expiry_s = INT64_C(1) << 32;
    rows[7].options.receive_maximum = 65536;
    rows[8].options.password = read_password;
    rows[8].options.v5 = false;
    rows[9].options.tls.key = "key.pem";
    const struct mqtt_link_callbacks callbacks = {.state = owner_state};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rows[i].options.servers = rows[i].servers;
        struct err err;
        assert_null(mqtt_link_new(&rows[i].options, &callbacks, &err));
        says(err.text, rows[i].says);
    }
}

static void stopping_while_connecting_returns_at_once(void **state)
{
    (void)state;
    struct broker silent;
    broker_open(&silent, true);
    struct owner *o = owner_new(silent.uri, true);
    owner_start(o);
    broker_accept(&silent); /* the CONNECT has come and stays without an answer */
    mqtt_link_stop(o->link, 60000);
    owner_free(o);
    broker_close(&silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_carries_every_option_under_mqtt_5),
        cmocka_unit_test(connect_carries_every_option_under_mqtt_3_1_1),
        cmocka_unit_test(a_refusal_says_what_to_do),
        cmocka_unit_test(the_password_is_read_again_for_each_attempt),
        cmocka_unit_test(a_password_that_cannot_be_read_is_said_and_tried_again),
        cmocka_unit_test(servers_are_tried_in_order_and_the_first_again_after_a_loss),
        cmocka_unit_test(a_name_that_cannot_be_looked_up_is_said),
        cmocka_unit_test(a_server_that_does_not_answer_is_given_up),
        cmocka_unit_test(a_server_that_hangs_up_instead_of_answering_is_said),
        cmocka_unit_test(a_session_taken_over_names_the_other_gateway),
        cmocka_unit_test(every_property_of_a_message_arrives),
        cmocka_unit_test(options_that_cannot_work_are_refused),
        cmocka_unit_test(stopping_while_connecting_returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
