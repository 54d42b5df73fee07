/* The end points under /local/: scripted misbehaviour, the state, the log, the reset (RULES 8). */
#include "local/control.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000500)

static struct store *store;
static struct sabotage sabotage;
static struct journal journal;
static struct buf answer = BUF_INIT(16 << 20);

static int open_all(void **unused)
{
    (void)unused;
    static const struct depot_limits limits = {1 << 20, 40, 20};
    store = store_new(&limits, NOW);
    journal_init(&journal);
    return 0;
}

static int close_all(void **unused)
{
    (void)unused;
    store_free(store);
    sabotage_clear(&sabotage);
    journal_fini(&journal);
    buf_fini(&answer);
    return 0;
}

static int ask(const char *method, const char *target, const char *body)
{
    const struct control control = {store, &sabotage, &journal};
    struct span whole = span_of(target);
    size_t mark = span_find(whole, '?');
    const struct control_request request = {
        .method = span_of(method),
        .path = span_slice(whole, 0, mark),
        .query = span_slice(whole, mark + 1, whole.len),
        .body = span_of(body),
    };
    buf_clear(&answer);
    int status = control_serve(&control, &request, NOW, &answer);
    cJSON *json = cJSON_Parse(buf_str(&answer));
    if (!json)
        fail_msg("no JSON: %s", buf_str(&answer));
    cJSON_Delete(json);
    return status;
}

static void only_the_known_ways_are_open(void **unused)
{
    (void)unused;
    static const struct {
        const char *method, *target;
        int status;
    } rows[] = {
        {"GET", "/local/state", 200},
        {"POST", "/local/state", 405},
        {"GET", "/local/log", 200},
        {"POST", "/local/log", 405},
        {"GET", "/local/log?after=0", 200},
        {"GET", "/local/log?after=x", 400},
        {"GET", "/local/log?after=", 400},
        {"GET", "/local/log?before=1", 400},
        {"GET", "/local/log?after=99999999999999999999", 400},
        {"GET", "/local/faults", 200},
        {"PUT", "/local/faults", 405},
        {"GET", "/local/reset", 405},
        {"POST", "/local/reset", 200},
        {"GET", "/local/", 404},
        {"GET", "/local/state/", 404},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ask(rows[i].method, rows[i].target, "") != rows[i].status)
            fail_msg("%s %s", rows[i].method, rows[i].target);
    }
}

static void scripts_with_faults_are_refused_and_change_nothing(void **unused)
{
    (void)unused;
    static const struct {
        const char *script, *says;
    } rows[] = {
        {"", "JSON list"},
        {"{}", "JSON list"},
        {"[1]", "fault 1: must be an object"},
        {"[{}]", "\\\"mode\\\" must be one of"},
        {"[{\"mode\":\"explode\"}]", "must be one of"},
        {"[{\"mode\":\"drop\"},{\"mode\":\"drop\",\"cuont\":1}]",
         "fault 2: unknown field \\\"cuont\\\", did you mean \\\"count\\\"?"},
        {"[{\"mode\":\"drop\",\"xyzzyxyzzy\":1}]", "unknown field \\\"xyzzyxyzzy\\\""},
        {"[{\"mode\":\"drop\",\"action\":\"\"}]", "text of 1 to"},
        {"[{\"mode\":\"drop\",\"action\":7}]", "text of 1 to"},
        {"[{\"mode\":\"drop\",\"rate\":1.5}]", "number from 0 to 1"},
        {"[{\"mode\":\"drop\",\"rate\":\"1\"}]", "number from 0 to 1"},
        {"[{\"mode\":\"drop\",\"count\":1.5}]", "whole number"},
        {"[{\"mode\":\"drop\",\"count\":-1}]", "whole number"},
        {"[{\"mode\":\"delay\"}]", "wants \\\"seconds\\\""},
        {"[{\"mode\":\"delay\",\"seconds\":3601}]", "number from 0 to 3600"},
        {"[{\"mode\":\"code\"}]", "wants a \\\"code\\\""},
        {"[{\"mode\":\"code\",\"code\":4242}]", "wants a \\\"code\\\""},
        {"[{\"mode\":\"code\",\"code\":4420,\"module\":10260}]", "goes with it"},
    };
    assert_int_equal(ask("POST", "/local/faults", "[{\"mode\":\"drop\"}]"), 200);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ask("POST", "/local/faults", rows[i].script) != 400 ||
            !strstr(buf_str(&answer), rows[i].says))
            fail_msg("%s -> %s", rows[i].script, buf_str(&answer));
        assert_int_equal(sabotage.count, 1);
    }
    struct buf many = BUF_INIT(1 << 20);
    for (int i = 0; i <= SABOTAGE_MAX_RULES; i++)
        buf_add_str(&many, i == 0 ? "[{\"mode\":\"drop\"}" : ",{\"mode\":\"drop\"}");
    buf_add_str(&many, "]");
    assert_int_equal(ask("POST", "/local/faults", buf_str(&many)), 400);
    buf_fini(&many);
    assert_int_equal(ask("POST", "/local/faults", "[]"), 200);
    assert_int_equal(sabotage.count, 0);
}

static const struct sabotage_rule *pick(const char *action, const char *name)
{
    return sabotage_pick(&sabotage, span_of(action), span_of(name), false);
}

static void the_first_rule_that_fits_hits(void **unused)
{
    (void)unused;
    assert_int_equal(
        ask("POST", "/local/faults",
            "[{\"action\":\"SendMessage\",\"queue\":\"Slow\",\"mode\":\"delay\",\"seconds\":1.5},"
            "{\"action\":\"SendMessage\",\"mode\":\"code\",\"code\":4420,\"count\":2},"
            "{\"action\":\"*\",\"topic\":\"news\",\"mode\":\"garbage\"}]"),
        200);
    const struct sabotage_rule *rule = pick("SendMessage", "slow");
    assert_int_equal(rule->mode, SABOTAGE_DELAY);
    assert_int_equal(rule->delay_ms, 1500);
    rule = pick("SendMessage", "other");
    assert_int_equal(rule->mode, SABOTAGE_CODE);
    assert_int_equal(rule->module, 10250);
    assert_non_null(pick("SendMessage", ""));
    assert_null(pick("SendMessage", "other")); /* twice was all */
    assert_null(pick("sendMessage", "slow"));
    assert_null(pick("ReceiveMessage", "slow"));
    assert_int_equal(pick("PublishMessage", "News")->mode, SABOTAGE_GARBAGE);
    assert_int_equal(ask("GET", "/local/faults", NULL), 200);
    assert_string_equal(
        buf_str(&answer),
        "[{\"action\":\"SendMessage\",\"queue\":\"Slow\",\"mode\":\"delay\",\"seconds\":1.5,"
        "\"hits\":1},{\"action\":\"SendMessage\",\"mode\":\"code\",\"code\":4420,\"module\":10250,"
        "\"count\":0,\"hits\":2},{\"action\":\"*\",\"queue\":\"news\",\"mode\":\"garbage\","
        "\"hits\":1}]");
    char *shown = span_dup(buf_span(&answer));
    assert_int_equal(ask("POST", "/local/faults", shown), 200); /* what it shows it takes */
    free(shown);
}

static void a_rate_hits_its_part(void **unused)
{
    (void)unused;
    int hits = 0;
    assert_int_equal(ask("POST", "/local/faults",
                         "[{\"mode\":\"drop\",\"rate\":0},{\"mode\":\"http_500\",\"rate\":0.25}]"),
                     200);
    for (int i = 0; i < 10000; i++) {
        const struct sabotage_rule *rule = pick("SendMessage", "q");
        assert_true(!rule || rule->mode == SABOTAGE_HTTP_500);
        hits += rule != NULL;
    }
    assert_in_range(hits, 2000, 3000); /* 11 standard deviations either way */
}

static void the_log_shows_what_came_after(void **unused)
{
    (void)unused;
    assert_int_equal(ask("GET", "/local/log", NULL), 200);
    assert_string_equal(buf_str(&answer), "{\"last\":0,\"lost\":0,\"requests\":[]}");
    for (uint64_t i = 1; i <= 2; i++) {
        *journal_add(&journal) = (struct journal_entry){.at_ms = NOW,
                                                        .took_ms = 3,
                                                        .request_id = 10 + i,
                                                        .outcome = "answered",
                                                        .why = i == 2 ? "no reason" : NULL,
                                                        .code = 4430,
                                                        .module = 10260,
                                                        .action = "DeleteMessage",
                                                        .name = "q"};
    }
    assert_int_equal(ask("GET", "/local/log?after=1", NULL), 200);
    assert_string_equal(buf_str(&answer),
                        "{\"last\":2,\"lost\":0,\"requests\":[{\"n\":2,\"at\":"
                        "\"2023-11-14T22:13:20.500Z\",\"took_ms\":3,\"action\":\"DeleteMessage\","
                        "\"name\":\"q\",\"requestId\":\"12\",\"outcome\":\"answered\","
                        "\"code\":4430,\"module\":10260,\"why\":\"no reason\"}]}");
    assert_int_equal(ask("GET", "/local/log?after=2", NULL), 200);
    assert_string_equal(buf_str(&answer), "{\"last\":2,\"lost\":0,\"requests\":[]}");
    assert_int_equal(ask("GET", "/local/log?after=9223372036854775807", NULL), 200);
    assert_string_equal(buf_str(&answer), "{\"last\":2,\"lost\":0,\"requests\":[]}");
}

static void an_old_log_entry_makes_room(void **unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= JOURNAL_ENTRIES + 5; i++)
        *journal_add(&journal) = (struct journal_entry){.request_id = i, .outcome = "answered"};
    assert_int_equal(ask("GET", "/local/log?after=2", NULL), 200);
    char head[64];
    (void)snprintf(head, sizeof head, "{\"last\":%d,\"lost\":3,\"requests\":[{\"n\":6,",
                   JOURNAL_ENTRIES + 5);
    assert_true(span_starts(buf_span(&answer), head));
    assert_int_equal(ask("POST", "/local/reset", NULL), 200);
    assert_int_equal(ask("GET", "/local/log?after=4101", NULL), 200);
    assert_string_equal(buf_str(&answer), "{\"last\":4101,\"lost\":0,\"requests\":[]}");
}

static void the_state_shows_queues_and_topics(void **unused)
{
    (void)unused;
    static const struct queue_attributes frail = {.visibility_s = 1,
                                                  .retention_s = 3600,
                                                  .max_size_bytes = 1024,
                                                  .policy = QUEUE_BY_RECEIVES,
                                                  .max_receive = 2},
                                         plain = QUEUE_DEFAULTS;
    static const struct topic_attributes by_tag = {false, 86400, 65536, false};
    const struct span tags[] = {SPAN_LIT("a"), SPAN_LIT("b")}, body = SPAN_LIT("x");
    const struct subscription_spec to_queue = {.name = SPAN_LIT("s"),
                                               .queue = SPAN_LIT("frail"),
                                               .filters = tags,
                                               .filter_count = 2,
                                               .simplified = true},
                                   to_url = {.name = SPAN_LIT("u"),
                                             .url = SPAN_LIT("http://h/"),
                                             .exponential = true},
                                   to_tls = {.name = SPAN_LIT("v"), .url = SPAN_LIT("https://h/")};
    struct message *messages[1];
    size_t count;
    struct queue *queue = store_add_queue(store, span_of("frail"), &frail, NULL);
    assert_non_null(store_add_queue(store, span_of("dead"), &plain, NULL));
    assert_true(store_bind_dead_letter(store, queue, span_of("dead"), NULL));
    struct topic *topic = store_add_topic(store, span_of("t"), &by_tag, NULL);
    assert_true(store_subscribe(store, topic, &to_queue, NULL));
    assert_true(store_subscribe(store, topic, &to_url, NULL));
    assert_true(store_subscribe(store, topic, &to_tls, NULL));
    const struct span two[] = {body, body};
    const struct topic_label no_tag = {0};
    uint64_t ids[2];
    assert_int_equal(topic_publish(topic, two, 2, &no_tag, NOW - 100, ids), TOPIC_OK);
    struct push *trying = push_next(store_pushes(store), NOW - 100);
    struct push *failing = push_next(store_pushes(store), NOW - 100);
    assert_int_equal(trying->id, ids[0]);
    assert_int_equal(failing->id, ids[1]);
    assert_int_equal(push_settle(failing, false, NOW - 100), PUSH_RESTS);
    assert_int_equal(queue_send(queue, &body, 1, 0, NOW - 2000, NULL), QUEUE_OK);
    assert_int_equal(queue_receive(queue, 1, NOW - 2000, messages, &count), QUEUE_OK);
    assert_int_equal(queue_send(queue, &body, 1, 9000, NOW - 1000, NULL), QUEUE_OK);
    assert_int_equal(ask("GET", "/local/state", NULL), 200); /* the lapsed one is active again */
    assert_true(span_starts(buf_span(&answer), "{\"at\":\"2023-11-14T22:13:20.500Z\","));
    assert_non_null(strstr(
        buf_str(&answer),
        "\"queues\":{\"frail\":{\"active\":1,\"inactive\":0,\"delayed\":1,\"kept\":0,\"waiting\":0,"
        "\"visibilityTimeout\":1,\"pollingWaitSeconds\":0,\"msgRetentionSeconds\":3600,"
        "\"maxMsgSize\":1024,\"rewindSeconds\":0,\"deadLetter\":{\"queue\":\"dead\",\"policy\":0,"
        "\"maxReceiveCount\":2}},\"dead\":{\"active\":0,"));
    assert_non_null(strstr(
        buf_str(&answer),
        "\"topics\":{\"t\":{\"filter\":\"tag\",\"maxMsgSize\":65536,\"msgRetentionSeconds\":86400,"
        "\"subscriptions\":{\"s\":{\"protocol\":\"queue\",\"endpoint\":\"frail\","
        "\"notifyStrategy\":"
        "\"BACKOFF_RETRY\",\"notifyContentFormat\":\"SIMPLIFIED\",\"filterTag\":[\"a\",\"b\"],"
        "\"delivered\":0,\"dropped\":0},\"u\":{\"protocol\":\"http\",\"endpoint\":\"http://h/\","
        "\"notifyStrategy\":\"EXPONENTIAL_DECAY_RETRY\",\"notifyContentFormat\":\"JSON\","
        "\"filterTag\":[],\"pending\":2,\"inFlight\":1,\"delivered\":0,\"failedTries\":1,"
        "\"dropped\":0,\"nextTry\":\"2023-11-14T22:13:21.400Z\"},\"v\":{\"protocol\":\"http\","
        "\"endpoint\":\"https://h/\",\"notifyStrategy\":\"BACKOFF_RETRY\","
        "\"notifyContentFormat\":\"JSON\",\"filterTag\":[],\"delivered\":0,\"dropped\":2,"
        "\"unsupported\":\"https\"}}}}}"));
    assert_int_equal(push_settle(trying, true, NOW), PUSH_DELIVERED);
    assert_int_equal(ask("POST", "/local/reset", ""), 200);
    assert_int_equal(ask("GET", "/local/state", NULL), 200);
    assert_non_null(strstr(buf_str(&answer),
                           "\"pending\":0,\"inFlight\":0,\"delivered\":1,\"failedTries\":1,"
                           "\"dropped\":0,\"nextTry\":null}"));
}

static void a_reset_empties(void **unused)
{
    (void)unused;
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    const struct span body = SPAN_LIT("x");
    struct queue *queue = store_add_queue(store, span_of("q"), &plain, NULL);
    assert_int_equal(queue_send(queue, &body, 1, 0, NOW, NULL), QUEUE_OK);
    assert_int_equal(ask("POST", "/local/faults", "[{\"mode\":\"drop\"}]"), 200);
    assert_int_equal(ask("POST", "/local/reset", ""), 200);
    assert_int_equal(queue->active_count, 0);
    assert_int_equal(sabotage.count, 0);
    assert_int_equal(store_queue_count(store), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_known_ways_are_open),
        TEST(scripts_with_faults_are_refused_and_change_nothing),
        TEST(the_first_rule_that_fits_hits),
        TEST(a_rate_hits_its_part),
        TEST(the_log_shows_what_came_after),
        TEST(an_old_log_entry_makes_room),
        TEST(the_state_shows_queues_and_topics),
        TEST(a_reset_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
