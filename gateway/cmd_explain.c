/* cmqgw explain: reads a message from the command line and shows what would become of it. */
#include "base/clock.h"
#include "gateway/command.h"
#include "gateway/explain_print.h"

enum { MAX_PAYLOAD_BYTES = 16 << 20 };

/* What the command line says of the message, and the bytes that the message points to. */
struct request {
    struct mqtt_message message;
    struct mqtt_user_property user[MQTT_MAX_USER_PROPERTIES];
    const char *file;
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

static bool read_options(struct command_line *line, struct request *r)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"payload", required_argument, NULL, 'p'},
                                            {"payload-file", required_argument, NULL, 'f'},
                                            {"qos", required_argument, NULL, 'q'},
                                            {"retain", no_argument, NULL, 'r'},
                                            {"user", required_argument, NULL, 'u'},
                                            {"content-type", required_argument, NULL, 't'},
                                            {0}};
    line->status = COMMAND_USAGE;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        uint64_t qos;
        switch (c) {
        case 'p':
            r->message.payload = span_of(optarg);
            break;
        case 'f':
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
        default:
            return false;
        }
    }
    if (!command_words(line, 1, 1))
        return false;
    if (r->file && r->message.payload.ptr) {
        command_usage(line, "--payload and --payload-file exclude each other");
        return false;
    }
    r->message.topic = span_of(line->argv[optind]);
    const char *why;
    if (!topic_name_ok(r->message.topic, &why)) {
        command_usage(line, "TOPIC '%.200s' is not valid: %s", line->argv[optind], why);
        return false;
    }
    return true;
}

/* Sets *matched; false when it could not be explained, and that has been said. */
static bool explain(const struct command_line *line, struct request *r, bool *matched)
{
    if (r->file) {
        if (!command_read(line, r->file, &r->payload))
            return false;
        r->message.payload = buf_span(&r->payload);
    }
    struct config *config = command_config_by_hand(line);
    if (!config)
        return false;
    struct explanation *e = explanation_new(config, &r->message);
    if (line->json) {
        explain_print_json(stdout, e);
    } else {
        explain_print_text(stdout, e);
    }
    *matched = e->match_count > 0;
    explanation_free(e);
    config_free(config);
    return command_flush(line);
}

int cmd_explain(struct command_line *line)
{
    struct request r = {.message = {.qos = 1, .received_ms = clock_unix_ms()},
                        .payload = BUF_INIT(MAX_PAYLOAD_BYTES)};
    r.message.user = r.user;
    if (!read_options(line, &r))
        return line->status;
    bool matched = false;
    bool done = explain(line, &r, &matched);
    buf_fini(&r.payload);
    return done && matched ? COMMAND_OK : COMMAND_NO;
}
