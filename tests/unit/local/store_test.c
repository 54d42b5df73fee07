/* The store: names, topics, who gets what (CMQ.md 3.7, 4.1, 4.2), and filling it from a file. */
#include "local/store.h"
#include "local/topology.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000)

static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
static const struct queue_attributes plain = QUEUE_DEFAULTS;
static struct store *store;

static int open_store(void **unused)
{
    (void)unused;
    store = store_new(&wide, NOW);
    return 0;
}

static int close_store(void **unused)
{
    (void)unused;
    store_free(store);
    return 0;
}

static struct queue *add_queue(const char *name)
{
    struct err err;
    struct queue *queue = store_add_queue(store, span_of(name), &plain, &err);
    if (!queue)
        fail_msg("%s", err.text);
    return queue;
}

static struct topic *add_topic(const char *name, bool by_route)
{
    struct err err;
    const struct topic_attributes attributes = {by_route, 86400, 65536, false};
    struct topic *topic = store_add_topic(store, span_of(name), &attributes, &err);
    if (!topic)
        fail_msg("%s", err.text);
    return topic;
}

static bool subscribe(struct topic *topic, const char *name, const char *queue,
                      const struct span *filters, size_t count, struct err *err)
{
    const struct subscription_spec spec = {.name = span_of(name),
                                           .queue = span_of(queue),
                                           .url = span_of(queue ? NULL : "http://h/"),
                                           .filters = filters,
                                           .filter_count = count};
    return store_subscribe(store, topic, &spec, err);
}

static void names_do_not_differ_by_case(void **unused)
{
    (void)unused;
    struct err err;
    struct queue *queue = add_queue("Orders");
    assert_ptr_equal(store_queue(store, span_of("oRDERS")), queue);
    assert_string_equal(queue->name, "Orders");
    assert_null(store_add_queue(store, span_of("orders"), &plain, &err));
    assert_non_null(strstr(err.text, "already"));
    assert_null(store_topic(store, span_of("orders"))); /* topics have names of their own */
    struct topic *topic = add_topic("ORDERS", false);
    assert_ptr_equal(store_topic(store, span_of("orders")), topic);
    const struct topic_attributes attributes = {0};
    assert_null(store_add_topic(store, span_of("Orders"), &attributes, &err));
    assert_int_equal(store_queue_count(store), 1);
    assert_int_equal(store_topic_count(store), 1);
}

static void what_is_not_a_name_is_found_nowhere(void **unused)
{
    (void)unused;
    struct err err;
    char long_name[100];
    memset(long_name, 'a', sizeof long_name);
    assert_null(store_queue(store, span_of("")));
    assert_null(store_queue(store, span_make(long_name, sizeof long_name)));
    assert_null(store_topic(store, span_make(long_name, sizeof long_name)));
    assert_null(store_add_queue(store, span_of("1st"), &plain, &err));
    assert_null(store_add_queue(store, span_make(long_name, sizeof long_name), &plain, &err));
}

static void what_is_added_is_listed_in_order(void **unused)
{
    (void)unused;
    add_queue("zeta");
    add_queue("alpha");
    struct queue *first = store_next_queue(store, NULL);
    assert_string_equal(first->name, "zeta");
    struct queue *second = store_next_queue(store, first);
    assert_string_equal(second->name, "alpha");
    assert_null(store_next_queue(store, second));
    assert_null(store_next_topic(store, NULL));
}

static void a_dead_letter_queue_has_none_itself(void **unused)
{
    (void)unused;
    struct err err;
    struct queue *a = add_queue("a"), *b = add_queue("b");
    add_queue("c");
    assert_false(store_bind_dead_letter(store, a, span_of("nowhere"), &err));
    assert_false(store_bind_dead_letter(store, a, span_of("a"), &err));
    assert_true(store_bind_dead_letter(store, a, span_of("B"), &err));
    assert_ptr_equal(a->dead_letter, b);
    assert_false(store_bind_dead_letter(store, b, span_of("c"), &err));
    assert_false(
        store_bind_dead_letter(store, store_queue(store, span_of("c")), span_of("a"), &err));
    assert_non_null(strstr(err.text, "dead letter queue"));
}

static void subscriptions_are_checked(void **unused)
{
    (void)unused;
    struct err err;
    const struct span long_tag = SPAN_LIT("12345678901234567"), key = SPAN_LIT("a.*"),
                      empty = SPAN_LIT("");
    add_queue("q");
    struct topic *tagged = add_topic("tagged", false), *routed = add_topic("routed", true);
    assert_true(subscribe(tagged, "s", "q", NULL, 0, &err));
    assert_false(subscribe(tagged, "S", "q", NULL, 0, &err)); /* taken */
    assert_false(subscribe(tagged, "1", "q", NULL, 0, &err)); /* no name */
    assert_false(subscribe(tagged, "t", "nowhere", NULL, 0, &err));
    assert_false(subscribe(tagged, "t", "q", &long_tag, 1, &err));
    assert_false(subscribe(routed, "t", "q", &empty, 1, &err));
    assert_true(subscribe(routed, "t", "q", &key, 1, &err));
    assert_true(subscribe(routed, "u", NULL, &key, 1, &err));
    assert_string_equal(topic_find(routed, span_of("U"))->url, "http://h/");
}

static enum topic_result publish(struct topic *topic, const char *route, const char *tags)
{
    static const struct span body = SPAN_LIT("x");
    struct span list[8];
    struct topic_label label = {.route = span_of(route), .tags = list};
    uint64_t id;
    while (tags && *tags) {
        size_t len = strcspn(tags, ",");
        list[label.tag_count++] = span_make(tags, len);
        tags += len + (tags[len] == ',');
    }
    return topic_publish(topic, &body, 1, &label, NOW, &id);
}

static void tags_choose_who_gets_a_message(void **unused)
{
    (void)unused;
    struct err err;
    const struct span high[] = {SPAN_LIT("high"), SPAN_LIT("top")};
    struct queue *all = add_queue("all"), *some = add_queue("some");
    struct topic *open = add_topic("open", false), *closed = add_topic("closed", false);
    assert_true(subscribe(open, "all", "all", NULL, 0, &err));
    assert_true(subscribe(open, "some", "some", high, 2, &err));
    assert_true(subscribe(closed, "some", "some", high, 2, &err));
    static const struct {
        bool open;
        const char *route, *tags;
        enum topic_result result;
        unsigned all, some;
    } rows[] = {
        {true, "", "", TOPIC_OK, 1, 0},
        {true, "", "high", TOPIC_OK, 1, 1},
        {true, "", "low,top", TOPIC_OK, 1, 1},
        {true, "", "High", TOPIC_OK, 1, 0},
        {true, "high", "", TOPIC_OK, 1, 0},
        {false, "", "low", TOPIC_NONE_MATCHES, 0, 0},
        {false, "", "", TOPIC_NONE_MATCHES, 0, 0},
        {false, "", "top", TOPIC_OK, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t had_all = all->active_count, had_some = some->active_count;
        enum topic_result result =
            publish(rows[i].open ? open : closed, rows[i].route, rows[i].tags);
        if (result != rows[i].result || all->active_count - had_all != rows[i].all ||
            some->active_count - had_some != rows[i].some)
            fail_msg("row %zu", i);
    }
}

static void binding_keys_choose_who_gets_a_message(void **unused)
{
    (void)unused;
    struct err err;
    const struct span keys[] = {SPAN_LIT("a.b.*"), SPAN_LIT("#.c")};
    struct queue *q = add_queue("q");
    struct topic *topic = add_topic("t", true);
    assert_int_equal(publish(topic, "a", ""), TOPIC_NO_SUBSCRIPTION);
    assert_true(subscribe(topic, "deaf", "q", NULL, 0, &err)); /* no key matches nothing */
    assert_true(subscribe(topic, "s", "q", keys, 2, &err));
    static const struct {
        const char *route;
        enum topic_result result;
    } rows[] = {
        {"a.b.c", TOPIC_OK}, {"a.b.x", TOPIC_OK},           {"a.c.d", TOPIC_NONE_MATCHES},
        {"x.y.c", TOPIC_OK}, {"x.y.z", TOPIC_NONE_MATCHES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t had = q->active_count;
        assert_int_equal(publish(topic, rows[i].route, "a.b.c"), rows[i].result);
        assert_int_equal(q->active_count - had, rows[i].result == TOPIC_OK); /* once, not twice */
    }
}

static void what_is_published_for_a_url_is_to_be_pushed(void **unused)
{
    (void)unused;
    struct err err;
    const struct span tags[] = {SPAN_LIT("a"), SPAN_LIT("\xe4\xbd\xa0"), SPAN_LIT("c")};
    const struct span bodies[] = {SPAN_LIT("one"), SPAN_LIT("two")};
    const struct topic_label label = {.tags = tags, .tag_count = 3};
    uint64_t ids[2];
    struct topic *topic = add_topic("t", false);
    assert_true(subscribe(topic, "hook", NULL, NULL, 0, &err));
    assert_int_equal(topic_publish(topic, bodies, 2, &label, NOW, ids), TOPIC_OK);
    const struct subscription *hook = topic_find(topic, span_of("hook"));
    assert_int_equal(hook->delivered, 2);
    assert_int_equal(hook->pushes->pending, 2);
    for (int i = 0; i < 2; i++) {
        struct push *push = push_next(store_pushes(store), NOW);
        assert_int_equal(push->id, ids[i]);
        assert_ptr_equal(push->line->subscription, hook);
        assert_true(span_eq_str(span_make(push->bytes, push->tags_len), "a, \xe4\xbd\xa0, c"));
        assert_true(span_eq(span_make(push->bytes + push->tags_len, push->body_len), bodies[i]));
        assert_int_equal(push_settle(push, true, NOW), PUSH_DELIVERED);
    }
    assert_int_equal(store_bytes(store), 0);
}

static void pushes_count_as_memory_and_live_as_long_as_the_topic_says(void **unused)
{
    (void)unused;
    struct err err;
    const struct span body = SPAN_LIT("12345"), tag = SPAN_LIT("tag");
    const struct topic_label label = {.tags = &tag, .tag_count = 1};
    uint64_t id;
    struct topic *topic = add_topic("t", false);
    assert_true(subscribe(topic, "a", NULL, NULL, 0, &err));
    assert_true(subscribe(topic, "b", NULL, NULL, 0, &err));
    topic->depot->limits.bytes = 2 * push_bytes(3, 5) - 1;
    assert_int_equal(topic_publish(topic, &body, 1, &label, NOW, &id), TOPIC_FULL);
    assert_int_equal(store_bytes(store), 0);
    topic->depot->limits.bytes++;
    assert_int_equal(topic_publish(topic, &body, 1, &label, NOW, &id), TOPIC_OK);
    assert_int_equal(store_bytes(store), 2 * push_bytes(3, 5));
    assert_int_equal(store_next_due(store), NOW + 86400000);
    store_advance(store, NOW + 86400000);
    assert_int_equal(store_bytes(store), 0);
    assert_int_equal(topic_find(topic, span_of("b"))->pushes->dropped, 1);
}

static void a_topic_has_limits(void **unused)
{
    (void)unused;
    struct err err;
    const struct topic_label label = {0};
    const struct span large = SPAN_LIT("12345"), small = SPAN_LIT("1");
    uint64_t ids[2];
    struct queue *q = add_queue("q");
    struct topic *topic = add_topic("t", false);
    assert_true(subscribe(topic, "s", "q", NULL, 0, &err));
    topic->max_size_bytes = 4;
    assert_int_equal(topic_publish(topic, &large, 1, &label, NOW, ids), TOPIC_TOO_LARGE);
    topic->max_size_bytes = 5;
    q->attributes.max_size_bytes = 4;
    assert_int_equal(topic_publish(topic, &large, 1, &label, NOW, ids), TOPIC_OK);
    assert_int_equal(topic_find(topic, span_of("s"))->dropped, 1);
    q->depot->limits.bytes = sizeof(struct message);
    assert_int_equal(topic_publish(topic, &small, 1, &label, NOW, ids), TOPIC_FULL);
    assert_int_equal(q->active_count, 0);
}

static void time_moves_all_queues_on(void **unused)
{
    (void)unused;
    const struct span body = SPAN_LIT("x");
    struct queue *a = add_queue("a"), *b = add_queue("b");
    assert_int_equal(store_next_due(store), INT64_MAX);
    assert_int_equal(queue_send(a, &body, 1, 2000, NOW, NULL), QUEUE_OK);
    assert_int_equal(queue_send(b, &body, 1, 1000, NOW, NULL), QUEUE_OK);
    assert_int_equal(store_next_due(store), NOW + 1000);
    store_advance(store, NOW + 2000);
    assert_int_equal(a->active_count + b->active_count, 2);
    assert_int_equal(store_next_due(store), NOW + 3600000);
    assert_true(store_bytes(store) > 2);
    store_reset(store);
    assert_int_equal(store_bytes(store), 0);
    assert_int_equal(store_next_due(store), INT64_MAX);
}

static struct resource_queue queues[] = {
    {.name = "work",
     .visibility_s = 7,
     .polling_wait_s = 3,
     .retention_s = 60,
     .max_size_bytes = 2048,
     .rewind_s = 9,
     .dead_letter = "dead",
     .policy = 1,
     .max_age_s = 300,
     .file = "a.cfg",
     .line = 2},
    {.name = "dead",
     .visibility_s = 30,
     .retention_s = 60,
     .max_size_bytes = 1024,
     .file = "a.cfg",
     .line = 5},
};
static struct resource_subscription subscriptions[] = {
    {.name = "s",
     .queue = "work",
     .keys = {"a.#"},
     .key_count = 1,
     .simplified = true,
     .file = "a.cfg",
     .line = 8},
    {.name = "u", .url = "http://h/", .exponential = true, .file = "a.cfg", .line = 9},
};
static struct resource_topic topics[] = {
    {.name = "t",
     .by_route = true,
     .retention_s = 60,
     .max_size_bytes = 1024,
     .subscriptions = subscriptions,
     .subscription_count = 2,
     .file = "a.cfg",
     .line = 7},
};
static const struct resources all_resources = {true, queues, 2, topics, 1, 0};

static void a_file_fills_the_store(void **unused)
{
    (void)unused;
    struct err err;
    assert_true(topology_load(store, &all_resources, &err));
    const struct queue *work = store_queue(store, span_of("work"));
    assert_ptr_equal(work->dead_letter, store_queue(store, span_of("dead")));
    assert_int_equal(work->attributes.visibility_s, 7);
    assert_int_equal(work->attributes.polling_wait_s, 3);
    assert_int_equal(work->attributes.retention_s, 60);
    assert_int_equal(work->attributes.max_size_bytes, 2048);
    assert_int_equal(work->attributes.policy, QUEUE_BY_AGE);
    struct topic *topic = store_topic(store, span_of("t"));
    assert_int_equal(publish(topic, "a.b", ""), TOPIC_OK);
    assert_int_equal(work->active_count, 1);
    assert_string_equal(topic_find(topic, span_of("u"))->url, "http://h/");
}

static void what_does_not_fit_is_named_with_its_line(void **unused)
{
    (void)unused;
    static const struct {
        char **where;
        char *bad;
        const char *says;
    } rows[] = {
        {&queues[1].name, "work", "a.cfg:5: error: there is already a queue \"work\""},
        {&queues[0].dead_letter, "gone", "a.cfg:2: error: queue \"work\": there is no queue"},
        {&topics[0].name, "", "a.cfg:7: error: topic name \"\""},
        {&subscriptions[0].queue, "gone", "a.cfg:8: error: subscription \"s\": there is no queue"},
        {&subscriptions[1].name, "s", "a.cfg:9: error: there is already a subscription \"s\""},
        {&subscriptions[1].url, "http://h:0/", "a.cfg:9: error: subscription \"u\": the url"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err;
        char *good = *rows[i].where;
        *rows[i].where = rows[i].bad;
        struct store *fresh = store_new(&wide, NOW);
        assert_false(topology_load(fresh, &all_resources, &err));
        if (strncmp(err.text, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("%s", err.text);
        store_free(fresh);
        *rows[i].where = good;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_do_not_differ_by_case),
        TEST(what_is_not_a_name_is_found_nowhere),
        TEST(what_is_added_is_listed_in_order),
        TEST(a_dead_letter_queue_has_none_itself),
        TEST(subscriptions_are_checked),
        TEST(tags_choose_who_gets_a_message),
        TEST(binding_keys_choose_who_gets_a_message),
        TEST(what_is_published_for_a_url_is_to_be_pushed),
        TEST(pushes_count_as_memory_and_live_as_long_as_the_topic_says),
        TEST(a_topic_has_limits),
        TEST(time_moves_all_queues_on),
        TEST(a_file_fills_the_store),
        TEST(what_does_not_fit_is_named_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
