/* cmqgw explain: reads a message from the command line and shows what would become of it: one that
 * a device publishes, or one that comes from a CMQ queue. */
#include "base/clock.h"
#include "cmq/limits.h"
#include "gateway/command.h"
#include "gateway/explain_print.h"

enum { MAX_PAYLOAD_BYTES = 16 << 20 };

/* What the command line says of the message, and the bytes that the message points to. */
struct request {
    struct mqtt_message message;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    const char *file;
    const char *queue;    /* from CMQ: the message's payload is the body; NULL: from MQTT */
    bool of_mqtt, of_cmq; /* an option was given that is only for the one */
    struct buf payload;
};

/* KEY=VALUE; the first '=' parts them. */
static bool add_user(const struct command_line *line, struct request *r, const char *text)
{
    struct span s = span_of(text);
    size_t at = span_find(s, '=');
    if (at == s.len) {
        command_usage(line, "--user wants KEY=VALUE, not '%.200s'", text);
        return false;
    }
    if (r->message.user_count == MQTT_MAX_USER_PROPERTIES) {
        command_usage(line, "at most %d user properties are kept of a message",
                      MQTT_MAX_USER_PROPERTIES);
        return false;
    }
    r->user[r->message.user_count++] =
        (struct mqtt_user_property){span_slice(s, 0, at), span_slice(s, at + 1, s.len)};
    return true;
}

static bool take_option(struct command_line *line, struct request *r, int c)
{
    uint64_t qos;
    switch (c) {
    case 'p':
    case 'P':
        r->message.payload = span_of(optarg);
        break;
    case 'f':
    case 'F':
        r->file = optarg;
        break;
    case 'q':
        if (!command_number(line, "--qos", optarg, 0, 2, &qos))
            return false;
        r->message.qos = (int)qos;
        break;
    case 'r':
        r->message.retain = true;
        break;
    case 'u':
        if (!add_user(line, r, optarg))
            return false;
        break;
    case 't':
        r->message.content_type = span_of(optarg);
        break;
    case 'Q':
        r->queue = optarg;
        break;
    default:
        return false;
    }
    if (strchr("PF", c)) {
        r->of_cmq = true;
    } else if (c != 'Q') {
        r->of_mqtt = true;
    }
    return true;
}

static bool read_options(struct command_line *line, struct request *r)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"payload", required_argument, NULL, 'p'},
                                            {"payload-file", required_argument, NULL, 'f'},
                                            {"qos", required_argument, NULL, 'q'},
                                            {"retain", no_argument, NULL, 'r'},
                                            {"user", required_argument, NULL, 'u'},
                                            {"content-type", required_argument, NULL, 't'},
                                            {"queue", required_argument, NULL, 'Q'},
                                            {"body", required_argument, NULL, 'P'},
                                            {"body-file", required_argument, NULL, 'F'},
                                            {0}};
    line->status = COMMAND_USAGE;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (!take_option(line, r, c))
            return false;
    }
    const char *why;
    if (r->queue) {
        if (!command_words(line, 0, 0))
            return false;
        if (r->of_mqtt) {
            command_usage(line, "with --queue, a message has a body and nothing else: --body TEXT "
                                "or --body-file FILE");
        } else if (!r->file == !r->message.payload.ptr) {
            command_usage(line, "--queue wants either --body TEXT or --body-file FILE");
        } else if (!cmq_name_ok(span_of(r->queue), &why)) {
            command_usage(line, "QUEUE '%.200s' is not valid: %s", r->queue, why);
        } else {
            return true;
        }
        return false;
    }
    if (!command_words(line, 1, 1))
        return false;
    r->message.topic = span_of(line->argv[optind]);
    if (r->of_cmq) {
        command_usage(line, "--body and --body-file go with --queue");
    } else if (r->file && r->message.payload.ptr) {
        command_usage(line, "--payload and --payload-file exclude each other");
    } else if (!topic_name_ok(r->message.topic, &why)) {
        command_usage(line, "TOPIC '%.200s' is not valid: %s", line->argv[optind], why);
    } else {
        return true;
    }
    return false;
}

/* Whether some rule matches. */
static bool explain_topic(const struct command_line *line, const struct config *config,
                          const struct mqtt_message *message, struct jq_worker *jq)
{
    struct explanation *e = explanation_new(config, message, jq);
    if (line->json) {
        explain_print_json(stdout, e);
    } else {
        explain_print_text(stdout, e);
    }
    bool matched = e->match_count > 0;
    explanation_free(e);
    return matched;
}

/* Whether some rule publishes it. */
static bool explain_queue(const struct command_line *line, const struct config *config,
                          const struct request *r, struct jq_worker *jq)
{
    struct reverse_explanation *e =
        reverse_explanation_new(config, span_of(r->queue), r->message.payload, jq);
    if (line->json) {
        explain_print_reverse_json(stdout, e);
    } else {
        explain_print_reverse_text(stdout, e);
    }
    bool published = e->publish_count > 0;
    reverse_explanation_free(e);
    return published;
}

/* False when the answer is none, or there is none and that has been said. */
static bool explain(const struct command_line *line, struct request *r)
{
    if (r->file) {
        if (!command_read(line, r->file, &r->payload))
            return false;
        r->message.payload = buf_span(&r->payload);
    }
    struct config *config = command_config_offline(line);
    struct jq_worker *jq;
    bool yes = config && command_jq(line, config->rules, &jq);
    if (yes) {
        yes = r->queue ? explain_queue(line, config, r, jq)
                       : explain_topic(line, config, &r->message, jq);
        jq_worker_free(jq);
        yes = command_flush(line) && yes;
    }
    config_free(config);
    return yes;
}

int cmd_explain(struct command_line *line)
{
    struct request r = {.message = {.qos = 1, .received_ms = clock_unix_ms()},
                        .payload = BUF_INIT(MAX_PAYLOAD_BYTES)};
    r.message.user = r.user;
    if (!read_options(line, &r))
        return line->status;
    bool yes = explain(line, &r);
    buf_fini(&r.payload);
    return yes ? COMMAND_OK : COMMAND_NO;
}
