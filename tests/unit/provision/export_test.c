/* What is exported is read again as what was there; what cannot be declared is said. */
#include "tests/unit/provision/build.h"

#include "provision/export.h"

/* Exports the account; fails unless the text can be loaded and its plan has only what is the same.
 * The caller frees the text. */
static char *round_trip(const char *account, size_t same)
{
    struct inventory inventory;
    struct buf out = BUF_INIT(1 << 20);
    build_inventory(&inventory, account);
    assert_true(export_write(&inventory, &out));
    struct config *config = build_config(buf_str(&out));
    struct plan plan;
    plan_make(&plan, &config->resources, config->rules, &inventory, true);
    char *text = build_text(&plan);
    if (plan.counts[STEP_SAME] != same || plan.count != same)
        fail_msg("%s\n%s", buf_str(&out), text);
    free(text);
    plan_fini(&plan);
    config_free(config);
    inventory_fini(&inventory);
    return buf_take(&out);
}

static void an_account_comes_back_as_it_was(void **state)
{
    (void)state;
    char *text = round_trip(
        "{'queues':[{'QueueName':'a','VisibilityTimeout':30,'PollingWaitSeconds':3,"
        "   'MsgRetentionSeconds':3600,'MaxMsgSize':65536,'MaxMsgHeapNum':1000000,"
        "   'RewindSeconds':86400,'RetentionSizeInMB':10240,'Trace':true,'Transaction':true,"
        "   'TransactionPolicy':{'FirstQueryInterval':10,'MaxQueryCount':5},"
        "   'DeadLetterPolicy':{'DeadLetterQueue':'z','Policy':0,'MaxReceiveCount':16},"
        "   'Tags':[{'TagKey':'k','TagValue':'@v \\\\ \\u0022 \\u00e9'},"
        "           {'TagKey':'@l','TagValue':''}]},"
        "  {'QueueName':'b','MsgRetentionSeconds':1000,"
        "   'DeadLetterPolicy':{'DeadLetterQueue':'z','Policy':1,'MaxTimeToLive':600}},"
        "  {'QueueName':'z'}],"
        " 'topics':[{'TopicName':'r','FilterType':2,'MsgRetentionSeconds':60,'MaxMsgSize':1048576,"
        "   'Subscriptions':["
        "    {'SubscriptionName':'s','Protocol':'queue','Endpoint':'a',"
        "     'BindingKey':['a.b','#','*.c'],'FilterTags':['x'],'NotifyStrategy':'BACKOFF_RETRY',"
        "     'NotifyContentFormat':'SIMPLIFIED'},"
        "    {'SubscriptionName':'u','Protocol':'http','Endpoint':'http://h/a?b=c',"
        "     'BindingKey':['#'],'NotifyStrategy':'EXPONENTIAL_DECAY_RETRY',"
        "     'NotifyContentFormat':'JSON'}]},"
        "  {'TopicName':'t','FilterType':1,'Trace':true,'Subscriptions':["
        "    {'SubscriptionName':'all','Protocol':'http','Endpoint':'https://h/',"
        "     'NotifyContentFormat':'SIMPLIFIED'},"
        "    {'SubscriptionName':'some','Protocol':'queue','Endpoint':'b',"
        "     'FilterTags':['@x','high','\\u4f60']}]}]}",
        9);
    assert_non_null(strstr(text, "rewind_size = \"10GiB\";"));
    assert_non_null(strstr(text, "check_back_after = \"10s\"; check_backs = 5;"));
    assert_non_null(strstr(text, "max_age = \"10m\""));
    assert_null(strstr(text, "cannot"));
    free(text);
}

static void nothing_comes_back_as_nothing(void **state)
{
    (void)state;
    free(round_trip("{}", 0));
    free(round_trip("{'topics':[{'TopicName':'t','FilterType':1}]}", 1));
}

/* Each is left out with a comment, and the rest comes back. */
static void what_cannot_be_declared_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *account;
        size_t same;
        const char *says;
    } rows[] = {
        {"{'queues':[{'QueueName':'q','MsgRetentionSeconds':345600,'RewindSeconds':60}]}", 1,
         "# retention = \"4d\"; cannot be declared: it is out of the setting's bounds\n"},
        {"{'queues':[{'QueueName':'q','MaxMsgHeapNum':10}]}", 1,
         "# max_messages = 10; cannot be declared"},
        {"{'queues':[{'QueueName':'a','DeadLetterPolicy':{'DeadLetterQueue':'b','Policy':0,"
         " 'MaxReceiveCount':3}},{'QueueName':'b','DeadLetterPolicy':{'DeadLetterQueue':'c',"
         " 'Policy':0,'MaxReceiveCount':3}},{'QueueName':'c'}]}",
         3, "max_receive = 3; }; cannot be declared: that queue has one itself"},
        {"{'queues':[{'QueueName':'a','MsgRetentionSeconds':345600,'DeadLetterPolicy':"
         " {'DeadLetterQueue':'b','Policy':1,'MaxTimeToLive':4000}},{'QueueName':'b'}]}",
         2, "cannot be declared: max_age is not below the retention"},
        {"{'queues':[{'QueueName':'a','DeadLetterPolicy':"
         " {'DeadLetterQueue':'b','Policy':1,'MaxTimeToLive':299}},{'QueueName':'b'}]}",
         2, "cannot be declared: max_age is out of its bounds"},
        {"{'queues':[{'QueueName':'a','DeadLetterPolicy':"
         " {'DeadLetterQueue':'b','Policy':0,'MaxReceiveCount':0}},{'QueueName':'b'}]}",
         2, "cannot be declared: max_receive is out of its bounds"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = round_trip(rows[i].account, rows[i].same);
        if (!strstr(text, rows[i].says))
            fail_msg("%s", text);
        free(text);
    }
}

static void what_has_no_name_that_can_be_declared_is_left_out(void **state)
{
    (void)state;
    struct inventory inventory;
    struct buf out = BUF_INIT(1 << 20);
    build_inventory(&inventory,
                    "{'queues':[{'QueueName':'x-retry'},{'QueueName':'ok'},{'QueueName':'1'}],"
                    " 'topics':[{'TopicName':'t-dlq','FilterType':1},"
                    "  {'TopicName':'t','FilterType':1,'Subscriptions':["
                    "   {'SubscriptionName':'a','Protocol':'http','Endpoint':'ftp://h'},"
                    "   {'SubscriptionName':'b','Protocol':'http','Endpoint':'http://h',"
                    "    'FilterTags':['this tag is too long for a tag']},"
                    "   {'SubscriptionName':'c','Protocol':'queue','Endpoint':'ok'}]}]}");
    assert_true(export_write(&inventory, &out));
    struct config *config = build_config(buf_str(&out));
    assert_int_equal(config->resources.queue_count, 1);
    assert_int_equal(config->resources.topic_count, 1);
    assert_int_equal(config->resources.topics[0].subscription_count, 1);
    static const char *const said[] = {"# the queue x-retry", "# the queue 1", "# the topic t-dlq",
                                       "# the subscription a", "# the subscription b"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        assert_non_null(strstr(buf_str(&out), said[i]));
    config_free(config);
    inventory_fini(&inventory);
    buf_fini(&out);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    struct inventory inventory;
    struct buf out = BUF_INIT(40);
    build_inventory(&inventory, "{'queues':[{'QueueName':'q'}]}");
    assert_false(export_write(&inventory, &out));
    inventory_fini(&inventory);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_comes_back_as_it_was),
        cmocka_unit_test(nothing_comes_back_as_nothing),
        cmocka_unit_test(what_cannot_be_declared_is_said),
        cmocka_unit_test(what_has_no_name_that_can_be_declared_is_left_out),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
