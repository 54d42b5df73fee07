/*
 * link_log - what the log says of the session with the broker
 *
 * Every connection and every new cause of a failure has its line. While the same causes go on, one
 * line a minute tells how many tries there were. One thread: the link's.
 */
#ifndef GATEWAY_LINK_LOG_H
#define GATEWAY_LINK_LOG_H

#include "base/log.h"
#include "mqtt/link.h"

enum { LINK_LOG_CAUSES = 4, LINK_LOG_CAUSE_BYTES = 256 };

struct link_log { /* zero at first */
    struct log_repeat repeat;
    char causes[LINK_LOG_CAUSES][LINK_LOG_CAUSE_BYTES]; /* since it was last connected */
    size_t count;
};

/* As the link's callback of this name. */
void link_log_state(struct link_log *log, enum mqtt_link_state state, bool session_present,
                    const char *why);

#endif
