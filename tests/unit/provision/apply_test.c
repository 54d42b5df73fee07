/* Applying against a management plane that answers by a script: waits, lost answers, refusals. */
#include "tests/unit/provision/build.h"

#include "provision/apply.h"
#include "tests/unit/cmq/api_server.h"

#include <signal.h>

#define DONE "{\"Response\":{\"RequestId\":\"r\"}}"
#define ERROR(code)                                                                                \
    "{\"Response\":{\"Error\":{\"Code\":\"" code "\",\"Message\":\"m\"},\"RequestId\":\"r\"}}"
#define QUEUES(items)                                                                              \
    "{\"Response\":{\"TotalCount\":1,\"QueueList\":[" items "],\"RequestId\":\"r\"}}"
#define TOPICS(items)                                                                              \
    "{\"Response\":{\"TotalCount\":1,\"TopicList\":[" items "],\"RequestId\":\"r\"}}"
#define SUBSCRIPTIONS(items)                                                                       \
    "{\"Response\":{\"TotalCount\":1,\"SubscriptionSet\":[" items "],\"RequestId\":\"r\"}}"
#define QUEUE(name, status) "{\"QueueName\":\"" name "\",\"Status\":" status "}"
#define TOPIC(name, status) "{\"TopicName\":\"" name "\",\"FilterType\":1,\"Status\":" status "}"
#define SUBSCRIPTION(name)                                                                         \
    "{\"SubscriptionName\":\"" name "\",\"Protocol\":\"queue\",\"Endpoint\":\"a\"}"

static bool read_secret(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx, (void)err;
    return buf_add_str(out, "AKIDtest");
}

static char told[2048]; /* steps and notes, a line each */

static void tell(const char *text)
{
    size_t len = strlen(told);
    (void)snprintf(told + len, sizeof told - len, "%s\n", text);
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    tell(text);
}

static void on_begin(void *ctx, const struct step *step, size_t number, size_t total)
{
    char text[200];
    (void)ctx;
    (void)snprintf(text, sizeof text, "[%zu/%zu] %s", number, total, step->name);
    tell(text);
}

struct row {
    const char *resources, *account;
    const char *script[12];
    const char *asked; /* the actions, without "Cmq", each with a blank behind it */
    const char *told;
    const char *error; /* NULL: it is done */
    int64_t patience_ms;
};

static void expect(const struct row *row)
{
    struct config *config = build_resources(row->resources);
    struct inventory inventory;
    struct plan plan;
    struct err err = {""};
    size_t done;
    build_inventory(&inventory, row->account);
    plan_make(&plan, &config->resources, config->rules, &inventory, true);
    struct api_server *server = api_server_start(row->script);
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", server->port);
    const struct api_options options = {
        .endpoint = endpoint,
        .region = "ap-test",
        .secrets = {.secret_id = read_secret, .secret_key = read_secret},
        .timeout_ms = 30000,
        .longest_pause_ms = 1,
    };
    struct api *api = api_open(&options, &err);
    assert_non_null(api);
    const struct apply_options how = {.begin = on_begin,
                                      .note = on_note,
                                      .patience_ms = row->patience_ms ? row->patience_ms : 30000,
                                      .pause_ms = 1};
    told[0] = '\0';
    bool ok = plan_apply(&plan, api, &how, &done, &err);
    api_close(api);
    api_server_stop(server);

    struct buf asked = BUF_INIT(4096);
    for (size_t i = 0; i < server->count; i++) {
        char *action = api_header(&server->asked[i], "X-TC-Action");
        const char *cmq = strstr(action, "Cmq");
        CHECK(buf_printf(&asked, "%.*s%s ", (int)(cmq - action), action, cmq + 3));
        free(action);
    }
    if (!row->patience_ms)
        assert_string_equal(buf_str(&asked), row->asked);
    assert_string_equal(told, row->told);
    assert_string_equal(ok ? "done" : err.text, row->error ? row->error : "done");
    assert_int_equal(ok, done == plan_work(&plan));
    buf_fini(&asked);
    api_server_free(server);
    plan_fini(&plan);
    inventory_fini(&inventory);
    config_free(config);
}
#define EXPECT(rows)                                                                               \
    for (size_t i = 0; i < sizeof rows / sizeof *(rows); i++)                                      \
    expect(&(rows)[i])

static void a_lost_answer_to_creating_is_looked_for(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* it was done */
        {"queues = { name = 'a'; };",
         "{}",
         {"close", QUEUES(QUEUE("A", "1"))},
         "CreateQueue DescribeQueues ",
         "[1/1] a\n",
         NULL,
         0},
        /* it was not */
        {"queues = { name = 'a'; };",
         "{}",
         {"500", QUEUES(""), DONE},
         "CreateQueue DescribeQueues CreateQueue ",
         "[1/1] a\n",
         NULL,
         0},
        {"queues = { name = 'a'; };",
         "{}",
         {ERROR("InternalError"), QUEUES(""), DONE},
         "CreateQueue DescribeQueues CreateQueue ",
         "[1/1] a\n",
         NULL,
         0},
        /* an earlier try, or somebody else */
        {"topics = { name = 't'; };",
         "{}",
         {ERROR("ResourceInUse.Topic"), TOPICS(TOPIC("t", "1"))},
         "CreateTopic DescribeTopics ",
         "[1/1] t\n",
         NULL,
         0},
        {"topics = { name = 't'; subscriptions = { name = 's'; queue = 'a'; }; };",
         "{'queues':[{'QueueName':'a'}],'topics':[{'TopicName':'t','FilterType':1}]}",
         {ERROR("ResourceInUse.Subscription"), TOPICS(TOPIC("t", "1")),
          SUBSCRIPTIONS(SUBSCRIPTION("s"))},
         "CreateSubscribe DescribeTopics DescribeSubscriptionDetail ",
         "[1/1] s\n",
         NULL,
         0},
        /* what cannot be looked at */
        {"queues = { name = 'a'; };",
         "{}",
         {"close", ERROR("FailedOperation")},
         "CreateQueue DescribeQueues ",
         "[1/1] a\n",
         "DescribeCmqQueues: FailedOperation: m (RequestId r)",
         0},
    };
    EXPECT(rows);
}

static void a_name_that_is_being_released_is_waited_for_and_not_for_ever(void **state)
{
    (void)state;
#define WAITING "the name was deleted a moment ago and is free again after 30 s: waiting\n"
    static const struct row rows[] = {
        {"queues = { name = 'a'; };",
         "{}",
         {ERROR("ResourceUnavailable"), QUEUES(""), ERROR("ResourceInUse"), QUEUES(QUEUE("a", "2")),
          DONE},
         "CreateQueue DescribeQueues CreateQueue DescribeQueues CreateQueue ",
         "[1/1] a\n" WAITING,
         NULL,
         0},
        {"queues = { name = 'a'; };",
         "{}",
         {ERROR("ResourceUnavailable"), QUEUES("")},
         NULL,
         "[1/1] a\n",
         "CreateCmqQueue: ResourceUnavailable: m (RequestId r)",
         -1},
        {"queues = { name = 'a'; };",
         "{}",
         {ERROR("ResourceUnavailable.FundRequired")},
         "CreateQueue ",
         "[1/1] a\n",
         "CreateCmqQueue: ResourceUnavailable.FundRequired: m; the account needs funds "
         "(RequestId r)",
         0},
    };
    EXPECT(rows);
}

static void what_is_still_being_created_is_waited_for(void **state)
{
    (void)state;
    static const char both[] = "queues = ( { name = 'b'; dead_letter = { queue = 'a';"
                               " max_receive = 3; }; }, { name = 'a'; } );";
    static const struct row rows[] = {
        {both,
         "{}",
         {DONE, QUEUES(QUEUE("a", "0")), QUEUES(""), QUEUES(QUEUE("a", "1")), DONE},
         "CreateQueue DescribeQueues DescribeQueues DescribeQueues CreateQueue ",
         "[1/2] a\n[2/2] b\nwaiting until the queue a is ready\n",
         NULL,
         0},
        /* of an earlier run that was killed */
        {both,
         "{'queues':[{'QueueName':'a','Status':0}]}",
         {QUEUES(QUEUE("a", "1")), DONE},
         "DescribeQueues CreateQueue ",
         "[1/1] b\n",
         NULL,
         0},
        /* one that was there before needs no look */
        {both, "{'queues':[{'QueueName':'a'}]}", {DONE}, "CreateQueue ", "[1/1] b\n", NULL, 0},
        {both,
         "{'queues':[{'QueueName':'a','Status':0}]}",
         {QUEUES(QUEUE("a", "0"))},
         NULL,
         "[1/1] b\n",
         "the queue a was created and is still not ready: run this again later",
         -1},
        /* a topic once, and each queue once */
        {"queues = { name = 'a'; }; topics = { name = 't'; subscriptions ="
         " ( { name = 's'; queue = 'a'; }, { name = 'u'; queue = 'a'; } ); };",
         "{}",
         {DONE, DONE, TOPICS(TOPIC("t", "1")), QUEUES(QUEUE("a", "1")), DONE, DONE},
         "CreateQueue CreateTopic DescribeTopics DescribeQueues CreateSubscribe CreateSubscribe ",
         "[1/4] a\n[2/4] t\n[3/4] s\n[4/4] u\n",
         NULL,
         0},
    };
    EXPECT(rows);
}

static void changes_take_the_actions_that_they_need(void **state)
{
    (void)state;
    static const char bound[] = "{'queues':[{'QueueName':'a','DeadLetterPolicy':"
                                "{'DeadLetterQueue':'b'}},{'QueueName':'b'}]}";
    static const char loose[] = "queues = ( { name = 'a'; dead_letter = { queue = ''; }; },"
                                " { name = 'b'; } );";
    static const char tagged[] =
        "{'topics':[{'TopicName':'t','FilterType':1,'Subscriptions':[{'SubscriptionName':'s',"
        "'Protocol':'http','Endpoint':'http://h/','FilterTags':['x'],'NotifyStrategy':"
        "'BACKOFF_RETRY'}]}]}";
    static const struct row rows[] = {
        {loose, bound, {DONE}, "UnbindDeadLetter ", "[1/1] a\n", NULL, 0},
        {loose,
         bound,
         {"close", QUEUES(QUEUE("a", "1"))},
         "UnbindDeadLetter DescribeQueues ",
         "[1/1] a\n",
         NULL,
         0},
        {loose,
         bound,
         {"close", QUEUES("{\"QueueName\":\"a\",\"DeadLetterPolicy\":{\"DeadLetterQueue\":\"b\"}}"),
          DONE},
         "UnbindDeadLetter DescribeQueues UnbindDeadLetter ",
         "[1/1] a\n",
         NULL,
         0},
        {loose,
         bound,
         {ERROR("FailedOperation"), QUEUES(QUEUE("a", "1"))},
         "UnbindDeadLetter DescribeQueues ",
         "[1/1] a\n",
         NULL,
         0},
        {loose,
         bound,
         {ERROR("FailedOperation"),
          QUEUES("{\"QueueName\":\"a\",\"DeadLetterPolicy\":{\"DeadLetterQueue\":\"b\"}}")},
         "UnbindDeadLetter DescribeQueues ",
         "[1/1] a\n",
         "UnbindCmqDeadLetter: FailedOperation: m (RequestId r)",
         0},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/'; }; };",
         tagged,
         {DONE},
         "ClearSubscriptionFilterTags ",
         "[1/1] s\n",
         NULL,
         0},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/';"
         " retry = 'exponential'; }; };",
         tagged,
         {DONE},
         "ClearSubscriptionFilterTags ModifySubscriptionAttribute ",
         "[1/1] s\n",
         NULL,
         0},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/';"
         " retry = 'exponential'; }; };",
         tagged,
         {ERROR("FailedOperation")},
         "ClearSubscriptionFilterTags ",
         "[1/1] s\n",
         "ClearCmqSubscriptionFilterTags: FailedOperation: m (RequestId r)",
         0},
    };
    EXPECT(rows);
}

static void what_is_gone_already_counts_as_deleted(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = { name = 'a'; };",
         "{'queues':[{'QueueName':'a'},{'QueueName':'b'},{'QueueName':'c'}]}",
         {"close", ERROR("ResourceNotFound"), ERROR("FailedOperation.DeleteCluster"), DONE},
         "DeleteQueue DeleteQueue DeleteQueue ",
         "[1/2] b\n[2/2] c\n",
         "DeleteCmqQueue: FailedOperation.DeleteCluster: m (RequestId r)",
         0},
        {"queues = { name = 'a'; };",
         "{'queues':[{'QueueName':'a'}],'topics':[{'TopicName':'t','FilterType':1,"
         "'Subscriptions':[{'SubscriptionName':'s','Protocol':'queue','Endpoint':'a'}]}]}",
         {ERROR("ResourceNotFound.Topic"), DONE},
         "DeleteSubscribe DeleteTopic ",
         "[1/2] s\n[2/2] t\n",
         NULL,
         0},
    };
    EXPECT(rows);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(setenv("no_proxy", "*", 1) == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_answer_to_creating_is_looked_for),
        cmocka_unit_test(a_name_that_is_being_released_is_waited_for_and_not_for_ever),
        cmocka_unit_test(what_is_still_being_created_is_waited_for),
        cmocka_unit_test(changes_take_the_actions_that_they_need),
        cmocka_unit_test(what_is_gone_already_counts_as_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
