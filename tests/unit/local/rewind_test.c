/* Rewinding a queue, and changing its attributes, in simulated time (CMQ.md 5). */
#include "local/queue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START INT64_C(1700000000000)

static struct depot depot;
static struct queue work, grave;
static int64_t now;

static int open_queues(void **unused)
{
    (void)unused;
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    struct queue_attributes attributes = QUEUE_DEFAULTS;
    now = START;
    depot_init(&depot, &wide, now);
    queue_init(&grave, &depot, span_of("grave"), &attributes);
    attributes.rewind_s = 600;
    queue_init(&work, &depot, span_of("work"), &attributes);
    return 0;
}

static int close_queues(void **unused)
{
    (void)unused;
    queue_fini(&work);
    queue_fini(&grave);
    assert_int_equal(depot.bytes, 0);
    assert_null(heap_first(&depot.due));
    depot_fini(&depot);
    return 0;
}

static uint64_t send_one(const char *body)
{
    struct span bytes = span_of(body);
    uint64_t id;
    assert_int_equal(queue_send(&work, &bytes, 1, 0, now, &id), QUEUE_OK);
    return id;
}

static struct message *receive_one(void)
{
    struct message *message;
    size_t count;
    assert_int_equal(queue_receive(&work, 1, now, &message, &count), QUEUE_OK);
    return count ? message : NULL;
}

static void delete_one(const struct message *message)
{
    char handle[DEPOT_HANDLE_SIZE];
    (void)depot_handle(message, handle);
    assert_true(queue_delete(&work, span_of(handle), now));
    assert_false(queue_delete(&work, span_of(handle), now));
}

/* Sends a message each second, then receives and deletes them all, the last one first. */
static void send_and_delete(uint64_t ids[3])
{
    struct message *messages[3];
    size_t count;
    for (size_t i = 0; i < 3; i++) {
        ids[i] = send_one("x");
        now += 1000;
    }
    assert_int_equal(queue_receive(&work, 3, now, messages, &count), QUEUE_OK);
    assert_int_equal(count, 3);
    for (size_t i = 3; i-- > 0;)
        delete_one(messages[i]);
    assert_int_equal(work.kept.count, 3);
    assert_int_equal(work.inflight_count, 0);
}

static void deleted_messages_come_again_in_the_order_of_their_sending(void **unused)
{
    (void)unused;
    uint64_t ids[3];
    send_and_delete(ids);
    assert_int_equal(queue_rewind(&work, START + 1000, now), QUEUE_REWOUND);
    for (int64_t i = 1; i < 3; i++) {
        struct message *m = receive_one();
        assert_non_null(m);
        assert_true(m->id == ids[i]);
        assert_int_equal(m->enqueued_ms, START + i * 1000);
        assert_int_equal(m->first_dequeue_ms, now);
        assert_int_equal(m->dequeue_count, 1);
    }
    assert_null(receive_one()); /* the first was sent before the time asked for */
    assert_int_equal(work.kept.count, 1);
}

static void a_rewound_message_lives_a_whole_life_again(void **unused)
{
    (void)unused;
    struct queue_attributes attributes = work.attributes;
    attributes.retention_s = 60;
    queue_set_attributes(&work, &attributes, NULL, now);
    send_one("x");
    delete_one(receive_one());
    now += 100 * 1000;
    assert_int_equal(queue_rewind(&work, START, now), QUEUE_REWOUND);
    now += 59 * 1000;
    queue_advance(&work, now);
    assert_int_equal(work.active_count, 1);
    now += 1000;
    queue_advance(&work, now);
    assert_int_equal(work.active_count, 0);
    assert_int_equal(work.kept.count, 0); /* nobody deleted it */
}

static void a_rewound_message_that_is_deleted_again_can_be_rewound_again(void **unused)
{
    (void)unused;
    uint64_t id = send_one("x");
    for (int i = 0; i < 3; i++) {
        delete_one(receive_one());
        now += 1000;
        assert_int_equal(queue_rewind(&work, START, now), QUEUE_REWOUND);
        assert_int_equal(work.active_count, 1);
    }
    assert_true(receive_one()->id == id);
}

static void what_is_kept_goes_when_its_time_is_over(void **unused)
{
    (void)unused;
    send_one("x");
    now += 1000;
    delete_one(receive_one());
    assert_true(depot.bytes > 0);
    assert_int_equal(heap_first(&depot.due)->due_ms, START + 600 * 1000);
    now = START + 600 * 1000;
    queue_advance(&work, now);
    assert_int_equal(work.kept.count, 0);
    assert_int_equal(depot.bytes, 0);
}

static void a_rewind_has_bounds(void **unused)
{
    (void)unused;
    now += 1000 * 1000;
    assert_int_equal(queue_rewind(&grave, now, now), QUEUE_KEEPS_NOTHING);
    assert_int_equal(queue_rewind(&work, now - 600 * 1000, now), QUEUE_REWOUND);
    assert_int_equal(queue_rewind(&work, now - 601 * 1000, now), QUEUE_REWIND_IMPOSSIBLE);
    assert_int_equal(queue_rewind(&work, now, now), QUEUE_REWOUND);
    assert_int_equal(queue_rewind(&work, now + 1000, now), QUEUE_REWIND_IMPOSSIBLE);
    send_one("the oldest that is there");
    int64_t sent = now;
    now += 5000;
    assert_int_equal(queue_min_time(&work, now), sent);
    assert_int_equal(queue_rewind(&work, sent + 1000, now), QUEUE_REWIND_IMPOSSIBLE);
    assert_int_equal(queue_rewind(&work, sent, now), QUEUE_REWOUND);
}

static void a_rewind_wakes_those_who_wait(void **unused)
{
    (void)unused;
    struct queue_waiter waiter = {0};
    uint64_t ids[3];
    send_and_delete(ids);
    queue_wait(&work, &waiter);
    assert_null(queue_ready(&depot));
    assert_int_equal(queue_rewind(&work, START, now), QUEUE_REWOUND);
    assert_ptr_equal(queue_ready(&depot), &work);
    queue_leave(&waiter);
}

static void switching_rewind_off_purges_what_was_kept(void **unused)
{
    (void)unused;
    uint64_t ids[3];
    send_and_delete(ids);
    struct queue_attributes attributes = work.attributes;
    attributes.rewind_s = 0;
    queue_set_attributes(&work, &attributes, NULL, now);
    assert_int_equal(work.kept.count, 0);
    assert_int_equal(depot.bytes, 0);
    assert_int_equal(queue_rewind(&work, now, now), QUEUE_KEEPS_NOTHING);
}

static void a_reset_forgets_what_was_kept(void **unused)
{
    (void)unused;
    uint64_t ids[3];
    send_and_delete(ids);
    queue_reset(&work);
    assert_int_equal(work.kept.count, 0);
    assert_int_equal(depot.bytes, 0);
}

static void new_attributes_hold_for_the_messages_that_are_there(void **unused)
{
    (void)unused;
    send_one("x");
    now += 100 * 1000;
    struct queue_attributes attributes = work.attributes;
    attributes.policy = QUEUE_BY_AGE;
    attributes.max_age_s = 300;
    queue_set_attributes(&work, &attributes, &grave, now);
    assert_int_equal(heap_first(&depot.due)->due_ms, START + 300 * 1000);
    attributes.retention_s = 30; /* below the age, and already over */
    queue_set_attributes(&work, &attributes, &grave, now);
    assert_int_equal(work.active_count + grave.active_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queues, close_queues)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deleted_messages_come_again_in_the_order_of_their_sending),
        TEST(a_rewound_message_lives_a_whole_life_again),
        TEST(a_rewound_message_that_is_deleted_again_can_be_rewound_again),
        TEST(what_is_kept_goes_when_its_time_is_over),
        TEST(a_rewind_has_bounds),
        TEST(a_rewind_wakes_those_who_wait),
        TEST(switching_rewind_off_purges_what_was_kept),
        TEST(a_reset_forgets_what_was_kept),
        TEST(new_attributes_hold_for_the_messages_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
