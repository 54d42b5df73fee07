/* A queue's life of messages, in simulated time (CMQ.md 5). */
#include "local/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define START INT64_C(1700000000000)
enum { VISIBILITY_MS = 30000, RETENTION_MS = 3600000 };

static struct depot depot;
static struct queue work, grave;
static int64_t now;

static void open_queues(const struct queue_attributes *attributes,
                        const struct depot_limits *limits)
{
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    now = START;
    depot_init(&depot, limits, now);
    queue_init(&work, &depot, span_of("work"), attributes);
    queue_init(&grave, &depot, span_of("grave"), &plain);
}

static int open_plain(void **unused)
{
    (void)unused;
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    open_queues(&plain, &wide);
    return 0;
}

static int close_all(void **unused)
{
    (void)unused;
    queue_fini(&work);
    queue_fini(&grave);
    assert_int_equal(depot.bytes, 0);
    assert_null(heap_first(&depot.due));
    depot_fini(&depot);
    return 0;
}

static uint64_t send_after(const char *body, int64_t delay_ms)
{
    struct span bytes = span_of(body);
    uint64_t id = 0;
    assert_int_equal(queue_send(&work, &bytes, 1, delay_ms, now, &id), QUEUE_OK);
    return id;
}

static struct message *receive_from(struct queue *queue)
{
    struct message *message;
    size_t count;
    assert_int_equal(queue_receive(queue, 1, now, &message, &count), QUEUE_OK);
    return count ? message : NULL;
}

static const char *handle_of(const struct message *message)
{
    static char handles[4][DEPOT_HANDLE_SIZE];
    static unsigned at;
    at = (at + 1) % 4;
    (void)depot_handle(message, handles[at]);
    return handles[at];
}

static bool delete_now(const char *handle)
{
    return queue_delete(&work, span_of(handle), now);
}

static void assert_counts(const struct queue *queue, uint64_t active, uint64_t inflight,
                          uint64_t delayed)
{
    if (queue->active_count != active || queue->inflight_count != inflight ||
        queue->delayed_count != delayed) {
        fail_msg("%s has %d active, %d in flight, %d delayed", queue->name,
                 (int)queue->active_count, (int)queue->inflight_count, (int)queue->delayed_count);
    }
}

static void what_is_sent_is_received_with_its_facts(void **unused)
{
    (void)unused;
    uint64_t id = send_after("hello", 0);
    assert_counts(&work, 1, 0, 0);
    now += 5000;
    struct message *m = receive_from(&work);
    assert_non_null(m);
    assert_true(span_eq_str(span_make(m->body, m->len), "hello"));
    assert_true(m->id == id);
    assert_int_equal(m->entered_ms, START);
    assert_int_equal(m->first_dequeue_ms, now);
    assert_int_equal(m->timer.due_ms, now + VISIBILITY_MS);
    assert_int_equal(m->dequeue_count, 1);
    assert_counts(&work, 0, 1, 0);
    assert_null(receive_from(&work));
}

static void a_message_comes_back_when_its_visibility_lapses(void **unused)
{
    (void)unused;
    send_after("again", 0);
    assert_non_null(receive_from(&work));
    now += VISIBILITY_MS - 1;
    assert_null(receive_from(&work));
    now += 1;
    struct message *m = receive_from(&work);
    assert_non_null(m);
    assert_int_equal(m->dequeue_count, 2);
    assert_int_equal(m->first_dequeue_ms, START);
}

static void only_the_newest_handle_deletes_and_only_in_time(void **unused)
{
    (void)unused;
    send_after("x", 0);
    const char *first = handle_of(receive_from(&work));
    now += VISIBILITY_MS;
    assert_false(delete_now(first)); /* lapsed, though nobody has received it since */
    const char *second = handle_of(receive_from(&work));
    assert_false(delete_now(first));
    now += VISIBILITY_MS - 1;
    assert_true(delete_now(second));
    assert_false(delete_now(second));
    assert_counts(&work, 0, 0, 0);
}

static void handles_of_nothing_delete_nothing(void **unused)
{
    (void)unused;
    send_after("x", 0);
    const char *good = handle_of(receive_from(&work));
    static const char *const rows[] = {"",
                                       "0",
                                       "1",
                                       "-1",
                                       "abc",
                                       "4294967296",
                                       "4294967295",
                                       "8589934592",
                                       "9223372036854775807",
                                       "18446744073709551615",
                                       "99999999999999999999999",
                                       "1 "};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_false(delete_now(rows[i]));
    assert_false(queue_delete(&grave, span_of(good), now)); /* another queue's */
    assert_true(delete_now(good));
    send_after("y", 0); /* takes the same slot */
    assert_false(delete_now(good));
    assert_non_null(receive_from(&work));
    assert_false(delete_now(good));
}

static void handles_are_what_every_sdk_takes(void **unused)
{
    (void)unused;
    send_after("x", 0);
    const char *handle = handle_of(receive_from(&work));
    assert_int_equal(strspn(handle, "0123456789"), strlen(handle));
    assert_in_range(strlen(handle), 1, 19);
}

static void a_delayed_message_shows_when_its_time_comes(void **unused)
{
    (void)unused;
    send_after("late", 10000);
    send_after("now", 0);
    assert_counts(&work, 1, 0, 1);
    assert_non_null(receive_from(&work));
    now += 9999;
    assert_null(receive_from(&work));
    now += 1;
    struct message *m = receive_from(&work);
    assert_non_null(m);
    assert_int_equal(m->entered_ms, START);
    assert_counts(&work, 0, 2, 0);
}

static void messages_die_at_their_retention_in_every_state(void **unused)
{
    (void)unused;
    send_after("in flight", 0);
    now += RETENTION_MS - 10000;
    assert_non_null(receive_from(&work));
    now = START;
    send_after("active", 0);
    send_after("delayed", RETENTION_MS + 1000);
    now = START + RETENTION_MS - 1;
    queue_advance(&work, now);
    assert_counts(&work, 1, 1, 1);
    now += 1;
    queue_advance(&work, now);
    assert_counts(&work, 0, 0, 0);
}

static void batches_are_taken_oldest_first_up_to_what_is_there(void **unused)
{
    (void)unused;
    const struct span bodies[] = {SPAN_LIT("1"), SPAN_LIT("2"), SPAN_LIT("3")};
    uint64_t ids[3];
    assert_int_equal(queue_send(&work, bodies, 3, 0, now, ids), QUEUE_OK);
    assert_true(ids[0] < ids[1] && ids[1] < ids[2]);
    struct message *messages[16];
    size_t count;
    assert_int_equal(queue_receive(&work, 2, now, messages, &count), QUEUE_OK);
    assert_int_equal(count, 2);
    assert_true(messages[0]->id == ids[0] && messages[1]->id == ids[1]);
    assert_int_equal(queue_receive(&work, 16, now, messages, &count), QUEUE_OK);
    assert_int_equal(count, 1);
    assert_true(messages[0]->id == ids[2]);
}

static void after_so_many_receives_a_message_is_dead(void **unused)
{
    (void)unused;
    static const struct queue_attributes fragile = {.visibility_s = 30,
                                                    .retention_s = 3600,
                                                    .max_size_bytes = 1024,
                                                    .policy = QUEUE_BY_RECEIVES,
                                                    .max_receive = 2};
    work.attributes = fragile;
    work.dead_letter = &grave;
    uint64_t id = send_after("poison", 0);
    assert_non_null(receive_from(&work));
    now += VISIBILITY_MS;
    const char *last = handle_of(receive_from(&work));
    now += VISIBILITY_MS;
    queue_advance(&work, now);
    assert_counts(&work, 0, 0, 0);
    assert_counts(&grave, 1, 0, 0);
    assert_false(delete_now(last));
    struct message *m = receive_from(&grave);
    assert_non_null(m);
    assert_true(m->id == id);
    assert_int_equal(m->dequeue_count, 1);
    assert_int_equal(m->entered_ms, now);
}

static void if_so_asked_it_is_dead_at_one_receive_more(void **unused)
{
    (void)unused;
    work.attributes.max_receive = 2;
    work.dead_letter = &grave;
    depot.bury_on_receive = true;
    send_after("x", 0);
    for (int i = 0; i < 2; i++) {
        assert_non_null(receive_from(&work));
        now += VISIBILITY_MS;
        queue_advance(&work, now);
        assert_counts(&work, 1, 0, 0);
    }
    send_after("y", 0);
    struct message *m = receive_from(&work);
    assert_true(span_eq_str(span_make(m->body, m->len), "y"));
    assert_counts(&work, 0, 1, 0);
    assert_counts(&grave, 1, 0, 0);
}

static void a_message_that_is_deleted_in_time_does_not_die(void **unused)
{
    (void)unused;
    work.attributes.max_receive = 1;
    work.dead_letter = &grave;
    send_after("fine", 0);
    assert_true(delete_now(handle_of(receive_from(&work))));
    now += VISIBILITY_MS;
    queue_advance(&work, now);
    assert_counts(&grave, 0, 0, 0);
}

static void by_age_a_message_is_dead_in_every_state(void **unused)
{
    (void)unused;
    work.attributes.policy = QUEUE_BY_AGE;
    work.attributes.max_age_s = 300;
    work.dead_letter = &grave;
    send_after("active", 0);
    send_after("delayed", 301000);
    assert_non_null(receive_from(&work));
    now += 299999;
    queue_advance(&work, now);
    assert_counts(&work, 1, 0, 1); /* the visibility of the one lapsed long ago */
    now += 1;
    queue_advance(&work, now);
    assert_counts(&work, 0, 0, 0);
    assert_counts(&grave, 2, 0, 0);
    now += RETENTION_MS - 1; /* its life in the grave is counted anew */
    queue_advance(&grave, now);
    assert_counts(&grave, 2, 0, 0);
    now += 1;
    queue_advance(&grave, now);
    assert_counts(&grave, 0, 0, 0);
}

static void an_age_at_or_above_the_retention_never_comes(void **unused)
{
    (void)unused;
    work.attributes.policy = QUEUE_BY_AGE;
    work.attributes.max_age_s = RETENTION_MS / 1000;
    work.dead_letter = &grave;
    send_after("x", 0);
    now += RETENTION_MS;
    queue_advance(&work, now);
    assert_counts(&work, 0, 0, 0);
    assert_counts(&grave, 0, 0, 0);
}

static void limits_refuse_whole_batches(void **unused)
{
    (void)unused;
    close_all(NULL);
    static const struct queue_attributes small = {
        .visibility_s = 30, .retention_s = 3600, .max_size_bytes = 4};
    static const struct depot_limits narrow = {
        .bytes = 4 * sizeof(struct message) + 12, .queue_count = 3, .unacked = 2};
    open_queues(&small, &narrow);
    static const struct {
        struct span bodies[4];
        size_t count;
        int64_t delay_ms;
        enum queue_result result;
    } rows[] = {
        {{SPAN_LIT("12345")}, 1, 0, QUEUE_TOO_LARGE},
        {{SPAN_LIT("1"), SPAN_LIT("12345")}, 2, 0, QUEUE_TOO_LARGE},
        {{SPAN_LIT("1"), SPAN_LIT("2"), SPAN_LIT("3")}, 3, 5, QUEUE_TOO_MANY_OUT},
        {{SPAN_LIT("1"), SPAN_LIT("2"), SPAN_LIT("3"), SPAN_LIT("4")}, 4, 0, QUEUE_FULL},
        {{SPAN_LIT("1234"), SPAN_LIT("1234"), SPAN_LIT("1234")}, 3, 0, QUEUE_OK},
        {{SPAN_LIT("1")}, 1, 0, QUEUE_FULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t held = work.active_count;
        enum queue_result result =
            queue_send(&work, rows[i].bodies, rows[i].count, rows[i].delay_ms, now, NULL);
        if (result != rows[i].result)
            fail_msg("row %zu: %d", i, (int)result);
        assert_int_equal(work.active_count - held, result == QUEUE_OK ? rows[i].count : 0);
    }
    struct span one = SPAN_LIT("1"), four = SPAN_LIT("1234");
    assert_int_equal(queue_send(&grave, &four, 1, 0, now, NULL), QUEUE_FULL); /* memory */
    struct message *messages[3];
    size_t count;
    assert_int_equal(queue_receive(&work, 3, now, messages, &count), QUEUE_OK);
    assert_int_equal(count, 2); /* as many as may be in flight */
    assert_int_equal(queue_receive(&work, 3, now, messages, &count), QUEUE_TOO_MANY_OUT);
    assert_true(delete_now(handle_of(messages[0])));
    assert_int_equal(queue_send(&grave, &one, 1, 0, now, NULL), QUEUE_OK);
    assert_int_equal(queue_receive(&work, 3, now, messages, &count), QUEUE_OK);
    assert_int_equal(count, 1);
}

static void the_next_moment_of_work_is_known(void **unused)
{
    (void)unused;
    assert_null(heap_first(&depot.due));
    send_after("a", 0);
    assert_int_equal(heap_first(&depot.due)->due_ms, START + RETENTION_MS);
    send_after("b", 5000);
    assert_int_equal(heap_first(&depot.due)->due_ms, START + 5000);
    const char *handle = handle_of(receive_from(&work));
    now += 5000;
    queue_advance(&work, now);
    assert_int_equal(heap_first(&depot.due)->due_ms, START + VISIBILITY_MS);
    assert_true(delete_now(handle));
    assert_int_equal(heap_first(&depot.due)->due_ms, START + RETENTION_MS);
}

static void a_queue_is_ready_while_it_has_both_messages_and_waiters(void **unused)
{
    (void)unused;
    struct queue_waiter one = {0}, two = {0};
    queue_wait(&work, &one);
    queue_wait(&work, &two);
    assert_ptr_equal(work.waiters, &one); /* first come, first served */
    assert_null(queue_ready(&depot));
    send_after("a", 1000);
    assert_null(queue_ready(&depot));
    now += 1000;
    queue_advance(&work, now);
    assert_ptr_equal(queue_ready(&depot), &work);
    queue_leave(&one);
    queue_leave(&one);
    assert_ptr_equal(work.waiters, &two);
    assert_int_equal(work.waiter_count, 1);
    assert_non_null(receive_from(&work));
    assert_null(queue_ready(&depot));
    now += VISIBILITY_MS;
    queue_advance(&work, now);
    assert_ptr_equal(queue_ready(&depot), &work);
    queue_leave(&two);
    assert_null(queue_ready(&depot));
}

static void a_dead_letter_makes_its_queue_ready(void **unused)
{
    (void)unused;
    struct queue_waiter waiter = {0};
    work.attributes.max_receive = 1;
    work.dead_letter = &grave;
    queue_wait(&grave, &waiter);
    send_after("x", 0);
    assert_non_null(receive_from(&work));
    now += VISIBILITY_MS;
    queue_advance(&work, now);
    assert_ptr_equal(queue_ready(&depot), &grave);
    queue_leave(&waiter);
}

static void reset_forgets_everything_but_who_waits(void **unused)
{
    (void)unused;
    struct queue_waiter waiter = {0};
    send_after("active", 0);
    send_after("delayed", 1000);
    send_after("in flight", 0);
    const char *handle = handle_of(receive_from(&work));
    queue_wait(&work, &waiter);
    queue_reset(&work);
    assert_counts(&work, 0, 0, 0);
    assert_null(queue_ready(&depot));
    assert_false(delete_now(handle));
    assert_int_equal(work.waiter_count, 1);
    send_after("new", 0);
    assert_ptr_equal(queue_ready(&depot), &work);
    queue_leave(&waiter);
}

static void numbers_are_not_used_again_by_a_later_server(void **unused)
{
    (void)unused;
    uint64_t id = send_after("x", 0);
    for (int i = 0; i < 100000; i++)
        id = send_after("x", 0);
    struct depot later;
    depot_init(&later, &depot.limits, START + 1000);
    assert_true(later.next_id > id);
    assert_true(id < INT64_MAX);
    depot_fini(&later);
}

/* Every message is in exactly one place and every count is right, whatever happens. */
static void validate(const struct queue *queue)
{
    uint64_t active = 0, all = 0;
    const struct message *older = NULL;
    for (const struct message *m = queue->oldest; m; m = m->newer) {
        assert_ptr_equal(m->older, older);
        assert_ptr_equal(m->queue, queue);
        assert_true(!older || older->entered_ms <= m->entered_ms);
        assert_int_equal(m->timer.place != 0, m->state != MESSAGE_ACTIVE);
        older = m;
        all++;
    }
    assert_ptr_equal(queue->newest, older);
    for (const struct message *m = queue->active; m; m = m->next)
        active++;
    assert_int_equal(active, queue->active_count);
    assert_int_equal(queue->timers.count, queue->delayed_count + queue->inflight_count);
    assert_int_equal(all, active + queue->timers.count);
    assert_int_equal(queue->due.place != 0, all + queue->kept.count > 0);
}

static void any_order_of_events_leaves_a_sound_queue(void **unused)
{
    (void)unused;
    uint64_t random = 7;
    work.attributes.max_receive = 3;
    work.attributes.rewind_s = 20;
    work.dead_letter = &grave;
    char handles[64][DEPOT_HANDLE_SIZE] = {{0}};
    for (int i = 0; i < 20000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned dice = (unsigned)(random >> 33);
        struct span bodies[3] = {SPAN_LIT("a"), SPAN_LIT("bb"), SPAN_LIT("ccc")};
        struct message *messages[5];
        size_t count;
        switch (dice % 6) {
        case 0:
        case 1:
            (void)queue_send(&work, bodies, 1 + dice / 8 % 3, dice / 64 % 3 * 4000, now, NULL);
            break;
        case 2:
        case 3:
            (void)queue_receive(&work, 1 + dice / 8 % 5, now, messages, &count);
            for (size_t k = 0; k < count; k++)
                (void)depot_handle(messages[k], handles[(dice + k) % 64]);
            break;
        case 4:
            (void)queue_delete(&work, span_of(handles[dice / 8 % 64]), now);
            break;
        default:
            if (dice / 8 % 32 == 0)
                (void)queue_rewind(&work, queue_min_time(&work, now) - dice % 4 * 1000, now);
            now += dice / 8 % 9000;
            queue_advance(dice % 2 ? &work : &grave, now);
        }
        if (i % 16 == 0) {
            validate(&work);
            validate(&grave);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_plain, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_is_received_with_its_facts),
        TEST(a_message_comes_back_when_its_visibility_lapses),
        TEST(only_the_newest_handle_deletes_and_only_in_time),
        TEST(handles_of_nothing_delete_nothing),
        TEST(handles_are_what_every_sdk_takes),
        TEST(a_delayed_message_shows_when_its_time_comes),
        TEST(messages_die_at_their_retention_in_every_state),
        TEST(batches_are_taken_oldest_first_up_to_what_is_there),
        TEST(after_so_many_receives_a_message_is_dead),
        TEST(if_so_asked_it_is_dead_at_one_receive_more),
        TEST(a_message_that_is_deleted_in_time_does_not_die),
        TEST(by_age_a_message_is_dead_in_every_state),
        TEST(an_age_at_or_above_the_retention_never_comes),
        TEST(limits_refuse_whole_batches),
        TEST(the_next_moment_of_work_is_known),
        TEST(a_queue_is_ready_while_it_has_both_messages_and_waiters),
        TEST(a_dead_letter_makes_its_queue_ready),
        TEST(reset_forgets_everything_but_who_waits),
        TEST(numbers_are_not_used_again_by_a_later_server),
        TEST(any_order_of_events_leaves_a_sound_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
