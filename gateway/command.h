/*
 * command - the commands of cmqgw: their table, their options, and what they have in common
 *
 * A command is a row: name, usage, summary, help, function. A row with sub-commands in place of a
 * function is a group ("cmq", "dead-letters", "spool"); the program itself is the topmost group.
 * `-c FILE`, `--json` and `--help` are understood before and after every name. One thread.
 */
#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

#include "base/buf.h"
#include "config/config.h"

#include <getopt.h>
#include <stdio.h>

enum command_exit {
    COMMAND_OK = 0,
    COMMAND_NO = 1, /* the answer is no, or something could not be done */
    COMMAND_USAGE = 2,
};

struct command_line;

struct command {
    const char *name;    /* NULL ends a table */
    const char *usage;   /* what follows the name */
    const char *summary; /* for the list of commands: one line, lower case */
    const char *help;    /* the paragraphs of --help, each line with its newline */
    int (*run)(struct command_line *line);
    const struct command *subs; /* a group: run is NULL */
};

/* A command as it was typed. */
struct command_line {
    const struct command *command;
    char path[64];      /* "cmqgw cmq send" */
    const char *config; /* -c */
    bool json;          /* --json */
    int argc;
    char **argv; /* [0] is the command's name */
    int status;  /* the exit code, once command_getopt has returned COMMAND_STOP */
};

/* The options of every command; a command's own follow, then {0}. */
enum { COMMAND_STOP = 1000, COMMAND_OPT_JSON, COMMAND_OPT_VERSION };
#define COMMAND_OPTIONS                                                                            \
    {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},                    \
    {                                                                                              \
        "json", no_argument, NULL, COMMAND_OPT_JSON                                                \
    }

/* Runs what argv asks for, starting at the topmost group. Returns the exit code. */
int command_main(const struct command *program, int argc, char **argv);

/*
 * getopt_long with the options of every command dealt with: returns the val of the next one of the
 * command's own (its argument in optarg), or -1 when only words are left (from optind). When it has
 * said something final instead, be it the help or what is wrong, it returns COMMAND_STOP: then
 * return line->status.
 */
int command_getopt(struct command_line *line, const struct option *options);

/* Says in one line what is wrong with how the command was typed. Returns COMMAND_USAGE. */
int command_usage(const struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says on stderr in one line why the command could not do its work. Returns COMMAND_NO. */
int command_failed(const struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether from `least` to `most` words follow the options; if not, says so. */
bool command_words(const struct command_line *line, int least, int most);

/* Reads an option's number; when it is none or out of bounds, says so and returns false. */
bool command_number(const struct command_line *line, const char *option, const char *text,
                    uint64_t min, uint64_t max, uint64_t *out);

/*
 * Loads the configuration; its faults, warnings included, go to stderr. NULL when it has errors.
 * The caller frees it. The second one leaves out the warnings of a configuration without errors:
 * for work by hand, where they would be in the way each time. So does the third, which is for
 * commands that connect to nothing: secrets need not be there.
 */
struct config *command_config(const struct command_line *line);
struct config *command_config_by_hand(const struct command_line *line);
struct config *command_config_offline(const struct command_line *line);

/*
 * The worker that runs the rules' jq programs; NULL when they have none. False, and said so, when
 * it cannot be had. The caller frees it with jq_worker_free. While there is no other thread.
 */
bool command_jq(const struct command_line *line, const struct ruleset *rules,
                struct jq_worker **worker);

/*
 * Reads a file to its end into out, "-" being standard input. False, and said so, when it cannot be
 * read or is larger than out's ceiling.
 */
bool command_read(const struct command_line *line, const char *path, struct buf *out);

/* Writes out what was printed; false, and said so, when stdout does not take it. */
bool command_flush(const struct command_line *line);

/* The commands. */
int cmd_run(struct command_line *line); /* run.c */
int cmd_check(struct command_line *line);
int cmd_test(struct command_line *line);
int cmd_match(struct command_line *line);
int cmd_explain(struct command_line *line);
int cmd_reload(struct command_line *line);
int cmd_status(struct command_line *line);
int cmd_provision(struct command_line *line);
extern const struct command cmq_commands[];
extern const struct command dead_letters_commands[];
extern const struct command spool_commands[];

#endif
