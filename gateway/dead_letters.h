/*
 * dead_letters - what the files of the dead-letters commands share
 *
 * cmd_dead_letters.c shows letters, cmd_take_out.c replays and drops them. One thread.
 */
#ifndef GATEWAY_DEAD_LETTERS_H
#define GATEWAY_DEAD_LETTERS_H

#include "gateway/command.h"

int cmd_dead_letters_replay(struct command_line *line);
int cmd_dead_letters_drop(struct command_line *line);

#endif
