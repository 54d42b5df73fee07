/* cmqgw match: one comparison, of an MQTT filter with a topic or of a binding key with a route. */
#include "cmq/key.h"
#include "gateway/command.h"
#include "gateway/print.h"
#include "mapping/filter.h"

/* Prints the answer; filter and captures are NULL where there are no names to tell. */
static int answer(const struct command_line *line, bool yes, const struct filter *filter,
                  const struct topic_captures *captures)
{
    if (line->json) {
        printf("{\"match\":%s", yes ? "true" : "false");
        if (yes && filter) {
            fputs(",\"captures\":", stdout);
            print_captures_json(stdout, filter, captures);
        }
        puts("}");
    } else {
        puts(yes ? "match" : "no match");
        if (yes && filter)
            print_captures(stdout, filter, captures, 2);
    }
    if (!command_flush(line))
        return COMMAND_USAGE; /* neither yes nor no */
    return yes ? COMMAND_OK : COMMAND_NO;
}

static int match_key(const struct command_line *line, struct span binding, struct span route)
{
    const char *why;
    if (!cmq_binding_key_ok(binding, &why))
        return command_usage(line, "BINDING '%.200s' is not valid: %s", binding.ptr, why);
    if (!cmq_route_ok(route, &why))
        return command_usage(line, "ROUTE '%.200s' is not valid: %s", route.ptr, why);
    return answer(line, cmq_key_match(binding, route), NULL, NULL);
}

static int match_named(const struct command_line *line, struct span text, struct span topic)
{
    struct err err;
    struct filter *filter = filter_new(text, &err);
    if (!filter)
        return command_usage(line, "FILTER '%.200s' is not valid: %s", text.ptr, err.text);
    struct topic_captures captures = {0};
    bool yes = topic_match(span_of(filter->plain), topic, &captures);
    int status = answer(line, yes, filter, &captures);
    filter_free(filter);
    return status;
}

static int match_filter(const struct command_line *line, struct span filter, struct span topic,
                        bool named)
{
    const char *why;
    if (!topic_name_ok(topic, &why))
        return command_usage(line, "TOPIC '%.200s' is not valid: %s", topic.ptr, why);
    if (named)
        return match_named(line, filter, topic);
    if (!topic_filter_ok(filter, &why))
        return command_usage(line, "FILTER '%.200s' is not valid: %s", filter.ptr, why);
    return answer(line, topic_match(filter, topic, NULL), NULL, NULL);
}

int cmd_match(struct command_line *line)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"named", no_argument, NULL, 'n'}, {"key", no_argument, NULL, 'k'}, {0}};
    bool named = false, key = false;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        if (c == 'n') {
            named = true;
        } else {
            key = true;
        }
    }
    if (named && key)
        return command_usage(line, "--named and --key exclude each other");
    if (!command_words(line, 2, 2))
        return COMMAND_USAGE;
    struct span left = span_of(line->argv[optind]);
    struct span right = span_of(line->argv[optind + 1]);
    return key ? match_key(line, left, right) : match_filter(line, left, right, named);
}
