/* state - the configured state directory, opened for a command. One thread. */
#ifndef GATEWAY_STATE_H
#define GATEWAY_STATE_H

#include "gateway/command.h"
#include "spool/morgue.h"

struct state {
    struct config *config;
    struct morgue *morgue;
};

/* Loads the configuration and opens its state directory. False when it cannot: that was said. */
bool state_open(struct state *state, const struct command_line *line);
void state_close(struct state *state);

#endif
