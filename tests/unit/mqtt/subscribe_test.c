/* What a link subscribes to and gives up, against a broker that does only what the test says. */
#include "broker.h"
#include "owner.h"

static void says(const char *why, const char *part)
{
    if (!strstr(why, part))
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

/* Reads a SUBSCRIBE and checks it: options is the byte behind the filter. */
static struct packet expect_subscribe(struct broker *b, const char *filter, int options,
                                      unsigned id)
{
    struct packet p = broker_read(b, SUBSCRIBE);
    char name[256];
    const uint8_t *at = packet_filter(&p, b->v5, name);
    assert_string_equal(name, filter);
    assert_int_equal(at[0], options);
    if (b->v5 && id) {
        assert_int_equal(p.body[2], 2);
        assert_int_equal(p.body[3], 11);
        assert_int_equal(p.body[4], id);
    } else if (b->v5) {
        assert_int_equal(p.body[2], 0);
    }
    return p;
}

static struct packet expect_unsubscribe(struct broker *b, const char *filter)
{
    struct packet p = broker_read(b, UNSUBSCRIBE);
    char name[256];
    packet_filter(&p, b->v5, name);
    assert_string_equal(name, filter);
    return p;
}

static void subscriptions_carry_identifier_qos_and_retain_handling(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    const struct mqtt_subscription subs[] = {
        {.filter = "a/+", .qos = 1, .id = 7, .retained_copies = true},
        {.filter = "$share/g/b/#", .qos = 2, .id = 9, .retained_copies = false},
    };
    mqtt_link_subscribe(o->link, subs, 2, NULL, 0);
    broker_welcome(&b, false);
    struct packet p = expect_subscribe(&b, "a/+", 1 | 1 << 4, 7);
    struct packet q = expect_subscribe(&b, "$share/g/b/#", 2 | 2 << 4, 9);
    broker_answer(&b, &p, 1);
    broker_answer(&b, &q, 2);
    owner_free(o);
    broker_close(&b);
}

static void under_3_1_1_qos_2_stays_qos_2(void **state)
{
    (void)state;
    assert_true(mqtt_link_withholds());
    struct broker b;
    broker_open(&b, false);
    struct owner *o = owner_new(b.uri, false);
    owner_start(o);
    owner_subscribe(o, "a/#", 2, 1);
    broker_welcome(&b, false);
    struct packet p = expect_subscribe(&b, "a/#", 2, 0);
    broker_answer(&b, &p, 0x80);
    says(owner_heard_refusal(o, 0, "a/#"), "MQTT 3.1.1 return code 0x80");
    owner_free(o);
    broker_close(&b);
}

static void a_refused_subscription_is_told_and_asked_again_on_the_next_connection(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    owner_subscribe(o, "secret/#", 1, 3);
    broker_welcome(&b, true);
    struct packet p = expect_subscribe(&b, "secret/#", 1 | 1 << 4, 3);
    broker_answer(&b, &p, 0x87);
    says(owner_heard_refusal(o, 0, "secret/#"), "not authorized (MQTT 5 reason 0x87)");
    broker_drop(&b);
    broker_welcome(&b, true);
    expect_subscribe(&b, "secret/#", 1 | 1 << 4, 3);
    owner_free(o);
    broker_close(&b);
}

static void what_the_broker_cannot_do_is_not_asked_of_it(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    const struct mqtt_subscription subs[] = {
        {.filter = "$share/g/x", .qos = 1, .id = 1, .retained_copies = true},
        {.filter = "a/+", .qos = 1, .id = 2, .retained_copies = true},
        {.filter = "plain", .qos = 1, .id = 3, .retained_copies = true},
    };
    mqtt_link_subscribe(o->link, subs, 3, NULL, 0);
    broker_accept(&b);
    struct bytes properties = {.len = 0};
    for (unsigned code = 40; code <= 42; code++) { /* wildcards, identifiers, shared: none */
        put8(&properties, code);
        put8(&properties, 0);
    }
    broker_connack(&b, true, 0, &properties);
    expect_subscribe(&b, "plain", 1 | 1 << 4, 0); /* without an identifier */
    says(owner_heard_refusal(o, 0, "$share/g/x"), "leave mqtt.shared_group empty");
    says(owner_heard_refusal(o, 1, "a/+"), "use filters without + and #");
    owner_free(o);
    broker_close(&b);
}

static void new_filters_come_before_old_and_stale_ones_go(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    owner_subscribe(o, "old", 1, 1);
    broker_welcome(&b, false);
    struct packet p = expect_subscribe(&b, "old", 1 | 1 << 4, 1);
    broker_answer(&b, &p, 1);

    const struct mqtt_subscription next = {
        .filter = "new", .qos = 1, .id = 2, .retained_copies = true};
    const char *stale[] = {"stale", "new"};
    mqtt_link_subscribe(o->link, &next, 1, stale, 2);
    p = expect_subscribe(&b, "new", 1 | 1 << 4, 2);
    broker_publish(&b, 0, false, 0, "mark", NULL);
    owner_wait_messages(o, 1);
    broker_heard_nothing(&b); /* nothing is given up before the new one is held */
    broker_answer(&b, &p, 1);
    p = expect_unsubscribe(&b, "stale"); /* in the order of identifiers, of which it has none */
    struct packet q = expect_unsubscribe(&b, "old");
    broker_answer(&b, &p, 0);
    broker_answer(&b, &q, 0x11);
    owner_free(o);
    broker_close(&b);
}

static void a_kept_session_is_not_subscribed_again_and_a_lost_one_is(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    owner_subscribe(o, "a", 1, 1);
    /* The session is there, but this process has not confirmed anything in it yet. */
    broker_welcome(&b, true);
    struct packet p = expect_subscribe(&b, "a", 1 | 1 << 4, 1);
    broker_answer(&b, &p, 1);
    broker_publish(&b, 0, false, 0, "mark", NULL);
    owner_wait_messages(o, 1);

    broker_drop(&b);
    broker_welcome(&b, true);
    owner_heard(o, 2, MQTT_LINK_CONNECTED);
    owner_subscribe(o, "b", 1, 2);                /* the set changes while connected */
    p = expect_subscribe(&b, "b", 1 | 1 << 4, 2); /* and "a" was not asked for again */
    broker_drop(&b);

    broker_welcome(&b, true); /* the answer never came: asked again, and "a" must go */
    p = expect_subscribe(&b, "b", 1 | 1 << 4, 2);
    broker_answer(&b, &p, 1);
    p = expect_unsubscribe(&b, "a");
    broker_answer(&b, &p, 0);
    broker_drop(&b);

    broker_welcome(&b, false);
    expect_subscribe(&b, "b", 1 | 1 << 4, 2);
    owner_free(o);
    broker_close(&b);
}

static void another_server_with_a_session_is_not_trusted_to_hold_the_same(void **state)
{
    (void)state;
    struct broker one;
    struct broker two;
    broker_open(&one, true);
    broker_open(&two, true);
    struct owner *o = owner_new(one.uri, true);
    o->servers[1] = two.uri;
    o->options.server_count = 2;
    owner_start(o);
    owner_subscribe(o, "a", 1, 1);
    broker_welcome(&one, true);
    struct packet p = expect_subscribe(&one, "a", 1 | 1 << 4, 1);
    broker_answer(&one, &p, 1);
    broker_close(&one);
    broker_welcome(&two, true);
    expect_subscribe(&two, "a", 1 | 1 << 4, 1);
    owner_free(o);
    broker_close(&two);
}

static void many_subscriptions_are_asked_for_many_at_a_time(void **state)
{
    (void)state;
    enum { COUNT = 300, AT_ONCE = 64 };
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    static char names[COUNT][16];
    struct mqtt_subscription subs[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "t/%u", i);
        subs[i] = (struct mqtt_subscription){.filter = names[i], .qos = 1, .id = i + 1};
    }
    mqtt_link_subscribe(o->link, subs, COUNT, NULL, 0);
    broker_welcome(&b, false);
    struct packet waiting[AT_ONCE];
    for (unsigned i = 0; i < AT_ONCE; i++)
        waiting[i] = broker_read(&b, SUBSCRIBE);
    broker_publish(&b, 0, false, 0, "mark", NULL);
    owner_wait_messages(o, 1);
    broker_heard_nothing(&b);
    for (unsigned i = 0; i < COUNT; i++) {
        struct packet answered = waiting[i % AT_ONCE];
        broker_answer(&b, &answered, 1);
        if (i + AT_ONCE < COUNT)
            waiting[i % AT_ONCE] = broker_read(&b, SUBSCRIBE);
    }
    owner_free(o);
    broker_close(&b);
}

static void what_is_wanted_again_in_time_is_asked_for_by_nobody(void **state)
{
    (void)state;
    struct broker b;
    broker_open(&b, true);
    struct owner *o = owner_new(b.uri, true);
    owner_start(o);
    owner_subscribe(o, "old", 1, 1);
    broker_welcome(&b, false);
    struct packet p = expect_subscribe(&b, "old", 1 | 1 << 4, 1);
    broker_answer(&b, &p, 1);
    owner_wait_settled(o, 1);
    owner_subscribe(o, "new", 1, 2);
    p = expect_subscribe(&b, "new", 1 | 1 << 4, 2);
    owner_subscribe(o, "old", 1, 1); /* back again, within the overlap */
    broker_answer(&b, &p, 1);
    p = expect_unsubscribe(&b, "new"); /* the next thing that is said */
    assert_int_equal(o->settled, 1);
    broker_answer(&b, &p, 0);
    owner_wait_settled(o, 3);
    owner_free(o);
    broker_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscriptions_carry_identifier_qos_and_retain_handling),
        cmocka_unit_test(under_3_1_1_qos_2_stays_qos_2),
        cmocka_unit_test(a_refused_subscription_is_told_and_asked_again_on_the_next_connection),
        cmocka_unit_test(what_the_broker_cannot_do_is_not_asked_of_it),
        cmocka_unit_test(new_filters_come_before_old_and_stale_ones_go),
        cmocka_unit_test(a_kept_session_is_not_subscribed_again_and_a_lost_one_is),
        cmocka_unit_test(another_server_with_a_session_is_not_trusted_to_hold_the_same),
        cmocka_unit_test(many_subscriptions_are_asked_for_many_at_a_time),
        cmocka_unit_test(what_is_wanted_again_in_time_is_asked_for_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
