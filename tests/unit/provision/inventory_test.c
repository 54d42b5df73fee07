/* What is taken from an account's descriptions, and what is refused. */
#include "tests/unit/provision/build.h"

static void what_cannot_be_used_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *account, *says;
    } rows[] = {
        {"{'queues':[{}]}", "the account lists something without a usable QueueName"},
        {"{'queues':[7]}", "the account lists something without a usable QueueName"},
        {"{'queues':[{'QueueName':''}]}", "the account lists something without a usable QueueName"},
        {"{'queues':[{'QueueName':'a\\nb'}]}",
         "the account lists something without a usable QueueName"},
        {"{'queues':[{'QueueName':'q','RewindSeconds':'x'}]}",
         "the account's description of \"q\" has no usable RewindSeconds"},
        {"{'queues':[{'QueueName':'q','DeadLetterPolicy':{'DeadLetterQueue':7}}]}",
         "the account's description of \"q\" has no usable DeadLetterQueue"},
        {"{'topics':[{'TopicName':'t'}]}",
         "the account's description of \"t\" has no usable FilterType"},
        {"{'topics':[{'TopicName':'t','FilterType':3}]}",
         "the account's description of \"t\" has no usable FilterType"},
        {"{'topics':[{'TopicName':'t','FilterType':1,'MaxMsgSize':[]}]}",
         "the account's description of \"t\" has no usable MaxMsgSize"},
        {"{'topics':[{'FilterType':1}]}", "the account lists something without a usable TopicName"},
#define S(rest) "{'topics':[{'TopicName':'t','FilterType':1,'Subscriptions':[{" rest "}]}]}"
        {S(""), "the account lists something without a usable SubscriptionName"},
        {S("'SubscriptionName':'s'"),
         "the account's description of the subscription \"s\" has no usable Endpoint"},
        {S("'SubscriptionName':'s','Protocol':'queue','Endpoint':7"),
         "the account's description of the subscription \"s\" has no usable Endpoint"},
        {S("'SubscriptionName':'s','Protocol':'queue','Endpoint':'q','FilterTags':'a'"),
         "the account's description of the subscription \"s\" has no usable FilterTags or "
         "BindingKey"},
        {S("'SubscriptionName':'s','Protocol':'queue','Endpoint':'q','FilterTags':[7]"),
         "the account's description of the subscription \"s\" has no usable FilterTags or "
         "BindingKey"},
        {S("'SubscriptionName':'s','Protocol':'queue','Endpoint':'q','BindingKey':"
           "['1','2','3','4','5','6']"),
         "the account's description of the subscription \"s\" has no usable FilterTags or "
         "BindingKey"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct inventory inventory;
        struct err err = {""};
        assert_false(build_inventory_try(&inventory, rows[i].account, &err));
        assert_string_equal(err.text, rows[i].says);
        inventory_fini(&inventory);
    }
}

static void what_is_null_or_left_out_is_none(void **state)
{
    (void)state;
    struct inventory inventory;
    build_inventory(&inventory,
                    "{'queues':[{'QueueName':'q','DeadLetterPolicy':null,'Trace':null,'Tags':null,"
                    "  'Status':null,'RetentionSizeInMB':0},"
                    "  {'QueueName':'r','DeadLetterPolicy':{'DeadLetterQueue':null}}],"
                    " 'topics':[{'TopicName':'t','FilterType':2,'Subscriptions':[{"
                    "  'SubscriptionName':'s','Protocol':'http','Endpoint':'http://h/',"
                    "  'FilterTags':null,'BindingKey':null}]}]}");
    const struct inventory_queue *queue = inventory_queue(&inventory, "Q");
    assert_int_equal(queue->status, STATUS_NORMAL);
    assert_int_equal(queue->messages, -1);
    assert_null(queue->is.dead_letter);
    assert_int_equal(queue->is.given, GIVEN_DEAD_LETTER | GIVEN_REWIND_SIZE);
    assert_null(inventory_queue(&inventory, "r")->is.dead_letter);
    assert_null(inventory_queue(&inventory, "s"));
    const struct inventory_topic *topic = inventory_topic(&inventory, "T");
    const struct resource_subscription *s = inventory_subscription(topic, "S");
    assert_int_equal(s->given | s->tag_count | s->key_count, 0);
    assert_string_equal(s->url, "http://h/");
    assert_null(s->queue);
    assert_null(inventory_subscription(topic, "x"));
    inventory_fini(&inventory);
}

static void a_list_that_moved_while_it_was_read_has_each_once(void **state)
{
    (void)state;
    struct inventory inventory;
    build_inventory(&inventory,
                    "{'queues':[{'QueueName':'b'},{'QueueName':'a'},{'QueueName':'B'},"
                    "           {'QueueName':'c'},{'QueueName':'a'}],"
                    " 'topics':[{'TopicName':'u','FilterType':1},{'TopicName':'t','FilterType':1},"
                    "           {'TopicName':'T','FilterType':2}]}");
    assert_int_equal(inventory.queue_count, 3);
    assert_string_equal(inventory.queues[0].is.name, "a");
    assert_string_equal(inventory.queues[2].is.name, "c");
    assert_int_equal(inventory.topic_count, 2);
    inventory_fini(&inventory);
}

static void an_account_with_nothing_has_nothing(void **state)
{
    (void)state;
    struct inventory inventory;
    build_inventory(&inventory, "{}");
    assert_null(inventory_queue(&inventory, "q"));
    assert_null(inventory_topic(&inventory, "t"));
    inventory_fini(&inventory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_used_is_refused),
        cmocka_unit_test(what_is_null_or_left_out_is_none),
        cmocka_unit_test(a_list_that_moved_while_it_was_read_has_each_once),
        cmocka_unit_test(an_account_with_nothing_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
