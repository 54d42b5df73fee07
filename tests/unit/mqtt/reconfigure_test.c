/* Going on with other options, against brokers that do only what the test says. */
#include "broker.h"
#include "owner.h"

static void a_changed_server_is_gone_to_when_the_acknowledgements_are_out(void **state)
{
    (void)state;
    struct broker one, two;
    broker_open(&one, true);
    broker_open(&two, true);
    struct owner *o = owner_new(one.uri, true);
    owner_start(o);
    owner_subscribe(o, "a/#", 1, 1);
    broker_welcome(&one, false);
    struct packet p = broker_read(&one, SUBSCRIBE);
    broker_answer(&one, &p, 1);
    owner_wait_settled(o, 1);
    broker_publish(&one, 1, false, 77, "held", NULL);
    uint64_t ticket = owner_saw(o, 0).ticket;
    mqtt_link_release(o->link, ticket);

    struct err err;
    o->servers[0] = two.uri;
    o->options.username = "other";
    assert_true(mqtt_link_reconfigure(o->link, &o->options, &err));
    broker_read_ack(&one, PUBACK, 77);
    broker_farewell(&one);
    broker_welcome(&two, true);
    /* What this server holds of us is not known: all is asked for again. */
    p = broker_read(&two, SUBSCRIBE);
    broker_answer(&two, &p, 1);
    broker_publish(&two, 1, false, 5, "there", NULL);
    assert_string_equal(owner_saw(o, 1).payload, "there");
    owner_free(o);
    broker_close(&one);
    broker_close(&two);
}

static void messages_that_come_meanwhile_are_left_to_the_broker(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    broker_welcome(&b, true);
    owner_heard(o, 0, MQTT_LINK_CONNECTED);
    struct err err;
    o->options.keep_alive_s = 77;
    assert_true(mqtt_link_reconfigure(o->link, &o->options, &err));
    broker_publish(&b, 1, false, 9, "early", NULL);
    broker_farewell(&b);
    struct packet connect = broker_accept(&b);
    assert_string_equal(owner_heard(o, 1, MQTT_LINK_CONNECTING),
                        "connecting with changed settings");
    assert_int_equal(get16(connect.body + 8), 77);
    broker_connack(&b, true, 0, NULL);
    broker_publish(&b, 1, true, 9, "early", NULL);
    assert_string_equal(owner_saw(o, 0).payload, "early");
    assert_int_equal(o->message_count, 1);
    owner_free(o);
    broker_close(&b);
}

static void while_nobody_answers_the_new_server_is_tried_at_once(void **state)
{
    (void)state;
    struct broker gone, there;
    broker_open(&gone, true);
    broker_open(&there, true);
    broker_close(&gone);
    struct owner *o = owner_new(gone.uri, true);
    owner_start(o);
    owner_heard(o, 0, MQTT_LINK_CONNECTING);
    struct err err;
    o->servers[0] = there.uri;
    assert_true(mqtt_link_reconfigure(o->link, &o->options, &err));
    broker_welcome(&there, false);
    owner_wait(o, &o->state_count, 2);
    owner_free(o);
    broker_close(&there);
}

static void options_that_cannot_work_change_nothing(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    broker_welcome(&b, true);
    owner_heard(o, 0, MQTT_LINK_CONNECTED);
    struct err err;
    o->servers[0] = "http://example.invalid";
    assert_false(mqtt_link_reconfigure(o->link, &o->options, &err));
    assert_non_null(strstr(err.text, "must begin with tcp:// or ssl://"));
    broker_publish(&b, 0, false, 0, "still here", NULL);
    assert_string_equal(owner_saw(o, 0).payload, "still here");
    owner_free(o);
    broker_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_server_is_gone_to_when_the_acknowledgements_are_out),
        cmocka_unit_test(messages_that_come_meanwhile_are_left_to_the_broker),
        cmocka_unit_test(while_nobody_answers_the_new_server_is_tried_at_once),
        cmocka_unit_test(options_that_cannot_work_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
