/* run - `cmqgw run`: the gateway as a process in the foreground (RULES 7). */
#include "base/clock.h"
#include "base/log.h"
#include "base/quantity.h"
#include "gateway/command.h"
#include "gateway/gateway.h"
#include "gateway/notify.h"
#include "gateway/reload.h"

#include <errno.h>
#include <signal.h>

enum {
    RUN_CANNOT = 3, /* exit code: the configuration is good, but the gateway cannot run */
    RUN_GRACE_MS = 10000,
    RUN_FIGURES_MS = 60000,
    RUN_MAX_GRACE_MS = 3600 * 1000,
};

/* The signals that main waits for; blocked in every thread. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    return set;
}

static void reload(struct gateway *gateway, struct notify *notify)
{
    notify_reloading(notify);
    gateway_reload(gateway);
    notify_ready(notify, "running");
}

/*
 * Waits until it is to end. Four times within the watchdog's patience it looks whether the threads
 * that do the work take their turns, and only then speaks for them.
 */
static void wait_for_end(const sigset_t *signals, struct gateway *gateway, struct notify *notify)
{
    int64_t figures_at_ms = clock_mono_ms() + RUN_FIGURES_MS;
    int64_t period_ms = notify->watchdog_ms > 0 ? notify->watchdog_ms / 4 + 1 : RUN_FIGURES_MS;
    struct timespec period = {.tv_sec = period_ms / 1000,
                              .tv_nsec = (long)(period_ms % 1000) * 1000000};
    for (;;) {
        int signal_number = sigtimedwait(signals, NULL, &period);
        if (signal_number == SIGTERM || signal_number == SIGINT)
            return;
        if (signal_number == SIGHUP)
            reload(gateway, notify);
        else
            CHECK(signal_number > 0 || errno == EAGAIN || errno == EINTR);
        if (gateway_silent_ms(gateway) < notify->watchdog_ms / 2)
            notify_alive(notify);
        if (clock_mono_ms() >= figures_at_ms) {
            gateway_tidy(gateway);
            gateway_log_figures(gateway);
            figures_at_ms = clock_mono_ms() + RUN_FIGURES_MS;
        }
    }
}

static bool parse_grace(struct command_line *line, const char *text, int64_t *out_ms)
{
    if (duration_parse(span_of(text), out_ms) && *out_ms <= RUN_MAX_GRACE_MS)
        return true;
    (void)command_usage(line, "--grace: \"%s\" is not a duration from 0s to 1h, such as 10s", text);
    return false;
}

int cmd_run(struct command_line *line)
{
    static const struct option options[] = {
        COMMAND_OPTIONS, {"grace", required_argument, NULL, 'g'}, {NULL, 0, NULL, 0}};
    int64_t grace_ms = RUN_GRACE_MS;
    for (int opt; (opt = command_getopt(line, options)) != -1;) {
        if (opt == COMMAND_STOP)
            return line->status;
        if (opt == 'g' && !parse_grace(line, optarg, &grace_ms))
            return COMMAND_USAGE;
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;

    struct config *config = command_config(line);
    if (!config)
        return COMMAND_NO;
    log_setup(config->log.level, config->log.format);
    sigset_t signals = block_signals();
    struct err err;
    struct notify notify;
    if (!notify_open(&notify, &err))
        log_write(LOG_WARN, "notify.failed", NULL, "%s", err.text);
    struct gateway *gateway = gateway_start(config, &err);
    if (!gateway) {
        log_write(LOG_ERROR, "gateway.cannot_run", NULL, "%s", err.text);
        notify_close(&notify);
        config_free(config);
        return RUN_CANNOT;
    }
    notify_ready(&notify, "running");
    wait_for_end(&signals, gateway, &notify);
    notify_stopping(&notify);
    gateway_stop(gateway, grace_ms);
    notify_close(&notify);
    config_free(config);
    return COMMAND_OK;
}
