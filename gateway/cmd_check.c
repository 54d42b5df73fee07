/* cmqgw check: the faults of a configuration, or its options. */
#include "gateway/command.h"

static void print_ok(const struct config *config, FILE *out)
{
    const struct ruleset *rules = config->rules;
    const struct resources *resources = &config->resources;
    fprintf(out, "%s: ok: %zu forward rule%s, %zu reverse rule%s", config->path,
            rules->forward_count, rules->forward_count == 1 ? "" : "s", rules->reverse_count,
            rules->reverse_count == 1 ? "" : "s");
    if (resources->declared) {
        fprintf(out, ", %zu queue%s, %zu topic%s", resources->queue_count,
                resources->queue_count == 1 ? "" : "s", resources->topic_count,
                resources->topic_count == 1 ? "" : "s");
    }
    if (config->test_count)
        fprintf(out, ", %zu test%s", config->test_count, config->test_count == 1 ? "" : "s");
    fputc('\n', out);
}

int cmd_check(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"print", no_argument, NULL, 'p'},
                                            {"strict", no_argument, NULL, 's'},
                                            {"no-hints", no_argument, NULL, 'i'},
                                            {0}};
    bool print = false, strict = false, hints = true;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        print = print || c == 'p';
        strict = strict || c == 's';
        hints = hints && c != 'i';
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;

    struct faults faults = {.hints = hints};
    struct buf out = BUF_INIT(64 << 20);
    struct config *config = print    ? config_load_to_print(line->config, !strict, &faults)
                            : strict ? config_load(line->config, &faults)
                                     : config_load_offline(line->config, &faults);
    bool options_follow = print && config;
    faults_print(&faults, line->json && !options_follow, &out);
    fputs(buf_str(&out), options_follow ? stderr : stdout);
    if (options_follow) {
        buf_clear(&out);
        config_print(config, line->json, &out);
        fputs(buf_str(&out), stdout);
    } else if (config && !line->json) {
        print_ok(config, stdout);
    }
    int status = config ? COMMAND_OK : COMMAND_NO;
    buf_fini(&out);
    faults_fini(&faults);
    config_free(config);
    return command_flush(line) ? status : COMMAND_NO;
}
