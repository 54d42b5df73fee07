/* CMQ's pushes over real sockets, with a downlink that answers what the test wants. */
#include "gateway/push.h"

#include "base/log.h"
#include "gateway/downlink.h"
#include "tests/unit/admin/http_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATH "/hook/9f2c4e6a8b0d1f3e5a7c9b2d4f6e8a0c"
#define OTHER_PATH "/hook/00112233445566778899aabbccddeeff"
#define IDS "x-cmq-request-id: 2394928734\r\nx-cmq-message-id: 6942316962\r\n"
#define WRAPPED(body)                                                                              \
    "{\"TopicOwner\":100015036,\"topicName\":\"MyTopic\",\"subscriptionName\":\"s\","              \
    "\"msgId\":\"6942316962\",\"msgBody\":" body ",\"publishTime\":11203432}"

enum { MAX_PUSHED = 400 };

/* One call of downlink_push. */
struct pushed {
    char rule[32];
    struct buf msg_id, body;
    downlink_pushed_fn done;
    void *ctx;
};

struct downlink {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct pushed pushed[MAX_PUSHED];
    size_t count, taken;
};

void downlink_push(struct downlink *downlink, const char *rule, struct span msg_id,
                   struct span body, downlink_pushed_fn done, void *ctx)
{
    pthread_mutex_lock(&downlink->mutex);
    CHECK(downlink->count < MAX_PUSHED);
    struct pushed *pushed = &downlink->pushed[downlink->count++];
    *pushed = (struct pushed){"", BUF_INIT(1024), BUF_INIT(2 << 20), done, ctx};
    (void)snprintf(pushed->rule, sizeof pushed->rule, "%s", rule);
    CHECK(buf_add(&pushed->msg_id, msg_id) && buf_add(&pushed->body, body));
    pthread_cond_broadcast(&downlink->changed);
    pthread_mutex_unlock(&downlink->mutex);
}

/* Waits for the next push that reached the downlink. */
static struct pushed *next(struct downlink *downlink)
{
    struct timespec deadline = clock_deadline(CLIENT_DEADLINE_MS);
    pthread_mutex_lock(&downlink->mutex);
    while (downlink->taken == downlink->count)
        CHECK(pthread_cond_clockwait(&downlink->changed, &downlink->mutex, CLOCK_MONOTONIC,
                                     &deadline) == 0);
    struct pushed *pushed = &downlink->pushed[downlink->taken++];
    pthread_mutex_unlock(&downlink->mutex);
    return pushed;
}

struct world {
    struct reverse_rule reverse[3];
    struct ruleset rules;
    struct config config; /* holds itself, so that nobody frees it */
    struct downlink downlink;
    struct push *push;
    struct client client;
};

static struct push *start(struct world *world, const char *listen, struct err *err)
{
    world->config.push.listen = (char *)(uintptr_t)listen;
    const struct push_options options = {&world->config, &world->downlink};
    return push_new(&options, err);
}

static struct world *setup(void)
{
    struct world *world = check_alloc(calloc(1, sizeof *world));
    struct err err = {.text = ""};
    world->reverse[0] = (struct reverse_rule){.name = "polled", .queue = "q"};
    world->reverse[1] = (struct reverse_rule){.name = "commands", .push_path = PATH};
    world->reverse[2] = (struct reverse_rule){.name = "others", .push_path = OTHER_PATH};
    world->rules = (struct ruleset){.reverse = world->reverse, .reverse_count = 3};
    world->config.rules = &world->rules;
    atomic_init(&world->config.holders, 1);
    CHECK(pthread_mutex_init(&world->downlink.mutex, NULL) == 0);
    CHECK(pthread_cond_init(&world->downlink.changed, NULL) == 0);
    world->push = start(world, "127.0.0.1:0", &err);
    assert_string_equal(err.text, "");
    client_open(&world->client, push_port(world->push));
    return world;
}

static void teardown(struct world *world)
{
    client_close(&world->client);
    push_free(world->push);
    for (size_t i = 0; i < world->downlink.count; i++) {
        buf_fini(&world->downlink.pushed[i].msg_id);
        buf_fini(&world->downlink.pushed[i].body);
    }
    pthread_cond_destroy(&world->downlink.changed);
    pthread_mutex_destroy(&world->downlink.mutex);
    free(world);
}

static bool post(struct client *client, const char *path, const char *headers, const char *body)
{
    return client_ask(client, "POST", path, headers, span_of(body));
}

static void a_push_reaches_the_downlink_by_its_path_in_both_formats(void **state)
{
    static const struct {
        const char *path, *headers, *body, *rule, *message;
    } rows[] = {
        {PATH, IDS, WRAPPED("\"test message\""), "commands", "test message"},
        {OTHER_PATH, IDS, WRAPPED("\"test message\""), "others", "test message"},
        {PATH, "", WRAPPED("\"no headers\""), "commands", "no headers"},
        {PATH, IDS "Content-Type: text/plain\r\nx-cmq-message-tag: a, b\r\n", "raw", "commands",
         "raw"},
        {PATH, "X-CMQ-Message-Id:6942316962 \r\n", "raw", "commands", "raw"},
    };
    struct world *world = setup();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(post(&world->client, rows[i].path, rows[i].headers, rows[i].body));
        struct pushed *pushed = next(&world->downlink);
        assert_string_equal(pushed->rule, rows[i].rule);
        assert_string_equal(buf_str(&pushed->msg_id), "6942316962");
        assert_string_equal(buf_str(&pushed->body), rows[i].message);
        pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
        assert_int_equal(client_status(&world->client), 200);
    }
    teardown(world);
}

static void the_answer_waits_for_the_broker_and_tells_what_became_of_it(void **state)
{
    static const struct {
        enum downlink_push_result result;
        unsigned status;
        const char *retry_after;
    } rows[] = {
        {DOWNLINK_PUSH_DONE, 200, ""},
        {DOWNLINK_PUSH_AWAY, 503, "10"},
        {DOWNLINK_PUSH_FAILED, 500, ""},
    };
    struct world *world = setup();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client other; /* somebody else is answered meanwhile */
        assert_true(post(&world->client, PATH, IDS, "message"));
        struct pushed *pushed = next(&world->downlink);
        client_open(&other, push_port(world->push));
        assert_true(post(&other, PATH, IDS, "another"));
        struct pushed *another = next(&world->downlink);
        another->done(another->ctx, DOWNLINK_PUSH_DONE);
        assert_int_equal(client_status(&other), 200);
        client_close(&other);
        struct pollfd answered = {.fd = world->client.fd, .events = POLLIN};
        assert_int_equal(poll(&answered, 1, 0), 0);

        pushed->done(pushed->ctx, rows[i].result);
        struct client_reply reply = client_read(&world->client);
        assert_int_equal(reply.status, rows[i].status);
        assert_true(span_eq_str(client_header(&reply, "Retry-After"), rows[i].retry_after));
        client_reply_fini(&reply);
    }
    teardown(world);
}

/* The head without its Date. */
static void append_without_date(struct buf *out, const struct buf *head)
{
    const char *date = strcasestr(buf_str(head), "\r\nDate: ");
    assert_non_null(date);
    const char *end = strstr(date + 2, "\r\n");
    size_t before = (size_t)(date - head->ptr), until = (size_t)(end - head->ptr);
    buf_add(out, span_slice(buf_span(head), 0, before));
    buf_add(out, span_slice(buf_span(head), until, head->len));
}

static void every_wrong_request_gets_the_same_404(void **state)
{
    static const struct {
        const char *method, *path;
    } rows[] = {
        {"POST", "/"},
        {"POST", "/hook/"},
        {"POST", PATH "0"},
        {"POST", PATH "/"},
        {"POST", "/hook/9f2c4e6a8b0d1f3e5a7c9b2d4f6e8a0"},
        {"POST", "/hook/9f2c4e6a8b0d1f3e5a7c9b2d4f6e8a0d"},
        {"POST", "/hook/0f2c4e6a8b0d1f3e5a7c9b2d4f6e8a0c"},
        {"POST", "/HOOK/9F2C4E6A8B0D1F3E5A7C9B2D4F6E8A0C"},
        {"POST", PATH "%00"},
        {"GET", "/"},
        {"GET", PATH},
        {"PUT", PATH},
        {"DELETE", PATH},
        {"OPTIONS", PATH},
        {"post", PATH},
    };
    struct world *world = setup();
    struct buf first = BUF_INIT(4096), now = BUF_INIT(4096);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(client_ask(&world->client, rows[i].method, rows[i].path, IDS, span_of("raw")));
        struct client_reply reply = client_read(&world->client);
        assert_int_equal(reply.status, 404);
        buf_clear(&now);
        append_without_date(&now, &reply.head);
        buf_add(&now, buf_span(&reply.body));
        if (i == 0)
            buf_add(&first, buf_span(&now));
        assert_string_equal(buf_str(&now), buf_str(&first));
        client_reply_fini(&reply);
    }
    buf_fini(&first);
    buf_fini(&now);
    assert_int_equal(world->downlink.count, 0);
    teardown(world);
}

static void what_is_no_push_is_refused_and_not_passed_on(void **state)
{
    static const struct {
        const char *headers, *body;
    } rows[] = {
        {"", "raw without an id"},
        {"", ""},
        {"x-cmq-message-id: \xff\r\n", "raw"},
        {IDS, WRAPPED("\"half a character \\ud83d\"")},
        {IDS, WRAPPED("7")},
    };
    struct world *world = setup();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(post(&world->client, PATH, rows[i].headers, rows[i].body));
        assert_int_equal(client_status(&world->client), 400);
    }
    assert_int_equal(world->downlink.count, 0);
    teardown(world);
}

static void the_largest_message_passes_in_its_longest_form_and_no_larger_one(void **state)
{
    enum { LARGEST = 1 << 20 };
    struct world *world = setup();
    struct buf body = BUF_INIT(16 << 20);
    (void)state;
    buf_add_str(&body, "{\"msgId\":\"1\",\"msgBody\":\"");
    for (size_t i = 0; i < LARGEST; i++)
        buf_add_str(&body, "\\u0000");
    buf_add_str(&body, "\"}");
    assert_true(client_ask(&world->client, "POST", PATH, "", buf_span(&body)));
    struct pushed *pushed = next(&world->downlink);
    assert_int_equal(pushed->body.len, LARGEST);
    for (size_t i = 0; i < LARGEST; i++)
        assert_int_equal(pushed->body.ptr[i], 0);
    pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
    assert_int_equal(client_status(&world->client), 200);

    while (body.len <= 8 << 20)
        buf_add_char(&body, ' ');
    assert_true(client_ask(&world->client, "POST", PATH, "", buf_span(&body)));
    assert_int_equal(client_status(&world->client), 413);
    assert_true(client_ask(&world->client, "POST", "/", "", buf_span(&body)));
    assert_int_equal(client_status(&world->client), 404);
    assert_int_equal(world->downlink.count, 1);
    buf_fini(&body);
    teardown(world);
}

static void *answer_all(void *arg)
{
    struct downlink *downlink = arg;
    for (size_t i = 0; i < MAX_PUSHED; i++) {
        struct pushed *pushed = next(downlink);
        pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
    }
    return NULL;
}

static void pushes_at_the_same_time_are_answered_each(void **state)
{
    enum { AT_ONCE = 50 };
    struct world *world = setup();
    struct client clients[AT_ONCE];
    pthread_t thread;
    (void)state;
    CHECK(pthread_create(&thread, NULL, answer_all, &world->downlink) == 0);
    for (size_t i = 0; i < AT_ONCE; i++)
        client_open(&clients[i], push_port(world->push));
    for (size_t round = 0; round < MAX_PUSHED / AT_ONCE; round++) {
        for (size_t i = 0; i < AT_ONCE; i++)
            assert_true(post(&clients[i], PATH, IDS, "message"));
        for (size_t i = 0; i < AT_ONCE; i++)
            assert_int_equal(client_status(&clients[i]), 200);
    }
    pthread_join(thread, NULL);
    for (size_t i = 0; i < AT_ONCE; i++)
        client_close(&clients[i]);
    teardown(world);
}

static void a_stop_answers_503_and_later_results_are_safe(void **state)
{
    struct world *world = setup();
    (void)state;
    assert_true(post(&world->client, PATH, IDS, "message"));
    struct pushed *pushed = next(&world->downlink);
    push_stop(world->push);
    assert_int_equal(client_status(&world->client), 503);
    pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
    teardown(world);
}

static void where_it_cannot_listen_it_says_so(void **state)
{
    struct world *world = setup();
    struct err err = {.text = ""};
    struct buf taken = BUF_INIT(64);
    (void)state;
    buf_printf(&taken, "127.0.0.1:%u", push_port(world->push));
    assert_null(start(world, buf_str(&taken), &err));
    assert_non_null(strstr(err.text, "in use"));
    assert_null(start(world, "nowhere", &err));
    assert_non_null(strstr(err.text, "nowhere"));
    buf_fini(&taken);
    push_free(NULL);
    teardown(world);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

/* Everything that can go wrong, three times over. */
static void go_wrong(struct world *world)
{
    for (int i = 0; i < 3; i++) {
        static const enum downlink_push_result results[] = {DOWNLINK_PUSH_AWAY,
                                                            DOWNLINK_PUSH_FAILED};
        for (size_t k = 0; k < 2; k++) {
            assert_true(post(&world->client, PATH, IDS, "secret"));
            struct pushed *pushed = next(&world->downlink);
            pushed->done(pushed->ctx, results[k]);
            assert_int_equal(client_status(&world->client), k == 0 ? 503 : 500);
        }
        assert_true(post(&world->client, PATH, IDS, WRAPPED("\"secret\\ud83d\"")));
        assert_int_equal(client_status(&world->client), 400);
        assert_true(client_ask(&world->client, "GET", PATH, IDS, span_of("")));
        assert_int_equal(client_status(&world->client), 404);
    }
}

static void the_log_has_each_kind_once_with_its_ids_and_no_secret(void **state)
{
    static const char *const events[] = {"push.away", "push.failed", "push.refused",
                                         "push.not_found"};
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);
    char text[8192];
    (void)state;
    CHECK(log && before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    struct world *world = setup();
    go_wrong(world);
    teardown(world);
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        assert_int_equal(occurrences(text, events[i]), 1);
    assert_int_equal(occurrences(text, "request_id=\"2394928734\""), 4);
    assert_int_equal(occurrences(text, "msg_id=\"6942316962\""), 4);
    assert_int_equal(occurrences(text, "rule=\"commands\""), 3);
    assert_int_equal(occurrences(text, "secret"), 0);
    assert_int_equal(occurrences(text, "hook"), 0);
}

static void other_paths_are_served_after_a_reload(void **state)
{
    struct world *world = setup();
    struct reverse_rule moved = {.name = "moved", .push_path = OTHER_PATH};
    struct ruleset rules = {.reverse = &moved, .reverse_count = 1};
    struct config config = {.rules = &rules, .holders = 1};
    (void)state;
    assert_true(post(&world->client, PATH, IDS, "message")); /* on its way meanwhile */
    struct pushed *pushed = next(&world->downlink);
    push_reload(world->push, &config);
    pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
    assert_int_equal(client_status(&world->client), 200);
    assert_true(post(&world->client, PATH, IDS, "message"));
    assert_int_equal(client_status(&world->client), 404);
    assert_true(post(&world->client, OTHER_PATH, IDS, "message"));
    pushed = next(&world->downlink);
    assert_string_equal(pushed->rule, "moved");
    pushed->done(pushed->ctx, DOWNLINK_PUSH_DONE);
    assert_int_equal(client_status(&world->client), 200);
    teardown(world);
    assert_int_equal(config.holders, 1);
}

static void what_is_on_its_way_outlives_the_listener(void **state)
{
    struct world *world = setup();
    (void)state;
    assert_true(post(&world->client, PATH, IDS, "message"));
    struct pushed *pushed = next(&world->downlink);
    push_free(world->push);
    world->push = NULL;
    pushed->done(pushed->ctx, DOWNLINK_PUSH_FAILED);
    teardown(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_reaches_the_downlink_by_its_path_in_both_formats),
        cmocka_unit_test(the_answer_waits_for_the_broker_and_tells_what_became_of_it),
        cmocka_unit_test(every_wrong_request_gets_the_same_404),
        cmocka_unit_test(what_is_no_push_is_refused_and_not_passed_on),
        cmocka_unit_test(the_largest_message_passes_in_its_longest_form_and_no_larger_one),
        cmocka_unit_test(pushes_at_the_same_time_are_answered_each),
        cmocka_unit_test(a_stop_answers_503_and_later_results_are_safe),
        cmocka_unit_test(where_it_cannot_listen_it_says_so),
        cmocka_unit_test(the_log_has_each_kind_once_with_its_ids_and_no_secret),
        cmocka_unit_test(other_paths_are_served_after_a_reload),
        cmocka_unit_test(what_is_on_its_way_outlives_the_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
