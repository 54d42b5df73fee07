/* link_log - see link_log.h. */
#include "gateway/link_log.h"

#include "base/clock.h"

enum { LINK_LOG_REPEAT_MS = 60000 };

/* Whether this cause was told already. When the next try comes is no part of it. */
static bool is_known(struct link_log *log, const char *why)
{
    struct span cause = span_slice(span_of(why), 0, span_find(span_of(why), ';'));
    cause = span_slice(cause, 0, LINK_LOG_CAUSE_BYTES - 1);
    for (size_t i = 0; i < LINK_LOG_CAUSES; i++) {
        if (cause.len > 0 && span_eq_str(cause, log->causes[i]))
            return true;
    }
    char *place = log->causes[log->count++ % LINK_LOG_CAUSES];
    if (cause.len > 0)
        memcpy(place, cause.ptr, cause.len);
    place[cause.len] = '\0';
    return false;
}

void link_log_state(struct link_log *log, enum mqtt_link_state state, bool session_present,
                    const char *why)
{
    static const char *const events[] = {"mqtt.connecting", "mqtt.connected", "mqtt.away"};
    uint64_t more = 0;
    if (state != MQTT_LINK_CONNECTING) {
        *log = (struct link_log){0};
    } else {
        bool known = is_known(log, why);
        bool due = log_repeat_due(&log->repeat, clock_mono_ms(), LINK_LOG_REPEAT_MS, &more);
        if (known && !due)
            return;
    }
    log_write(state == MQTT_LINK_CONNECTED ? LOG_INFO : LOG_WARN, events[state],
              LOG_FIELDS(LOG_NUM("session_present", session_present), LOG_NUM("more", more)), "%s",
              why);
}
