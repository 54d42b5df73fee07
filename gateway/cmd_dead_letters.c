/* cmqgw dead-letters: shows what could not be delivered. */
#include "base/clock.h"
#include "gateway/dead_letters.h"
#include "gateway/letter_json.h"
#include "gateway/print.h"
#include "gateway/state.h"

#include <inttypes.h>

enum { SHOWN_BODY_BYTES = 16384 };

static const char *direction_name(const struct dead_letter *letter)
{
    return letter->direction == DEAD_UP ? "up" : "down";
}

static void print_letter(const struct dead_letter *letter, bool whole)
{
    /* Each byte may become \\u00XX, and is there a second time in base64. */
    struct buf out = BUF_INIT(8 * dead_letter_bytes(letter) + 4096);
    struct emit emit = {.out = &out};
    letter_json(&emit, letter, whole);
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

/* How a listing shows each letter. */
struct view {
    bool (*text)(void *ctx, const struct dead_letter *letter);
    bool (*json)(void *ctx, const struct dead_letter *letter);
    bool with_body;
    bool is_array; /* in JSON; else an object a line */
};

static bool list_json(void *ctx, const struct dead_letter *letter)
{
    uint64_t *count = ctx;
    fputs((*count)++ ? ",\n " : "", stdout);
    print_letter(letter, false);
    return !ferror(stdout);
}

/* 80 columns: id 8, received 19, direction 4, rule 12, and 33 for the reason. */
static bool list_row(void *ctx, const struct dead_letter *letter)
{
    uint64_t *count = ctx;
    char iso[CLOCK_ISO_SIZE];
    clock_iso(letter->received_ms, iso);
    if ((*count)++ == 0)
        puts("      id received (UTC)      dir  rule         reason");
    printf("%8" PRIu64 " %.10s %.8s %-4s ", letter->id, iso, iso + 11, direction_name(letter));
    int width = print_cut(stdout, letter->rule, 12);
    printf("%*s", 13 - width, "");
    print_cut(stdout, letter->reason, 33);
    putchar('\n');
    return !ferror(stdout);
}

static bool export_line(void *ctx, const struct dead_letter *letter)
{
    uint64_t *count = ctx;
    (*count)++;
    print_letter(letter, true);
    putchar('\n');
    return !ferror(stdout);
}

/* Shows all letters, or those of --rule. */
static int show_each(struct command_line *line, const struct view *view)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"rule", required_argument, NULL, 'r'}, {0}};
    const char *rule = NULL;
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        rule = optarg;
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;
    struct state state;
    if (!state_open(&state, line))
        return COMMAND_NO;
    bool in_array = view->is_array && line->json;
    uint64_t count = 0;
    struct err err;
    fputs(in_array ? "[" : "", stdout);
    bool ok = morgue_each(state.morgue, rule, view->with_body, line->json ? view->json : view->text,
                          &count, &err);
    fputs(in_array ? "]\n" : "", stdout);
    if (!ok) {
        command_failed(line, "%s", err.text);
    } else if (count == 0 && !line->json) {
        fputs("no dead letters\n", stderr);
    }
    state_close(&state);
    return command_flush(line) && ok ? COMMAND_OK : COMMAND_NO;
}

static int cmd_list(struct command_line *line)
{
    return show_each(line, &(struct view){.text = list_row, .json = list_json, .is_array = true});
}

static int cmd_export(struct command_line *line)
{
    return show_each(line,
                     &(struct view){.text = export_line, .json = export_line, .with_body = true});
}

static void text_field(const char *name, struct span value)
{
    printf("%-12s ", name);
    print_text(stdout, value);
    putchar('\n');
}

static void text_letter(const struct dead_letter *letter)
{
    char received[CLOCK_ISO_SIZE], died[CLOCK_ISO_SIZE];
    clock_iso(letter->received_ms, received);
    clock_iso(letter->died_ms, died);
    printf("%-12s %" PRIu64 "\n", "id", letter->id);
    text_field("rule", letter->rule);
    printf("%-12s %s\n", "direction", direction_name(letter));
    text_field("reason", letter->reason);
    if (letter->destination.len)
        text_field("destination", letter->destination);
    printf("%-12s %s\n%-12s %s\n%-12s %" PRIu32 "\n", "received", received, "set aside", died,
           "attempts", letter->attempts);
    if (letter->origin.len)
        text_field("origin", letter->origin);
    printf("%-12s %zu byte%s\n", "body", letter->body.len, letter->body.len == 1 ? "" : "s");
    print_wrapped(stdout, letter->body, SHOWN_BODY_BYTES, 80, 0);
    putchar('\n');
}

static int cmd_show(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS, {0}};
    uint64_t id;
    if (command_getopt(line, options) == COMMAND_STOP)
        return line->status;
    if (!command_words(line, 1, 1) ||
        !command_number(line, "ID", line->argv[optind], 1, UINT64_MAX, &id))
        return COMMAND_USAGE;
    struct state state;
    if (!state_open(&state, line))
        return COMMAND_NO;
    struct err err = {.text = ""};
    struct dead_letter *letter = morgue_find(state.morgue, id, &err);
    if (!letter) {
        command_failed(line, "%s", err.text[0] ? err.text : "there is no dead letter with this id");
    } else if (line->json) {
        print_letter(letter, true);
        putchar('\n');
    } else {
        text_letter(letter);
    }
    bool ok = letter;
    free(letter);
    state_close(&state);
    return command_flush(line) && ok ? COMMAND_OK : COMMAND_NO;
}

const struct command dead_letters_commands[] = {
    {
        .name = "list",
        .usage = "[--rule R]",
        .summary = "one a line, the oldest first",
        .help = "  --rule R  only those of rule R\n"
                "  --json    an array of {id, rule, direction, reason, destination, received,\n"
                "            attempts, body_bytes}\n"
                "\n"
                "Exit: 0 done, also when there is none; 1 the state directory cannot be read.\n",
        .run = cmd_list,
    },
    {
        .name = "show",
        .usage = "ID",
        .summary = "all that is known of one, with its body",
        .help =
            "  --json  one object, as of list, with died, origin (the original message's topic\n"
            "          and properties, when it was never planned; queue and msgId of one from\n"
            "          CMQ), body_base64, and body when it is UTF-8\n"
            "\n"
            "Exit: 0 done; 1 there is none with this ID.\n",
        .run = cmd_show,
    },
    {
        .name = "replay",
        .usage = "[ID...] [--rule R]",
        .summary = "try to deliver again: these, those of a rule, or all",
        .help = "A letter that CMQ refused goes back to where it was bound. One that could not be\n"
                "mapped is mapped again by what its rule says now. One that came from a CMQ queue\n"
                "(direction down) is sent back into it, for the reverse rules of today; one that\n"
                "CMQ pushed can only be exported or dropped. A letter for which there is no way\n"
                "stays where it is, and why is said.\n"
                "\n"
                "  --rule R  only those of rule R\n"
                "  --json    one object: replayed (how many), kept (an array of {id, reason})\n"
                "\n"
                "Exit: 0 all of them go; 1 some stay.\n",
        .run = cmd_dead_letters_replay,
    },
    {
        .name = "drop",
        .usage = "ID... | --rule R | --all",
        .summary = "delete for good: these, those of a rule, or all",
        .help = "  --rule R  those of rule R; with IDs, only these of them\n"
                "  --all     every one\n"
                "  --json    one object: dropped (how many), kept (an array of {id, reason})\n"
                "\n"
                "Exit: 0 all of them are gone; 1 some are not.\n",
        .run = cmd_dead_letters_drop,
    },
    {
        .name = "export",
        .usage = "[--rule R]",
        .summary = "all, with their bodies, as a JSON object a line",
        .help = "Prints for each what 'show --json' prints. Nothing is taken out.\n"
                "\n"
                "  --rule R  only those of rule R\n"
                "\n"
                "Exit: 0 done, also when there is none; 1 the state directory cannot be read.\n",
        .run = cmd_export,
    },
    {.name = NULL},
};
