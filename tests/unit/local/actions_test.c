/* The ten actions: their answers, word for word, and every error that they can give (CMQ.md 3, 7).
 */
#include "local/actions.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000500)

static struct store *store;
static struct service service;
static struct call call;
static struct buf answer = BUF_INIT(16 << 20);
static struct action_wait wait;
static int64_t now;

static struct queue *add_queue(const char *name, const struct queue_attributes *attributes)
{
    struct queue *queue = store_add_queue(store, span_of(name), attributes, NULL);
    assert_non_null(queue);
    return queue;
}

static void add_topic(const char *name, bool by_route, const char *queue, const char *filter)
{
    const struct topic_attributes attributes = {by_route, 86400, 32, false};
    struct topic *topic = store_add_topic(store, span_of(name), &attributes, NULL);
    assert_non_null(topic);
    const struct span filters = span_of(filter);
    const struct subscription_spec spec = {.name = span_of("s"),
                                           .queue = span_of(queue),
                                           .filters = &filters,
                                           .filter_count = filter != NULL};
    if (queue)
        assert_true(store_subscribe(store, topic, &spec, NULL));
}

static int open_all(void **unused)
{
    (void)unused;
    static const struct depot_limits limits = {1 << 20, 40, 20};
    static const struct queue_attributes plain = QUEUE_DEFAULTS, small = {.visibility_s = 30,
                                                                          .retention_s = 3600,
                                                                          .max_size_bytes = 16,
                                                                          .polling_wait_s = 5};
    now = NOW;
    store = store_new(&limits, now);
    service = (struct service){.store = store, .address = "127.0.0.1:8280"};
    add_queue("work", &plain);
    add_queue("small", &small);
    add_topic("lonely", false, NULL, NULL);
    add_topic("tagged", false, "work", "high");
    add_topic("open", false, "work", NULL);
    add_topic("routed", true, "work", "a.*");
    return 0;
}

static int close_all(void **unused)
{
    (void)unused;
    store_free(store);
    buf_fini(&answer);
    return 0;
}

/* Serves a form; the answer is in answer, unless wait has a queue. */
static const char *ask(const char *text)
{
    static struct form form;
    size_t len = strlen(text);
    char *bytes = span_dup(span_make(text, len));
    assert_true(form_parse(&form, bytes, len));
    buf_clear(&answer);
    call_init(&call, 4711, &form, &answer);
    wait = actions_serve(&service, &call, &form, now);
    free(bytes); /* nothing may depend on it any more */
    return buf_str(&answer);
}

/* The value of a field of the last answer; list NULL: of the answer itself, else of an entry. */
static const char *field(const char *list, int at, const char *name)
{
    static char values[8][128];
    static unsigned turn;
    char *value = values[turn++ % 8];
    cJSON *json = cJSON_Parse(buf_str(&answer));
    assert_non_null(json);
    const cJSON *entry = list ? cJSON_GetArrayItem(cJSON_GetObjectItem(json, list), at) : json;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, name);
    assert_true(cJSON_IsString(item));
    (void)snprintf(value, 128, "%s", item->valuestring);
    cJSON_Delete(json);
    return value;
}

static void assert_answer(const char *text, int code, int module)
{
    char head[32];
    (void)snprintf(head, sizeof head, code ? "{\"code\":%d,\"message\":\"(%d)" : "{\"code\":0,",
                   code, module);
    if (wait.queue || strncmp(ask(text), head, strlen(head)) != 0)
        fail_msg("%s -> %s", text, buf_str(&answer));
    cJSON *json = cJSON_Parse(buf_str(&answer));
    if (!json)
        fail_msg("no JSON: %s", buf_str(&answer));
    cJSON_Delete(json);
    assert_int_equal(call.code, code);
    assert_int_equal(call.module, module);
}

static void every_error_has_its_pair(void **unused)
{
    (void)unused;
    static const struct {
        const char *form;
        int code, module;
    } rows[] = {
        {"", 4000, 10430},
        {"Action=", 4000, 10430},
        {"Action=sendMessage", 4000, 10430},
        {"Action=CreateQueue&queueName=q", 4000, 10430},
        {"Action=ClearSUbscriptionFIlterTags", 4000, 10430},

        {"Action=SendMessage", 4000, 10390},
        {"Action=SendMessage&queueName=", 4000, 10020},
        {"Action=SendMessage&queueName=1st&msgBody=x", 4000, 10020},
        {"Action=SendMessage&queueName=a%2Fb&msgBody=x", 4000, 10020},
        {"Action=SendMessage&queueName=work", 4000, 10390},
        {"Action=SendMessage&queueName=work&msgBody=", 4000, 10120},
        {"Action=SendMessage&queueName=work&msgBody=%ff", 4000, 10350},
        {"Action=SendMessage&queueName=nowhere&msgBody=x", 4440, 10100},
        {"Action=SendMessage&queueName=work&msgBody=x&delaySeconds=-1", 4000, 10692},
        {"Action=SendMessage&queueName=work&msgBody=x&delaySeconds=3601", 4000, 10692},
        {"Action=SendMessage&queueName=work&msgBody=x&delaySeconds=", 4000, 10360},
        {"Action=SendMessage&queueName=work&msgBody=x&delaySeconds=1.5", 4000, 10360},
        {"Action=SendMessage&queueName=work&msgBody=x&delaySeconds=--1", 4000, 10360},
        {"Action=SendMessage&queueName=small&msgBody=12345678901234567", 4400, 10230},
        {"Action=SendMessage&queueName=small&msgBody=1234567890123456", 0, 0},

        {"Action=BatchSendMessage&queueName=work", 4000, 10390},
        {"Action=BatchSendMessage&queueName=work&msgBody=x", 4000, 10390},
        {"Action=BatchSendMessage&queueName=work&msgBody.1=x&msgBody.3=y", 4000, 10380},
        {"Action=BatchSendMessage&queueName=work&msgBody.a=x", 4000, 10310},
        {"Action=BatchSendMessage&queueName=work&msgBody.1=x&msgBody.2=", 4000, 10120},
        {"Action=BatchSendMessage&queueName=nowhere&msgBody.1=x", 4440, 10100},
        {"Action=BatchSendMessage&queueName=work&msgBody.1=&msgBody.2=b&msgBody.3=&msgBody.4=&"
         "msgBody.5=&msgBody.6=&msgBody.7=&msgBody.8=&msgBody.9=&msgBody.10=&msgBody.11=&"
         "msgBody.12=&msgBody.13=&msgBody.14=&msgBody.15=&msgBody.16=&msgBody.17=",
         4000, 10370},

        {"Action=ReceiveMessage", 4000, 10390},
        {"Action=ReceiveMessage&queueName=-", 4000, 10020},
        {"Action=ReceiveMessage&queueName=nowhere", 4440, 10100},
        {"Action=ReceiveMessage&queueName=work", 7000, 10200},
        {"Action=ReceiveMessage&queueName=small&pollingWaitSeconds=31", 4000, 10350},
        {"Action=ReceiveMessage&queueName=work&pollingWaitSeconds=-1", 4000, 10350},
        {"Action=ReceiveMessage&queueName=work&pollingWaitSeconds=x", 4000, 10360},
        {"Action=BatchReceiveMessage&queueName=work", 4000, 10390},
        {"Action=BatchReceiveMessage&queueName=work&numOfMsg=0", 4000, 10350},
        {"Action=BatchReceiveMessage&queueName=work&numOfMsg=17", 4000, 10350},
        {"Action=BatchReceiveMessage&queueName=work&numOfMsg=all", 4000, 10360},
        {"Action=BatchReceiveMessage&queueName=work&numOfMsg=16", 7000, 10200},

        {"Action=DeleteMessage", 4000, 10390},
        {"Action=DeleteMessage&queueName=work", 4000, 10390},
        {"Action=DeleteMessage&queueName=work&receiptHandle=", 4000, 10470},
        {"Action=DeleteMessage&queueName=work&receiptHandle=12", 4430, 10260},
        {"Action=DeleteMessage&queueName=nowhere&receiptHandle=12", 4440, 10100},
        {"Action=BatchDeleteMessage&queueName=work", 4000, 10390},
        {"Action=BatchDeleteMessage&queueName=work&receiptHandle.0=", 4000, 10470},
        {"Action=BatchDeleteMessage&queueName=work&receiptHandle.0=1&receiptHandle.2=1", 4000,
         10380},
        {"Action=BatchDeleteMessage&queueName=nowhere&receiptHandle.0=1", 4440, 10100},
        {"Action=BatchDeleteMessage&queueName=work&receiptHandle.0=1&receiptHandle.1=x", 6020,
         10290},

        {"Action=PublishMessage", 4000, 10390},
        {"Action=PublishMessage&topicName=_", 4000, 10590},
        {"Action=PublishMessage&topicName=open", 4000, 10390},
        {"Action=PublishMessage&topicName=open&msgBody=", 4000, 10120},
        {"Action=PublishMessage&topicName=nowhere&msgBody=x", 4440, 10600},
        {"Action=PublishMessage&topicName=lonely&msgBody=x", 6030, 10650},
        {"Action=PublishMessage&topicName=tagged&msgBody=x", 6030, 10730},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=low", 6030, 10730},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=12345678901234567", 4000,
         10350},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=", 4000, 10350},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=a&msgTag.3=b", 4000, 10380},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.one=a", 4000, 10310},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=a&msgTag.2=a&msgTag.3=a&"
         "msgTag.4=a&msgTag.5=a&msgTag.6=a",
         4000, 10720},
        {"Action=PublishMessage&topicName=routed&msgBody=x", 4000, 10700},
        {"Action=PublishMessage&topicName=routed&msgBody=x&routingKey=", 4000, 10700},
        {"Action=PublishMessage&topicName=routed&msgBody=x&routingKey=b.c", 6030, 10730},
        {"Action=PublishMessage&topicName=routed&msgBody=x&routingKey=a.b.c.d.e.f.g.h.i.j.k.l.m.n."
         "o.p.q",
         4000, 10691},
        {"Action=PublishMessage&topicName=routed&msgBody=x&routingKey="
         "a.0123456789012345678901234567890123456789012345678901234567890123",
         4000, 10350},
        {"Action=PublishMessage&topicName=open&msgBody=123456789012345678901234567890123", 4400,
         10230},
        {"Action=BatchPublishMessage&topicName=open", 4000, 10390},
        {"Action=BatchPublishMessage&topicName=tagged&msgBody.1=x", 6030, 10730},

        {"Action=QueryQueueRoute", 4000, 10390},
        {"Action=QueryQueueRoute&queueName=nowhere", 4440, 10100},
        {"Action=QueryTopicRoute&topicName=!", 4000, 10590},
        {"Action=QueryTopicRoute&topicName=nowhere", 4440, 10600},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_answer(rows[i].form, rows[i].code, rows[i].module);
}

static void errors_carry_the_name_at_fault(void **unused)
{
    (void)unused;
    assert_string_equal(ask("Action=CreateQueue"),
                        "{\"code\":4000,\"message\":\"(10430)action name CreateQueue is not "
                        "existed\",\"requestId\":\"4711\"}");
    service.no_action = 10280;
    assert_string_equal(ask("Action=CreateQueue"),
                        "{\"code\":4000,\"message\":\"(10280)action is not existed\","
                        "\"requestId\":\"4711\"}");
    service.no_action = 0;
    assert_string_equal(ask("Action=SendMessage&clientRequestId=9"),
                        "{\"code\":4000,\"message\":\"(10390)lacked of required parameter "
                        "queueName\",\"requestId\":\"4711\",\"clientRequestId\":9}");
    assert_string_equal(ask("Action=%22%0a&clientRequestId=x"),
                        "{\"code\":4000,\"message\":\"(10430)action name \\\"\\n is not "
                        "existed\",\"requestId\":\"4711\"}");
}

static void no_message_is_said_byte_for_byte(void **unused)
{
    (void)unused;
    static const char expected[] =
        "{\"code\":7000,\"message\":\"(10200)no message\",\"requestId\":\"4711\"}";
    assert_string_equal(ask("Action=ReceiveMessage&queueName=work&pollingWaitSeconds=0"), expected);
    assert_string_equal(ask("Action=BatchReceiveMessage&queueName=work&numOfMsg=2"), expected);
    ask("Action=ReceiveMessage&queueName=work&pollingWaitSeconds=2");
    assert_non_null(wait.queue);
    actions_give_up(&call);
    assert_string_equal(buf_str(&answer), expected);
}

static void a_received_message_has_every_field(void **unused)
{
    (void)unused;
    char expected[512], id[32];
    ask("Action=SendMessage&queueName=WORK&msgBody=%22%e4%bd%a0%0a&delaySeconds=0&Region=gz&"
        "clientRequestId=18446744073709551615");
    (void)snprintf(id, sizeof id, "%s", field(NULL, 0, "msgId"));
    (void)snprintf(expected, sizeof expected,
                   "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\",\"clientRequestId\":"
                   "18446744073709551615,\"msgId\":\"%s\"}",
                   id);
    assert_string_equal(buf_str(&answer), expected);
    now += 2000;
    ask("Action=ReceiveMessage&queueName=work&UserpollingWaitSeconds=30");
    (void)snprintf(
        expected, sizeof expected,
        "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\",\"msgBody\":\"\\\"\xe4\xbd\xa0\\n\","
        "\"msgId\":\"%s\",\"receiptHandle\":\"%s\",\"enqueueTime\":1700000000,"
        "\"firstDequeueTime\":1700000002,\"nextVisibleTime\":1700000032,\"dequeueCount\":1}",
        id, field(NULL, 0, "receiptHandle"));
    assert_string_equal(buf_str(&answer), expected);
}

static void a_batch_goes_round(void **unused)
{
    (void)unused;
    char text[256], expected[512], first[32], second[32];
    assert_answer("Action=BatchSendMessage&queueName=work&msgBody.0=a&msgBody.1=b", 0, 0);
    (void)snprintf(first, sizeof first, "%s", field("msgList", 0, "msgId"));
    (void)snprintf(second, sizeof second, "%s", field("msgList", 1, "msgId"));
    (void)snprintf(expected, sizeof expected,
                   "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\",\"msgList\":[{\"msgId\":"
                   "\"%s\"},{\"msgId\":\"%s\"}]}",
                   first, second);
    assert_string_equal(buf_str(&answer), expected);

    assert_answer("Action=BatchReceiveMessage&queueName=work&numOfMsg=16", 0, 0);
    assert_string_equal(field("msgInfoList", 0, "msgId"), first);
    assert_string_equal(field("msgInfoList", 1, "msgId"), second);
    assert_string_equal(field("msgInfoList", 1, "msgBody"), "b");
    (void)snprintf(first, sizeof first, "%s", field("msgInfoList", 0, "receiptHandle"));
    (void)snprintf(second, sizeof second, "%s", field("msgInfoList", 1, "receiptHandle"));

    (void)snprintf(text, sizeof text,
                   "Action=BatchDeleteMessage&queueName=work&receiptHandle.1=%s&"
                   "receiptHandle.2=%%22&receiptHandle.3=%s",
                   first, first);
    assert_answer(text, 6010, 10150);
    (void)snprintf(expected, sizeof expected,
                   "{\"code\":6010,\"message\":\"(10150)delete message partially failed\","
                   "\"requestId\":\"4711\",\"errorList\":[{\"code\":4430,\"message\":\"(10260)"
                   "receipt handle is invalid\",\"receiptHandle\":\"\\\"\"},{\"code\":4430,"
                   "\"message\":\"(10260)receipt handle is invalid\",\"receiptHandle\":\"%s\"}]}",
                   first);
    assert_string_equal(buf_str(&answer), expected);

    (void)snprintf(text, sizeof text, "Action=BatchDeleteMessage&queueName=work&receiptHandle.0=%s",
                   second);
    assert_string_equal(ask(text), "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\"}");
    assert_answer(text, 6020, 10290);
}

static void a_delete_works_once(void **unused)
{
    (void)unused;
    char text[128];
    ask("Action=SendMessage&queueName=work&msgBody=x");
    ask("Action=ReceiveMessage&queueName=work");
    (void)snprintf(text, sizeof text, "Action=DeleteMessage&queueName=Work&receiptHandle=%s",
                   field(NULL, 0, "receiptHandle"));
    assert_string_equal(ask(text), "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\"}");
    assert_answer(text, 4430, 10260);
}

static void a_poll_waits_as_long_as_asked_or_as_the_queue_says(void **unused)
{
    (void)unused;
    static const struct {
        const char *form;
        int64_t wait_ms;
    } rows[] = {
        {"Action=ReceiveMessage&queueName=work&pollingWaitSeconds=30", 30000},
        {"Action=ReceiveMessage&queueName=work&pollingWaitSeconds=0", 0},
        {"Action=ReceiveMessage&queueName=work", 0},
        {"Action=ReceiveMessage&queueName=small", 5000},
        {"Action=ReceiveMessage&queueName=small&pollingWaitSeconds=0", 0},
        {"Action=BatchReceiveMessage&queueName=small&numOfMsg=3", 5000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(rows[i].form);
        assert_int_equal(wait.wait_ms, rows[i].wait_ms);
        assert_int_equal(wait.queue != NULL, rows[i].wait_ms > 0);
    }
}

static void a_waiting_batch_gets_what_is_there(void **unused)
{
    (void)unused;
    ask("Action=BatchReceiveMessage&queueName=work&numOfMsg=2&pollingWaitSeconds=5");
    struct call waiting = call;
    struct queue *queue = wait.queue;
    ask("Action=BatchSendMessage&queueName=work&msgBody.0=a&msgBody.1=b&msgBody.2=c");
    actions_receive(&waiting, queue, now);
    assert_string_equal(field("msgInfoList", 1, "msgBody"), "b");
    assert_int_equal(queue->active_count, 1);
    assert_int_equal(waiting.code, 0);
}

static void publishing_reaches_the_queues(void **unused)
{
    (void)unused;
    static const struct {
        const char *form;
        unsigned messages;
    } rows[] = {
        {"Action=PublishMessage&topicName=open&msgBody=x&routingKey=", 1},
        {"Action=PublishMessage&topicName=OPEN&msgBody=x&routingKey=any&msgTag.0=any", 1},
        {"Action=PublishMessage&topicName=tagged&msgBody=x&msgTag.1=low&msgTag.2=high", 1},
        {"Action=PublishMessage&topicName=routed&msgBody=x&routingKey=a.b&msgTag.1=t", 1},
        {"Action=BatchPublishMessage&topicName=routed&msgBody.1=x&msgBody.2=y&routingKey=a.b", 2},
    };
    const struct queue *work = store_queue(store, span_of("work"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t had = work->active_count;
        assert_answer(rows[i].form, 0, 0);
        assert_int_equal(work->active_count - had, rows[i].messages);
    }
    assert_true(*field("msgList", 1, "msgId") != '\0');
}

static void a_route_is_where_this_server_listens(void **unused)
{
    (void)unused;
    static const char expected[] = "{\"code\":0,\"message\":\"\",\"requestId\":\"4711\",\"addr\":["
                                   "\"127.0.0.1:8280\"]}";
    assert_string_equal(ask("Action=QueryQueueRoute&queueName=work"), expected);
    assert_string_equal(ask("Action=QueryTopicRoute&topicName=open"), expected);
}

static void full_queues_say_so(void **unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        assert_answer("Action=SendMessage&queueName=work&msgBody=x&delaySeconds=60", 0, 0);
    assert_answer("Action=SendMessage&queueName=work&msgBody=x&delaySeconds=60", 6070, 10690);
    for (int i = 0; i < 20; i++)
        assert_answer("Action=SendMessage&queueName=work&msgBody=x", 0, 0);
    assert_answer("Action=SendMessage&queueName=work&msgBody=x", 4410, 10240);
    now += 60000;
    for (int i = 0; i < 20; i++)
        assert_answer("Action=ReceiveMessage&queueName=work", 0, 0);
    assert_answer("Action=ReceiveMessage&queueName=work", 6070, 10690);
}

static void too_many_calls_in_a_second_are_throttled(void **unused)
{
    (void)unused;
    static const char *const kinds[][2] = {
        {"Action=SendMessage&queueName=work&msgBody=x",
         "Action=BatchSendMessage&queueName=work&msgBody.1=x"},
        {"Action=ReceiveMessage&queueName=work", "Action=BatchReceiveMessage&queueName=work&"
                                                 "numOfMsg=2"},
        {"Action=DeleteMessage&queueName=work&receiptHandle=1",
         "Action=BatchDeleteMessage&queueName=work&receiptHandle.1=1"},
        {"Action=PublishMessage&topicName=open&msgBody=x",
         "Action=BatchPublishMessage&topicName=open&msgBody.1=x"},
    };
    service.rate = 3;
    for (int second = 0; second < 2; second++, now += 1000) {
        for (size_t kind = 0; kind < 4; kind++) {
            for (size_t i = 0; i < 3; i++)
                assert_null(strstr(ask(kinds[kind][i % 2]), "10250"));
            assert_answer(kinds[kind][0], 4420, 10250);
            assert_answer(kinds[kind][1], 4420, 10250);
        }
        assert_answer("Action=SendMessage&queueName=small&msgBody=x", 0, 0); /* another queue */
    }
    assert_answer("Action=SendMessage&queueName=work", 4000, 10390); /* what is wrong counts not */
}

static void a_full_memory_stops_sends_and_publishes(void **unused)
{
    (void)unused;
    store_queue(store, span_of("work"))->depot->limits.bytes = 0;
    assert_answer("Action=SendMessage&queueName=work&msgBody=x", 4410, 10240);
    assert_answer("Action=PublishMessage&topicName=open&msgBody=x", 4410, 10240);
}

static void a_batch_has_at_most_one_mebibyte(void **unused)
{
    (void)unused;
    static const char head[] = "Action=BatchSendMessage&queueName=work&msgBody.1=";
    static const char tail[] = "&msgBody.2=xx";
    size_t len = sizeof head - 1 + CMQ_MAX_BODY_BYTES - 1 + sizeof tail - 1;
    char *text = malloc(len + 1);
    assert_non_null(text);
    memcpy(text, head, sizeof head);
    memset(text + sizeof head - 1, 'x', CMQ_MAX_BODY_BYTES - 1);
    memcpy(text + len - (sizeof tail - 1), tail, sizeof tail);
    assert_answer(text, 4470, 10300);
    free(text);
}

static void management_calls_are_told_apart(void **unused)
{
    (void)unused;
    static const struct {
        const char *form;
        bool is_management;
    } rows[] = {
        {"Action=CreateCmqQueue", true},
        {"Action=DescribeRegions&Version=2020-02-17", true},
        {"Action=SendMessage&Version=2016-07-27", false}, /* some SDK sends it; CMQ.md 2.1 */
        {"Action=CreateQueue", false},
        {"Version=2020-02-17", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct form form;
        char text[64];
        memcpy(text, rows[i].form, strlen(rows[i].form));
        assert_true(form_parse(&form, text, strlen(rows[i].form)));
        assert_int_equal(actions_is_management(&form), rows[i].is_management);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_error_has_its_pair),
        TEST(errors_carry_the_name_at_fault),
        TEST(no_message_is_said_byte_for_byte),
        TEST(a_received_message_has_every_field),
        TEST(a_batch_goes_round),
        TEST(a_delete_works_once),
        TEST(a_poll_waits_as_long_as_asked_or_as_the_queue_says),
        TEST(a_waiting_batch_gets_what_is_there),
        TEST(publishing_reaches_the_queues),
        TEST(a_route_is_where_this_server_listens),
        TEST(full_queues_say_so),
        TEST(too_many_calls_in_a_second_are_throttled),
        TEST(a_full_memory_stops_sends_and_publishes),
        TEST(a_batch_has_at_most_one_mebibyte),
        TEST(management_calls_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
