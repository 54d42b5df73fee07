/* command: finds the command that was typed and does what all of them have in common. */
#include "gateway/command.h"

#include "base/nearest.h"
#include "gateway/print.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

enum { MAX_SIBLINGS = 32 };

static const char default_config[] = "/etc/cmqgw/gateway.cfg";

static void print_help(const struct command_line *line, FILE *out)
{
    const struct command *command = line->command;
    fprintf(out, "usage: %s%s%s\n", line->path, *command->usage ? " " : "", command->usage);
    if (command->help[0])
        fprintf(out, "\n%s", command->help);
    if (command->subs) {
        fprintf(out, "\ncommands:\n");
        for (const struct command *sub = command->subs; sub->name; sub++)
            fprintf(out, "  %-13s %s\n", sub->name, sub->summary);
        fprintf(out, "\n'%s COMMAND --help' tells more.\n", line->path);
    }
    fprintf(out,
            "\nEverywhere: -c FILE, --config FILE (default %s),\n"
            "--json for output that machines read, --help, and --version of the whole.\n",
            default_config);
}

/* The beginning of a line on stderr. Words come from anywhere, so they are made safe to look at. */
__attribute__((format(printf, 2, 0))) static void say(const struct command_line *line,
                                                      const char *format, va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof(text), format, args);
    fprintf(stderr, "%s: ", line->path);
    print_text(stderr, span_of(text));
}

int command_usage(const struct command_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(line, format, args);
    va_end(args);
    fprintf(stderr, "; try '%s --help'\n", line->path);
    return COMMAND_USAGE;
}

int command_failed(const struct command_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(line, format, args);
    va_end(args);
    fputc('\n', stderr);
    return COMMAND_NO;
}

static int stop(struct command_line *line, int status)
{
    line->status = status;
    return COMMAND_STOP;
}

/* Says which option getopt_long refused, and names the nearest there is. */
static int refuse_option(struct command_line *line, int why, const struct option *options)
{
    const char *typed = line->argv[optind - 1];
    const char *names[MAX_SIBLINGS];
    size_t count = 0;
    for (const struct option *o = options; o->name && count < MAX_SIBLINGS; o++) {
        if (optopt && o->val == optopt) {
            if (why == ':')
                return stop(line, command_usage(line, "--%s wants a value", o->name));
            return stop(line, command_usage(line, "--%s takes no value", o->name));
        }
        names[count++] = o->name;
    }
    if (optopt) /* a short one, perhaps in the midst of others */
        return stop(line, command_usage(line, "unknown option -%c", optopt));
    const char *word = typed + strspn(typed, "-");
    const char *nearest = nearest_word(word, names, count);
    if (nearest) {
        return stop(line,
                    command_usage(line, "unknown option %.200s (is it --%s?)", typed, nearest));
    }
    return stop(line, command_usage(line, "unknown option %.200s", typed));
}

/* getopt_long for a command (how: ":c:h") or a group, which ends at its first word ("+:c:h"). */
static int next_option(struct command_line *line, const char *how, const struct option *options)
{
    for (;;) {
        int c = getopt_long(line->argc, line->argv, how, options, NULL);
        switch (c) {
        case 'c':
            line->config = optarg;
            break;
        case COMMAND_OPT_JSON:
            line->json = true;
            break;
        case 'h':
            print_help(line, stdout);
            return stop(line, command_flush(line) ? COMMAND_OK : COMMAND_NO);
        case COMMAND_OPT_VERSION:
            printf("cmqgw %s\n", CMQGW_VERSION);
            return stop(line, command_flush(line) ? COMMAND_OK : COMMAND_NO);
        case '?':
        case ':':
            return refuse_option(line, c, options);
        default:
            return c;
        }
    }
}

int command_getopt(struct command_line *line, const struct option *options)
{
    return next_option(line, ":c:h", options);
}

static const struct command *find_command(struct command_line *line, const char *word)
{
    const char *names[MAX_SIBLINGS];
    size_t count = 0;
    for (const struct command *sub = line->command->subs; sub->name; sub++) {
        if (strcmp(sub->name, word) == 0)
            return sub;
        CHECK(count < MAX_SIBLINGS);
        names[count++] = sub->name;
    }
    const char *nearest = nearest_word(word, names, count);
    if (nearest) {
        line->status = command_usage(line, "unknown command '%.200s' (is it '%s'?)", word, nearest);
    } else {
        line->status = command_usage(line, "unknown command '%.200s'", word);
    }
    return NULL;
}

int command_main(const struct command *program, int argc, char **argv)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"version", no_argument, NULL, COMMAND_OPT_VERSION}, {0}};
    struct command_line line = {
        .command = program, .config = default_config, .argc = argc, .argv = argv};
    snprintf(line.path, sizeof(line.path), "%s", program->name);
    opterr = 0;
    for (;;) {
        optind = 0; /* glibc: begin anew */
        if (line.command->run)
            return line.command->run(&line);
        if (next_option(&line, "+:c:h", options) == COMMAND_STOP)
            return line.status;
        if (optind >= line.argc) {
            print_help(&line, stderr);
            return COMMAND_USAGE;
        }
        const struct command *sub = find_command(&line, line.argv[optind]);
        if (!sub)
            return line.status;
        line.argc -= optind;
        line.argv += optind;
        line.command = sub;
        size_t len = strlen(line.path);
        snprintf(line.path + len, sizeof(line.path) - len, " %s", sub->name);
    }
}

bool command_words(const struct command_line *line, int least, int most)
{
    int words = line->argc - optind;
    if (words < least) {
        command_usage(line, "expected %s", line->command->usage);
    } else if (words > most) {
        command_usage(line, "'%.200s' is one word too many", line->argv[optind + most]);
    }
    return words >= least && words <= most;
}

bool command_number(const struct command_line *line, const char *option, const char *text,
                    uint64_t min, uint64_t max, uint64_t *out)
{
    if (span_to_u64(span_of(text), max, out) && *out >= min)
        return true;
    command_usage(line, "%s wants a number from %" PRIu64 " to %" PRIu64 ", not '%.200s'", option,
                  min, max, text);
    return false;
}

static struct config *load(const struct command_line *line, bool warnings, bool offline)
{
    struct faults faults = {0};
    struct buf text = BUF_INIT(64 << 20);
    struct config *config =
        offline ? config_load_offline(line->config, &faults) : config_load(line->config, &faults);
    if (!config || warnings) {
        faults_print(&faults, false, &text);
        fputs(buf_str(&text), stderr);
    }
    buf_fini(&text);
    faults_fini(&faults);
    return config;
}

struct config *command_config(const struct command_line *line)
{
    return load(line, true, false);
}

struct config *command_config_by_hand(const struct command_line *line)
{
    return load(line, false, false);
}

struct config *command_config_offline(const struct command_line *line)
{
    return load(line, false, true);
}

bool command_jq(const struct command_line *line, const struct ruleset *rules,
                struct jq_worker **worker)
{
    struct err err;
    *worker = rules->program_count > 0 ? jq_worker_alone(&err) : NULL;
    if (*worker || rules->program_count == 0)
        return true;
    command_failed(line, "%s", err.text);
    return false;
}

bool command_read(const struct command_line *line, const char *path, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        char chunk[16384];
        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0 && !buf_add(out, span_make(chunk, (size_t)n))) {
            break;
        }
    }
    if (n < 0) {
        command_failed(line, "cannot read %s: %s", is_stdin ? "stdin" : path, strerror(errno));
    } else if (out->overflow) {
        command_failed(line, "%s is larger than %zu bytes", is_stdin ? "stdin" : path,
                       out->max_len);
    }
    if (fd >= 0 && !is_stdin)
        close(fd);
    return n >= 0 && !out->overflow;
}

bool command_flush(const struct command_line *line)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    command_failed(line, "cannot write the output: %s", strerror(errno));
    return false;
}
