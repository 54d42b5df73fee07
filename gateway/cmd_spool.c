/* cmqgw spool: the figures and the soundness of a state directory. */
#include "base/clock.h"
#include "base/quantity.h"
#include "gateway/print.h"
#include "gateway/state.h"

#include <inttypes.h>

/* Neither command has words or options of its own. */
static bool open_state(struct state *state, struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS, {0}};
    if (command_getopt(line, options) == COMMAND_STOP)
        return false;
    line->status = COMMAND_USAGE;
    if (!command_words(line, 0, 0))
        return false;
    line->status = COMMAND_NO;
    return state_open(state, line);
}

static void stat_text(const char *dir, bool running, const struct spool_stat *stat, uint64_t max)
{
    struct buf text = BUF_INIT(1024);
    printf("state directory  %s\n", dir);
    printf("gateway          %s\n", running ? "running" : "not running");
    printf("waiting          %" PRIu64 " deliver%s", stat->deliveries,
           stat->deliveries == 1 ? "y" : "ies");
    if (stat->oldest_ms) {
        char iso[CLOCK_ISO_SIZE];
        int64_t age_ms = clock_unix_ms() - stat->oldest_ms;
        clock_iso(stat->oldest_ms, iso);
        duration_format(&text, (age_ms > 0 ? age_ms : 0) / 1000 * 1000);
        printf(", the oldest %s old (%s)", buf_str(&text), iso);
        buf_clear(&text);
    }
    printf("\ndead letters     %" PRIu64 "\n", stat->dead_letters);
    double percent = max ? 100.0 * (double)stat->used_bytes / (double)max : 0;
    size_format(&text, max);
    printf("used             %" PRIu64 " bytes, %.1f %% of %s\n", stat->used_bytes, percent,
           buf_str(&text));
    buf_fini(&text);
}

static void stat_json(const char *dir, bool running, const struct spool_stat *stat, uint64_t max)
{
    char iso[CLOCK_ISO_SIZE];
    fputs("{\"state_dir\":", stdout);
    print_json(stdout, span_of(dir));
    printf(",\"running\":%s,\"deliveries\":%" PRIu64 ",\"dead_letters\":%" PRIu64,
           running ? "true" : "false", stat->deliveries, stat->dead_letters);
    printf(",\"used_bytes\":%" PRIu64 ",\"max_bytes\":%" PRIu64 ",\"oldest\":", stat->used_bytes,
           max);
    clock_iso(stat->oldest_ms, iso);
    if (stat->oldest_ms) {
        printf("\"%s\"}\n", iso);
    } else {
        puts("null}");
    }
}

static int cmd_stat(struct command_line *line)
{
    struct state state;
    struct spool_stat stat;
    struct err err;
    if (!open_state(&state, line))
        return line->status;
    bool ok = morgue_stat(state.morgue, &stat, &err);
    if (ok) {
        (line->json ? stat_json : stat_text)(state.config->gateway.state_dir,
                                             morgue_gateway_runs(state.morgue), &stat,
                                             state.config->spool.max_size_bytes);
    } else {
        command_failed(line, "%s", err.text);
    }
    state_close(&state);
    return command_flush(line) && ok ? COMMAND_OK : COMMAND_NO;
}

struct findings {
    bool json;
    size_t count;
};

static void print_finding(void *ctx, const char *text)
{
    struct findings *findings = ctx;
    if (findings->json) {
        fputs(findings->count ? "," : "", stdout);
        print_json(stdout, span_of(text));
    } else {
        print_text(stdout, span_of(text));
        fputc('\n', stdout);
    }
    findings->count++;
}

static int cmd_verify(struct command_line *line)
{
    struct state state;
    if (!open_state(&state, line))
        return line->status;
    struct findings findings = {.json = line->json};
    struct err err = {.text = ""};
    if (line->json)
        fputs("{\"faults\":[", stdout);
    bool sound = morgue_verify(state.morgue, print_finding, &findings, &err);
    if (line->json) {
        printf("],\"ok\":%s}\n", sound ? "true" : "false");
    } else if (sound) {
        printf("%s: ok\n", state.config->gateway.state_dir);
    }
    if (err.text[0])
        command_failed(line, "%s", err.text);
    state_close(&state);
    return command_flush(line) && sound ? COMMAND_OK : COMMAND_NO;
}

const struct command spool_commands[] = {
    {
        .name = "stat",
        .usage = "",
        .summary = "what waits there and how much room it takes",
        .help = "Prints the state directory's figures.\n"
                "\n"
                "  --json  one object: state_dir, running, deliveries, dead_letters, used_bytes,\n"
                "          max_bytes, oldest (time of arrival, or null)\n"
                "\n"
                "Exit: 0 done; 1 the state directory cannot be read.\n",
        .run = cmd_stat,
    },
    {
        .name = "verify",
        .usage = "",
        .summary = "look for damage",
        .help =
            "Checks the database, its schema and each row, and prints a line for each finding.\n"
            "\n"
            "  --json  one object: faults (an array of texts), ok\n"
            "\n"
            "Exit: 0 sound; 1 damaged, or it cannot be read.\n",
        .run = cmd_verify,
    },
    {.name = NULL},
};
