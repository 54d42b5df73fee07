/*
 * running - the gateway that runs with a configuration, for commands that ask it something
 *
 * Found by admin.listen and admin.token of the main file, read whatever else is wrong with the
 * files: that must not keep anybody from looking at what runs. One thread.
 */
#ifndef GATEWAY_RUNNING_H
#define GATEWAY_RUNNING_H

#include "gateway/command.h"

struct running {
    const struct command_line *line;
    struct config *config; /* config_load_anyhow's */
    struct buf token;
    bool quiet; /* nothing is said of what goes wrong */
};

/* False, and said, when it cannot be known where to ask. Call running_fini in any case. */
MUST_CHECK bool running_init(struct running *running, const struct command_line *line, bool quiet);
void running_fini(struct running *running);

struct running_question {
    const char *method, *path;
    unsigned other;     /* a status that is an answer as good as 200; 0: none */
    int64_t timeout_ms; /* 0: 5 s */
};

/* Asks; the answer's body replaces out's. False, and said, when it is no answer. */
MUST_CHECK bool running_ask(const struct running *running, const struct running_question *question,
                            unsigned *status, struct buf *out);

/* Says what is wrong, unless quiet. Returns COMMAND_NO. */
int running_failed(const struct running *running, const char *text);

#endif
