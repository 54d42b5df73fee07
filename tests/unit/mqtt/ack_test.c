/* What goes over the wire when the owner releases acknowledgements, late, in part or not at all. */
#include "broker.h"
#include "owner.h"

struct fixture {
    struct broker broker;
    struct owner *owner;
};

static struct fixture *connected(struct fixture *f, bool v5)
{
    broker_open(&f->broker, v5);
    f->owner = owner_new(f->broker.uri, v5);
    owner_start(f->owner);
    broker_welcome(&f->broker, true);
    owner_heard(f->owner, 0, MQTT_LINK_CONNECTED);
    return f;
}

static void finish(struct fixture *f)
{
    owner_free(f->owner);
    broker_close(&f->broker);
}

/* Once this has been handed over, all that came before it has been dealt with by Paho. */
static void mark(struct fixture *f, size_t messages_before)
{
    broker_publish(&f->broker, 0, false, 0, "mark", NULL);
    assert_string_equal(owner_saw(f->owner, messages_before).payload, "mark");
}

static const bool versions[] = {true, false};

static void nothing_is_acknowledged_before_it_is_released(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (int qos = 1; qos <= 2; qos++) {
            struct fixture f;
            connected(&f, versions[v]);
            broker_publish(&f.broker, qos, false, 7, "one", NULL);
            mark(&f, 1);
            struct seen_message one = owner_saw(f.owner, 0);
            assert_string_equal(one.payload, "one");
            assert_int_equal(one.qos, qos);
            assert_int_equal(owner_saw(f.owner, 1).ticket, 0);
            broker_heard_nothing(&f.broker);
            mqtt_link_release(f.owner->link, one.ticket);
            broker_read_ack(&f.broker, qos == 1 ? PUBACK : PUBREC, 7);
            if (qos == 2) {
                broker_pubrel(&f.broker, 7);
                broker_read_ack(&f.broker, PUBCOMP, 7);
            }
            mark(&f, 2);
            broker_heard_nothing(&f.broker);
            finish(&f);
        }
    }
}

static void acknowledgements_go_out_in_order_of_arrival(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    for (unsigned i = 0; i < 600; i++)
        broker_publish(&f.broker, 1 + (int)(i % 2), false, 1000 - i, "x", NULL);
    owner_wait_messages(f.owner, 600);
    uint64_t last = owner_saw(f.owner, 599).ticket;
    mqtt_link_release(f.owner->link, last - 10);
    for (unsigned i = 0; i < 590; i++)
        broker_read_ack(&f.broker, i % 2 ? PUBREC : PUBACK, 1000 - i);
    mqtt_link_release(f.owner->link, last - 20); /* an older one changes nothing */
    broker_heard_nothing(&f.broker);
    mqtt_link_release(f.owner->link, last);
    for (unsigned i = 590; i < 600; i++)
        broker_read_ack(&f.broker, i % 2 ? PUBREC : PUBACK, 1000 - i);
    finish(&f);
}

static void a_connection_that_is_gone_is_owed_nothing_and_sends_again(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (int qos = 1; qos <= 2; qos++) {
            struct fixture f;
            connected(&f, versions[v]);
            broker_publish(&f.broker, qos, false, 9, "first", NULL);
            uint64_t first = owner_saw(f.owner, 0).ticket;
            broker_drop(&f.broker);
            broker_welcome(&f.broker, true);
            owner_heard(f.owner, 2, MQTT_LINK_CONNECTED);
            mqtt_link_release(f.owner->link, first); /* too late for that connection */
            mark(&f, 1);
            broker_heard_nothing(&f.broker);

            broker_publish(&f.broker, qos, true, 9, "first", NULL);
            struct seen_message again = owner_saw(f.owner, 2);
            assert_string_equal(again.payload, "first"); /* it was never acknowledged */
            assert_true(again.ticket > first);
            mqtt_link_release(f.owner->link, first);
            mark(&f, 3);
            broker_heard_nothing(&f.broker);
            mqtt_link_release(f.owner->link, again.ticket);
            broker_read_ack(&f.broker, qos == 1 ? PUBACK : PUBREC, 9);
            finish(&f);
        }
    }
}

static void a_stored_qos_2_message_is_not_handed_over_twice(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct fixture f;
        connected(&f, versions[v]);
        broker_publish(&f.broker, 2, false, 5, "once", NULL);
        mqtt_link_release(f.owner->link, owner_saw(f.owner, 0).ticket);
        broker_read_ack(&f.broker, PUBREC, 5);
        broker_drop(&f.broker); /* as if the PUBREC had been lost */

        broker_welcome(&f.broker, true);
        broker_publish(&f.broker, 1, false, 4, "before", NULL);
        broker_publish(&f.broker, 2, true, 5, "once", NULL);
        mark(&f, 2);                     /* 0: once, 1: before, 2: the mark */
        broker_heard_nothing(&f.broker); /* its PUBREC waits for its turn */
        mqtt_link_release(f.owner->link, owner_saw(f.owner, 1).ticket);
        broker_read_ack(&f.broker, PUBACK, 4);
        broker_read_ack(&f.broker, PUBREC, 5);
        broker_publish(&f.broker, 2, true, 5, "once", NULL);
        broker_read_ack(&f.broker, PUBREC, 5); /* nothing before it: at once */

        broker_pubrel(&f.broker, 5);
        broker_read_ack(&f.broker, PUBCOMP, 5);
        broker_pubrel(&f.broker, 5); /* repeated: answered all the same */
        broker_read_ack(&f.broker, PUBCOMP, 5);
        broker_publish(&f.broker, 2, true, 5, "new", NULL); /* the identifier is free again */
        assert_string_equal(owner_saw(f.owner, 3).payload, "new");
        finish(&f);
    }
}

static void a_message_without_the_dup_flag_is_new_whatever_its_identifier(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    broker_publish(&f.broker, 2, false, 5, "old", NULL);
    mqtt_link_release(f.owner->link, owner_saw(f.owner, 0).ticket);
    broker_read_ack(&f.broker, PUBREC, 5);
    broker_publish(&f.broker, 2, false, 5, "new", NULL); /* no PUBREL in between */
    assert_string_equal(owner_saw(f.owner, 1).payload, "new");
    broker_publish(&f.broker, 2, true, 5, "new", NULL); /* not released yet */
    assert_string_equal(owner_saw(f.owner, 2).payload, "new");
    finish(&f);
}

static void a_new_session_makes_every_identifier_new(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    broker_publish(&f.broker, 2, false, 5, "old", NULL);
    mqtt_link_release(f.owner->link, owner_saw(f.owner, 0).ticket);
    broker_read_ack(&f.broker, PUBREC, 5);
    broker_drop(&f.broker);
    broker_welcome(&f.broker, false);
    broker_publish(&f.broker, 2, true, 5, "new", NULL);
    assert_string_equal(owner_saw(f.owner, 1).payload, "new");
    finish(&f);
}

static void leaving_forgets_what_was_withheld_and_returning_gets_it_again(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    f.owner->leave_on_message = true;
    broker_publish(&f.broker, 1, false, 3, "refused", NULL);
    uint64_t refused = owner_saw(f.owner, 0).ticket;
    broker_farewell(&f.broker);
    assert_non_null(strstr(owner_heard(f.owner, 1, MQTT_LINK_AWAY), "the spool is full"));
    mqtt_link_release(f.owner->link, refused);

    f.owner->leave_on_message = false;
    mqtt_link_return(f.owner->link);
    broker_welcome(&f.broker, true);
    owner_heard(f.owner, 2, MQTT_LINK_CONNECTED);
    broker_publish(&f.broker, 1, true, 3, "refused", NULL);
    struct seen_message again = owner_saw(f.owner, 1);
    broker_heard_nothing(&f.broker);
    mqtt_link_release(f.owner->link, again.ticket);
    broker_read_ack(&f.broker, PUBACK, 3);
    finish(&f);
}

static void *stop_slowly(void *link)
{
    mqtt_link_stop(link, 60000);
    return NULL;
}

static void stopping_sends_what_was_released_and_then_says_goodbye(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    for (unsigned id = 1; id <= 3; id++)
        broker_publish(&f.broker, 1, false, id, "x", NULL);
    mqtt_link_release(f.owner->link, owner_saw(f.owner, 1).ticket);
    owner_wait_messages(f.owner, 3);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_slowly, f.owner->link), 0);
    broker_read_ack(&f.broker, PUBACK, 1);
    broker_read_ack(&f.broker, PUBACK, 2);
    broker_farewell(&f.broker); /* the third was not released */
    assert_int_equal(pthread_join(stopper, NULL), 0);
    finish(&f);
}

static void stopping_does_not_wait_for_a_broker_that_does_not_answer(void **state)
{
    (void)state;
    struct fixture f;
    connected(&f, true);
    mqtt_link_stop(f.owner->link, 50);
    broker_read(&f.broker, UNSUBSCRIBE);
    broker_read(&f.broker, DISCONNECT);
    finish(&f);
}

/* The link's end of the connection, which is in this process, too. */
static int other_end(const struct broker *b)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    assert_int_equal(getpeername(b->connection, (struct sockaddr *)&peer, &len), 0);
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in own;
        len = sizeof(own);
        if (fd != b->connection && getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
            own.sin_family == AF_INET && own.sin_port == peer.sin_port)
            return fd;
    }
    fail();
    return -1;
}

static void a_busy_socket_delays_acknowledgements_and_loses_none(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct fixture f;
    int small = 1; /* as small as the kernel allows */
    broker_open(&f.broker, true);
    assert_int_equal(setsockopt(f.broker.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
                     0);
    f.owner = owner_new(f.broker.uri, true);
    owner_start(f.owner);
    broker_welcome(&f.broker, true);
    assert_int_equal(setsockopt(other_end(&f.broker), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
                     0);
    for (unsigned id = 1; id <= COUNT; id++)
        broker_publish(&f.broker, 1, false, id, "x", NULL);
    mqtt_link_release(f.owner->link, owner_saw(f.owner, COUNT - 1).ticket); /* nobody reads yet */
    for (unsigned id = 1; id <= COUNT; id++)
        broker_read_ack(&f.broker, PUBACK, id);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_acknowledged_before_it_is_released),
        cmocka_unit_test(acknowledgements_go_out_in_order_of_arrival),
        cmocka_unit_test(a_connection_that_is_gone_is_owed_nothing_and_sends_again),
        cmocka_unit_test(a_stored_qos_2_message_is_not_handed_over_twice),
        cmocka_unit_test(a_message_without_the_dup_flag_is_new_whatever_its_identifier),
        cmocka_unit_test(a_new_session_makes_every_identifier_new),
        cmocka_unit_test(leaving_forgets_what_was_withheld_and_returning_gets_it_again),
        cmocka_unit_test(stopping_sends_what_was_released_and_then_says_goodbye),
        cmocka_unit_test(stopping_does_not_wait_for_a_broker_that_does_not_answer),
        cmocka_unit_test(a_busy_socket_delays_acknowledgements_and_loses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
