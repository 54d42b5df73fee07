/* state: the configured state directory, opened for a command. */
#include "gateway/state.h"

bool state_open(struct state *state, const struct command_line *line)
{
    struct err err;
    *state = (struct state){.config = command_config_offline(line)};
    if (!state->config)
        return false;
    state->morgue = morgue_open(state->config->gateway.state_dir, &err);
    if (state->morgue)
        return true;
    command_failed(line, "%s", err.text);
    config_free(state->config);
    return false;
}

void state_close(struct state *state)
{
    morgue_close(state->morgue);
    config_free(state->config);
}
