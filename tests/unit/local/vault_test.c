/* What the data file keeps, and what is said of files that are not one. */
#include "local/vault.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define START INT64_C(1700000000000)

static char folder[64];
static char path[96];
static struct store *store;
static struct vault *vault;
static int64_t now;

static void open_store(void)
{
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    struct err err;
    store = store_new(&wide, now);
    vault = vault_open(path, store, &err);
    if (!vault)
        fail_msg("%s", err.text);
    store_set_time(store, now);
}

static void close_store(void)
{
    vault_close(vault);
    store_free(store);
    vault = NULL;
    store = NULL;
}

/* As kill -9 at this moment would have it: what is not committed is not there. */
static void open_again(void)
{
    close_store();
    open_store();
}

static void commit(void)
{
    struct err err;
    if (!vault_commit(vault, &err))
        fail_msg("%s", err.text);
}

static int set_up(void **unused)
{
    (void)unused;
    (void)snprintf(folder, sizeof folder, "/tmp/cmqlocal-vault-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/data", folder);
    now = START;
    open_store();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    char wal[128];
    close_store();
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    (void)unlink(path);
    (void)unlink(wal);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static struct queue *add_queue(const char *name)
{
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    struct err err;
    struct queue *queue = store_add_queue(store, span_of(name), &plain, &err);
    assert_non_null(queue);
    return queue;
}

static struct queue *queue_named(const char *name)
{
    struct queue *queue = store_queue(store, span_of(name));
    assert_non_null(queue);
    return queue;
}

static void send_after(struct queue *queue, const char *body, int64_t delay_ms)
{
    struct span bytes = span_of(body);
    assert_int_equal(queue_send(queue, &bytes, 1, delay_ms, now, NULL), QUEUE_OK);
}

static struct message *receive_from(struct queue *queue)
{
    struct message *message;
    size_t count;
    assert_int_equal(queue_receive(queue, 1, now, &message, &count), QUEUE_OK);
    return count ? message : NULL;
}

static void assert_body(const struct message *message, const char *body)
{
    assert_non_null(message);
    assert_true(span_eq_str(span_make(message->body, message->len), body));
}

static void messages_come_back_in_every_state(void **unused)
{
    (void)unused;
    struct queue_attributes attributes = QUEUE_DEFAULTS;
    struct err err;
    attributes.rewind_s = 600;
    struct queue *queue = store_add_queue(store, span_of("Work"), &attributes, &err);
    send_after(queue, "kept", 0);
    char handle[DEPOT_HANDLE_SIZE];
    (void)depot_handle(receive_from(queue), handle);
    assert_true(queue_delete(queue, span_of(handle), now));
    send_after(queue, "in flight", 0);
    const struct message *out = receive_from(queue);
    uint64_t id = out->id;
    (void)depot_handle(out, handle);
    send_after(queue, "active", 0);
    send_after(queue, "delayed", 10000);
    commit();
    now += 5000;
    open_again();
    queue = queue_named("work");
    assert_string_equal(queue->name, "Work");
    assert_int_equal(queue->inflight_count, 1);
    assert_int_equal(queue->delayed_count, 1);
    assert_int_equal(queue->kept.count, 1);
    struct message *active = receive_from(queue);
    assert_body(active, "active");
    assert_int_equal(active->enqueued_ms, START);
    assert_true(active->id > id);
    assert_null(receive_from(queue));
    now += 5000;
    assert_body(receive_from(queue), "delayed");
    assert_true(queue_delete(queue, span_of(handle), now)); /* of the run before */
    assert_false(queue_delete(queue, span_of(handle), now));
    assert_int_equal(queue_rewind(queue, START, now), QUEUE_REWOUND);
    struct message *kept = receive_from(queue);
    assert_body(kept, "kept");
    assert_int_equal(kept->dequeue_count, 1);
}

static void visibility_and_life_go_on_over_a_restart(void **unused)
{
    (void)unused;
    struct queue *queue = add_queue("work");
    send_after(queue, "x", 0);
    (void)receive_from(queue);
    commit();
    now = START + 29999;
    open_again();
    assert_null(receive_from(queue_named("work")));
    now = START + 30000;
    const struct message *again = receive_from(queue_named("work"));
    assert_body(again, "x");
    assert_int_equal(again->dequeue_count, 2);
    assert_int_equal(again->first_dequeue_ms, START);
    commit();
    now = START + 3600 * 1000;
    open_again();
    store_advance(store, now);
    assert_int_equal(store_bytes(store), 0);
    commit();
    open_again();
    assert_int_equal(store_bytes(store), 0);
}

static void what_was_not_committed_is_not_there(void **unused)
{
    (void)unused;
    struct queue *queue = add_queue("work");
    send_after(queue, "committed", 0);
    commit();
    send_after(queue, "not committed", 0);
    (void)receive_from(queue);
    (void)add_queue("late");
    open_again();
    assert_null(store_queue(store, span_of("late")));
    const struct message *message = receive_from(queue_named("work"));
    assert_body(message, "committed");
    assert_int_equal(message->dequeue_count, 1);
    assert_null(receive_from(queue_named("work")));
}

static void what_went_is_gone(void **unused)
{
    (void)unused;
    char handle[DEPOT_HANDLE_SIZE];
    struct queue *queue = add_queue("work");
    struct queue *other = add_queue("other");
    send_after(queue, "a", 0);
    send_after(other, "b", 0);
    commit();
    (void)depot_handle(receive_from(queue), handle);
    assert_true(queue_delete(queue, span_of(handle), now));
    store_remove_queue(store, other);
    send_after(queue, "comes and goes", 0);
    (void)depot_handle(receive_from(queue), handle);
    assert_true(queue_delete(queue, span_of(handle), now));
    commit();
    open_again();
    assert_null(store_queue(store, span_of("other")));
    assert_int_equal(store_bytes(store), 0);
    queue_reset(queue_named("work"));
    (void)add_queue("other");
    commit();
    open_again();
    assert_int_equal(queue_named("other")->active_count, 0);
}

static void a_dead_letter_is_where_it_was_put(void **unused)
{
    (void)unused;
    struct err err;
    struct queue *queue = add_queue("work"), *grave = add_queue("grave");
    struct queue_attributes attributes = queue->attributes;
    attributes.max_receive = 1;
    store_change_queue(store, queue, &attributes, grave);
    send_after(queue, "x", 0);
    (void)receive_from(queue);
    commit();
    now += 30000;
    open_again();
    queue = queue_named("work");
    assert_ptr_equal(queue->dead_letter, queue_named("grave"));
    assert_int_equal(queue->attributes.max_receive, 1);
    store_advance(store, now);
    assert_true(changes_any(store_depot(store)->changes));
    commit();
    open_again();
    assert_body(receive_from(queue_named("grave")), "x");
    assert_false(store_bind_dead_letter(store, queue_named("grave"), span_of("work"), &err));
}

static void topics_come_back_with_their_subscriptions(void **unused)
{
    (void)unused;
    struct err err;
    (void)add_queue("work");
    const struct topic_attributes attributes = {.by_route = true, 3600, 65536, .trace = true};
    struct topic *topic = store_add_topic(store, span_of("events"), &attributes, &err);
    const struct span keys[] = {SPAN_LIT("a.*"), SPAN_LIT("\"#\".b")};
    const struct subscription_spec to_queue = {.name = span_of("to-queue"),
                                               .queue = span_of("work"),
                                               .filters = keys,
                                               .filter_count = 2,
                                               .simplified = true};
    const struct subscription_spec to_url = {
        .name = span_of("to-url"), .url = span_of("http://127.0.0.1:9/x?y=1"), .exponential = true};
    assert_true(store_subscribe(store, topic, &to_queue, &err));
    assert_true(store_subscribe(store, topic, &to_url, &err));
    store_tag_topic(store, topic, "[{\"TagKey\":\"k\",\"TagValue\":\"v\"}]");
    commit();
    now += 1000;
    open_again();
    topic = store_topic(store, span_of("events"));
    assert_non_null(topic);
    assert_true(topic->by_route && topic->trace);
    assert_int_equal(topic->retention_s, 3600);
    assert_int_equal(topic->max_size_bytes, 65536);
    assert_int_equal(topic->created_ms, START);
    assert_string_equal(topic->tags, "[{\"TagKey\":\"k\",\"TagValue\":\"v\"}]");
    const struct subscription *s = topic->subscriptions;
    assert_string_equal(s->name, "to-queue");
    assert_ptr_equal(s->queue, queue_named("work"));
    assert_int_equal(s->filter_count, 2);
    assert_true(span_eq_str(s->filters[1], "\"#\".b"));
    assert_true(s->simplified && !s->exponential);
    s = s->next;
    assert_string_equal(s->url, "http://127.0.0.1:9/x?y=1");
    assert_true(s->exponential && !s->simplified);
    store_unsubscribe(store, topic->subscriptions);
    commit();
    open_again();
    topic = store_topic(store, span_of("events"));
    assert_string_equal(topic->subscriptions->name, "to-url");
    assert_null(topic->subscriptions->next);
    store_remove_topic(store, topic);
    commit();
    open_again();
    assert_null(store_topic(store, span_of("events")));
}

static void pushes_go_on_where_they_were(void **unused)
{
    (void)unused;
    struct err err;
    const struct topic_attributes attributes = {.retention_s = 86400, .max_size_bytes = 65536};
    struct topic *topic = store_add_topic(store, span_of("events"), &attributes, &err);
    const struct subscription_spec spec = {
        .name = span_of("hook"), .url = span_of("http://127.0.0.1:9/"), .exponential = true};
    assert_true(store_subscribe(store, topic, &spec, &err));
    struct push_line *line = topic->subscriptions->pushes;
    for (uint64_t id = 1; id <= 3; id++)
        push_add(line, id, span_of("a, b"), span_of("body"), now);
    struct push *first = push_next(store_pushes(store), now);
    struct push *second = push_next(store_pushes(store), now);
    assert_int_equal(push_settle(first, true, now), PUSH_DELIVERED);
    assert_int_equal(push_settle(second, false, now), PUSH_RESTS);
    assert_non_null(second);
    commit();
    open_again();
    line = store_topic(store, span_of("events"))->subscriptions->pushes;
    assert_int_equal(line->pending, 2);
    assert_null(push_next(store_pushes(store), now)); /* the third waits behind the second */
    now += 1000;
    push_advance(store_pushes(store), now);
    second = push_next(store_pushes(store), now);
    assert_non_null(second);
    assert_int_equal(second->id, 2);
    assert_int_equal(second->failures, 1);
    assert_int_equal(second->born_ms, START);
    assert_true(span_eq_str(span_make(second->bytes, 8), "a, bbody"));
    commit();
    vault_close(vault); /* in the middle of the try: it is made again */
    vault = NULL;
    assert_int_equal(push_settle(second, true, now), PUSH_DELIVERED);
    open_again();
    push_advance(store_pushes(store), now);
    second = push_next(store_pushes(store), now);
    assert_int_equal(second->id, 2);
    line = second->line;
    assert_int_equal(push_settle(second, true, now), PUSH_DELIVERED);
    push_line_reset(line);
    commit();
    open_again();
    assert_int_equal(store_topic(store, span_of("events"))->subscriptions->pushes->pending, 0);
    assert_int_equal(store_bytes(store), 0);
}

static void numbers_are_not_used_again_when_the_clock_goes_back(void **unused)
{
    (void)unused;
    char handle[DEPOT_HANDLE_SIZE];
    struct queue *queue = add_queue("work");
    send_after(queue, "x", 0);
    const struct message *message = receive_from(queue);
    uint64_t id = message->id;
    (void)depot_handle(message, handle);
    assert_true(queue_delete(queue, span_of(handle), now));
    commit();
    now -= 3600 * 1000;
    open_again();
    send_after(queue_named("work"), "y", 0);
    assert_true(receive_from(queue_named("work"))->id > id);
}

static void barred_names_stay_barred(void **unused)
{
    (void)unused;
    bars_add(store_bars(store), BAR_QUEUE, span_of("Old"), now + 30000, now);
    commit();
    open_again();
    assert_int_equal(bars_until(store_bars(store), BAR_QUEUE, span_of("oLD"), now), START + 30000);
    assert_int_equal(bars_until(store_bars(store), BAR_TOPIC, span_of("old"), now), 0);
    assert_int_equal(bars_until(store_bars(store), BAR_QUEUE, span_of("older"), now), 0);
    now += 30000;
    assert_int_equal(bars_until(store_bars(store), BAR_QUEUE, span_of("old"), now), 0);
    bars_add(store_bars(store), BAR_TOPIC, span_of("news"), now + 1, now); /* the old one goes */
    commit();
    now -= 30000;
    open_again();
    assert_int_equal(bars_until(store_bars(store), BAR_QUEUE, span_of("old"), now), 0);
    assert_int_equal(bars_until(store_bars(store), BAR_TOPIC, span_of("news"), now), START + 30001);
    bars_add(store_bars(store), BAR_TOPIC, span_of("none"), now, now);
    assert_int_equal(bars_until(store_bars(store), BAR_TOPIC, span_of("none"), now), 0);
}

/* Every number of slots, with holes, leads to the same handles as before. */
static void handles_survive_with_holes_between(void **unused)
{
    (void)unused;
    enum { COUNT = 37 };
    static char handles[COUNT][DEPOT_HANDLE_SIZE];
    struct queue *queue = add_queue("work");
    for (int i = 0; i < COUNT; i++)
        send_after(queue, "x", 0);
    for (int i = 0; i < COUNT; i++)
        (void)depot_handle(receive_from(queue), handles[i]);
    for (int i = 0; i < COUNT; i += 3)
        assert_true(queue_delete(queue, span_of(handles[i]), now));
    commit();
    open_again();
    queue = queue_named("work");
    for (int i = 0; i < COUNT; i++)
        send_after(queue, "new", 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(queue_delete(queue, span_of(handles[i]), now), i % 3 != 0);
    assert_int_equal(queue->active_count, COUNT);
}

static void a_million_bytes_come_back(void **unused)
{
    (void)unused;
    static char body[1 << 20];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 23);
    struct span bytes = span_make(body, sizeof body);
    assert_int_equal(queue_send(add_queue("work"), &bytes, 1, 0, now, NULL), QUEUE_OK);
    commit();
    open_again();
    const struct message *message = receive_from(queue_named("work"));
    assert_true(span_eq(span_make(message->body, message->len), bytes));
}

static void note_begun(void *ctx)
{
    ++*(int *)ctx;
}

static void the_first_change_after_each_commit_is_told(void **unused)
{
    (void)unused;
    int begun = 0;
    vault_notify(vault, note_begun, &begun);
    assert_int_equal(begun, 0);
    struct queue *queue = add_queue("work");
    send_after(queue, "x", 0);
    assert_int_equal(begun, 1);
    commit();
    commit();
    assert_int_equal(begun, 1);
    (void)receive_from(queue);
    assert_int_equal(begun, 2);
    vault_notify(vault, note_begun, &begun); /* what there is already is told too */
    assert_int_equal(begun, 3);
}

static void one_process_has_the_file(void **unused)
{
    (void)unused;
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    struct err err;
    struct store *other = store_new(&wide, now);
    assert_null(vault_open(path, other, &err));
    assert_non_null(strstr(err.text, "another process has this data file open"));
    store_free(other);
}

static void refused(const char *why)
{
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    struct err err;
    struct store *other = store_new(&wide, now);
    assert_null(vault_open(path, other, &err));
    if (!strstr(err.text, why))
        fail_msg("\"%s\" is not in \"%s\"", why, err.text);
    assert_non_null(strstr(err.text, path));
    store_free(other);
}

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void overwrite(long from, int c, size_t len)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, from, SEEK_SET), 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(fputc(c, file), c);
    assert_int_equal(fclose(file), 0);
}

static void files_of_others_are_refused_and_left_alone(void **unused)
{
    (void)unused;
    vault_close(vault);
    vault = NULL;
    assert_int_equal(unlink(path), 0);
    execute("CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
    refused("not a data file of cmqlocal");
    execute("SELECT * FROM theirs; DROP TABLE theirs");
    assert_int_equal(unlink(path), 0);
    FILE *file = fopen(path, "w");
    assert_true(fputs("# a configuration, given by mistake, and long enough to be a head of a "
                      "database, which has a hundred bytes\n",
                      file) > 0);
    assert_int_equal(fclose(file), 0);
    refused("not a data file of cmqlocal");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    refused("unable to open");
    assert_non_null(mkdtemp(memcpy(folder, "/tmp/cmqlocal-vault-XXXXXX", 27)));
    (void)snprintf(path, sizeof path, "%s/data", folder);
    open_again();
}

static void later_versions_and_damaged_files_are_refused(void **unused)
{
    (void)unused;
    struct queue *queue = add_queue("work");
    for (int i = 0; i < 1000; i++)
        send_after(queue, "a message that takes its place in the file", 0);
    commit();
    vault_close(vault);
    vault = NULL;
    execute("PRAGMA user_version = 2");
    refused("version 2, written by a later cmqlocal");
    execute("PRAGMA user_version = 1; UPDATE message SET queue = 99 WHERE slot = 7");
    refused("damaged (message ");
    execute("UPDATE message SET queue = 1; UPDATE message SET slot = 3 WHERE slot = 4");
    refused("damaged (message ");
    execute("DELETE FROM message WHERE slot = 3; UPDATE queue SET definition = '{}'");
    refused("damaged (a definition is not one)");
    execute("INSERT INTO push VALUES(1, 77, 1, 1, 0, 0, x'', x'')");
    execute("UPDATE queue SET definition = '{\"name\":\"work\"}'");
    refused("damaged (push 1 has no subscription, or no time)");
    execute("DELETE FROM push; DROP TABLE push");
    refused("no such table: push");
    overwrite(4096 * 6, 0x5a, 4096 * 4);
    refused("damaged");
    assert_int_equal(unlink(path), 0);
    open_again();
}

static void damage_anywhere_is_refused_or_harmless(void **unused)
{
    (void)unused;
    static const struct depot_limits wide = {1 << 30, 1000000, 1000000};
    struct err err;
    uint64_t random = 11;
    struct queue *queue = add_queue("work");
    const struct topic_attributes attributes = {.retention_s = 86400, .max_size_bytes = 65536};
    struct topic *topic = store_add_topic(store, span_of("events"), &attributes, &err);
    const struct subscription_spec spec = {.name = span_of("hook"),
                                           .url = span_of("http://127.0.0.1:9/")};
    assert_true(store_subscribe(store, topic, &spec, &err));
    for (int i = 0; i < 20; i++) {
        send_after(queue, "x", i % 3 * 1000);
        push_add(topic->subscriptions->pushes, 1, span_of("tag"), span_of("y"), now);
    }
    (void)receive_from(queue);
    commit();
    vault_close(vault);
    vault = NULL;
    static char whole[1 << 17], broken[1 << 17];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(whole, 1, sizeof whole, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(size, 4096, sizeof whole - 1);
    unsigned refusals = 0;
    for (int i = 0; i < 600; i++) {
        memcpy(broken, whole, size);
        for (int n = 0; n <= i % 3; n++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            broken[(random >> 20) % size] = (char)(random >> 56);
        }
        file = fopen(path, "w");
        assert_true(file && fwrite(broken, 1, size, file) == size && fclose(file) == 0);
        struct store *other = store_new(&wide, now);
        struct vault *opened = vault_open(path, other, &err);
        refusals += !opened;
        store_advance(other, now + 50000);
        vault_close(opened);
        store_free(other);
    }
    assert_in_range(refusals, 50, 599);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_come_back_in_every_state),
        TEST(visibility_and_life_go_on_over_a_restart),
        TEST(what_was_not_committed_is_not_there),
        TEST(what_went_is_gone),
        TEST(a_dead_letter_is_where_it_was_put),
        TEST(topics_come_back_with_their_subscriptions),
        TEST(pushes_go_on_where_they_were),
        TEST(numbers_are_not_used_again_when_the_clock_goes_back),
        TEST(barred_names_stay_barred),
        TEST(handles_survive_with_holes_between),
        TEST(a_million_bytes_come_back),
        TEST(the_first_change_after_each_commit_is_told),
        TEST(one_process_has_the_file),
        TEST(files_of_others_are_refused_and_left_alone),
        TEST(damage_anywhere_is_refused_or_harmless),
        TEST(later_versions_and_damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
