/* The bodies of the calls that carry a plan out. */
#include "tests/unit/provision/build.h"

#include "provision/request.h"

/* Appends the request and deletes it. */
static void add(struct buf *out, char mark, cJSON *request)
{
    if (!request)
        return;
    char *text = cJSON_PrintUnformatted(request);
    CHECK(buf_printf(out, "%c %s\n", mark, text));
    cJSON_free(text);
    cJSON_Delete(request);
}

/* Fails unless the plan's steps make these requests, a line each. */
static void expect_requests(const char *resources, const char *account, const char *expected)
{
    struct config *config = build_resources(resources);
    struct inventory inventory;
    struct plan plan;
    struct buf out = BUF_INIT(1 << 20);
    build_inventory(&inventory, account);
    plan_make(&plan, &config->resources, config->rules, &inventory, true);
    for (size_t i = 0; i < plan.count; i++) {
        const struct step *step = &plan.steps[i];
        if (step->kind == STEP_CREATE)
            add(&out, '+', request_create(step));
        if (step->kind == STEP_CHANGE && step->unbinds)
            add(&out, 'u', request_unbind(step));
        if (step->kind == STEP_CHANGE)
            add(&out, '~', request_change(step));
        if (step->kind == STEP_DELETE)
            add(&out, '-', request_delete(step));
    }
    if (strcmp(buf_str(&out), expected) != 0)
        fail_msg("expected:\n%smade:\n%s", expected, buf_str(&out));
    buf_fini(&out);
    plan_fini(&plan);
    inventory_fini(&inventory);
    config_free(config);
}

static void what_is_created_has_what_is_declared_and_the_defaults(void **state)
{
    (void)state;
    expect_requests(
        "queues = ( { name = 'd'; }, { name = 'q'; rewind = '1d'; rewind_size = '10GiB';"
        "  max_messages = 2000000; trace = false; transaction = true; check_back_after = '10s';"
        "  check_backs = 5; labels = [ 'a=b=c', 'd=' ];"
        "  dead_letter = { queue = 'd'; max_receive = 3; }; },"
        "  { name = 'r'; dead_letter = { queue = 'd'; max_age = '5m'; }; } );"
        "topics = ( { name = 't'; filter = 'route'; labels = 'x=y'; trace = true; subscriptions ="
        "   ( { name = 's'; queue = 'q'; keys = [ 'a', 'b' ]; } ); },"
        " { name = 'u'; subscriptions ="
        "   ( { name = 'x'; url = 'http://h/'; tags = 'a'; retry = 'backoff'; },"
        "     { name = 'y'; url = 'http://h/'; format = 'simplified'; } ); } );",
        "{}",
        "+ {\"QueueName\":\"d\",\"VisibilityTimeout\":30,\"MsgRetentionSeconds\":3600,"
        "\"MaxMsgSize\":1048576}\n"
        "+ {\"QueueName\":\"q\",\"VisibilityTimeout\":30,\"MsgRetentionSeconds\":3600,"
        "\"MaxMsgSize\":1048576,\"MaxMsgHeapNum\":2000000,\"RewindSeconds\":86400,"
        "\"RetentionSizeInMB\":10240,\"Trace\":false,\"Transaction\":1,\"FirstQueryInterval\":10,"
        "\"MaxQueryCount\":5,\"DeadLetterQueueName\":\"d\",\"Policy\":0,\"MaxReceiveCount\":3,"
        "\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b=c\"},{\"TagKey\":\"d\",\"TagValue\":\"\"}]}\n"
        "+ {\"QueueName\":\"r\",\"VisibilityTimeout\":30,\"MsgRetentionSeconds\":3600,"
        "\"MaxMsgSize\":1048576,\"DeadLetterQueueName\":\"d\",\"Policy\":1,\"MaxTimeToLive\":300}\n"
        "+ {\"TopicName\":\"t\",\"FilterType\":2,\"MsgRetentionSeconds\":86400,"
        "\"MaxMsgSize\":65536,\"Trace\":true,\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"y\"}]}\n"
        "+ {\"TopicName\":\"t\",\"SubscriptionName\":\"s\",\"Protocol\":\"queue\","
        "\"Endpoint\":\"q\",\"NotifyStrategy\":\"EXPONENTIAL_DECAY_RETRY\","
        "\"NotifyContentFormat\":\"SIMPLIFIED\",\"BindingKey\":[\"a\",\"b\"]}\n"
        "+ {\"TopicName\":\"u\",\"FilterType\":1,\"MsgRetentionSeconds\":86400,"
        "\"MaxMsgSize\":65536}\n"
        "+ {\"TopicName\":\"u\",\"SubscriptionName\":\"x\",\"Protocol\":\"http\","
        "\"Endpoint\":\"http://h/\",\"NotifyStrategy\":\"BACKOFF_RETRY\","
        "\"NotifyContentFormat\":\"JSON\",\"FilterTag\":[\"a\"]}\n"
        "+ {\"TopicName\":\"u\",\"SubscriptionName\":\"y\",\"Protocol\":\"http\","
        "\"Endpoint\":\"http://h/\",\"NotifyStrategy\":\"EXPONENTIAL_DECAY_RETRY\","
        "\"NotifyContentFormat\":\"SIMPLIFIED\"}\n");
}

static void what_is_changed_has_only_what_differs(void **state)
{
    (void)state;
    expect_requests(
        "queues = ( { name = 'a'; visibility = '1m'; retention = '1h'; transaction = false; },"
        "  { name = 'b'; dead_letter = { queue = ''; }; rewind = '0s'; },"
        "  { name = 'c'; dead_letter = { queue = 'a'; max_receive = 4; }; } );"
        "topics = ( { name = 't'; trace = false; max_size = '2KiB'; subscriptions ="
        "  ( { name = 's'; url = 'http://h/'; tags = [ 'x', 'y' ]; },"
        "    { name = 'all'; url = 'http://h/'; } ); },"
        " { name = 'r'; filter = 'route'; subscriptions = { name = 's'; url = 'http://h/';"
        "    keys = [ 'k' ]; retry = 'exponential'; format = 'json'; }; } );",
        "{'queues':[{'QueueName':'A','VisibilityTimeout':30,'MsgRetentionSeconds':3600,"
        "            'Transaction':true},"
        "  {'QueueName':'b','RewindSeconds':60,'DeadLetterPolicy':{'DeadLetterQueue':'a'}},"
        "  {'QueueName':'c','DeadLetterPolicy':{'DeadLetterQueue':'a','Policy':0,"
        "   'MaxReceiveCount':3}}],"
        " 'topics':[{'TopicName':'t','FilterType':1,'Trace':true,'MaxMsgSize':2048,"
        "  'Subscriptions':[{'SubscriptionName':'s','Protocol':'http','Endpoint':'http://h/',"
        "   'FilterTags':['x']},{'SubscriptionName':'all','Protocol':'http',"
        "   'Endpoint':'http://h/','FilterTags':['x']}]},"
        "  {'TopicName':'r','FilterType':2,'Subscriptions':[{'SubscriptionName':'s',"
        "   'Protocol':'http','Endpoint':'http://h/','BindingKey':['l'],'NotifyStrategy':"
        "   'BACKOFF_RETRY','NotifyContentFormat':'SIMPLIFIED'}]}]}",
        "u {\"SourceQueueName\":\"b\"}\n"
        "~ {\"QueueName\":\"b\",\"RewindSeconds\":0}\n"
        "~ {\"QueueName\":\"A\",\"VisibilityTimeout\":60,\"Transaction\":0}\n"
        "~ {\"QueueName\":\"c\",\"DeadLetterQueueName\":\"a\",\"Policy\":0,\"MaxReceiveCount\":4}\n"
        "~ {\"TopicName\":\"t\",\"Trace\":false}\n"
        "~ {\"TopicName\":\"t\",\"SubscriptionName\":\"s\",\"FilterTags\":[\"x\",\"y\"]}\n"
        "~ {\"TopicName\":\"r\",\"SubscriptionName\":\"s\",\"NotifyStrategy\":"
        "\"EXPONENTIAL_DECAY_RETRY\",\"NotifyContentFormat\":\"JSON\",\"BindingKey\":[\"k\"]}\n");
}

static void what_is_deleted_has_its_names(void **state)
{
    (void)state;
    expect_requests("queues = { name = 'a'; };",
                    "{'queues':[{'QueueName':'a'},{'QueueName':'b'}],'topics':[{'TopicName':'t',"
                    "'FilterType':1,'Subscriptions':[{'SubscriptionName':'s','Protocol':'http',"
                    "'Endpoint':'http://h/'}]}]}",
                    "- {\"TopicName\":\"t\",\"SubscriptionName\":\"s\"}\n"
                    "- {\"TopicName\":\"t\"}\n- {\"QueueName\":\"b\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_created_has_what_is_declared_and_the_defaults),
        cmocka_unit_test(what_is_changed_has_only_what_differs),
        cmocka_unit_test(what_is_deleted_has_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
