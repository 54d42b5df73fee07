/* What a plan says of what is declared and what an account has. */
#include "tests/unit/provision/build.h"

struct row {
    const char *resources, *account, *plan;
};

static void expect_rows(const struct row *rows, size_t count, bool prune)
{
    for (size_t i = 0; i < count; i++)
        expect_plan(rows[i].resources, rows[i].account, prune, rows[i].plan);
}
#define EXPECT(rows, prune) expect_rows(rows, sizeof rows / sizeof *(rows), prune)

#define Q(name, rest) "{'QueueName':'" name "'," rest "'ActiveMsgNum':0}"
#define DEAD(queue, policy, n)                                                                     \
    "'DeadLetterPolicy':{'DeadLetterQueue':'" queue "','Policy':" policy ",'MaxReceiveCount':" n   \
    ",'MaxTimeToLive':" n "},"
#define T(name, filter, subscriptions)                                                             \
    "{'TopicName':'" name "','FilterType':" filter ",'Subscriptions':[" subscriptions "]}"
#define TO_QUEUE(name, queue, rest)                                                                \
    "{'SubscriptionName':'" name "','Protocol':'queue','Endpoint':'" queue "'" rest "}"
#define TO_URL(name, url, rest)                                                                    \
    "{'SubscriptionName':'" name "','Protocol':'http','Endpoint':'" url "'" rest "}"

static void what_is_missing_is_created_with_what_is_declared(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "{}", ""},
        {"queues = { name = 'q'; };", "{}", "+ queue q\n"},
        {"queues = ( { name = 'q'; visibility = '1m'; max_size = '64KiB'; trace = true;"
         "  labels = [ 'a=b', 'c=' ]; }, { name = 'r'; max_messages = 1000000; } );",
         "{}",
         "+ queue q: visibility 1m; max_size 64KiB; trace true; labels a=b, c=\n"
         "+ queue r: max_messages 1000000\n"},
        {"queues = { name = 'q'; };"
         "topics = { name = 't'; filter = 'route'; retention = '1h'; subscriptions = ("
         "  { name = 's'; queue = 'q'; keys = [ 'a.#', 'b' ]; },"
         "  { name = 'u'; url = 'http://h/x'; keys = '#'; retry = 'backoff'; } ); };",
         "{}",
         "+ queue q\n"
         "+ topic t: filter route; retention 1h\n"
         "+ subscription t/s: to queue q; keys a.#, b\n"
         "+ subscription t/u: to url http://h/x; keys #; retry backoff\n"},
        {"topics = { name = 't'; subscriptions = { name = 'u'; url = 'http://h/'; }; };", "{}",
         "+ topic t: filter tag\n+ subscription t/u: to url http://h/; tags all messages\n"},
    };
    EXPECT(rows, false);
}

static void what_is_declared_is_compared_and_nothing_else(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'VisibilityTimeout':99,") "]}",
         "= queue q\n"},
        {"queues = { name = 'q'; visibility = '30s'; };",
         "{'queues':[" Q("q", "'VisibilityTimeout':99,") "]}",
         "~ queue q: visibility 99s -> 30s\n"},
        {"queues = { name = 'q'; visibility = '30s'; rewind = '1d'; rewind_size = '10GiB';"
         "  trace = false; transaction = true; check_backs = 3; };",
         "{'queues':[" Q("q", "'VisibilityTimeout':30,'RewindSeconds':null,'RetentionSizeInMB':"
                              "10240,'Trace':true,'Transaction':true,'TransactionPolicy':"
                              "{'MaxQueryCount':4},") "]}",
         "~ queue q: rewind 0s -> 1d; trace true -> false; check_backs 4 -> 3\n"},
        {"topics = { name = 't'; retention = '1h'; };",
         "{'topics':[{'TopicName':'t','FilterType':1,'MsgRetentionSeconds':60,'MaxMsgSize':5}]}",
         "~ topic t: retention 1m -> 1h\n"},
        {"queues = { name = 'q'; labels = [ 'a=b', 'c=d' ]; };",
         "{'queues':[" Q("q", "'Tags':[{'TagKey':'c','TagValue':'d'},{'TagKey':'a','TagValue':"
                              "'b'}],") "]}",
         "= queue q\n"},
    };
    EXPECT(rows, false);
}

static void names_are_the_same_in_upper_and_lower_case(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = ( { name = 'Down'; dead_letter = { queue = 'DEAD'; max_receive = 3; }; },"
         "           { name = 'Dead'; } );"
         "topics = { name = 'Fleet'; subscriptions = { name = 'Hot'; queue = 'DOWN'; }; };",
         "{'queues':[" Q("down", DEAD("dead", "0", "3")) "," Q(
             "dead", "") "],"
                         "'topics':[" T("fleet", "1", TO_QUEUE("hot", "down", "")) "]}",
         "= queue down\n= queue dead\n= topic fleet\n= subscription fleet/hot\n"},
    };
    EXPECT(rows, true);
}

static void dead_letter_queues_come_before_those_that_name_them(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = ( { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; }; },"
         "           { name = 'b'; dead_letter = { queue = 'z'; max_age = '10m'; }; },"
         "           { name = 'm'; }, { name = 'z'; } );",
         "{}",
         "+ queue m\n+ queue z\n+ queue a: dead_letter z after 3 receives\n"
         "+ queue b: dead_letter z after 10m\n"},
        /* each part of a policy counts, and only that of its kind */
        {"queues = ( { name = 'z'; }, { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; "
         "}; } );",
         "{'queues':[" Q("z", "") "," Q("a", DEAD("z", "0", "3")) "]}", "= queue z\n= queue a\n"},
        {"queues = ( { name = 'z'; }, { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; "
         "}; } );",
         "{'queues':[" Q("z", "") "," Q("a", DEAD("z", "1", "600")) "]}",
         "= queue z\n~ queue a: dead_letter z after 10m -> z after 3 receives\n"},
        {"queues = ( { name = 'z'; }, { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; "
         "}; } );",
         "{'queues':[" Q("z", "") "," Q("a", DEAD("", "0", "0")) "]}",
         "= queue z\n~ queue a: dead_letter none -> z after 3 receives\n"},
        /* one that is left out is left alone */
        {"queues = ( { name = 'z'; }, { name = 'a'; } );",
         "{'queues':[" Q("z", "") "," Q("a", DEAD("z", "0", "3")) "]}", "= queue z\n= queue a\n"},
        /* turned round: a gave its dead letters to b, now b gives its own to a */
        {"queues = ( { name = 'b'; dead_letter = { queue = 'a'; max_receive = 3; }; },"
         "           { name = 'a'; dead_letter = { queue = ''; }; } );",
         "{'queues':[" Q("a", DEAD("b", "0", "3")) "," Q("b", "") "]}",
         "~ queue a: dead_letter b after 3 receives -> none\n"
         "~ queue b: dead_letter none -> a after 3 receives\n"},
        /* a moves on from b to c before b is bound to d */
        {"queues = ( { name = 'b'; dead_letter = { queue = 'd'; max_receive = 3; }; },"
         "           { name = 'a'; dead_letter = { queue = 'c'; max_receive = 3; }; },"
         "           { name = 'c'; }, { name = 'd'; } );",
         "{'queues':[" Q("a", DEAD("b", "0", "3")) "," Q("b", "") "," Q("c", "") "]}",
         "= queue c\n+ queue d\n"
         "~ queue a: dead_letter b after 3 receives -> c after 3 receives\n"
         "~ queue b: dead_letter none -> d after 3 receives\n"},
    };
    EXPECT(rows, false);
}

static void dead_letters_that_the_service_refuses_are_said(void **state)
{
    (void)state;
#define NO_CHAIN "a dead-letter queue cannot have one itself, and the account's "
#define FREE_IT ": declare dead_letter = { queue = \"\"; } for "
    static const struct row rows[] = {
        {"queues = { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; }; };", "{}",
         "! queue a: dead_letter z after 3 receives | its dead-letter queue z neither exists nor "
         "is declared: declare it\n"},
        {"queues = { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; }; };",
         "{'queues':[" Q("z", "") "]}", "+ queue a: dead_letter z after 3 receives\n"},
        {"queues = { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; }; };",
         "{'queues':[" Q("z", "'Status':2,") "]}",
         "! queue a: dead_letter z after 3 receives | its dead-letter queue z neither exists nor "
         "is declared: declare it\n"},
        /* a chain, and a cycle, through what the account has and nobody declares otherwise */
        {"queues = { name = 'a'; visibility = '1m';"
         "           dead_letter = { queue = 'z'; max_receive = 3; }; };",
         "{'queues':[" Q("a", "") "," Q("z", DEAD("y", "0", "3")) "," Q("y", "") "]}",
         "~ queue a: visibility 0s -> 1m\n"
         "! queue a: dead_letter none -> z after 3 receives | " NO_CHAIN "z has" FREE_IT "it\n"},
        {"queues = ( { name = 'a'; }, { name = 'b';"
         "           dead_letter = { queue = 'a'; max_receive = 3; }; } );",
         "{'queues':[" Q("a", DEAD("b", "0", "3")) "," Q("b", "") "]}",
         "= queue a\n! queue b: dead_letter none -> a after 3 receives | " NO_CHAIN "a has" FREE_IT
         "it\n"},
        {"queues = ( { name = 'a'; dead_letter = { queue = 'z'; max_receive = 3; }; },"
         "           { name = 'z'; } );",
         "{'queues':[" Q("other", DEAD("a", "0", "3")) "," Q("a", "") "," Q("z", "") "]}",
         "! queue a: dead_letter none -> z after 3 receives | it is the dead-letter queue of the "
         "account's other, so it cannot have one itself" FREE_IT "other\n= queue z\n"},
    };
    EXPECT(rows, false);
}

static void what_cannot_be_changed_is_said_with_what_to_do(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = { name = 'q'; max_size = '64KiB'; visibility = '1m'; };",
         "{'queues':[" Q("q", "'MaxMsgSize':1048576,'VisibilityTimeout':30,") "]}",
         "~ queue q: visibility 30s -> 1m\n"
         "! queue q: max_size 1MiB -> 64KiB | CMQ keeps the max_size that a queue was created "
         "with: declare that, or declare a queue with another name and move to it\n"},
        {"queues = { name = 'q'; labels = 'a=b'; };", "{'queues':[" Q("q", "") "]}",
         "! queue q: labels none -> a=b | the labels of what exists are changed in Tencent "
         "Cloud's tag console: change them there, or here\n"},
        {"topics = { name = 't'; filter = 'route'; retention = '1h'; subscriptions ="
         "  { name = 's'; url = 'http://h/'; keys = '#'; }; };",
         "{'topics':[{'TopicName':'t','FilterType':1,'MsgRetentionSeconds':60}]}",
         "~ topic t: retention 1m -> 1h\n"
         "! topic t: filter tag -> route | a topic's filter cannot be changed: declare a topic "
         "with another name, let the rules publish to that, move the subscriptions, then delete "
         "this one\n"
         "! subscription t/s | it waits for its topic\n"},
        {"queues = ( { name = 'p'; }, { name = 'q'; } );"
         "topics = { name = 't'; subscriptions = { name = 's'; queue = 'q'; tags = 'x'; }; };",
         "{'queues':[" Q("p", "") "," Q(
             "q", "") "],"
                      "'topics':[" T("t", "1", TO_QUEUE("s", "p", ",'FilterTags':['y']")) "]}",
         "= queue p\n= queue q\n= topic t\n"
         "~ subscription t/s: tags y -> x\n"
         "! subscription t/s: to queue p -> queue q | where a subscription goes to cannot be "
         "changed: declare it under another name, then delete this one, by --prune or in the "
         "console\n"},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/a'; }; };",
         "{'queues':[" Q("p", "") "],'topics':[" T("t", "1", TO_URL("s", "http://h/A", "")) "]}",
         "= topic t\n! subscription t/s: to url http://h/A -> url http://h/a | where a "
         "subscription goes to cannot be changed: declare it under another name, then delete this "
         "one, by --prune or in the console\n"},
        {"topics = { name = 't'; subscriptions = { name = 's'; queue = 'gone'; }; };", "{}",
         "+ topic t: filter tag\n! subscription t/s: to queue gone | the queue gone neither "
         "exists nor is declared: declare it\n"},
        {"queues = { name = 'q'; dead_letter = { queue = 'z'; max_receive = 3; }; };"
         "topics = { name = 't'; subscriptions = { name = 's'; queue = 'q'; }; };",
         "{}",
         "! queue q: dead_letter z after 3 receives | its dead-letter queue z neither exists nor "
         "is declared: declare it\n+ topic t: filter tag\n"
         "! subscription t/s: to queue q | it waits for the queue q\n"},
        {"topics = { name = 't'; filter = 'route'; subscriptions ="
         "  ( { name = 's'; url = 'http://h/'; }, { name = 'u'; url = 'http://h/'; } ); };",
         "{'topics':[" T("t", "2", TO_URL("s", "http://h/", ",'BindingKey':['a']")) "]}",
         "= topic t\n! subscription t/s: keys a -> none | a subscription of a topic by route "
         "needs keys: declare some, \"#\" for all messages\n"
         "! subscription t/u: keys none | a subscription of a topic by route needs keys: declare "
         "some, \"#\" for all messages\n"},
    };
    EXPECT(rows, false);
}

static void subscriptions_are_compared_by_what_their_topic_chooses_by(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"topics = { name = 't'; subscriptions ="
         "  { name = 's'; url = 'http://h/'; tags = [ 'a', 'b' ]; }; };",
         "{'topics':[" T(
             "t", "1", TO_URL("s", "http://h/", ",'FilterTags':['b','a'],'BindingKey':['x']")) "]}",
         "= topic t\n= subscription t/s\n"},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/'; }; };",
         "{'topics':[" T("t", "1", TO_URL("s", "http://h/", ",'FilterTags':['b']")) "]}",
         "= topic t\n~ subscription t/s: tags b -> all messages\n"},
        {"topics = { name = 't'; filter = 'route'; subscriptions ="
         "  { name = 's'; url = 'http://h/'; keys = 'a'; retry = 'backoff';"
         "    format = 'simplified'; }; };",
         "{'topics':[" T("t", "2",
                         TO_URL("s", "http://h/",
                                ",'BindingKey':['b'],'FilterTags':null,'NotifyStrategy':"
                                "'EXPONENTIAL_DECAY_RETRY','NotifyContentFormat':'JSON'")) "]}",
         "= topic t\n~ subscription t/s: keys b -> a; retry exponential -> backoff; format json "
         "-> simplified\n"},
        {"queues = { name = 'q'; }; topics = { name = 't'; subscriptions ="
         "  { name = 's'; queue = 'q'; format = 'simplified'; }; };",
         "{'queues':[" Q("q", "") "],'topics':[" T("t", "1", TO_QUEUE("s", "q", "")) "]}",
         "= queue q\n= topic t\n= subscription t/s\n"},
    };
    EXPECT(rows, false);
}

static void a_status_decides_what_can_be_done(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':0,") "]}", "= queue q\n"},
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':null,") "]}", "= queue q\n"},
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':2,") "]}", "+ queue q\n"},
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':3,") "]}", "+ queue q\n"},
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':4,") "]}",
         "! queue q | the service has isolated it, as it does when an account is in arrears: "
         "settle that first\n"},
        {"topics = { name = 't'; subscriptions = { name = 's'; url = 'http://h/'; }; };",
         "{'topics':[{'TopicName':'t','FilterType':1,'Status':5}]}",
         "! topic t | the service could not create it: delete it in the console, then run this "
         "again\n! subscription t/s | it waits for its topic\n"},
        {"queues = { name = 'q'; };", "{'queues':[" Q("q", "'Status':6,") "]}",
         "! queue q | the service could not delete it: delete it in the console, then run this "
         "again\n"},
    };
    EXPECT(rows, false);
}

static void pruning_deletes_what_is_not_declared_in_reverse_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"queues = { name = 'q'; }; topics = { name = 't'; subscriptions ="
         "  { name = 's'; queue = 'q'; }; };",
         "{'queues':[" Q("q", "") "," Q("dead", "") "," Q(
             "from", DEAD("dead", "0",
                          "3")) "],"
                                "'topics':[" T(
                                    "t", "1",
                                    TO_QUEUE("S", "q", "") "," TO_QUEUE(
                                        "x", "q", "")) "," T("u", "2", TO_QUEUE("y", "q", "")) "]}",
         "= queue q\n= topic t\n= subscription t/S\n"
         "- subscription t/x\n- subscription u/y\n- topic u\n- queue from\n- queue dead\n"},
        /* what is needed by what is kept is kept */
        {"queues = { name = 'q'; }; topics = { name = 't'; subscriptions ="
         "  { name = 's'; queue = 'Other'; }; };",
         "{'queues':[" Q("q", DEAD("dead", "0", "3")) "," Q("dead", "") "," Q(
             "other", "") "],"
                          "'topics':[" T("t", "1", TO_QUEUE("s", "other", "")) "]}",
         "= queue q\n= topic t\n= subscription t/s\n"
         "! queue dead | it is not declared, but the queue q needs it for its dead letters: "
         "declare it\n"
         "! queue other | it is not declared, but the subscription s of t needs it: declare it\n"},
        {"", "{'queues':[" Q("q", "'Status':2,") "]}", ""},
    };
    EXPECT(rows, true);
}

/* Rules stand outside of resources, so these are built by hand. */
static void what_a_rule_uses_is_not_pruned(void **state)
{
    (void)state;
    struct config *config =
        build_config("cmq = { endpoint = \"http://h\"; secret_id = \"@env:CMQGW_TEST_KEY\";"
                     "        secret_key = \"@env:CMQGW_TEST_KEY\"; };"
                     "forward = ( { name = \"up\"; from = \"a/+x\";"
                     "  to = ( { queue = \"{x}-log\"; }, { topic = \"fleet\"; } ); } );"
                     "reverse = { name = \"down\"; from = { queue = \"Commands\"; };"
                     "  to = \"x\"; dead_letter = \"parked\"; };"
                     "resources = { queues = { name = \"kept\"; }; };");
    struct inventory inventory;
    struct plan plan;
    build_inventory(
        &inventory,
        "{'queues':[" Q("kept", "") "," Q("a-log", "") "," Q("a-logs", "") "," Q(
            "commands",
            DEAD(
                "grave", "0",
                "3")) "," Q("grave",
                            "") "," Q("parked",
                                      "") "," Q("hot",
                                                "") "," Q("cold",
                                                          "") "],'topics':[" T("fleet", "1",
                                                                               TO_QUEUE(
                                                                                   "s", "hot",
                                                                                   "")) "," T("othe"
                                                                                              "r",
                                                                                              "1",
                                                                                              TO_QUEUE(
                                                                                                  "s",
                                                                                                  "cold",
                                                                                                  "")) "]}");
    plan_make(&plan, &config->resources, config->rules, &inventory, true);
    char *text = build_text(&plan);
    assert_string_equal(
        text,
        "= queue kept\n- subscription other/s\n"
        "! topic fleet | it is not declared, but the forward rule up can send to it: declare it\n"
        "- topic other\n"
        "! queue commands | it is not declared, but the reverse rule down takes from it: declare "
        "it\n"
        "! queue a-log | it is not declared, but the forward rule up can send to it: declare it\n"
        "- queue a-logs\n- queue cold\n"
        "! queue grave | it is not declared, but the queue commands needs it for its dead letters: "
        "declare it\n"
        "! queue hot | it is not declared, but the subscription s of fleet needs it: declare it\n"
        "! queue parked | it is not declared, but the reverse rule down needs it for its dead "
        "letters: declare it\n");
    free(text);
    plan_fini(&plan);
    inventory_fini(&inventory);
    config_free(config);
}

static void without_pruning_what_is_not_declared_is_only_counted(void **state)
{
    (void)state;
    struct config *config = build_resources("topics = { name = 't'; };");
    struct inventory inventory;
    struct plan plan;
    build_inventory(
        &inventory,
        "{'queues':[" Q("a", "") "," Q("b", "") "," Q("c", "'Status':2,") "],'topics':[" T(
            "t", "1", TO_QUEUE("s", "a", "")) "," T("u", "1", "") "]}");
    plan_make(&plan, &config->resources, config->rules, &inventory, false);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan_work(&plan), 0);
    assert_int_equal(plan.undeclared_queues, 2);
    assert_int_equal(plan.undeclared_topics, 1);
    assert_int_equal(plan.undeclared_subscriptions, 1);
    plan_fini(&plan);
    plan_make(&plan, &config->resources, config->rules, &inventory, true);
    assert_int_equal(plan.undeclared_queues, 0);
    assert_int_equal(plan_work(&plan), 4);
    plan_fini(&plan);
    inventory_fini(&inventory);
    config_free(config);
}

int main(void)
{
    CHECK(setenv("CMQGW_TEST_KEY", "key", 1) == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_created_with_what_is_declared),
        cmocka_unit_test(what_is_declared_is_compared_and_nothing_else),
        cmocka_unit_test(names_are_the_same_in_upper_and_lower_case),
        cmocka_unit_test(dead_letter_queues_come_before_those_that_name_them),
        cmocka_unit_test(dead_letters_that_the_service_refuses_are_said),
        cmocka_unit_test(what_cannot_be_changed_is_said_with_what_to_do),
        cmocka_unit_test(subscriptions_are_compared_by_what_their_topic_chooses_by),
        cmocka_unit_test(a_status_decides_what_can_be_done),
        cmocka_unit_test(pruning_deletes_what_is_not_declared_in_reverse_order),
        cmocka_unit_test(what_a_rule_uses_is_not_pruned),
        cmocka_unit_test(without_pruning_what_is_not_declared_is_only_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
