/* The management plane's actions on queues: every field's bounds, every fault, every effect. */
#include "api_caller.h"

struct bound {
    const char *field;
    const char *low, *least, *most, *high; /* low and high are just outside; NULL: no such bound */
};

/* CMQ.md 8.5. */
static const struct bound bounds[] = {
    {"MaxMsgHeapNum", "999999", "1000000", "1000000000", "1000000001"},
    {"PollingWaitSeconds", "-1", "0", "30", "31"},
    {"VisibilityTimeout", "0", "1", "43200", "43201"},
    {"MaxMsgSize", "1023", "1024", "1048576", "1048577"},
    {"MsgRetentionSeconds", "29", "30", "43200", "43201"},
    {"RewindSeconds", "-1", "0", "1296000", "1296001"},
    {"Transaction", "-1", "0", "1", "2"},
    {"Policy", "-1", "0", "1", "2"},
    {"MaxReceiveCount", "0", "1", "1000", "1001"},
    {"MaxTimeToLive", "299", "300", "43200", "43201"},
    {"RetentionSizeInMB", "10239", "10240", "512000", "512001"},
};

static const char *with(const char *queue, const char *field, const char *value)
{
    static char body[300];
    (void)snprintf(body, sizeof body, "{\"QueueName\":\"%s\",\"%s\":%s}", queue, field, value);
    return body;
}

static void every_number_has_its_bounds(void **unused)
{
    (void)unused;
    char name[16];
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"same\"}");
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct bound *b = &bounds[i];
        (void)snprintf(name, sizeof name, "least%zu", i);
        expect("ok", "CreateCmqQueue", with(name, b->field, b->least));
        (void)snprintf(name, sizeof name, "most%zu", i);
        expect("ok", "CreateCmqQueue", with(name, b->field, b->most));
        expect("InvalidParameterValue", "CreateCmqQueue", with("q", b->field, b->low));
        expect("InvalidParameterValue", "CreateCmqQueue", with("q", b->field, b->high));
        expect("InvalidParameter", "CreateCmqQueue", with("q", b->field, "1.5"));
        expect("InvalidParameter", "CreateCmqQueue", with("q", b->field, "\"1\""));
        expect("InvalidParameter", "CreateCmqQueue", with("q", b->field, "1e300"));
        expect("InvalidParameterValue", "ModifyCmqQueueAttribute", with("same", b->field, b->low));
        expect("InvalidParameterValue", "ModifyCmqQueueAttribute", with("same", b->field, b->high));
        expect("ok", "CreateCmqQueue", with("x", b->field, "null"));
        expect("ok", "DeleteCmqQueue", "{\"QueueName\":\"x\"}");
    }
    expect("ok", "CreateCmqQueue", with("zero", "RetentionSizeInMB", "0"));
}

static void what_is_given_is_what_is_described(void **unused)
{
    (void)unused;
    static const char *const fields[] = {
        "MaxMsgHeapNum",       "PollingWaitSeconds", "VisibilityTimeout", "MaxMsgSize",
        "MsgRetentionSeconds", "RewindSeconds",      "RetentionSizeInMB"};
    static const double values[] = {2000000, 3, 45, 2048, 1800, 600, 20480};
    struct buf body = BUF_INIT(1000);
    buf_add_str(&body, "{\"QueueName\":\"Given\",\"Trace\":true,\"Transaction\":1,"
                       "\"FirstQueryInterval\":5,\"MaxQueryCount\":6,"
                       "\"Tags\":[{\"TagKey\":\"a\\\"\",\"TagValue\":\"b\"}]");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        buf_printf(&body, ",\"%s\":%g", fields[i], values[i]);
    buf_add_char(&body, '}');
    char *id = span_dup(span_of(text_at(ask("CreateCmqQueue", buf_str(&body)), "QueueId")));
    buf_fini(&body);
    assert_true(span_starts(span_of(id), "cmqq-"));
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"gIVEN\"}"), "QueueDescribe");
    assert_string_equal(text_at(queue, "QueueId"), id);
    free(id);
    assert_string_equal(text_at(queue, "QueueName"), "Given");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_true(number_at(queue, fields[i]) == values[i]);
    assert_true(cJSON_IsTrue(at(queue, "Trace")));
    assert_true(cJSON_IsTrue(at(queue, "Transaction")));
    assert_true(number_at(queue, "TransactionPolicy.FirstQueryInterval") == 5);
    assert_true(number_at(queue, "TransactionPolicy.MaxQueryCount") == 6);
    assert_string_equal(text_at(queue, "Tags.0.TagKey"), "a\"");
    assert_string_equal(text_at(queue, "Tags.0.TagValue"), "b");
}

static void what_is_not_given_has_the_services_default(void **unused)
{
    (void)unused;
    static const struct {
        const char *field;
        double value;
    } defaults[] = {{"MaxMsgHeapNum", 100000000},
                    {"PollingWaitSeconds", 0},
                    {"VisibilityTimeout", 30},
                    {"MaxMsgSize", 1048576},
                    {"MsgRetentionSeconds", 3600},
                    {"MaxDelaySeconds", 3600},
                    {"RewindSeconds", 0},
                    {"ActiveMsgNum", 0},
                    {"InactiveMsgNum", 0},
                    {"DelayMsgNum", 0},
                    {"RewindMsgNum", 0},
                    {"MinMsgTime", 0},
                    {"CreateTime", (double)NOW},
                    {"LastModifyTime", (double)NOW},
                    {"Status", 1},
                    {"RetentionSizeInMB", 0}};
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        if (number_at(queue, defaults[i].field) != defaults[i].value)
            fail_msg("%s: %s", defaults[i].field, buf_str(&answer));
    }
    assert_true(cJSON_IsFalse(at(queue, "Transaction")));
    assert_true(cJSON_IsFalse(at(queue, "Trace")));
    assert_true(cJSON_IsNull(at(queue, "DeadLetterPolicy")));
    assert_true(cJSON_IsNull(at(queue, "TransactionPolicy")));
    assert_int_equal(cJSON_GetArraySize(at(queue, "DeadLetterSource")), 0);
    assert_int_equal(cJSON_GetArraySize(at(queue, "Tags")), 0);
}

static void names_follow_the_rules(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *code;
    } rows[] = {
        {"q", "ok"},
        {"Q", "ResourceInUse.Queue"}, /* case does not count */
        {"a-b_C9", "ok"},
        {"a234567890123456789012345678901234567890123456789012345678901234", "ok"},
        {"a2345678901234567890123456789012345678901234567890123456789012345",
         "InvalidParameterValue"},
        {"", "InvalidParameterValue"},
        {"1a", "InvalidParameterValue"},
        {"-a", "InvalidParameterValue"},
        {"a b", "InvalidParameterValue"},
        {"a.b", "InvalidParameterValue"},
        {"\xc3\xa4", "InvalidParameterValue"},
        {"a-retry", "InvalidParameterValue"},
        {"a-dlq", "InvalidParameterValue"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "CreateCmqQueue", with(rows[i].name, "Trace", "false"));
}

static void a_queue_that_is_not_there_is_not_found(void **unused)
{
    (void)unused;
    static const char *const actions[] = {"ModifyCmqQueueAttribute", "DeleteCmqQueue",
                                          "DescribeCmqQueueDetail", "ClearCmqQueue"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        expect("ResourceNotFound", actions[i], "{\"QueueName\":\"nobody\"}");
        expect("MissingParameter", actions[i], "{}");
        expect("MissingParameter", actions[i], "{\"QueueName\":null}");
        expect("InvalidParameter", actions[i], "{\"QueueName\":7}");
        expect("UnknownParameter", actions[i], "{\"QueueName\":\"nobody\",\"queueName\":\"q\"}");
    }
    expect("ResourceNotFound", "RewindCmqQueue",
           "{\"QueueName\":\"nobody\",\"StartConsumeTime\":1}");
    expect("MissingParameter", "RewindCmqQueue", "{\"QueueName\":\"nobody\"}");
    expect("ResourceNotFound", "UnbindCmqDeadLetter", "{\"SourceQueueName\":\"nobody\"}");
    expect("MissingParameter", "UnbindCmqDeadLetter", "{}");
}

static void a_change_leaves_the_rest_as_it_was(void **unused)
{
    (void)unused;
    expect("ok", "CreateCmqQueue",
           "{\"QueueName\":\"q\",\"VisibilityTimeout\":11,\"PollingWaitSeconds\":2,"
           "\"Tags\":[{\"TagKey\":\"k\",\"TagValue\":\"v\"}]}");
    now_ms += 5000;
    expect("ok", "ModifyCmqQueueAttribute", "{\"QueueName\":\"Q\",\"PollingWaitSeconds\":4}");
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "VisibilityTimeout") == 11);
    assert_true(number_at(queue, "PollingWaitSeconds") == 4);
    assert_true(number_at(queue, "CreateTime") == (double)NOW);
    assert_true(number_at(queue, "LastModifyTime") == (double)NOW + 5000);
    assert_string_equal(text_at(queue, "Tags.0.TagKey"), "k");
    expect("UnknownParameter", "ModifyCmqQueueAttribute", "{\"QueueName\":\"q\",\"Tags\":[]}");
    expect("FailedOperation", "ModifyCmqQueueAttribute",
           "{\"QueueName\":\"q\",\"MaxMsgSize\":4096}");
    expect("ok", "ModifyCmqQueueAttribute", "{\"QueueName\":\"q\",\"MaxMsgSize\":1048576}");
}

static void dead_letter_queues_follow_the_rules(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *action, *body;
    } rows[] = {
        {"ok", "CreateCmqQueue", "{\"QueueName\":\"grave\"}"},
        {"ResourceNotFound", "CreateCmqQueue",
         "{\"QueueName\":\"q\",\"DeadLetterQueueName\":\"nobody\",\"MaxReceiveCount\":3}"},
        {"MissingParameter", "CreateCmqQueue",
         "{\"QueueName\":\"q\",\"DeadLetterQueueName\":\"grave\"}"},
        {"MissingParameter", "CreateCmqQueue",
         "{\"QueueName\":\"q\",\"DeadLetterQueueName\":\"grave\",\"Policy\":1,"
         "\"MaxReceiveCount\":3}"},
        {"InvalidParameterValue", "CreateCmqQueue",
         "{\"QueueName\":\"q\",\"DeadLetterQueueName\":\"grave\",\"Policy\":1,"
         "\"MaxTimeToLive\":3600}"},
        {"ok", "CreateCmqQueue",
         "{\"QueueName\":\"q\",\"DeadLetterQueueName\":\"GRAVE\",\"Policy\":1,"
         "\"MaxTimeToLive\":3599}"},
        /* neither may a dead letter queue have one, nor may one with a grave become one */
        {"InvalidParameterValue", "CreateCmqQueue",
         "{\"QueueName\":\"r\",\"DeadLetterQueueName\":\"q\",\"MaxReceiveCount\":3}"},
        {"ok", "CreateCmqQueue", "{\"QueueName\":\"plain\"}"},
        {"InvalidParameterValue", "ModifyCmqQueueAttribute",
         "{\"QueueName\":\"grave\",\"DeadLetterQueueName\":\"plain\",\"MaxReceiveCount\":3}"},
        {"InvalidParameterValue", "ModifyCmqQueueAttribute",
         "{\"QueueName\":\"plain\",\"DeadLetterQueueName\":\"plain\",\"MaxReceiveCount\":3}"},
        {"ok", "CreateCmqQueue", "{\"QueueName\":\"tx\",\"Transaction\":1}"},
        {"InvalidParameterValue", "ModifyCmqQueueAttribute",
         "{\"QueueName\":\"plain\",\"DeadLetterQueueName\":\"tx\",\"MaxReceiveCount\":3}"},
        /* retention may not fall to the age */
        {"InvalidParameterValue", "ModifyCmqQueueAttribute",
         "{\"QueueName\":\"q\",\"MsgRetentionSeconds\":3599}"},
        {"FailedOperation", "DeleteCmqQueue", "{\"QueueName\":\"grave\"}"},
        {"ok", "UnbindCmqDeadLetter", "{\"SourceQueueName\":\"q\"}"},
        {"FailedOperation", "UnbindCmqDeadLetter", "{\"SourceQueueName\":\"q\"}"},
        {"ok", "ModifyCmqQueueAttribute", "{\"QueueName\":\"q\",\"MsgRetentionSeconds\":3599}"},
        {"ok", "DeleteCmqQueue", "{\"QueueName\":\"grave\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, rows[i].action, rows[i].body);
    assert_null(store_queue(store, span_of("r"))); /* what is refused has not been half done */
}

static void a_dead_letter_queue_has_six_sources_at_most(void **unused)
{
    (void)unused;
    char body[200];
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"grave\"}");
    for (int i = 0; i < 7; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"QueueName\":\"q%d\",\"DeadLetterQueueName\":\"grave\","
                       "\"MaxReceiveCount\":%d}",
                       i, i + 1);
        expect(i < 6 ? "ok" : "LimitExceeded", "CreateCmqQueue", body);
    }
    expect("ok", "ModifyCmqQueueAttribute", /* to the one that it has already */
           "{\"QueueName\":\"q0\",\"DeadLetterQueueName\":\"grave\",\"MaxReceiveCount\":9}");
    const cJSON *grave =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"grave\"}"), "QueueDescribe");
    assert_int_equal(cJSON_GetArraySize(at(grave, "DeadLetterSource")), 6);
    assert_string_equal(text_at(grave, "DeadLetterSource.0.QueueName"), "q0");
    assert_true(span_starts(span_of(text_at(grave, "DeadLetterSource.0.QueueId")), "cmqq-"));
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q0\"}"), "QueueDescribe");
    assert_string_equal(text_at(queue, "DeadLetterPolicy.DeadLetterQueue"), "grave");
    assert_true(number_at(queue, "DeadLetterPolicy.Policy") == 0);
    assert_true(number_at(queue, "DeadLetterPolicy.MaxReceiveCount") == 9);
}

static void send_to(const char *queue, const char *body)
{
    const struct span bodies[] = {span_of(body)};
    assert_int_equal(queue_send(store_queue(store, span_of(queue)), bodies, 1, 0, now_ms, NULL),
                     QUEUE_OK);
}

/* Receives one message and deletes it; its body's first letter, or '-' when there is none. */
static char take(const char *name)
{
    struct queue *queue = store_queue(store, span_of(name));
    struct message *message;
    char handle[DEPOT_HANDLE_SIZE];
    size_t count;
    assert_int_equal(queue_receive(queue, 1, now_ms, &message, &count), QUEUE_OK);
    if (count == 0)
        return '-';
    char letter = message->body[0];
    size_t len = depot_handle(message, handle);
    assert_true(queue_delete(queue, span_make(handle, len), now_ms));
    return letter;
}

static void changes_have_their_effect(void **unused)
{
    (void)unused;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"grave\"}");
    send_to("q", "a");
    now_ms += 61000;
    expect("ok", "ModifyCmqQueueAttribute", "{\"QueueName\":\"q\",\"MsgRetentionSeconds\":60}");
    assert_int_equal(take("q"), '-');
    expect("ok", "ModifyCmqQueueAttribute",
           "{\"QueueName\":\"q\",\"MsgRetentionSeconds\":3600,\"DeadLetterQueueName\":\"grave\","
           "\"Policy\":1,\"MaxTimeToLive\":300}");
    send_to("q", "b");
    now_ms += 300000;
    assert_int_equal(take("q"), '-');
    assert_int_equal(take("grave"), 'b');
    expect("ok", "ModifyCmqQueueAttribute",
           "{\"QueueName\":\"q\",\"Policy\":0,\"MaxReceiveCount\":1,\"VisibilityTimeout\":1}");
    send_to("q", "c");
    struct message *message;
    size_t count;
    assert_int_equal(queue_receive(store_queue(store, span_of("q")), 1, now_ms, &message, &count),
                     QUEUE_OK);
    assert_int_equal(count, 1);
    now_ms += 1000;
    assert_int_equal(take("q"), '-');
    assert_int_equal(take("grave"), 'c');
    expect("ok", "UnbindCmqDeadLetter", "{\"SourceQueueName\":\"q\"}");
    send_to("q", "d");
    assert_int_equal(queue_receive(store_queue(store, span_of("q")), 1, now_ms, &message, &count),
                     QUEUE_OK);
    now_ms += 1000;
    assert_int_equal(take("q"), 'd');
}

static void a_heap_limit_holds(void **unused)
{
    (void)unused;
    const struct span bodies[] = {SPAN_LIT("x")};
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    struct queue *queue = store_queue(store, span_of("q"));
    struct queue_attributes attributes = queue->attributes;
    attributes.max_heap = 2; /* fewer than the API takes, and than the server's own limit */
    store_change_queue(store, queue, &attributes, NULL);
    assert_int_equal(queue_send(queue, bodies, 1, 0, now_ms, NULL), QUEUE_OK);
    assert_int_equal(queue_send(queue, bodies, 1, 0, now_ms, NULL), QUEUE_OK);
    expect("FailedOperation", "SendCmqMsg", "{\"QueueName\":\"q\",\"MsgContent\":\"x\"}");
}

static void a_queue_is_cleared(void **unused)
{
    (void)unused;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\",\"RewindSeconds\":60}");
    send_to("q", "a");
    send_to("q", "b");
    assert_int_equal(take("q"), 'a');
    expect("ok", "ClearCmqQueue", "{\"QueueName\":\"q\"}");
    assert_int_equal(take("q"), '-');
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "ActiveMsgNum") == 0);
    assert_true(number_at(queue, "RewindMsgNum") == 0);
}

static void rewind_to(const char *code, int64_t start)
{
    char body[100];
    (void)snprintf(body, sizeof body, "{\"QueueName\":\"q\",\"StartConsumeTime\":%lld}",
                   (long long)start);
    expect(code, "RewindCmqQueue", body);
}

static void a_queue_is_rewound(void **unused)
{
    (void)unused;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    rewind_to("FailedOperation", now_ms / 1000); /* it keeps nothing */
    expect("ok", "ModifyCmqQueueAttribute", "{\"QueueName\":\"q\",\"RewindSeconds\":60}");
    send_to("q", "a");
    now_ms += 2000;
    send_to("q", "b");
    assert_int_equal(take("q"), 'a');
    assert_int_equal(take("q"), 'b');
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "RewindMsgNum") == 2);
    rewind_to("FailedOperation", now_ms / 1000 - 61);
    rewind_to("FailedOperation", now_ms / 1000 + 1);
    rewind_to("ok", now_ms / 1000 - 60); /* seconds */
    queue = at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "ActiveMsgNum") == 2);
    assert_true(number_at(queue, "MinMsgTime") == (double)(NOW / 1000));
    assert_int_equal(take("q"), 'a');
    assert_int_equal(take("q"), 'b');
    rewind_to("ok", now_ms); /* milliseconds */
    assert_int_equal(take("q"), 'b');
    assert_int_equal(take("q"), '-');
}

static void counts_are_described(void **unused)
{
    (void)unused;
    struct message *message;
    size_t count;
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\"}");
    send_to("q", "a");
    send_to("q", "b");
    expect("ok", "SendCmqMsg", "{\"QueueName\":\"q\",\"MsgContent\":\"c\",\"DelaySeconds\":60}");
    assert_int_equal(queue_receive(store_queue(store, span_of("q")), 1, now_ms, &message, &count),
                     QUEUE_OK);
    const cJSON *queue =
        at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "ActiveMsgNum") == 1);
    assert_true(number_at(queue, "InactiveMsgNum") == 1);
    assert_true(number_at(queue, "DelayMsgNum") == 1);
    assert_true(number_at(queue, "MinMsgTime") == (double)(NOW / 1000));
    now_ms += 31000; /* time goes on for who only looks */
    queue = at(ask("DescribeCmqQueueDetail", "{\"QueueName\":\"q\"}"), "QueueDescribe");
    assert_true(number_at(queue, "ActiveMsgNum") == 2);
}

/* The first letters of the queues that a call lists. */
static const char *listed(const char *body)
{
    static char letters[60];
    const cJSON *list = at(ask("DescribeCmqQueues", body), "QueueList");
    size_t count = 0;
    if (!list)
        fail_msg("%s: %s", body, buf_str(&answer));
    for (const cJSON *queue = list->child; queue; queue = queue->next)
        letters[count++] = text_at(queue, "QueueName")[0];
    letters[count] = '\0';
    return letters;
}

static void lists_are_filtered_and_paged(void **unused)
{
    (void)unused;
    static const struct {
        const char *body, *letters;
        double total;
    } rows[] = {
        {"{}", "abcdefghijklmnopqrst", 26},
        {"{\"Limit\":50}", "abcdefghijklmnopqrstuvwxyz", 26},
        {"{\"Limit\":3}", "abc", 26},
        {"{\"Offset\":24,\"Limit\":3}", "yz", 26},
        {"{\"Offset\":26,\"Limit\":3}", "", 26},
        {"{\"QueueName\":\"A-Q\"}", "a", 1},
        {"{\"QueueName\":\"nothing\"}", "", 0},
        {"{\"QueueName\":\"\",\"Limit\":1}", "a", 26},
        {"{\"QueueNameList\":[\"c-queue\",\"X-queue\",\"none\"]}", "cx", 2},
        {"{\"QueueNameList\":[],\"Limit\":1}", "a", 26},
        {"{\"IsTagFilter\":true,\"Filters\":[{\"Name\":\"tag:even\",\"Values\":[\"yes\"]}],"
         "\"Limit\":2}",
         "ac", 13},
        {"{\"Filters\":[{\"Name\":\"tag: even\",\"Values\":[\"yes\",\"no\"]}],\"Limit\":2}", "ab",
         26},
        {"{\"Filters\":[{\"Name\":\"even\",\"Values\":[]}],\"Limit\":1}", "a", 26},
        {"{\"Filters\":[{\"Name\":\"tag:even\",\"Values\":[\"yes\"]},"
         "{\"Name\":\"tag:odd\",\"Values\":[]}]}",
         "", 0},
        {"{\"IsTagFilter\":false,\"Filters\":[{\"Name\":\"tag:odd\",\"Values\":[\"x\"]}],"
         "\"Limit\":1}",
         "a", 26},
    };
    char body[200];
    for (char c = 'a'; c <= 'z'; c++) {
        (void)snprintf(body, sizeof body,
                       "{\"QueueName\":\"%c-queue\",\"Tags\":[{\"TagKey\":\"other\","
                       "\"TagValue\":\"\"},{\"TagKey\":\"even\",\"TagValue\":\"%s\"}]}",
                       c, (c - 'a') % 2 ? "no" : "yes");
        expect("ok", "CreateCmqQueue", body);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *letters = listed(rows[i].body);
        if (strcmp(letters, rows[i].letters) != 0)
            fail_msg("%s lists %s", rows[i].body, letters);
        assert_true(number_at(read_answer(), "TotalCount") == rows[i].total);
    }
}

static void lists_have_bounds(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *body;
    } rows[] = {
        {"MissingParameter", "{\"Offset\":1}"},
        {"InvalidParameterValue", "{\"Limit\":0}"},
        {"InvalidParameterValue", "{\"Limit\":51}"},
        {"InvalidParameterValue", "{\"Limit\":1,\"Offset\":-1}"},
        {"InvalidParameterValue", "{\"Limit\":1,\"Offset\":2147483648}"},
        {"InvalidParameter", "{\"QueueNameList\":\"q\"}"},
        {"InvalidParameter", "{\"QueueNameList\":[1]}"},
        {"InvalidParameter", "{\"IsTagFilter\":\"true\"}"},
        {"InvalidParameter", "{\"Filters\":{}}"},
        {"InvalidParameter", "{\"Filters\":[{\"Name\":\"tag:a\"}]}"},
        {"InvalidParameter", "{\"Filters\":[{\"Values\":[]}]}"},
        {"InvalidParameter", "{\"Filters\":[{\"Name\":\"tag:a\",\"Values\":[1]}]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "DescribeCmqQueues", rows[i].body);
    struct buf body = BUF_INIT(4000);
    buf_add_str(&body, "{\"QueueNameList\":[\"a\"");
    for (int i = 0; i < 100; i++)
        buf_add_str(&body, ",\"a\"");
    buf_add_str(&body, "]}");
    expect("InvalidParameterValue", "DescribeCmqQueues", buf_str(&body));
    buf_fini(&body);
    expect("InvalidParameter", "CreateCmqQueue", "{\"QueueName\":\"q\",\"Tags\":[{}]}");
    expect("InvalidParameter", "CreateCmqQueue",
           "{\"QueueName\":\"q\",\"Tags\":[{\"TagKey\":\"a\"}]}");
}

static void an_account_has_ten_thousand_queues(void **unused)
{
    (void)unused;
    static const struct queue_attributes plain = QUEUE_DEFAULTS;
    char name[16];
    for (int i = 0; i < API_MAX_QUEUES; i++) {
        (void)snprintf(name, sizeof name, "q%d", i);
        assert_non_null(store_add_queue(store, span_of(name), &plain, NULL));
    }
    expect("LimitExceeded", "CreateCmqQueue", "{\"QueueName\":\"more\"}");
}

static void a_message_is_sent(void **unused)
{
    (void)unused;
    static const struct {
        const char *code, *body;
    } rows[] = {
        {"ok", "{\"QueueName\":\"q\",\"MsgContent\":\"x\"}"},
        {"ok", "{\"QueueName\":\"q\",\"MsgContent\":\"x\",\"DelaySeconds\":3600}"},
        {"InvalidParameterValue", "{\"QueueName\":\"q\",\"MsgContent\":\"x\",\"DelaySeconds\":-1}"},
        {"InvalidParameterValue",
         "{\"QueueName\":\"q\",\"MsgContent\":\"x\",\"DelaySeconds\":3601}"},
        {"InvalidParameterValue", "{\"QueueName\":\"q\",\"MsgContent\":\"\"}"},
        {"MissingParameter", "{\"QueueName\":\"q\"}"},
        {"ResourceNotFound", "{\"QueueName\":\"nobody\",\"MsgContent\":\"x\"}"},
    };
    expect("ok", "CreateCmqQueue", "{\"QueueName\":\"q\",\"MaxMsgSize\":1024}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].code, "SendCmqMsg", rows[i].body);
    struct buf body = BUF_INIT(4000);
    buf_add_str(&body, "{\"QueueName\":\"q\",\"MsgContent\":\"");
    for (int i = 0; i < 1024; i++)
        buf_add_char(&body, 'x');
    size_t full = body.len;
    buf_add_str(&body, "\"}");
    expect("ok", "SendCmqMsg", buf_str(&body));
    assert_true(cJSON_IsTrue(at(read_answer(), "Result")));
    assert_true(*text_at(read_answer(), "MsgId") != '\0');
    body.len = full;
    buf_add_str(&body, "x\"}");
    expect("InvalidParameterValue", "SendCmqMsg", buf_str(&body));
    buf_fini(&body);
    for (int i = 1; i < 20; i++) { /* the server's limit of what is delayed */
        expect("ok", "SendCmqMsg", "{\"QueueName\":\"q\",\"MsgContent\":\"x\",\"DelaySeconds\":1}");
    }
    expect("FailedOperation", "SendCmqMsg",
           "{\"QueueName\":\"q\",\"MsgContent\":\"x\",\"DelaySeconds\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_has_its_bounds),
        TEST(what_is_given_is_what_is_described),
        TEST(what_is_not_given_has_the_services_default),
        TEST(names_follow_the_rules),
        TEST(a_queue_that_is_not_there_is_not_found),
        TEST(a_change_leaves_the_rest_as_it_was),
        TEST(dead_letter_queues_follow_the_rules),
        TEST(a_dead_letter_queue_has_six_sources_at_most),
        TEST(changes_have_their_effect),
        TEST(a_heap_limit_holds),
        TEST(a_queue_is_cleared),
        TEST(a_queue_is_rewound),
        TEST(counts_are_described),
        TEST(lists_are_filtered_and_paged),
        TEST(lists_have_bounds),
        TEST(an_account_has_ten_thousand_queues),
        TEST(a_message_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
