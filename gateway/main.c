/* cmqgw: the table of commands. */
#include "gateway/command.h"

static const struct command commands[] = {
    {
        .name = "run",
        .usage = "[--grace DURATION]",
        .summary = "the gateway itself, in the foreground",
        .help =
            "Connects to the MQTT broker and to CMQ and carries messages by the rules. Logs to\n"
            "stderr. SIGTERM and SIGINT finish what is in flight and stop.\n"
            "\n"
            "  --grace DURATION  how long stopping may take, such as 10s (the default)\n"
            "\n"
            "Exit: 0 stopped; 1 the configuration is wrong; 3 cannot run.\n",
        .run = cmd_run,
    },
    {
        .name = "check",
        .usage = "[--print] [--strict] [--no-hints]",
        .summary = "validate the configuration; connects to nothing",
        .help =
            "Reads the main file and every rule file and prints all that is wrong with them, a\n"
            "fault a line, as FILE:LINE: error: TEXT or FILE:LINE: warning: TEXT.\n"
            "\n"
            "A secret or other reference (@env:NAME, @file:PATH) that cannot be resolved here is\n"
            "a warning, so that a configuration can be checked where its secrets are not.\n"
            "\n"
            "  --strict    what cannot be resolved is an error, as it is for run and reload\n"
            "  --no-hints  no warnings of what depends on the messages: values that one may not\n"
            "              have, routes and tags that may get too long\n"
            "  --print     when there is no error, print every option with its value and where\n"
            "              it came from; secrets are masked, warnings go to stderr\n"
            "  --json      an array of {file, line, level, text}; with --print, when there is no\n"
            "              error, of {option, value, source}\n"
            "\n"
            "Exit: 0 no error (warnings are none); 1 errors.\n",
        .run = cmd_check,
    },
    {
        .name = "explain",
        .usage = "TOPIC [options] | --queue NAME --body TEXT",
        .summary = "what would become of a message, and why",
        .help =
            "For a message published to TOPIC: which forward rules match and why the others do\n"
            "not, what the wildcards stood for, each delivery with its exact body, the\n"
            "subscriptions and queues that the declared resources let it reach, and the reverse\n"
            "rules that would take it there.\n"
            "Connects to nothing. In CloudEvents bodies the id and time are examples.\n"
            "\n"
            "  --payload TEXT       the message's payload; empty when not given\n"
            "  --payload-file FILE  the same from a file, or from stdin when FILE is -\n"
            "  --qos N              0, 1 or 2; default 1\n"
            "  --retain             a retained copy, as sent on subscribing\n"
            "  --user KEY=VALUE     an MQTT 5 user property; may be repeated\n"
            "  --content-type TYPE  the MQTT 5 content type\n"
            "\n"
            "With --queue, the way back: which reverse rules read that CMQ queue, the MQTT\n"
            "message that each would publish, or why and where it would be parked, and the\n"
            "forward rules that listen to its topic.\n"
            "\n"
            "  --queue NAME         the queue\n"
            "  --body TEXT          the message's body\n"
            "  --body-file FILE     the same from a file, or from stdin when FILE is -\n"
            "\n"
            "  --json               one object: topic or queue, matches, skipped, errors\n"
            "\n"
            "Exit: 0 some rule matches, or publishes; 1 none does, or the configuration is wrong;\n"
            "2 TOPIC or NAME is not valid.\n",
        .run = cmd_explain,
    },
    {
        .name = "test",
        .usage = "",
        .summary = "carry out the tests of the rule files",
        .help =
            "Plans the message of each test as the gateway would and compares what comes of it\n"
            "with what the test expects: each expectation must be met by a delivery of its own,\n"
            "and nothing else may come. Connects to nothing. Prints TAP; below a test that failed\n"
            "what was expected stands beside what came. In CloudEvents bodies the id ends in 0\n"
            "and the time is that of 1970.\n"
            "\n"
            "  --json  an array of {name, file, line, ok, differences: [{expected, actual, why}]}\n"
            "\n"
            "Exit: 0 all tests hold; 1 some do not, or the configuration is wrong.\n",
        .run = cmd_test,
    },
    {
        .name = "match",
        .usage = "[--named] FILTER TOPIC | --key BINDING ROUTE",
        .summary = "compare one MQTT filter or CMQ binding key",
        .help =
            "Tells whether an MQTT topic filter matches a topic, or a CMQ binding key a routing\n"
            "key.\n"
            "\n"
            "  --named  FILTER may name its wildcards: +line, #rest\n"
            "  --key    compare BINDING and ROUTE as CMQ does\n"
            "  --json   one object: match, and captures unless --key is given\n"
            "\n"
            "Exit: 0 it matches; 1 it does not; 2 either is not valid.\n",
        .run = cmd_match,
    },
    {
        .name = "provision",
        .usage = "[--apply] [--prune] [--export]",
        .summary = "make the account's queues and topics what is declared",
        .help = "Compares the resources section with what the account has, through the\n"
                "management plane, and prints the plan: + create, ~ change, = same, ! cannot,\n"
                "- delete. Only what is declared is compared; a setting that is left out is left\n"
                "alone.\n"
                "\n"
                "  --apply   carry the plan out; may be stopped at any moment and run again\n"
                "  --prune   also delete what the account has and nobody declares\n"
                "  --export  instead print what the account has as a resources section\n"
                "  --json    one object: endpoint, region, steps: [{action, object, name, topic,\n"
                "            differences: [{setting, from, to}], why}], summary, undeclared; with\n"
                "            --apply also applied, ok, left\n"
                "\n"
                "Exit: 0 nothing to do, or done; 1 an error, or something that cannot be; 4\n"
                "changes are pending.\n",
        .run = cmd_provision,
    },
    {
        .name = "reload",
        .usage = "",
        .summary = "have the running gateway read its configuration again",
        .help =
            "The gateway checks everything aside. When there is an error it goes on as before,\n"
            "and the faults are printed as by check. Otherwise it goes on with the new rules,\n"
            "without losing a message, and what is different is printed, a line each:\n"
            "+ new, - gone, ~ changed. Settings that need a restart are refused.\n"
            "\n"
            "  --json  one object: ok, summary, faults\n"
            "\n"
            "Exit: 0 reloaded; 1 there is an error, or nobody answers.\n",
        .run = cmd_reload,
    },
    {
        .name = "status",
        .usage = "[--watch | --quiet]",
        .summary = "what a running gateway does, and whether it works",
        .help =
            "Asks the gateway's admin endpoint (admin.listen) and prints a page: both sides, the\n"
            "spool and how long an outage it could still take, rates, latencies, dead letters, "
            "the\n"
            "last reload, and each rule with its figures and last error.\n"
            "\n"
            "  --watch  again every two seconds, until interrupted\n"
            "  --quiet  no page and no word of what is wrong: only the exit code, for health "
            "checks\n"
            "  --json   one object: status and rules, as docs/admin.md describes them\n"
            "\n"
            "Exit: 0 messages go both ways; 1 they do not, or nobody answers.\n",
        .run = cmd_status,
    },
    {
        .name = "cmq",
        .usage = "COMMAND",
        .summary = "a hand tool for CMQ with the configured account",
        .help = "",
        .subs = cmq_commands,
    },
    {
        .name = "dead-letters",
        .usage = "COMMAND",
        .summary = "the messages that could not be delivered",
        .help = "Works beside a running gateway and without one.\n",
        .subs = dead_letters_commands,
    },
    {
        .name = "spool",
        .usage = "COMMAND",
        .summary = "the state directory",
        .help = "Works beside a running gateway and without one.\n",
        .subs = spool_commands,
    },
    {.name = NULL},
};

static const struct command program = {
    .name = "cmqgw",
    .usage = "COMMAND",
    .summary = "joins MQTT device fleets to Tencent CMQ",
    .help = "Joins an MQTT device fleet to Tencent CMQ. See cmqgw(1) and cmqgw.cfg(5).\n",
    .subs = commands,
};

int main(int argc, char **argv)
{
    return command_main(&program, argc, argv);
}
