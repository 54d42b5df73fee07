/* options - see options.h. */
#include "local/options.h"

#include "base/quantity.h"
#include "local/push.h"

#include <getopt.h>
#include <stdio.h>

enum { MAX_PUSH_TIMEOUT_MS = 3600 * 1000, MAX_RATE = 1000000 };

static void print_help(void)
{
    puts(
        "usage: cmqlocal [-c FILE] [OPTION...]\n"
        "A CMQ server on this machine: for trying things out, for tests, for CI.\n"
        "\n"
        "  -c, --config FILE        a gateway's configuration, or any file with a resources\n"
        "                           section: its queues and topics exist at start\n"
        "      --listen HOST:PORT   default 127.0.0.1:8280; port 0 lets the system choose\n"
        "      --data FILE          keeps the state in FILE, over restarts and kill -9;\n"
        "                           without it the state is in memory\n"
        "      --tls-cert FILE      serves HTTPS with this certificate and its chain (PEM),\n"
        "      --tls-key FILE       and this key\n"
        "      --secret-id ID       the account; default: the file's cmq section, else\n"
        "      --secret-key KEY     one that is printed at start. @env:NAME, @file:PATH work\n"
        "\n"
        "limits\n"
        "      --max-memory SIZE    of all messages together, default 1GiB\n"
        "      --max-messages N     in one queue, default 100000000\n"
        "      --max-unacked N      of a queue in flight, and as many delayed, default 1000000\n"
        "      --rate N             calls of a kind (sends, receives, deletes, publishes) to one\n"
        "                           queue or topic a second, after which they get 4420: the\n"
        "                           real service has 5000; default 0: no limit\n"
        "      --api-rate N         management calls of one action a second, after which they\n"
        "                           get RequestLimitExceeded: the real service has 20;\n"
        "                           default 0: no limit\n"
        "\n"
        "where the real service is not known, or slow\n"
        "      --clock-tolerance T  how far a request's Timestamp may be off, default 2h\n"
        "      --api-tolerance T    the same for the management plane, default 5m\n"
        "      --at-fallback on|off accept signatures that leave out values beginning with\n"
        "                           '@', as the Python and PHP SDKs make them; default on\n"
        "      --no-action 10430|10280\n"
        "                           what the old management actions get, and others that there\n"
        "                           are not: 4000 with this module code; default 10430\n"
        "      --dead-letter-at lapse|receive\n"
        "                           when a message that was received too often is dead: when\n"
        "                           its last visibility lapses (default), or at the next receive\n"
        "      --push-timeout T     how long a push to an http subscription may take until it\n"
        "                           is answered, default 15s\n"
        "      --push-backoff T     the shortest rest between tries of BACKOFF_RETRY; the longest "
        "is\n"
        "                           10s more; default 10s, and 19s is the documents' other word\n"
        "      --push-speedup N     divides the times between the tries of a push, and how long\n"
        "                           its message is kept, by N; default 1: the real service's\n"
        "      --reuse-bar T        how long the name of a deleted queue or topic cannot be\n"
        "                           had again, default 30s\n"
        "\n"
        "      --help, --version\n"
        "\n"
        "The first line on stdout says where it listens, once it does. For tests, and without a\n"
        "signature: GET /local/state, GET /local/log, POST /local/faults, POST /local/reset.\n"
        "It ends with 0 on SIGTERM and SIGINT, with 1 when the command line or the file is wrong,\n"
        "with 3 when it cannot listen, or cannot read or write the data file.");
}

static bool bad_value(const char *option, const char *value, const char *wanted)
{
    (void)fprintf(stderr, "cmqlocal: --%s: \"%s\" is not %s\n", option, value, wanted);
    return false;
}

static bool read_count(const char *option, const char *value, uint64_t *out)
{
    return (span_to_u64(span_of(value), UINT32_MAX, out) && *out > 0) ||
           bad_value(option, value, "a number from 1 to 4294967295");
}

static bool read_rate(const char *option, const char *value, uint64_t *out)
{
    return span_to_u64(span_of(value), MAX_RATE, out) ||
           bad_value(option, value, "a number from 0 to 1000000");
}

static bool read_duration(const char *option, const char *value, int64_t *out)
{
    return duration_parse(span_of(value), out) || bad_value(option, value, "a duration such as 2h");
}

enum {
    OPT_LISTEN = 256,
    OPT_DATA,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_ID,
    OPT_KEY,
    OPT_TOLERANCE,
    OPT_AT,
    OPT_MEMORY,
    OPT_MESSAGES,
    OPT_UNACKED,
    OPT_RATE,
    OPT_DEAD_LETTER_AT,
    OPT_PUSH_TIMEOUT,
    OPT_PUSH_BACKOFF,
    OPT_PUSH_SPEEDUP,
    OPT_NO_ACTION,
    OPT_API_TOLERANCE,
    OPT_API_RATE,
    OPT_REUSE_BAR,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"data", required_argument, NULL, OPT_DATA},
    {"tls-cert", required_argument, NULL, OPT_TLS_CERT},
    {"tls-key", required_argument, NULL, OPT_TLS_KEY},
    {"secret-id", required_argument, NULL, OPT_ID},
    {"secret-key", required_argument, NULL, OPT_KEY},
    {"clock-tolerance", required_argument, NULL, OPT_TOLERANCE},
    {"at-fallback", required_argument, NULL, OPT_AT},
    {"max-memory", required_argument, NULL, OPT_MEMORY},
    {"max-messages", required_argument, NULL, OPT_MESSAGES},
    {"max-unacked", required_argument, NULL, OPT_UNACKED},
    {"rate", required_argument, NULL, OPT_RATE},
    {"dead-letter-at", required_argument, NULL, OPT_DEAD_LETTER_AT},
    {"push-timeout", required_argument, NULL, OPT_PUSH_TIMEOUT},
    {"push-backoff", required_argument, NULL, OPT_PUSH_BACKOFF},
    {"push-speedup", required_argument, NULL, OPT_PUSH_SPEEDUP},
    {"api-tolerance", required_argument, NULL, OPT_API_TOLERANCE},
    {"no-action", required_argument, NULL, OPT_NO_ACTION},
    {"api-rate", required_argument, NULL, OPT_API_RATE},
    {"reuse-bar", required_argument, NULL, OPT_REUSE_BAR},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static bool read_option(int option, const char *value, struct options *to)
{
    uint64_t count;
    switch (option) {
    case 'c':
        to->file = value;
        return true;
    case OPT_LISTEN:
        to->listen = value;
        return true;
    case OPT_DATA:
        to->data = value;
        return *value || bad_value("data", value, "a file's path");
    case OPT_TLS_CERT:
        to->tls_cert = value;
        return true;
    case OPT_TLS_KEY:
        to->tls_key = value;
        return true;
    case OPT_ID:
        to->secret_id = value;
        return true;
    case OPT_KEY:
        to->secret_key = value;
        return true;
    case OPT_TOLERANCE:
        return read_duration("clock-tolerance", value, &to->tolerance_ms);
    case OPT_AT:
        to->at_fallback = strcmp(value, "on") == 0;
        return to->at_fallback || strcmp(value, "off") == 0 ||
               bad_value("at-fallback", value, "\"on\" or \"off\"");
    case OPT_MEMORY:
        return size_parse(span_of(value), &to->limits.bytes) ||
               bad_value("max-memory", value, "a size such as 1GiB");
    case OPT_MESSAGES:
        return read_count("max-messages", value, &to->limits.queue_count);
    case OPT_UNACKED:
        return read_count("max-unacked", value, &to->limits.unacked);
    case OPT_RATE:
        return read_rate("rate", value, &to->rate);
    case OPT_DEAD_LETTER_AT:
        to->bury_on_receive = strcmp(value, "receive") == 0;
        return to->bury_on_receive || strcmp(value, "lapse") == 0 ||
               bad_value("dead-letter-at", value, "\"lapse\" or \"receive\"");
    case OPT_PUSH_TIMEOUT:
        return (duration_parse(span_of(value), &to->push_timeout_ms) && to->push_timeout_ms > 0 &&
                to->push_timeout_ms <= MAX_PUSH_TIMEOUT_MS) ||
               bad_value("push-timeout", value, "a duration from 1ms to 1h");
    case OPT_PUSH_BACKOFF:
        return (duration_parse(span_of(value), &to->push_backoff_ms) &&
                to->push_backoff_ms <= MAX_PUSH_TIMEOUT_MS) ||
               bad_value("push-backoff", value, "a duration of up to 1h");
    case OPT_PUSH_SPEEDUP:
        if (!read_count("push-speedup", value, &count))
            return false;
        to->push_speedup = (uint32_t)count;
        return true;
    case OPT_API_TOLERANCE:
        return read_duration("api-tolerance", value, &to->api_tolerance_ms);
    case OPT_NO_ACTION:
        to->no_action = strcmp(value, "10280") == 0 ? 10280 : 10430;
        return to->no_action == 10280 || strcmp(value, "10430") == 0 ||
               bad_value("no-action", value, "10430 or 10280");
    case OPT_API_RATE:
        return read_rate("api-rate", value, &to->api_rate);
    case OPT_REUSE_BAR:
        return read_duration("reuse-bar", value, &to->reuse_bar_ms);
    default:
        (void)fputs("cmqlocal: try cmqlocal --help\n", stderr);
        return false;
    }
}

bool options_read(int argc, char **argv, struct options *options, int *status)
{
    *options = (struct options){
        .listen = "127.0.0.1:8280",
        .tolerance_ms = INT64_C(2) * 3600 * 1000, /* CMQ.md 2.5 */
        .at_fallback = true,
        .limits = {.bytes = UINT64_C(1) << 30, .queue_count = 100000000, .unacked = 1000000},
        .push_speedup = 1,
        .push_backoff_ms = PUSH_BACKOFF_MIN_MS,
        .push_timeout_ms = 15 * 1000,      /* CMQ.md 6 */
        .api_tolerance_ms = 5 * 60 * 1000, /* CMQ.md 8.2 */
        .reuse_bar_ms = 30 * 1000,         /* CMQ.md 4 */
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
        if (option == OPT_HELP) {
            print_help();
            return false;
        }
        if (option == OPT_VERSION) {
            puts("cmqlocal " CMQGW_VERSION);
            return false;
        }
        if (!read_option(option, optarg, options)) {
            *status = EXIT_CONFIG;
            return false;
        }
    }
    if (optind == argc && !options->tls_cert == !options->tls_key)
        return true;
    if (optind == argc) {
        (void)fputs("cmqlocal: --tls-cert and --tls-key go together\n", stderr);
    } else {
        (void)fprintf(stderr, "cmqlocal: unexpected \"%s\"; try cmqlocal --help\n", argv[optind]);
    }
    *status = EXIT_CONFIG;
    return false;
}
