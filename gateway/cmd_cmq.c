/* cmqgw cmq: sends, receives and publishes by hand, one request after the other. */
#include "base/clock.h"
#include "gateway/account.h"
#include "gateway/command.h"
#include "gateway/print.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

enum { DEFAULT_WAIT_S = 3 };

/* The account, opened, and the call under way. */
struct session {
    const struct command_line *line;
    struct config *config;
    struct pump *pump;
    struct cmq_client *client;
    void (*use)(struct session *session, const struct cmq_reply *reply); /* of a good reply */
    bool done;
    bool ok;

    size_t received;                   /* receive: messages of the last reply */
    struct buf handles;                /* their receipt handles, end to end */
    struct span handle[CMQ_MAX_BATCH]; /* into handles */
};

static bool session_open(struct session *s, const struct command_line *line)
{
    *s = (struct session){.line = line, .handles = BUF_INIT(CMQ_MAX_BATCH * CMQ_MAX_HANDLE_BYTES)};
    struct err err;
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as pump.h asks */
    s->config = command_config_by_hand(line);
    if (!s->config)
        return false;
    s->pump = pump_new(&err);
    if (s->pump)
        s->client = account_client(s->config, s->pump, &err);
    if (!s->client)
        command_failed(line, "%s", err.text);
    return s->client;
}

static void session_close(struct session *s)
{
    if (s->client)
        cmq_client_free(s->client);
    pump_free(s->pump);
    config_free(s->config);
    buf_fini(&s->handles);
}

static void say_failed(const struct session *s, const struct cmq_reply *reply)
{
    const char *advice = cmq_advice(reply->code, reply->module);
    if (reply->code > 0) {
        command_failed(s->line, "CMQ answered %d: %s; %s", reply->code, reply->text, advice);
    } else {
        command_failed(s->line, "%s", reply->text);
    }
}

static void on_done(void *ctx, const struct cmq_reply *reply)
{
    struct session *s = ctx;
    s->done = true;
    s->ok = reply->verdict == CMQ_DONE || reply->verdict == CMQ_EMPTY;
    if (!s->ok) {
        say_failed(s, reply);
    } else if (s->use) {
        s->use(s, reply);
    }
}

/* Sends a request, waits for the answer, lets `use` have it. False when it failed: that was said.
 */
static bool session_call(struct session *s, const struct cmq_request *request,
                         void (*use)(struct session *session, const struct cmq_reply *reply))
{
    s->use = use;
    s->done = false;
    cmq_client_call(s->client, request, on_done, s);
    pump_run(s->pump, &s->done);
    return s->ok;
}

/* Names are checked here, so that a wrong one is a usage error and costs no request. */
static bool name_ok(const struct command_line *line, const char *what, const char *name)
{
    const char *why;
    if (cmq_name_ok(span_of(name), &why))
        return true;
    command_usage(line, "%s '%.200s' is not valid: %s", what, name, why);
    return false;
}

static void print_msg_id(struct session *s, const struct cmq_reply *reply)
{
    if (s->line->json) {
        fputs("{\"msgId\":", stdout);
        print_json(stdout, reply->msg_ids[0]);
        puts("}");
    } else {
        print_text(stdout, reply->msg_ids[0]);
        putchar('\n');
    }
}

/* Reads a body from the command line or stdin. False, and said so, when there is none to be had. */
static bool read_body(const struct command_line *line, struct buf *input, struct span *body)
{
    *body = span_of(line->argv[optind + 1]);
    if (!body->ptr) {
        if (!command_read(line, "-", input))
            return false;
        *body = buf_span(input);
    }
    if (!body->len)
        command_failed(line, "the body is empty: CMQ does not take that");
    return body->len > 0;
}

/* Sends or publishes. The configuration comes first: nobody types a body for nothing. */
static int deliver(const struct command_line *line, struct cmq_request request)
{
    struct buf input = BUF_INIT(CMQ_MAX_BODY_BYTES);
    struct span body;
    struct session s;
    request.name = span_of(line->argv[optind]);
    request.items = &body;
    request.item_count = 1;
    bool ok = session_open(&s, line) && read_body(line, &input, &body) &&
              session_call(&s, &request, print_msg_id);
    session_close(&s);
    buf_fini(&input);
    return command_flush(line) && ok ? COMMAND_OK : COMMAND_NO;
}

static int cmd_send(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS, {0}};
    if (command_getopt(line, options) == COMMAND_STOP)
        return line->status;
    if (!command_words(line, 1, 2) || !name_ok(line, "QUEUE", line->argv[optind]))
        return COMMAND_USAGE;
    return deliver(line, (struct cmq_request){.action = CMQ_SEND_MESSAGE});
}

static int cmd_publish(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"route", required_argument, NULL, 'r'},
                                            {"tag", required_argument, NULL, 't'},
                                            {0}};
    struct span tags[CMQ_MAX_TAGS];
    struct cmq_request request = {.action = CMQ_PUBLISH_MESSAGE, .tags = tags};
    const char *why;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        if (c == 'r') {
            if (!cmq_route_ok(span_of(optarg), &why))
                return command_usage(line, "--route '%.200s' is not valid: %s", optarg, why);
            request.has_route = true;
            request.route = span_of(optarg);
        } else {
            if (!cmq_tag_ok(span_of(optarg), &why))
                return command_usage(line, "--tag '%.200s' is not valid: %s", optarg, why);
            if (request.tag_count == CMQ_MAX_TAGS)
                return command_usage(line, "a message has at most %d tags", CMQ_MAX_TAGS);
            tags[request.tag_count++] = span_of(optarg);
        }
    }
    if (request.has_route == (request.tag_count > 0))
        return command_usage(line, "wants either --route or --tag");
    if (!command_words(line, 1, 2) || !name_ok(line, "TOPIC", line->argv[optind]))
        return COMMAND_USAGE;
    return deliver(line, request);
}

static void print_message_json(const struct cmq_message *m)
{
    fputs("{\"msgId\":", stdout);
    print_json(stdout, m->msg_id);
    fputs(",\"msgBody\":", stdout);
    print_json(stdout, m->body);
    fputs(",\"receiptHandle\":", stdout);
    print_json(stdout, m->handle);
    printf(",\"enqueueTime\":%" PRId64 ",\"firstDequeueTime\":%" PRId64
           ",\"nextVisibleTime\":%" PRId64 ",\"dequeueCount\":%" PRId64 "}\n",
           m->enqueue_s, m->first_dequeue_s, m->next_visible_s, m->dequeue_count);
}

/* The body goes to stdout; to a terminal only what cannot command it. The facts go to stderr. */
static void print_message(const struct cmq_message *m)
{
    char enqueued[CLOCK_ISO_SIZE];
    clock_iso(m->enqueue_s * 1000, enqueued);
    fputs("# msgId ", stderr);
    print_text(stderr, m->msg_id);
    fprintf(stderr, ", sent %s, received %" PRId64 " time%s\n", enqueued, m->dequeue_count,
            m->dequeue_count == 1 ? "" : "s");
    if (isatty(STDOUT_FILENO)) {
        print_text(stdout, m->body);
    } else {
        fwrite(m->body.ptr, 1, m->body.len, stdout);
    }
    fputc('\n', stdout);
}

static void take_messages(struct session *s, const struct cmq_reply *reply)
{
    s->received = reply->message_count;
    buf_clear(&s->handles);
    for (size_t i = 0; i < reply->message_count; i++) {
        const struct cmq_message *m = &reply->messages[i];
        if (s->line->json) {
            print_message_json(m);
        } else {
            print_message(m);
        }
        CHECK(buf_add(&s->handles, m->handle));
    }
    if (reply->unusable)
        command_failed(s->line, "%zu more could not be read and stay", reply->unusable);
    size_t at = 0;
    for (size_t i = 0; i < reply->message_count; i++) {
        s->handle[i] = span_slice(buf_span(&s->handles), at, reply->messages[i].handle.len);
        at += s->handle[i].len;
    }
}

/* Receives and deletes until there are count or a poll brings none. */
static bool receive(struct session *s, struct span queue, uint64_t count, int wait_s, bool keep)
{
    uint64_t total = 0;
    while (total < count) {
        uint64_t left = count - total;
        struct cmq_request request = {.action = CMQ_BATCH_RECEIVE_MESSAGE,
                                      .name = queue,
                                      .max_messages =
                                          left < CMQ_MAX_BATCH ? (unsigned)left : CMQ_MAX_BATCH,
                                      .wait_s = wait_s};
        s->received = 0;
        if (!session_call(s, &request, take_messages))
            return false;
        if (s->received == 0)
            break;
        total += s->received;
        if (!command_flush(s->line)) /* what could not be printed must not be deleted */
            return false;
        if (keep)
            continue;
        struct cmq_request delete = {.action = CMQ_BATCH_DELETE_MESSAGE,
                                     .name = queue,
                                     .items = s->handle,
                                     .item_count = s->received};
        if (!session_call(s, &delete, NULL)) {
            command_failed(s->line, "not deleted: the messages will be received again");
            return false;
        }
    }
    if (total == 0)
        command_failed(s->line, "no message within %d s", wait_s);
    return total > 0;
}

static int cmd_receive(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"count", required_argument, NULL, 'n'},
                                            {"wait", required_argument, NULL, 'w'},
                                            {"keep", no_argument, NULL, 'k'},
                                            {0}};
    uint64_t count = 1, wait_s = DEFAULT_WAIT_S;
    bool keep = false;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        if (c == 'n' && !command_number(line, "--count", optarg, 1, 1000000, &count))
            return COMMAND_USAGE;
        if (c == 'w' && !command_number(line, "--wait", optarg, 0, CMQ_MAX_POLL_S, &wait_s))
            return COMMAND_USAGE;
        keep |= c == 'k';
    }
    if (!command_words(line, 1, 1) || !name_ok(line, "QUEUE", line->argv[optind]))
        return COMMAND_USAGE;
    struct session s;
    bool ok = session_open(&s, line) &&
              receive(&s, span_of(line->argv[optind]), count, (int)wait_s, keep);
    session_close(&s);
    return ok ? COMMAND_OK : COMMAND_NO;
}

const struct command cmq_commands[] = {
    {
        .name = "send",
        .usage = "QUEUE [BODY]",
        .summary = "send BODY, or what stdin holds, to a queue",
        .help =
            "Sends one message and prints its msgId. BODY is at most 1 MiB, from stdin when it\n"
            "is not given; -- before a BODY that begins with a dash.\n"
            "\n"
            "  --json  one object: msgId\n"
            "\n"
            "Exit: 0 CMQ has it; 1 not.\n",
        .run = cmd_send,
    },
    {
        .name = "receive",
        .usage = "QUEUE [--count N] [--wait S] [--keep]",
        .summary = "receive messages from a queue and delete them",
        .help = "Prints each body and a newline on stdout, facts on stderr, and then deletes the\n"
                "message. Ends after N messages or when a poll brings none. On a terminal control\n"
                "characters are shown escaped.\n"
                "\n"
                "  --count N  how many at most; default 1\n"
                "  --wait S   seconds that a poll waits for messages, 0 to 30; default 3\n"
                "  --keep     do not delete; they can be received again after their visibility\n"
                "             time-out\n"
                "  --json     one object a line with CMQ's own field names\n"
                "\n"
                "Exit: 0 some received, and deleted unless --keep; 1 none, or CMQ refused.\n",
        .run = cmd_receive,
    },
    {
        .name = "publish",
        .usage = "TOPIC (--route R | --tag T...) [BODY]",
        .summary = "publish BODY, or what stdin holds, to a topic",
        .help =
            "Publishes one message and prints its msgId. BODY is at most 1 MiB, from stdin when\n"
            "it is not given; -- before a BODY that begins with a dash.\n"
            "\n"
            "  --route R  the routing key\n"
            "  --tag T    a tag; may be repeated, at most 5\n"
            "  --json     one object: msgId\n"
            "\n"
            "Exit: 0 CMQ has it; 1 not, also when no subscription wants it.\n",
        .run = cmd_publish,
    },
    {.name = NULL},
};
