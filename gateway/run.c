/* run - `cmqgw run`: the gateway as a process in the foreground (RULES 7). */
#include "base/clock.h"
#include "base/log.h"
#include "base/quantity.h"
#include "gateway/command.h"
#include "gateway/gateway.h"

#include <errno.h>
#include <signal.h>

enum {
    RUN_CANNOT = 3, /* exit code: the configuration is good, but the gateway cannot run */
    RUN_GRACE_MS = 10000,
    RUN_FIGURES_S = 60,
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

static void wait_for_end(const sigset_t *signals, struct gateway *gateway)
{
    struct timespec period = {.tv_sec = RUN_FIGURES_S};
    for (;;) {
        int signal_number = sigtimedwait(signals, NULL, &period);
        if (signal_number == SIGTERM || signal_number == SIGINT)
            return;
        if (signal_number == SIGHUP)
            log_write(LOG_WARN, "reload.unsupported", NULL,
                      "this version does not reload: stop and start it to read the rules again");
        else if (signal_number < 0)
            CHECK(errno == EAGAIN || errno == EINTR);
        gateway_log_figures(gateway);
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
    struct gateway *gateway = gateway_start(config, &err);
    if (!gateway) {
        log_write(LOG_ERROR, "gateway.cannot_run", NULL, "%s", err.text);
        config_free(config);
        return RUN_CANNOT;
    }
    wait_for_end(&signals, gateway);
    gateway_stop(gateway, grace_ms);
    config_free(config);
    return COMMAND_OK;
}
